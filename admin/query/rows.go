package query

import (
	"context"
	"io"
)

// RowsRequest asks for a page of a stored result.
type RowsRequest struct {
	Statement int
	Offset    int64
	Limit     int // ≤ MaxPage, 0: 200
	Sort      []SortKey
	Filter    []Condition
}

// MaxPage bounds the rows of one page.
const MaxPage = 10_000

// SortKey is one column to sort by: "c0" or a name.
type SortKey struct {
	Col  string
	Desc bool
}

// Condition is one condition on a column; all must hold.
type Condition struct {
	Col   string `json:"col"`
	Op    string `json:"op"` // eq ne lt le gt ge contains isnull notnull
	Value string `json:"value"`
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
	More      bool
	ETag      string
}

// Groups is what Aggregate gives.
type Groups struct {
	Columns   []Column
	Rows      [][]*string
	FromRows  int64 // rows it was computed from
	OfRows    int64 // rows the statement gave, as far as known
	Truncated *Truncation
	SeriesCut bool
	ETag      string
}

// ExportRequest asks for a whole result in a format.
type ExportRequest struct {
	Statement int
	Format    string // csv tsv json ndjson xlsx parquet
	Delimiter string // csv: one character
	Null      string // csv, tsv: how NULL is written
	NoHeader  bool
	Safe      bool // csv: nothing that a spreadsheet would take for a formula
}

// Export is a result on its way out: recorded, charged, and ready to be
// written. Whoever has it calls WriteTo once, or Close.
type Export struct {
	ContentType string
	Filename    string
	ETag        string
	RowCount    int64
	Truncated   *Truncation

	write func(ctx context.Context, w io.Writer) error
	close func() error
}

// Write streams the result.
func (e *Export) Write(ctx context.Context, w io.Writer) error { return e.write(ctx, w) }

// Close lets go of the result.
func (e *Export) Close() error { return e.close() }
