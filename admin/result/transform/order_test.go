package transform_test

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/resulttest"
	"github.com/lockkeeper/lockkeeper/admin/result/transform"
)

// Long keys are seen in pieces; the order is that of the whole keys, whatever
// the length of the pieces, and equal rows keep theirs.
func TestSortByPieces(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 5))
	var rows [][][]byte
	for i := range 600 {
		var text any = strings.Repeat("same", rng.IntN(4)) + strings.Repeat("\x00", rng.IntN(3)) + strings.Repeat("z", rng.IntN(9)) + strings.Repeat("tail", rng.IntN(2))
		if rng.IntN(20) == 0 {
			text = nil
		}
		rows = append(rows, resulttest.Row(text, rng.IntN(3), i))
	}
	src := table(t, "text int4 int4", rows...)
	keys := []transform.Key{{Column: transform.Ref{Name: "a"}}, {Column: transform.Ref{Name: "b"}, Desc: true}}
	want := slices.Clone(rows)
	slices.SortStableFunc(want, func(x, y [][]byte) int {
		if x[0] == nil || y[0] == nil {
			if c := cmp.Compare(b2i(x[0] == nil), b2i(y[0] == nil)); c != 0 {
				return c
			}
		}
		return cmp.Or(bytes.Compare(x[0], y[0]), bytes.Compare(y[1], x[1]))
	})
	for _, pieces := range []int{1, 600, 1200, 5_000, 60_000, 1 << 20} {
		view, err := transform.SortWithin(t.Context(), src, keys, pieces)
		if err != nil {
			t.Fatal(err)
		}
		if !resulttest.Equal(resulttest.Rows(t, view, 0, -1), want) {
			t.Errorf("with pieces of %d bytes together the order differs", pieces)
		}
	}
	// Of a filtered source, too; and its order serves the source opened again.
	filtered, err := transform.Filter(t.Context(), src, []transform.Condition{{Column: transform.Ref{Name: "b"}, Op: "ne", Value: transform.Text{Text: "1", Given: true}}})
	if err != nil {
		t.Fatal(err)
	}
	want = slices.DeleteFunc(want, func(row [][]byte) bool { return string(row[1]) == "1" })
	view, err := transform.SortWithin(t.Context(), filtered, keys, 700)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []result.Source{view, view.Order().Of(table(t, "text int4 int4", rows...))} {
		if !resulttest.Equal(resulttest.Rows(t, v, 0, -1), want) || v.Count() != int64(len(want)) {
			t.Error("of a filtered source the order differs")
		}
		if got := resulttest.Rows(t, v, 17, 5); !resulttest.Equal(got, want[17:22]) {
			t.Error("a page of it differs")
		}
	}
	if n := view.Order().Size(); n < int64(len(want))*4 || n > int64(len(want))*8 {
		t.Errorf("an order of %d rows takes %d bytes", len(want), n)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Rows that are long are read few at a time.
func TestSortedPagesOfLongRows(t *testing.T) {
	t.Parallel()
	var rows [][][]byte
	for i := range 40 {
		rows = append(rows, resulttest.Row(i*7%40, strings.Repeat("x", 1<<20)))
	}
	view, err := transform.Sort(t.Context(), table(t, "int4 text", rows...), []transform.Key{{Column: transform.Ref{Name: "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for row, err := range view.Rows(t.Context(), 0, -1) {
		if err != nil || string(row[0]) != string(resulttest.Row(n)[0]) || len(row[1]) != 1<<20 {
			t.Fatalf("row %d: %s, %v", n, row[0], err)
		}
		n++
	}
	if n != 40 {
		t.Errorf("%d rows", n)
	}
}

// What sorting holds is what it says beforehand, and no more.
func TestSortHoldsLittle(t *testing.T) { //nolint:paralleltest // it measures the heap
	src := endless{800, 100_000}
	said := transform.SortMemory(src.count, src.count*int64(src.width), 1)
	peak := uint64(0)
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	before := stats.HeapAlloc
	marked := marking{endless: src, mark: func() {
		runtime.GC()
		runtime.ReadMemStats(&stats)
		peak = max(peak, stats.HeapAlloc)
	}}
	view, err := transform.Sort(t.Context(), marked, []transform.Key{{Column: transform.Ref{Index: 0, ByIndex: true}}})
	if err != nil {
		t.Fatal(err)
	}
	held := int64(peak - before)
	if said > 40<<20 || held > said+2<<20 || view.Count() != src.count {
		t.Errorf("%d rows of %d MiB: held %d MiB, said %d MiB", view.Count(), src.count*int64(src.width)>>20, held>>20, said>>20)
	}
}

// marking is a source that is looked at while it is read.
type marking struct {
	endless

	mark func()
}

func (m marking) Rows(ctx context.Context, offset, limit int64) iter.Seq2[[][]byte, error] {
	return func(yield func([][]byte, error) bool) {
		n := 0
		for row, err := range m.endless.Rows(ctx, offset, limit) {
			if n++; n%200 == 0 {
				m.mark()
			}
			if !yield(row, err) {
				return
			}
		}
	}
}
