package result

import (
	"context"
	"iter"

	"github.com/lockkeeper/lockkeeper/admin/result/pgtext"
)

// Column describes one column as the server did. Names may repeat.
type Column struct {
	Name   string `json:"name"`
	Type   string `json:"type"` // as in "numeric" or "int8"; words for people
	OID    uint32 `json:"oid"`  // of the type; decides what the cells mean
	Typmod int32  `json:"-"`    // the type's modifier, -1 if it has none
}

// Kind says how the column's cells are to be read.
func (c Column) Kind() pgtext.Kind { return pgtext.KindOf(c.OID) }

// Source is rows that can be read more than once: a stored result, or a view
// of one.
type Source interface {
	// Columns describes the cells of a row. The slice must not be changed.
	Columns() []Column

	// Count is the number of rows.
	Count() int64

	// Rows yields rows from offset on, at most limit of them, or all if limit
	// is negative. A row and its cells are valid until the next one is asked
	// for; a nil cell is NULL. An error is yielded once, as the last thing.
	Rows(ctx context.Context, offset, limit int64) iter.Seq2[[][]byte, error]
}
