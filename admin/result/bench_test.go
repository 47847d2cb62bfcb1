package result_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/resulttest"
)

func ordinary(rows int) ([]result.Column, [][][]byte) {
	maker := resulttest.NewOrdinary(20, 1)
	out := make([][][]byte, rows)
	for i := range out {
		out[i] = resulttest.Copy(maker.Next())
	}
	return maker.Columns(), out
}

func BenchmarkWrite(b *testing.B) {
	columns, rows := ordinary(50_000)
	var raw, stored int64
	done := resulttest.ReportCPU(b)
	for b.Loop() {
		w, err := result.NewWriter(io.Discard, result.Unsealed{}, columns)
		if err != nil {
			b.Fatal(err)
		}
		for _, row := range rows {
			if err := w.Write(row); err != nil {
				b.Fatal(err)
			}
		}
		raw = w.Raw()
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		stored = w.Size()
	}
	done(raw)
	b.SetBytes(raw)
	b.ReportMetric(float64(raw)/float64(stored), "x_smaller")
}

func BenchmarkRead(b *testing.B) {
	r := resulttest.Store(b, resulttest.NewOrdinary(20, 1).Columns(), second(ordinary(50_000)))
	b.SetBytes(r.Raw())
	done := resulttest.ReportCPU(b)
	for b.Loop() {
		for _, err := range r.Rows(b.Context(), 0, -1) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	done(r.Raw())
}

// A page from anywhere costs one chunk.
func BenchmarkPage(b *testing.B) {
	r := resulttest.Store(b, resulttest.NewOrdinary(20, 1).Columns(), second(ordinary(50_000)))
	at := int64(0)
	for b.Loop() {
		at = (at + 7919) % (r.Count() - 100)
		for _, err := range r.Rows(b.Context(), at, 100) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func second[A, B any](_ A, b B) B { return b }

// peakRSS is the most memory this process has held, in bytes, since reset.
func peakRSS(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// heapPeak runs act and returns the most live heap seen at its marks.
func heapPeak(act func(mark func())) int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	before, peak := stats.HeapAlloc, uint64(0)
	act(func() {
		runtime.ReadMemStats(&stats)
		peak = max(peak, stats.HeapAlloc)
	})
	return int64(max(peak, before) - before)
}

// A result of any length is written and read within the same memory: a light
// one by default, ten million rows of twenty columns with LOCKKEEPER_ACCEPTANCE=1,
// where the memory of the whole process is what counts.
func TestMemory(t *testing.T) { // not parallel: it measures the process
	const bound = 100 << 20
	rows, acceptance := 60_000, os.Getenv("LOCKKEEPER_ACCEPTANCE") == "1"
	if acceptance {
		rows = 10_000_000
	}
	path := filepath.Join(t.TempDir(), "rows")
	peak := heapPeak(func(mark func()) {
		maker := resulttest.NewOrdinary(20, 3)
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		out := bufio.NewWriter(file)
		w, err := result.NewWriter(out, result.Unsealed{}, maker.Columns())
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if err := w.Write(maker.Next()); err != nil {
				t.Fatal(err)
			}
			if i%50_000 == 0 {
				mark()
			}
		}
		for _, err := range []error{w.Close(), out.Flush(), file.Close()} {
			if err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%d rows: %d MiB raw, %d MiB stored", rows, w.Raw()>>20, w.Size()>>20)
		file, err = os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		r, err := result.Open(file, w.Size(), result.Unsealed{})
		if err != nil {
			t.Fatal(err)
		}
		again, n := resulttest.NewOrdinary(20, 3), 0
		for row, err := range r.Rows(t.Context(), 0, -1) {
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range again.Next() {
				if !bytes.Equal(row[i], want) || (row[i] == nil) != (want == nil) {
					t.Fatalf("row %d, column %d: got %q, want %q", n, i, row[i], want)
				}
			}
			if n++; n%50_000 == 0 {
				mark()
			}
		}
		if n != rows {
			t.Errorf("read %d rows of %d", n, rows)
		}
	})
	t.Logf("peak of the heap %d MiB, of the process %d MiB", peak>>20, peakRSS(t)>>20)
	if peak > 40<<20 {
		t.Errorf("the heap grew by %d MiB", peak>>20)
	}
	if rss := peakRSS(t); acceptance && rss > bound {
		t.Errorf("the process took %d MiB; run this test alone (-run TestMemory)", rss>>20)
	}
}

// A cell of 64 MiB is written with the memory of a chunk and read with a few
// copies of it.
func TestHugeCell(t *testing.T) { // not parallel: it measures the process
	cell := bytes.Repeat([]byte("0123456789abcdef"), 4<<20)
	path := filepath.Join(t.TempDir(), "huge")
	var size int64
	wrote := heapPeak(func(mark func()) {
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		w, err := result.NewWriter(file, result.Unsealed{}, []result.Column{{Name: "a"}, {Name: "b"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range [][][]byte{{nil, {}}, {cell, []byte("x")}, {[]byte("y"), nil}} {
			if err := w.Write(row); err != nil {
				t.Fatal(err)
			}
			mark()
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		size = w.Size()
	})
	read := heapPeak(func(mark func()) {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		r, err := result.Open(file, size, result.Unsealed{})
		if err != nil {
			t.Fatal(err)
		}
		for row, err := range r.Rows(t.Context(), 1, 1) {
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(row[0], cell) || string(row[1]) != "x" {
				t.Error("not what was written")
			}
			mark()
		}
	})
	t.Logf("writing took %d MiB, reading %d MiB", wrote>>20, read>>20)
	if wrote > 16<<20 || read > 4*64<<20 {
		t.Errorf("writing took %d MiB, reading %d MiB", wrote>>20, read>>20)
	}
}
