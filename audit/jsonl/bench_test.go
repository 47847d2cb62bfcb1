package jsonl

import (
	"context"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
)

func typical() audit.Event {
	return audit.Event{
		Kind: audit.KindIntent, Node: "lk-1", Session: "01JDA2V6T8Q7W0C3M4N5P6R7S8", User: "anna", Team: "growth", Tool: "metabase", Via: "wire",
		ClientAddr: "10.1.2.3:54321", TLS: "TLSv1.3", Database: "warehouse", Role: "reporting", ApplicationName: "Metabase v0.50",
		Class: "bi", Verdict: audit.VerdictAllow, Protocol: "extended", StatementID: 4711, Fingerprint: "f3a9c1d2e4b5a697",
		Verbs: []string{"select"}, Reads: []string{"public.enrollments", "public.learners"},
		Text:      "SELECT l.country, count(*) FROM public.enrollments e JOIN public.learners l ON l.id = e.learner_id WHERE e.started_at > $1 GROUP BY 1",
		TextBytes: 140, BackendPID: 12345, TxID: 3,
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for the process itself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchRecord lets sessions share b.N records through a Recorder onto a disk.
func benchRecord(b *testing.B, sessions int, d audit.Durability) {
	b.Helper()
	l, err := Open(Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	r, err := audit.New(audit.Config{Sink: l})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	var run, work sync.WaitGroup
	run.Go(func() { _ = r.Run(ctx) })
	b.ResetTimer()
	before := cpu()
	for s := range sessions {
		work.Go(func() {
			e := typical()
			e.Durability = d
			for i := s; i < b.N; i += sessions {
				if err := r.Record(ctx, &e); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
	if err := r.Drain(ctx); err != nil {
		b.Error(err)
	}
	b.StopTimer()
	b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(r.Stats().Syncs), "syncs")
	cancel()
	run.Wait()
}

func BenchmarkOrdered(b *testing.B)   { benchRecord(b, 4, audit.Ordered) }
func BenchmarkDurable1(b *testing.B)  { benchRecord(b, 1, audit.Durable) }
func BenchmarkDurable8(b *testing.B)  { benchRecord(b, 8, audit.Durable) }
func BenchmarkDurable32(b *testing.B) { benchRecord(b, 32, audit.Durable) }

func filled(b *testing.B, n int) string {
	b.Helper()
	dir := b.TempDir()
	l, err := Open(Config{Dir: dir, MaxBytes: 16 << 20})
	if err != nil {
		b.Fatal(err)
	}
	batch := make([]audit.Event, 1000)
	for i := range n / len(batch) {
		for j := range batch {
			batch[j] = typical()
			batch[j].Time = time.Unix(int64(1790000000+i), int64(j))
			batch[j].TxID = uint64(i)
		}
		if i == 0 {
			batch[0].User = "otto"
		}
		if _, err := l.Append(batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

func BenchmarkVerify(b *testing.B) {
	dir := filled(b, 100_000)
	var size int64
	for b.Loop() {
		res, err := Verify(b.Context(), dir, nil)
		if err != nil || !res.OK() {
			b.Fatal(err, res.Broken)
		}
		size = res.Bytes
	}
	b.SetBytes(size)
}

// BenchmarkSearch finds the very first of 100 000 records.
func BenchmarkSearch(b *testing.B) {
	dir := filled(b, 100_000)
	numbers, err := segments(dir)
	if err != nil {
		b.Fatal(err)
	}
	var size int64
	for _, n := range numbers {
		info, err := os.Stat(segmentPath(dir, n))
		if err != nil {
			b.Fatal(err)
		}
		size += info.Size()
	}
	b.SetBytes(size)
	for b.Loop() {
		page, err := NewReader(dir).Search(b.Context(), audit.Query{Filter: audit.Filter{User: "otto"}})
		if err != nil || len(page.Events) != 1 {
			b.Fatal(len(page.Events), err)
		}
	}
}
