package transform

import (
	"bytes"
	"math/big"
	"slices"
	"strconv"

	"github.com/lockkeeper/lockkeeper/admin/result/pgtext"
)

// budget is what all groups of a chart may keep of values for medians.
type budget struct{ values, bytes int }

func (b *budget) take(size int) error {
	b.values++
	b.bytes += size
	if b.values > maxMedianValues || b.bytes > maxMedianBytes {
		return ErrTooManyValues
	}
	return nil
}

// accumulator gathers one measure of one group.
type accumulator struct {
	n      int64 // cells that are not NULL, or rows
	sum    sum
	float  floatSum
	best   []byte // the least or the greatest cell so far
	values [][]byte
}

// add takes a cell in; ok is false if it does not read.
func (a *accumulator) add(m measure, cell []byte, b *budget) (ok bool, err error) {
	if m.at >= 0 && cell == nil {
		return true, nil
	}
	a.n++
	switch m.agg {
	case "count":
		return true, nil
	case "median":
		if _, ok := pgtext.Parse(m.kind, cell); !ok {
			return false, nil
		}
		a.values = append(a.values, bytes.Clone(cell))
		return true, b.take(len(cell) + 24)
	}
	v, ok := pgtext.Parse(m.kind, cell)
	if !ok {
		return false, nil
	}
	switch {
	case m.agg == "min" || m.agg == "max":
		a.offer(m, cell, v)
	case m.kind.Float():
		a.float.add(v.Float())
	default:
		a.sum.add(v.Number())
	}
	return true, nil
}

// offer keeps the cell if it is better than the best so far.
func (a *accumulator) offer(m measure, cell []byte, v pgtext.Value) {
	if a.best != nil {
		best, _ := pgtext.Parse(m.kind, a.best)
		c := pgtext.Compare(m.kind, v, best)
		if m.agg == "min" && c >= 0 || m.agg == "max" && c <= 0 {
			return
		}
	}
	a.best = append(make([]byte, 0, len(cell)), cell...)
}

// merge takes in what another accumulator of the same measure gathered.
func (a *accumulator) merge(m measure, o *accumulator) {
	a.n += o.n
	a.sum.merge(&o.sum)
	a.float.add(o.float.sum)
	a.float.lost += o.float.lost
	a.values = append(a.values, o.values...)
	if o.best != nil {
		v, _ := pgtext.Parse(m.kind, o.best)
		a.offer(m, o.best, v)
	}
}

// value writes the measure as Postgres would, nil for NULL.
func (a *accumulator) value(m measure) *string {
	var text string
	switch {
	case m.agg == "count":
		text = strconv.FormatInt(a.n, 10)
	case a.n == 0:
		return nil
	case m.agg == "min" || m.agg == "max":
		text = string(a.best)
	case m.agg == "median":
		text = median(m.kind, a.values)
	case m.kind.Float() && m.agg == "avg":
		text = floatText(a.float.value() / float64(a.n))
	case m.kind.Float():
		text = floatText(a.float.value())
	case m.agg == "avg":
		text = a.sum.average(a.n)
	default:
		text = a.sum.text()
	}
	return &text
}

// median is the value in the middle; of two numbers it is the exact half of
// their sum, of two days the earlier.
func median(k pgtext.Kind, cells [][]byte) string {
	values := make([]pgtext.Value, len(cells))
	order := make([]int, len(cells))
	for i, cell := range cells {
		values[i], _ = pgtext.Parse(k, cell) // it has read before
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return pgtext.Compare(k, values[i], values[j]) })
	lo, hi := order[(len(order)-1)/2], order[len(order)/2]
	if lo == hi || !k.Number() {
		return string(cells[lo])
	}
	if k.Float() {
		return floatText(values[lo].Float()/2 + values[hi].Float()/2)
	}
	var s sum
	s.add(values[lo].Number())
	s.add(values[hi].Number())
	if word := s.special(); word != "" {
		return word
	}
	return ratText(new(big.Rat).SetFrac(s.total(), new(big.Int).Mul(pow10(s.scale), big.NewInt(2))), s.shown)
}
