package jsonl

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/lockkeeper/lockkeeper/audit"
)

// rechain gives every segment from the first on new hashes, and every line its
// new place: what somebody does who knows how the log is made.
func rechain(t *testing.T, dir string) {
	t.Helper()
	numbers, err := segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	chain := audit.NewChain()
	var h audit.Hash
	for _, n := range numbers {
		var out []byte
		for _, line := range lines(t, dir, n) {
			record, _, ok := audit.SplitLine(line[:len(line)-1])
			if !ok {
				t.Fatalf("segment %d: no chain in %s", n, line)
			}
			if _, prev, ok := audit.ParseHeader(record); ok {
				record = bytes.Replace(record, []byte(prev.String()), []byte(h.String()), 1)
			}
			h = chain.Link(h, record)
			out = append(out, record...)
			out = append(out, `,"chain":"`+h.String()+`"}`+"\n"...)
		}
		overwrite(t, dir, n, out)
	}
}

func TestTampering(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		tamper func(t *testing.T, dir string)
		want   string
		proof  bool // found only with an exported head
	}{
		{"edited line", func(t *testing.T, dir string) {
			overwrite(t, dir, 2, bytes.Replace(contents(t, dir, 2), []byte("anna"), []byte("otto"), 1))
		}, "segment 2 line 2 (seq 4): chain does not hold", false},
		{"edited with its own hash anew", func(t *testing.T, dir string) {
			l := lines(t, dir, 2)
			_, before, _ := audit.SplitLine(bytes.TrimSuffix(l[0], []byte("\n")))
			record, _, _ := audit.SplitLine(bytes.TrimSuffix(l[1], []byte("\n")))
			record = bytes.Replace(record, []byte("anna"), []byte("otto"), 1)
			l[1] = append(record, `,"chain":"`+audit.NewChain().Link(before, record).String()+`"}`+"\n"...)
			overwrite(t, dir, 2, l...)
		}, "segment 2 line 3 (seq 5): chain does not hold", false},
		{"edited with all hashes anew", func(t *testing.T, dir string) {
			overwrite(t, dir, 2, bytes.Replace(contents(t, dir, 2), []byte("anna"), []byte("otto"), 1))
			rechain(t, dir)
		}, "not the one that the exported head names", true},
		{"removed line", func(t *testing.T, dir string) {
			overwrite(t, dir, 2, slices.Delete(lines(t, dir, 2), 2, 3)...)
		}, "records 5 to 5 are missing", false},
		{"removed line with all hashes anew", func(t *testing.T, dir string) {
			overwrite(t, dir, 2, slices.Delete(lines(t, dir, 2), 2, 3)...)
			rechain(t, dir)
		}, "seq follows 4", false},
		{"line added without a chain", func(t *testing.T, dir string) {
			overwrite(t, dir, 2, slices.Insert(lines(t, dir, 2), 2, []byte(`{"v":1,"kind":"intent"}`+"\n"))...)
		}, "segment 2 line 3", false},
		{"line twice", func(t *testing.T, dir string) {
			l := lines(t, dir, 2)
			overwrite(t, dir, 2, slices.Insert(l, 2, l[1])...)
		}, "segment 2 line 3 (seq 4): chain does not hold", false},
		{"two lines swapped", func(t *testing.T, dir string) {
			l := lines(t, dir, 2)
			l[1], l[2] = l[2], l[1]
			overwrite(t, dir, 2, l...)
		}, "segment 2 line 2", false},
		{"end of a segment cut", func(t *testing.T, dir string) {
			l := lines(t, dir, 2)
			overwrite(t, dir, 2, l[:len(l)-1]...)
		}, "segment 3 line 1 (seq 6): segment does not continue the one before", false},
		{"log cut at a record", func(t *testing.T, dir string) {
			l := lines(t, dir, 4)
			overwrite(t, dir, 4, l[:len(l)-1]...)
		}, "log ends at seq 11, before the exported head at seq 12: its end was cut", true},
		{"last segment removed", func(t *testing.T, dir string) {
			remove(t, dir, 4)
		}, "log ends at seq 9", true},
		{"all segments removed", func(t *testing.T, dir string) {
			for n := range uint64(4) {
				remove(t, dir, n+1)
			}
		}, "log ends at seq 0", true},
		{"segment removed", func(t *testing.T, dir string) {
			remove(t, dir, 2)
		}, "segments 2 to 2 are missing", false},
		{"first segment removed", func(t *testing.T, dir string) {
			remove(t, dir, 1)
		}, "segments 1 to 1 are missing", false},
		{"first segment removed and called retired", func(t *testing.T, dir string) {
			end, err := endOf(dir, 1)
			if err != nil {
				t.Fatal(err)
			}
			remove(t, dir, 1)
			if err := writeRetained(dir, end); err != nil {
				t.Fatal(err)
			}
		}, "no record says that they were retired", false},
		{"segments swapped", func(t *testing.T, dir string) {
			two, three := contents(t, dir, 2), contents(t, dir, 3)
			overwrite(t, dir, 2, three)
			overwrite(t, dir, 3, two)
		}, "file holds segment 3: it was swapped or renamed", false},
		{"segment from another log", func(t *testing.T, dir string) {
			other := t.TempDir()
			written(t, other, 12)
			overwrite(t, dir, 2, contents(t, other, 2))
		}, "segment 2 line 1 (seq 3): segment does not continue", false},
		{"another log", func(t *testing.T, dir string) {
			written(t, dir+"/other", 12)
			for n := range uint64(4) {
				overwrite(t, dir, n+1, contents(t, dir+"/other", n+1))
			}
		}, "not the one that the exported head names", true},
		{"header removed", func(t *testing.T, dir string) {
			overwrite(t, dir, 2, lines(t, dir, 2)[1:]...)
		}, "header of a segment is not its first line", false},
		{"segment emptied", func(t *testing.T, dir string) {
			overwrite(t, dir, 2)
		}, "segment is empty", false},
		{"newline removed in the middle", func(t *testing.T, dir string) {
			overwrite(t, dir, 2, bytes.TrimSuffix(contents(t, dir, 2), []byte("\n")))
		}, "line has no end, and a segment follows", false},
		{"endless line", func(t *testing.T, dir string) {
			overwrite(t, dir, 2, bytes.Repeat([]byte("x"), 3*audit.MaxRecord), []byte("\n"))
		}, "longer than any record", false},
		{"chain value that is no hex", func(t *testing.T, dir string) {
			text := contents(t, dir, 2)
			text[len(text)-5] = 'x'
			overwrite(t, dir, 2, text)
		}, "line has no chain value", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			head := written(t, dir, 12)
			if res := wantOK(t, dir, head); len(res.Unproven) > 0 || res.Head != head || res.Segments != 4 {
				t.Fatalf("before: %+v, head %+v", res, head)
			}
			test.tamper(t, dir)
			with, without := verified(t, dir, head), verified(t, dir)
			wantBroken(t, with, test.want)
			if !test.proof {
				wantBroken(t, without, test.want)
				return
			}
			if !without.OK() {
				t.Errorf("found without a head: %v", without.Broken)
			}
			wantUnproven(t, without, "no exported head was given")
		})
	}
}

