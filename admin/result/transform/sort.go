package transform

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/pgtext"
)

// What can be sorted.
const (
	MaxSortRows  = 1_000_000
	MaxSortBytes = 256 << 20 // of rows and their keys
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

// Sorted is the rows of a source in another order, held in memory. It is a
// Source.
type Sorted struct {
	columns []result.Column
	rows    []sortedRow
	total   int64
}

// sortedRow is a row with the bytes to sort it by in front of it.
type sortedRow struct {
	prefix uint64 // the beginning of the key, so that most comparisons end here
	data   []byte
	key    uint32 // length of the key in data
	seq    uint32 // place in the source
}

// Sort reads the rows into memory and sorts them; equal rows keep their order.
func Sort(ctx context.Context, src result.Source, keys []Key) (*Sorted, error) {
	s := &Sorted{columns: src.Columns(), total: total(src)}
	sorter, err := newSorter(keys, s.columns)
	if err != nil {
		return nil, err
	}
	if src.Count() > MaxSortRows {
		return nil, fmt.Errorf("%w: %d; at most %d can be sorted. Filter first, or sort in the SQL", ErrSortTooLarge, src.Count(), MaxSortRows)
	}
	s.rows = make([]sortedRow, 0, src.Count())
	var store arena
	var scratch []byte
	for row, err := range src.Rows(ctx, 0, -1) {
		if err != nil {
			return nil, err
		}
		if scratch, err = sorter.key(scratch[:0], row); err != nil {
			return nil, err
		}
		r := sortedRow{key: uint32(len(scratch)), seq: uint32(len(s.rows))}
		var head [8]byte
		copy(head[:], scratch)
		r.prefix = binary.BigEndian.Uint64(head[:])
		scratch = result.AppendRow(scratch, row)
		if store.size += len(scratch); store.size > MaxSortBytes {
			return nil, fmt.Errorf("%w: they take more than %d MiB. Filter first, or sort in the SQL", ErrSortTooLarge, MaxSortBytes>>20)
		}
		r.data = store.keep(scratch)
		s.rows = append(s.rows, r)
	}
	slices.SortFunc(s.rows, func(a, b sortedRow) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return cmp.Or(bytes.Compare(a.data[:a.key], b.data[:b.key]), cmp.Compare(a.seq, b.seq))
	})
	return s, nil
}

// Columns are those of the source.
func (s *Sorted) Columns() []result.Column { return s.columns }

// Count is the number of rows.
func (s *Sorted) Count() int64 { return int64(len(s.rows)) }

// Total is the number of rows that the source was made of.
func (s *Sorted) Total() int64 { return s.total }

// Rows yields rows in their new order.
func (s *Sorted) Rows(ctx context.Context, offset, limit int64) iter.Seq2[[][]byte, error] {
	return func(yield func([][]byte, error) bool) {
		rows := s.rows[min(max(offset, 0), s.Count()):]
		if limit >= 0 {
			rows = rows[:min(limit, int64(len(rows)))]
		}
		row := make([][]byte, len(s.columns))
		for i, r := range rows {
			if err := context.Cause(ctx); i%1024 == 0 && err != nil {
				yield(nil, err)
				return
			}
			result.ParseRow(r.data[r.key:], row)
			if !yield(row, nil) {
				return
			}
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

// arena keeps many short texts in few blocks.
type arena struct {
	block []byte
	size  int // of all that the owner counts against a bound
}

func (a *arena) keep(b []byte) []byte {
	const size = 1 << 20
	if len(b) > size/4 {
		return bytes.Clone(b)
	}
	if len(a.block)+len(b) > cap(a.block) {
		a.block = make([]byte, 0, size)
	}
	at := len(a.block)
	a.block = append(a.block, b...)
	return a.block[at:len(a.block):len(a.block)]
}

func itoa(i int) string { return strconv.Itoa(i) }
