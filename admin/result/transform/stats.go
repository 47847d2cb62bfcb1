package transform

import (
	"context"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/pgtext"
)

// maxDistinct and maxDistinctBytes bound the values that are told apart.
const (
	maxDistinct      = 10_000
	maxDistinctBytes = 4 << 20
)

// ColumnStats is what can be said of one column. Values are strings in
// Postgres' text format, or null where there is none or the type has none.
type ColumnStats struct {
	Rows         int64   `json:"rows"`
	Nulls        int64   `json:"nulls"`
	Distinct     int     `json:"distinct"`                // texts that differ, NULL not among them
	DistinctMore bool    `json:"distinct_more,omitempty"` // there are at least that many
	Min          *string `json:"min"`
	Max          *string `json:"max"`
	Avg          *string `json:"avg"`
}

// Stats reads one column.
func Stats(ctx context.Context, src result.Source, column Ref) (*ColumnStats, error) {
	columns := src.Columns()
	at, err := column.find("column", columns)
	if err != nil {
		return nil, err
	}
	k := columns[at].Kind()
	ordered := k != pgtext.JSON && k != pgtext.JSONB && k != pgtext.Other
	lo, hi, avg := measure{at, "min", k}, measure{at, "max", k}, measure{at, "avg", k}
	var least, most, mean accumulator
	var s ColumnStats
	seen, size := map[string]struct{}{}, 0
	for row, err := range src.Rows(ctx, 0, -1) {
		if err != nil {
			return nil, err
		}
		s.Rows++
		cell := row[at]
		if cell == nil {
			s.Nulls++
			continue
		}
		if _, found := seen[string(cell)]; !found && !s.DistinctMore {
			size += len(cell)
			if s.DistinctMore = len(seen) == maxDistinct || size > maxDistinctBytes; !s.DistinctMore {
				seen[string(cell)] = struct{}{}
			}
		}
		if !ordered {
			continue
		}
		v, ok := pgtext.Parse(k, cell)
		if !ok {
			return nil, cellError(columns[at], cell)
		}
		least.n, most.n = least.n+1, most.n+1
		least.offer(lo, cell, v)
		most.offer(hi, cell, v)
		if k.Number() {
			if _, err := mean.add(avg, cell, nil); err != nil {
				return nil, err
			}
		}
	}
	s.Distinct = len(seen)
	if ordered {
		s.Min, s.Max = least.value(lo), most.value(hi)
	}
	if k.Number() {
		s.Avg = mean.value(avg)
	}
	return &s, nil
}
