package jsonl

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"
)

// TestTornEnd cuts the log at every byte of its last segment, as a crash may,
// and goes on from there.
func TestTornEnd(t *testing.T) {
	t.Parallel()
	whole := t.TempDir()
	written(t, whole, 5)
	last := contents(t, whole, 2)
	for cut := 0; cut <= len(last); cut += 7 {
		dir := t.TempDir()
		overwrite(t, dir, 1, contents(t, whole, 1))
		overwrite(t, dir, 2, last[:cut])
		atLine := cut == 0 || last[cut-1] == '\n'
		res := wantOK(t, dir)
		if (res.Torn > 0) == atLine {
			t.Errorf("cut at %d: %d bytes are torn", cut, res.Torn)
		}
		head, err := Head(dir)
		if err != nil || head != res.Head {
			t.Errorf("cut at %d: head %+v, %v, want %+v", cut, head, err, res.Head)
		}
		l := opened(t, Config{Dir: dir})
		if l.Head() != head {
			t.Errorf("cut at %d: reopened at %+v, want %+v", cut, l.Head(), head)
		}
		if torn := wantOK(t, dir, head).Torn; torn > 0 {
			t.Errorf("cut at %d: %d bytes are torn after Open", cut, torn)
		}
		appended(t, l, events(2)...)
		after := wantOK(t, dir, head) // whatever was there is still there
		header := bytes.IndexByte(last, '\n') + 1
		told := reasons(t, dir)
		if want := !atLine && cut > header; want != slices.Equal(told, []string{"torn"}) || !want && len(told) > 0 {
			t.Errorf("cut at %d: losses told: %q", cut, told)
		}
		if want := res.Records + 2 + uint64(len(told)); after.Records != want {
			t.Errorf("cut at %d: %d records, want %d", cut, after.Records, want)
		}
	}
}

func TestHoleLeftByAPowerCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	head := written(t, dir, 5)
	text := contents(t, dir, 2)
	overwrite(t, dir, 2, text, make([]byte, 300), []byte("\"}\n"), make([]byte, 10))
	l := opened(t, Config{Dir: dir})
	appended(t, l, events(1)...)
	wantOK(t, dir, head)
	if told := reasons(t, dir); !slices.Equal(told, []string{"torn"}) {
		t.Errorf("losses told: %q", told)
	}
}

// TestDamageIsKept: what does not verify may be evidence.
func TestDamageIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	written(t, dir, 5)
	damaged := bytes.Replace(contents(t, dir, 2), []byte("anna"), []byte("otto"), 1)
	overwrite(t, dir, 2, damaged)
	l := opened(t, Config{Dir: dir})
	appended(t, l, events(1)...)
	if !bytes.Equal(contents(t, dir, 2), damaged) {
		t.Error("the damaged segment was changed")
	}
	if told := reasons(t, dir); !slices.Equal(told, []string{"damaged"}) {
		t.Errorf("losses told: %q", told)
	}
	if res := verified(t, dir); res.Breaks != 1 || res.Segments != 3 {
		t.Errorf("%d findings in %d segments: %v", res.Breaks, res.Segments, res.Broken)
	}
}

func TestDamagedHeader(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	written(t, dir, 5)
	overwrite(t, dir, 2, []byte("not ours\n"))
	l := opened(t, Config{Dir: dir})
	appended(t, l, events(1)...)
	if l.Head().Segment != 3 {
		t.Errorf("goes on in segment %d", l.Head().Segment)
	}
	if res := verified(t, dir); res.OK() {
		t.Error("verifies")
	}
}

func TestOneWriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, Config{Dir: dir})
	if _, err := Open(Config{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Errorf("second writer: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	opened(t, Config{Dir: dir})
}

func TestModes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/a/b"
	appended(t, opened(t, Config{Dir: dir, MaxBytes: 1}), events(3)...)
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("%d files, %v", len(entries), err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v %v", e.Name(), info.Mode(), err)
		}
	}
}