func remove(t *testing.T, dir string, number uint64) {
	t.Helper()
	if err := os.Remove(segmentPath(dir, number)); err != nil {
		t.Fatal(err)
	}
}

func TestHeads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, Config{Dir: dir, MaxBytes: 800})
	heads := []audit.Head{l.Head()} // of an empty log: proves nothing, breaks nothing
	for i := range 12 {
		appended(t, l, events(1)...)
		heads = append(heads, l.Head())
		if got, err := Head(dir); err != nil || got.Chain != l.Head().Chain || got.Segment != l.Head().Segment {
			t.Errorf("after %d: head on disk %+v, %v; the writer says %+v", i, got, err, l.Head())
		}
	}
	slices.Reverse(heads)
	if res := wantOK(t, dir, heads...); len(res.Unproven) > 0 {
		t.Errorf("unproven with the last head: %q", res.Unproven)
	}
	wantUnproven(t, wantOK(t, dir, heads[3:]...), "3 records after the last exported head, up to seq 12")
	forged := slices.Clone(heads)
	forged[5].Chain[0]++
	wantBroken(t, verified(t, dir, forged...), "record 7 is not the one that the exported head names")
	later := heads[0]
	later.Seq += 10
	wantBroken(t, verified(t, dir, later), "log ends at seq 12, before the exported head at seq 22")
	wantBroken(t, verified(t, dir, audit.Head{Seq: 2, Segment: 3}), "record 2 is not the one")
}
