package jsonl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
)

// smallDisk mounts a file system of 1 MiB and returns its directory.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("SKIPPED, NOTHING WAS TESTED: a full disk needs the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// TestFullDisk fills a real disk through a Recorder, sees every fail mode obeyed
// while it is full, makes room, and accounts for every record.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t)
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 512<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(disk, "audit")
	l, err := Open(Config{Dir: dir, MaxBytes: 100 << 10})
	if err != nil {
		t.Fatal(err)
	}
	const room = 16
	r, err := audit.New(audit.Config{Sink: l, QueueSize: room, RetryMin: time.Millisecond, RetryMax: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer func() {
		cancel()
		run.Wait()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()

	durable := audit.Event{Kind: audit.KindIntent, Durability: audit.Durable, OnFailure: audit.Closed}
	acknowledged := fill(t, disk, r, &durable)
	full := wantOK(t, dir) // a disk that is full leaves no half record behind
	if full.Torn > 0 {
		t.Errorf("%d bytes torn", full.Torn)
	}

	passed := 0
	for i := range 3 * room {
		for _, e := range []audit.Event{
			{Text: "closed", OnFailure: audit.Closed},
			{Text: "closed_for_writes read", Durability: audit.Durable},
			{Text: "closed_for_writes write", Write: true},
			{Text: "open write", OnFailure: audit.Open, Write: true, Durability: audit.Durable},
		} {
			e.Kind, e.Session = audit.KindIntent, fmt.Sprint(i)
			err := r.Record(t.Context(), &e)
			refused := e.OnFailure == audit.Closed || e.OnFailure == audit.ClosedForWrites && e.Write
			if refused != errors.Is(err, audit.ErrUnavailable) || !refused && err != nil {
				t.Errorf("%s on a full disk: %v", e.Text, err)
			}
			if err == nil {
				passed++
			}
		}
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := r.Drain(t.Context()); err != nil { // it recovers by itself
		t.Fatal(err)
	}
	durable.Text = "after"
	if err := r.Record(t.Context(), &durable); err != nil {
		t.Error(err)
	}
	after := wantOK(t, dir, full.Head)
	checkFullDisk(t, dir, after, acknowledged, passed)
	t.Logf("%d acknowledged before, %d let pass while full, %+v", len(acknowledged), passed, r.Stats())
}

// fill records until not even the outage can be written, and returns the texts
// that were acknowledged.
func fill(t *testing.T, disk string, r *audit.Recorder, e *audit.Event) (acknowledged []string) {
	t.Helper()
	for i := 0; ; i++ {
		if i == 100 { // some segments have been closed: take the rest of the disk away
			_ = os.WriteFile(filepath.Join(disk, "rest"), make([]byte, 1<<20), 0o600) // fails, and takes what there is
		}
		e.Text = fmt.Sprint("durable ", i, strings.Repeat(" ", 2000))
		err := r.Record(t.Context(), e)
		switch {
		case err == nil:
			acknowledged = append(acknowledged, e.Text)
		case !errors.Is(err, audit.ErrUnavailable) || !errors.Is(err, syscall.ENOSPC) || i > 10000:
			t.Fatalf("record %d: %v", i, err)
		default:
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			err := r.Drain(ctx)
			cancel()
			if err != nil {
				return acknowledged // many attempts later it is still full
			}
		}
	}
}

func checkFullDisk(t *testing.T, dir string, after audit.Result, acknowledged []string, passed int) {
	t.Helper()
	page, err := NewReader(dir).Search(t.Context(), audit.Query{Limit: 1 << 20})
	if err != nil || page.Unreadable > 0 || after.Records != uint64(len(page.Events)) {
		t.Fatalf("%d of %d events read, %d lines unreadable, %v", len(page.Events), after.Records, page.Unreadable, err)
	}
	var durable []string
	stored, lost, told := 0, 0, 0
	for _, e := range page.Events {
		switch {
		case e.Kind == audit.KindLoss:
			lost += int(e.Lost)
			told++
		case e.Session == "":
			durable = append(durable, e.Text)
		default:
			stored++
		}
	}
	if want := append(slices.Clone(acknowledged), "after"); !slices.Equal(durable, want) {
		t.Errorf("%d durable records are stored, %d were acknowledged", len(durable), len(want))
	}
	if stored+lost != passed || stored == 0 || lost == 0 {
		t.Errorf("%d let pass on the full disk, %d of them stored, %d recorded as lost", passed, stored, lost)
	}
	if told == 0 {
		t.Error("the outage is not recorded")
	}
}

// TestHalfWriteIsCutBack: the write fails half way and so does the repair; both
// work again later.
func TestHalfWriteIsCutBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, Config{Dir: dir})
	appended(t, l, events(2)...)
	head := l.Head()
	good := l.file
	bad, err := os.Open(segmentPath(dir, 1)) // for reading only
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	l.file = bad
	for range 3 {
		if n, err := l.Append(events(3)); err == nil || n != 0 {
			t.Errorf("append: %d, %v", n, err)
		}
	}
	if _, err := good.WriteAt(append([]byte(`{"v":1,"id":"half`), make([]byte, 4000)...), l.size); err != nil {
		t.Fatal(err)
	}
	if l.Head() != head {
		t.Errorf("head moved to %+v", l.Head())
	}
	if res := wantOK(t, dir, head); res.Torn == 0 {
		t.Error("nothing is torn")
	}
	l.file = good
	appended(t, l, events(3)...)
	if res := wantOK(t, dir, head, l.Head()); res.Torn > 0 || res.Records != 5 {
		t.Errorf("%d records, %d bytes torn", res.Records, res.Torn)
	}
}

func TestFailedSyncBeginsANewSegment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, Config{Dir: dir})
	appended(t, l, events(2)...)
	if err := l.file.Close(); err != nil { // what follows fails as on a dead disk
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Sync(); err == nil {
			t.Error("synced")
		}
	}
	appended(t, l, events(1)...)
	if err := l.Sync(); err != nil {
		t.Error(err)
	}
	if res := wantOK(t, dir, l.Head()); res.Segments != 2 || res.Records != 3 {
		t.Errorf("%d segments, %d records", res.Segments, res.Records)
	}
}

