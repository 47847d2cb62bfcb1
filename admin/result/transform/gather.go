package transform

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/lockkeeper/lockkeeper/admin/result"
)

// What is read at a time of rows that lie apart.
const (
	maxBatch      = 10_000  // rows
	maxBatchBytes = 8 << 20 // of them, unless one alone has more
)

// picker is a source that reads rows that lie apart in one go.
type picker interface {
	Pick(ctx context.Context, rows []uint32) iter.Seq2[[][]byte, error]
}

// pick yields the rows at places, which rise.
func pick(ctx context.Context, src result.Source, places []uint32) iter.Seq2[[][]byte, error] {
	if p, ok := src.(picker); ok {
		return p.Pick(ctx, places)
	}
	return func(yield func([][]byte, error) bool) {
		for _, at := range places {
			for row, err := range src.Rows(ctx, int64(at), 1) {
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	}
}

// gather returns the rows at places, packed and in the order of the places; of
// long rows fewer than were asked for, but one at least.
func gather(ctx context.Context, src result.Source, places []uint32) ([][]byte, error) {
	for {
		batch, size, err := gatherAll(ctx, src, places)
		if err != nil || size <= maxBatchBytes || len(places) == 1 {
			return batch, err
		}
		places = places[:max(1, len(places)/4)]
	}
}

// gatherAll gives up as soon as several rows are too large together.
func gatherAll(ctx context.Context, src result.Source, places []uint32) (batch [][]byte, size int, err error) {
	which := make([]int, len(places))
	for i := range which {
		which[i] = i
	}
	slices.SortFunc(which, func(a, b int) int { return cmp.Compare(places[a], places[b]) })
	rising := make([]uint32, len(places))
	for i, at := range which {
		rising[i] = places[at]
	}
	batch = make([][]byte, len(places))
	var scratch []byte
	next := 0
	for row, err := range pick(ctx, src, rising) {
		if err != nil {
			return nil, 0, err
		}
		scratch = result.AppendRow(scratch[:0], row)
		if size += len(scratch); size > maxBatchBytes && len(places) > 1 {
			return nil, size, nil
		}
		batch[which[next]] = slices.Clone(scratch)
		next++
	}
	return batch, size, nil
}
