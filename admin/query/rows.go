package query

import (
	"context"
	"io"

	"github.com/lockkeeper/lockkeeper/admin/result/format"
	"github.com/lockkeeper/lockkeeper/admin/result/transform"
)

// MaxPage bounds the rows of one page.
const MaxPage = 10_000

const usualPage = 200

// RowsRequest asks for a page of a stored result.
type RowsRequest struct {
	Statement int
	Offset    int64
	Limit     int    // ≤ MaxPage, 0: 200
	Sort      string // "c0:asc,name:desc": columns by index or by name; empty: as they came
	Filter    string // JSON, as transform.ParseFilter reads it; empty: all
}

// RowsPage is a page of a stored result. Cells are Postgres' text, nil is NULL.
type RowsPage struct {
	Run       string
	Statement int
	Offset    int64
	RowCount  int64  // stored
	Filtered  *int64 // with a filter: rows that match
	Columns   []Column
	Rows      [][]*string
	Truncated *Truncation
	More      bool // there are rows behind the page
	ETag      string

	size  int64 // bytes of the cells
	share *share
}

// Close lets the page's memory go to others. It may be called more than once.
func (p *RowsPage) Close() { p.share.close() }

// Chart is what a chart draws.
type Chart struct {
	*transform.Data

	Truncated *Truncation // of the result it was made from
	SeriesCut bool        // some series stand together under "other"
	ETag      string
}

// ExportRequest asks for a whole result in a format.
type ExportRequest struct {
	Statement int
	// Unsent says that no row will leave: the client has this version of the
	// result, or asks for its headers only. It is recorded, and not charged. Nil:
	// all leave.
	Unsent func(etag string) bool

	format.Options
}

// Export is a result on its way out: recorded, charged, and ready to be
// written. Whoever has it writes it once and closes it.
type Export struct {
	ContentType string
	Filename    string
	ETag        string
	RowCount    int64
	Truncated   *Truncation

	open  *opened
	opts  format.Options
	share *share // of the memory of exports
}

// Write streams the result.
func (e *Export) Write(ctx context.Context, w io.Writer) error {
	return format.Render(ctx, w, e.open.source, e.opts) //nolint:wrapcheck // its own words are good
}

// Close lets go of the result.
func (e *Export) Close() error {
	e.share.close()
	return e.open.close()
}