// TestSyncBesideRotation: a sync whose segment is closed under it has nothing
// left to do there.
func TestSyncBesideRotation(t *testing.T) {
	t.Parallel()
	l := opened(t, Config{Dir: t.TempDir(), MaxBytes: 1})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := l.Sync(); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 100 {
		appended(t, l, events(3)...)
	}
	close(stop)
	wg.Wait()
	wantOK(t, l.cfg.Dir, l.Head())
}

func TestSegmentThatCannotBegin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, Config{Dir: dir, MaxBytes: 1})
	appended(t, l, events(1)...)
	if err := os.WriteFile(segmentPath(dir, 2), nil, 0o600); err != nil { // its name is taken
		t.Fatal(err)
	}
	if n, err := l.Append(events(2)); err == nil || n != 0 {
		t.Errorf("append: %d, %v", n, err)
	}
	remove(t, dir, 2)
	appended(t, l, events(2)...)
	wantOK(t, dir, l.Head())
}

// TestReadersBesideTheWriter reads in every way while segments come and go.
func TestReadersBesideTheWriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := opened(t, Config{Dir: dir, MaxBytes: 4000, RetainBytes: 40000})
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	const last = 600
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; i < last && ctx.Err() == nil; i += 3 {
			appended(t, l, events(3)...)
		}
	})
	wg.Go(func() {
		defer stop()
		seq := uint64(0)
		for e, err := range NewReader(dir).Tail(ctx, 0, audit.Filter{}) {
			if err != nil || e.Seq <= seq {
				t.Errorf("tail: %d after %d, %v", e.Seq, seq, err)
				return
			}
			if seq = e.Seq; seq >= last {
				return
			}
		}
		t.Errorf("tail ended at %d", seq)
	})
	wg.Go(func() {
		var head audit.Head
		for ctx.Err() == nil {
			page, err := NewReader(dir).Search(t.Context(), audit.Query{Limit: 50})
			if err != nil || page.Unreadable > 0 {
				t.Errorf("search: %d unreadable, %v", page.Unreadable, err)
			}
			for i, e := range page.Events {
				if i > 0 && e.Seq != page.Events[i-1].Seq+1 {
					t.Errorf("search: %d after %d", e.Seq, page.Events[i-1].Seq)
				}
			}
			res, err := Verify(t.Context(), dir, []audit.Head{head})
			if err != nil || !res.OK() {
				t.Errorf("verify: %v, %v", res.Broken, err)
			}
			if head, err = Head(dir); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
}
