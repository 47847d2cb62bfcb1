package format

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/lockkeeper/lockkeeper/admin/result"
)

// What a format cannot do.
var (
	ErrUnknown     = errors.New("no such format; there are csv, tsv, json, ndjson, xlsx and parquet")
	ErrTooManyRows = fmt.Errorf("a sheet holds %d rows; take csv or parquet", MaxSheetRows)
	ErrTooWide     = fmt.Errorf("a sheet holds %d columns; take csv or parquet", maxSheetColumns)
	ErrNoColumns   = errors.New("the result has no columns, and parquet cannot hold rows without; take json")
)

// Values says how a JSON cell is written.
type Values string

// The ways to write JSON cells.
const (
	Strings Values = ""     // strings in Postgres' text format, or null
	Typed   Values = "json" // bool, int2, int4 and finite floats as scalars, json and jsonb as they are
)

// Options choose a format and its variants. Those of other formats are not
// looked at.
type Options struct {
	Format string // csv, tsv, json, ndjson, xlsx, parquet

	Delimiter byte   // csv: between cells; 0 is a comma
	Null      string // csv: what NULL is, unquoted; default nothing, while '' is ""
	ExcelSafe bool   // csv: text that a spreadsheet would take for a formula gets a ' in front
	LF        bool   // csv: end lines with LF; RFC 4180 says CRLF
	NoHeader  bool   // csv, tsv, ndjson: leave out the line of columns

	Values Values // json, ndjson
	Title  string // xlsx: name of the sheet; default "result"

	// NumericCells (xlsx) makes numbers of numeric cells of at most 15 digits.
	// A spreadsheet can then add them up, and shows 1.10 as 1.1.
	NumericCells bool
}

// Validate reports what is unknown or impossible.
func (o Options) Validate() error {
	if !slices.Contains(all(), o.Format) {
		return fmt.Errorf("%w, not %.32q", ErrUnknown, o.Format)
	}
	switch d := o.Delimiter; {
	case d == '"' || d == '\n' || d == '\r' || d >= 0x80:
		return fmt.Errorf("%q cannot be a delimiter; take a comma, a semicolon, a tab or a bar", d)
	case len(o.Null) > 64:
		return errors.New("the word for NULL is longer than 64 bytes")
	case o.Values != Strings && o.Values != Typed:
		return fmt.Errorf(`values is "json" or left out, not %.32q`, o.Values)
	}
	for _, c := range []byte(o.Null) {
		if c == '"' || c == '\n' || c == '\r' || c == o.delimiter() {
			return fmt.Errorf("the word for NULL cannot have a quote, a line end or the delimiter in it: %q", o.Null)
		}
	}
	return nil
}

func (o Options) delimiter() byte {
	if o.Delimiter == 0 {
		return ','
	}
	return o.Delimiter
}

func all() []string { return []string{"csv", "tsv", "json", "ndjson", "xlsx", "parquet"} }

// Formats names the formats that can hold a result, best known first.
func Formats(src result.Source) []string {
	return slices.DeleteFunc(all(), func(name string) bool { return Available(name, src) != nil })
}

// Available says why a format cannot hold a result, or nil.
func Available(name string, src result.Source) error {
	switch {
	case !slices.Contains(all(), name):
		return ErrUnknown
	case name == "xlsx" && src.Count() > MaxSheetRows:
		return fmt.Errorf("%w: the result has %d", ErrTooManyRows, src.Count())
	case name == "xlsx" && len(src.Columns()) > maxSheetColumns:
		return ErrTooWide
	case name == "parquet" && len(src.Columns()) == 0:
		return ErrNoColumns
	default:
		return nil
	}
}

// Memory is about what a writer of a format holds of a result of so many bytes of
// cells; 0: a row or two.
func Memory(name string, raw int64, columns int) int64 {
	if name == "parquet" {
		return parquetMemory(raw, columns)
	}
	return 0
}

// ContentType is the media type of a format, or "" if it is unknown.
func ContentType(name string) string {
	switch name {
	case "csv":
		return "text/csv; charset=utf-8"
	case "tsv":
		return "text/tab-separated-values; charset=utf-8"
	case "json":
		return "application/json"
	case "ndjson":
		return "application/x-ndjson"
	case "xlsx":
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case "parquet":
		return "application/vnd.apache.parquet"
	default:
		return ""
	}
}

// Extension is the end of a file's name, with the dot, or "" if the format is
// unknown.
func Extension(name string) string {
	if !slices.Contains(all(), name) {
		return ""
	}
	return "." + name
}

// Render writes all rows of src to out. If the format cannot hold them it says
// so before it writes anything; a later error leaves a part of a file behind.
func Render(ctx context.Context, out io.Writer, src result.Source, o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	if err := Available(o.Format, src); err != nil {
		return err
	}
	switch o.Format {
	case "csv":
		return renderLines(ctx, out, src, newCSV(o, src.Columns()))
	case "tsv":
		return renderLines(ctx, out, src, tsv{header: !o.NoHeader})
	case "json", "ndjson":
		return renderLines(ctx, out, src, newJSON(o, src.Columns()))
	case "xlsx":
		return renderXLSX(ctx, out, src, o)
	default:
		return renderParquet(ctx, out, src)
	}
}

// liner is a format whose file is a beginning, rows, and an end.
type liner interface {
	begin(dst []byte, columns []result.Column) []byte
	row(dst []byte, n int64, row [][]byte) []byte
	end(dst []byte, n int64) []byte
}

// block is how much is gathered before it is written.
const block = 64 << 10

func renderLines(ctx context.Context, out io.Writer, src result.Source, l liner) error {
	buf := l.begin(make([]byte, 0, block+4096), src.Columns())
	var n int64
	for row, err := range src.Rows(ctx, 0, -1) {
		if err != nil {
			return err
		}
		buf = l.row(buf, n, row)
		n++
		if len(buf) < block {
			continue
		}
		if err := write(out, buf); err != nil {
			return err
		}
		if buf = buf[:0]; cap(buf) > 64*block {
			buf = make([]byte, 0, block+4096) // after a huge cell
		}
	}
	return write(out, l.end(buf, n))
}

func write(out io.Writer, b []byte) error {
	if _, err := out.Write(b); err != nil {
		return fmt.Errorf("write the rendered result: %w", err)
	}
	return nil
}

// buffered gathers small writes.
func buffered(out io.Writer) *bufio.Writer { return bufio.NewWriterSize(out, block) }
