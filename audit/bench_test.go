package audit

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"
)

// statement is a typical intent.
func statement() Event {
	return Event{
		Time: time.Date(2026, 11, 22, 22, 43, 23, 123456000, time.UTC), Kind: KindIntent, Node: "lk-1",
		Session: "01JDA2V6T8Q7W0C3M4N5P6R7S8", User: "anna", Team: "growth", Tool: "metabase", Via: "wire",
		ClientAddr: "10.1.2.3:54321", TLS: "TLSv1.3", Database: "warehouse", Role: "reporting", ApplicationName: "Metabase v0.50",
		Class: "bi", Verdict: VerdictAllow, Protocol: "extended", StatementID: 4711, Fingerprint: "f3a9c1d2e4b5a697",
		Verbs: []string{"select"}, Reads: []string{"public.enrollments", "public.learners"},
		Text:      "SELECT l.country, count(*) FROM public.enrollments e JOIN public.learners l ON l.id = e.learner_id WHERE e.started_at > $1 GROUP BY 1",
		TextBytes: 140, BackendPID: 12345, TxID: 3,
	}
}

// nothing is a sink without a disk: what remains is the Recorder's own cost.
type nothing struct{}

func (nothing) Append(events []Event) (int, error) { return len(events), nil }
func (nothing) Sync() error                        { return nil }

func running(tb testing.TB, cfg Config) *Recorder {
	tb.Helper()
	r, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { // stopped and joined below
		defer close(ended)
		_ = r.Run(ctx) // tests that care run it themselves
	}()
	tb.Cleanup(func() {
		cancel()
		<-ended
	})
	return r
}

func TestRecordAllocatesNothing(t *testing.T) {
	r := running(t, Config{Sink: nothing{}, Node: "n"})
	e := statement()
	e.Time = time.Time{}
	for range 20000 { // the queues grow to their size
		_ = r.Record(t.Context(), &e)
	}
	if n := testing.AllocsPerRun(20000, func() {
		if err := r.Record(t.Context(), &e); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Record allocates %v times", n)
	}
}

func TestSealAllocatesNothing(t *testing.T) {
	s, err := NewSealer(Head{}, ULID{})
	if err != nil {
		t.Fatal(err)
	}
	e := statement()
	buf := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(1000, func() { buf = s.Append(buf[:0], &e) }); n != 0 {
		t.Errorf("Append allocates %v times", n)
	}
}

func BenchmarkRecordOrdered(b *testing.B) {
	r := running(b, Config{Sink: nothing{}, Node: "n"})
	e := statement()
	e.Time = time.Time{}
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Record(ctx, &e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	s, err := NewSealer(Head{}, ULID{})
	if err != nil {
		b.Fatal(err)
	}
	e := statement()
	buf := s.Append(nil, &e)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = s.Append(buf[:0], &e)
	}
}

func BenchmarkVerify(b *testing.B) {
	s, err := NewSealer(Head{}, ULID{})
	if err != nil {
		b.Fatal(err)
	}
	e := statement()
	log := s.AppendHeader(nil, e.Time)
	for len(log) < 16<<20 {
		log = s.Append(log, &e)
	}
	b.SetBytes(int64(len(log)))
	for b.Loop() {
		v := NewVerifier([]Head{s.Head()}, nil)
		if err := v.Segment(b.Context(), 1, io.Reader(bytes.NewReader(log)), true); err != nil {
			b.Fatal(err)
		}
		if res := v.Result(); !res.OK() {
			b.Fatal(res)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	e := statement()
	buf := appendRecord(nil, &e)
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		buf = appendRecord(buf[:0], &e)
	}
}
