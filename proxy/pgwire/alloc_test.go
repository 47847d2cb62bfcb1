package pgwire

import (
	"io"
	"testing"
	"time"
)

// TestForwardAllocatesNothing measures the path that every byte takes.
func TestForwardAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	small := AppendEmpty(AppendQuery(nil, "select abalance from pgbench_accounts where aid = 4711"), MsgSync)
	large := AppendFrame(nil, MsgDataRow, make([]byte, 100_000))
	for name, source := range sources {
		a, in := pair(t)
		out, b := pair(t)
		r := NewReader(source(in), nil, &Budget{Max: 1 << 20})
		w := NewWriter(out, time.Now)
		sink := make([]byte, 256<<10)
		run := func(wire []byte, forward func() error) float64 {
			return testing.AllocsPerRun(200, func() {
				if _, err := a.Write(wire); err != nil {
					t.Fatal(err)
				}
				if err := forward(); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(b, sink[:len(wire)]); err != nil {
					t.Fatal(err)
				}
			})
		}
		if n := run(small, func() error {
			for range 2 {
				_, size, err := r.Next()
				if err != nil {
					return err
				}
				frame, err := r.Frame(size, 1<<20)
				if err != nil {
					return err
				}
				if frame[0] == MsgQuery {
					if _, ok := Query(frame[HeadSize:]); !ok {
						return ErrLength
					}
				}
				if _, err := w.Write(r.Bytes(size)); err != nil {
					return err
				}
				r.Discard(size)
			}
			return nil
		}); n != 0 {
			t.Errorf("%s: %v allocations to forward two frames", name, n)
		}
		if n := run(large, func() error {
			_, size, err := r.Next()
			if err != nil {
				return err
			}
			return w.Stream(r, size)
		}); n != 0 {
			t.Errorf("%s: %v allocations to stream a frame", name, n)
		}
	}
}

func TestDecodersAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	parse := AppendParse(nil, "s", "select $1")[HeadSize:]
	bind := AppendBind(nil, "p", "s")[HeadSize:]
	execute := AppendExecute(nil, "p")[HeadSize:]
	target := AppendTarget(nil, MsgDescribe, 'S', "s")[HeadSize:]
	status := AppendParameterStatus(nil, Param{"a", "b"})[HeadSize:]
	failure := AppendError(nil, &Notice{Severity: "ERROR", Code: "57014", Message: "m"})[HeadSize:]
	tag := AppendCommandComplete(nil, "SELECT 12")[HeadSize:]
	var rows int64
	dst := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		_, _, _ = Parse(parse)
		_, _, _ = Bind(bind)
		_ = BindValues(bind, func(int, bool, []byte) bool { return true })
		_, _, _ = Execute(execute)
		_, _, _ = Target(target)
		_, _, _ = ParameterStatus(status)
		_, _ = Field(failure, 'C')
		rows = TagRows(CommandTag(tag))
		dst = AppendReady(AppendTarget(AppendEmpty(dst[:0], MsgSync), MsgDescribe, 'S', "lk"), TxIdle)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if rows != 12 {
		t.Errorf("rows %d", rows)
	}
}

func BenchmarkForwardSmall(b *testing.B) {
	from, in := pair(b)
	out, to := pair(b)
	r, w := NewReader(in, nil, nil), NewWriter(out, time.Now)
	wire := AppendQuery(nil, "select abalance from pgbench_accounts where aid = 4711")
	sink := make([]byte, len(wire))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = from.Write(wire)
		_, size, err := r.Next()
		if err != nil {
			b.Fatal(err)
		}
		_, _ = w.Write(r.Bytes(size))
		r.Discard(size)
		_, _ = io.ReadFull(to, sink)
	}
}

func BenchmarkStream(b *testing.B) {
	from, in := pair(b)
	out, to := pair(b)
	r, w := NewReader(in, nil, nil), NewWriter(out, time.Now)
	wire := AppendFrame(nil, MsgDataRow, make([]byte, 1<<20))
	go func() { // ends when from is closed by the benchmark's end
		for {
			if _, err := from.Write(wire); err != nil {
				return
			}
		}
	}()
	go func() { // as above
		buf := make([]byte, 256<<10)
		for {
			if _, err := to.Read(buf); err != nil {
				return
			}
		}
	}()
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		_, size, err := r.Next()
		if err == nil {
			err = w.Stream(r, size)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
