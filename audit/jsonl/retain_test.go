package jsonl

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
)

func TestRetainBySize(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, Config{Dir: dir, MaxBytes: 1000, RetainBytes: 4000})
	var heads []audit.Head
	for range 100 {
		appended(t, l, events(1)...)
		heads = append(heads, l.Head())
		res := wantOK(t, dir, heads...)
		if res.Bytes > 6000 {
			t.Fatalf("%d bytes are kept", res.Bytes)
		}
	}
	res := wantOK(t, dir, heads...)
	wantUnproven(t, res, "were retired and are not here to be checked")
	if res.First < 50 {
		t.Errorf("the log begins at seq %d", res.First)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := opened(t, Config{Dir: dir, MaxBytes: 1000, RetainBytes: 4000})
	appended(t, again, events(20)...)
	wantOK(t, dir, heads...)

	forged, err := readRetained(dir)
	if err != nil {
		t.Fatal(err)
	}
	forged.Chain[0]++
	wantBroken(t, verified(t, dir, *forged), "not the one that the exported head names")
	// Somebody helps: one more segment goes, and the checkpoint with it.
	end, err := endOf(dir, forged.Segment+1)
	if err != nil {
		t.Fatal(err)
	}
	remove(t, dir, forged.Segment+1)
	wantBroken(t, verified(t, dir), "are missing")
	if err := writeRetained(dir, end); err != nil {
		t.Fatal(err)
	}
	wantBroken(t, verified(t, dir), "no record says that they were retired")
	if err := os.Remove(filepath.Join(dir, retainedName)); err != nil {
		t.Fatal(err)
	}
	wantBroken(t, verified(t, dir), "segments 1 to")
}

func TestRetainAndRotateByAge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := opened(t, Config{Dir: dir, MaxAge: time.Hour, RetainAge: 24 * time.Hour, Now: func() time.Time { return now }})
	for range 72 {
		now = now.Add(30 * time.Minute)
		e := events(1)
		e[0].Time = now
		appended(t, l, e...)
		wantOK(t, dir)
	}
	numbers, err := segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(numbers); n < 24 || n > 26 {
		t.Errorf("%d segments of an hour are kept for a day", n)
	}
	h, err := readHeader(segmentPath(dir, numbers[0]))
	if err != nil || now.Sub(h.time) > 26*time.Hour {
		t.Errorf("the oldest begins at %s, it is %s, %v", h.time, now, err)
	}
}

// TestRetireIsFinishedLater stops between the checkpoint and the deletion.
func TestRetireIsFinishedLater(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, Config{Dir: dir, MaxBytes: 800})
	appended(t, l, events(12)...)
	end, err := endOf(dir, 2)
	if err != nil {
		t.Fatal(err)
	}
	appended(t, l, audit.Event{Kind: audit.KindConfig, What: audit.RetentionPart, Hash: end.Chain.String(), Time: end.Time})
	wantOK(t, dir)
	if err := writeRetained(dir, end); err != nil {
		t.Fatal(err)
	}
	wantOK(t, dir)
	remove(t, dir, 1)
	wantOK(t, dir)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	appended(t, opened(t, Config{Dir: dir}), events(1)...)
	if numbers, err := segments(dir); err != nil || numbers[0] != 3 {
		t.Errorf("segments %v, %v", numbers, err)
	}
	wantOK(t, dir)
}

// TestForeignCheckpointDeletesNothing: the file names what is not in the log.
func TestForeignCheckpointDeletesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	head := written(t, dir, 12)
	for _, forged := range []audit.Head{{Segment: 2, Seq: 6}, {Segment: head.Segment, Seq: head.Seq, Chain: head.Chain}} {
		if err := writeRetained(dir, forged); err != nil {
			t.Fatal(err)
		}
		if l, err := Open(Config{Dir: dir}); err == nil {
			_ = l.Close()
			t.Error("opened")
		}
		if numbers, err := segments(dir); err != nil || len(numbers) != 4 {
			t.Errorf("segments %v, %v", numbers, err)
		}
	}
}
