package transform

import (
	"context"
	"fmt"
	"iter"
	"strconv"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/pgtext"
)

// What can be sorted.
const (
	MaxSortRows  = 1_000_000
	MaxSortBytes = 256 << 20 // of rows and their keys; far less of it is held
	maxSortKeys  = 16
)

// Key is one column to sort by.
type Key struct {
	Column Ref    `json:"col"`
	Desc   bool   `json:"desc"`
	Nulls  string `json:"nulls"` // first or last; left out: as Postgres does, last if rising, first if falling
}

// ParseSort reads keys from JSON: [{"col":"n","desc":true,"nulls":"last"}].
func ParseSort(text []byte) ([]Key, error) {
	var keys []Key
	if err := decode("sort", text, &keys); err != nil {
		return nil, err
	}
	return keys, nil
}

// Order is where the rows of a sorted view stand in their source. A stored
// result never changes, so an order can be kept and used again.
type Order struct {
	rows  []uint32
	total int64 // rows that the view was made of
}

// Size is the memory that the order takes, in bytes.
func (o *Order) Size() int64 { return int64(cap(o.rows)) * 4 }

// Of returns the view of the source that the order was made from, or of the
// same one opened again.
func (o *Order) Of(src result.Source) *Sorted { return &Sorted{src: src, order: o} }

// Sorted is the rows of a source in another order. It holds their places only
// and reads the rows when they are asked for. It is a Source.
type Sorted struct {
	src   result.Source
	order *Order
}

// Sort puts the rows of a source, or those that pass its filter, into order;
// equal rows keep theirs. It holds no rows, and of their keys no more at a time
// than SortMemory says.
func Sort(ctx context.Context, src result.Source, keys []Key) (*Sorted, error) {
	return sortWithin(ctx, src, keys, maxPieces)
}

func sortWithin(ctx context.Context, src result.Source, keys []Key, pieces int) (*Sorted, error) {
	sorter, err := newSorter(keys, src.Columns())
	if err != nil {
		return nil, err
	}
	if src.Count() > MaxSortRows {
		return nil, fmt.Errorf("%w: %d; at most %d can be sorted. Filter first, or sort in the SQL", ErrSortTooLarge, src.Count(), MaxSortRows)
	}
	s := &sorting{src: src, sorter: sorter, most: pieces}
	if f, ok := src.(*Filtered); ok {
		s.src, s.match = f.src, f.match // places in what lies under the filter
	}
	rows, err := s.run(ctx, src.Count())
	if err != nil {
		return nil, err
	}
	return (&Order{rows: rows, total: total(src)}).Of(s.src), nil
}

// Columns are those of the source.
func (s *Sorted) Columns() []result.Column { return s.src.Columns() }

// Count is the number of rows.
func (s *Sorted) Count() int64 { return int64(len(s.order.rows)) }

// Total is the number of rows that the source was made of.
func (s *Sorted) Total() int64 { return s.order.total }

// Order is the places of the rows, to be used again.
func (s *Sorted) Order() *Order { return s.order }

// Rows yields rows in their new order.
func (s *Sorted) Rows(ctx context.Context, offset, limit int64) iter.Seq2[[][]byte, error] {
	return func(yield func([][]byte, error) bool) {
		places := s.order.rows[min(max(offset, 0), s.Count()):]
		if limit >= 0 {
			places = places[:min(limit, int64(len(places)))]
		}
		row := make([][]byte, len(s.Columns()))
		for size := maxBatch; len(places) > 0; {
			batch, err := gather(ctx, s.src, places[:min(size, len(places))])
			if err != nil {
				yield(nil, err)
				return
			}
			for _, packed := range batch {
				result.ParseRow(packed, row)
				if !yield(row, nil) {
					return
				}
			}
			size = max(1, len(batch)) // long rows: fewer at a time from here on
			places = places[len(batch):]
		}
	}
}

// sorter makes the bytes that a row is sorted by.
type sorter struct {
	columns []result.Column
	at      []int
	desc    []bool
	null    []byte // stands in front of a key for NULL: 0 first, 2 last; 1 for a value
}

func newSorter(keys []Key, columns []result.Column) (*sorter, error) {
	if len(keys) == 0 || len(keys) > maxSortKeys {
		return nil, wrong("sort", "%d columns; 1 to %d are possible", len(keys), maxSortKeys)
	}
	s := &sorter{columns: columns}
	for i, k := range keys {
		where := "sort[" + itoa(i) + "]"
		at, err := k.Column.find(where+".col", columns)
		if err != nil {
			return nil, err
		}
		null := byte(2)
		switch {
		case k.Nulls == "first", k.Nulls == "" && k.Desc:
			null = 0
		case k.Nulls != "last" && k.Nulls != "":
			return nil, wrong(where+".nulls", "is first or last, not %.32q", k.Nulls)
		}
		s.at, s.desc, s.null = append(s.at, at), append(s.desc, k.Desc), append(s.null, null)
	}
	return s, nil
}

func (s *sorter) key(dst []byte, row [][]byte) ([]byte, error) {
	for i, at := range s.at {
		if row[at] == nil {
			dst = append(dst, s.null[i])
			continue
		}
		from := len(dst) + 1
		var ok bool
		if dst, ok = pgtext.AppendKey(append(dst, 1), s.columns[at].Kind(), row[at]); !ok {
			return nil, cellError(s.columns[at], row[at])
		}
		if s.desc[i] {
			pgtext.Invert(dst[from:])
		}
	}
	return dst, nil
}

func itoa(i int) string { return strconv.Itoa(i) }
