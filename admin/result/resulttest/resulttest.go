// Package resulttest makes stored results for tests: small ones from a list,
// large ones from a seed.
package resulttest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/lockkeeper/lockkeeper/admin/result"
)

// Store writes rows and opens what was written.
func Store(tb testing.TB, columns []result.Column, rows [][][]byte) *result.Reader {
	tb.Helper()
	return Open(tb, Pack(tb, columns, rows))
}

// Pack writes rows and returns the file.
func Pack(tb testing.TB, columns []result.Column, rows [][][]byte) []byte {
	tb.Helper()
	var file bytes.Buffer
	w, err := result.NewWriter(&file, result.Unsealed{}, columns)
	if err != nil {
		tb.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Write(row); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return file.Bytes()
}

// Open opens a file that lies in memory.
func Open(tb testing.TB, file []byte) *result.Reader {
	tb.Helper()
	r, err := result.Open(bytes.NewReader(file), int64(len(file)), result.Unsealed{})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// Rows reads every row of a source and keeps a copy.
func Rows(tb testing.TB, src result.Source, offset, limit int64) [][][]byte {
	tb.Helper()
	var rows [][][]byte
	for row, err := range src.Rows(tb.Context(), offset, limit) {
		if err != nil {
			tb.Fatal(err)
		}
		rows = append(rows, Copy(row))
	}
	return rows
}

// Copy copies a row, NULL and ” apart.
func Copy(row [][]byte) [][]byte {
	out := make([][]byte, len(row))
	for i, cell := range row {
		if cell != nil {
			out[i] = append([]byte{}, cell...)
		}
	}
	return out
}

// Row makes a row of strings; nil is NULL.
func Row(cells ...any) [][]byte {
	row := make([][]byte, len(cells))
	for i, cell := range cells {
		if cell != nil {
			row[i] = []byte(fmt.Sprint(cell))
		}
	}
	return row
}

// Column makes a column of one of the types below.
func Column(name, typ string) result.Column {
	oids := map[string]uint32{
		"bool": 16, "bytea": 17, "int8": 20, "int2": 21, "int4": 23, "text": 25, "oid": 26, "json": 114,
		"float4": 700, "float8": 701, "_int4": 1007, "varchar": 1043, "date": 1082, "time": 1083, "timestamp": 1114,
		"timestamptz": 1184, "interval": 1186, "timetz": 1266, "numeric": 1700, "uuid": 2950, "jsonb": 3802,
	}
	return result.Column{Name: name, Type: typ, OID: oids[typ], Typmod: -1}
}

// NumericTypmod is the modifier of numeric(precision, scale).
func NumericTypmod(precision, scale int) int32 { return int32(precision<<16|scale&0x7ff) + 4 }

// Ordinary is a maker of rows as a fact table of a warehouse has them: keys
// that rise, keys of others, codes, flags, amounts, moments, a few words, an
// identifier of random bits, and NULL in one of ten cells.
type Ordinary struct {
	rng  *rand.Rand
	n    int64
	cols []result.Column
	row  [][]byte
	buf  [][]byte
}

// NewOrdinary makes rows of so many columns, the same ones for the same seed.
func NewOrdinary(columns int, seed uint64) *Ordinary {
	//nolint:gosec // the same rows for the same seed are what is asked for
	o := &Ordinary{rng: rand.New(rand.NewPCG(seed, 1)), row: make([][]byte, columns), buf: make([][]byte, columns)}
	types := [...]string{
		"int8", "int8", "int4", "varchar", "varchar", "numeric", "timestamp", "timestamptz", "date", "bool",
		"bool", "float8", "text", "int2", "int4", "varchar", "numeric", "uuid", "text", "jsonb",
	}
	for i := range columns {
		c := Column(fmt.Sprintf("%s_%d", types[i%len(types)], i), types[i%len(types)])
		if c.Type == "numeric" {
			c.Typmod = NumericTypmod(12, 2)
		}
		o.cols = append(o.cols, c)
	}
	return o
}

// Columns describes the rows.
func (o *Ordinary) Columns() []result.Column { return o.cols }

// Next makes a row that is valid until the next one.
func (o *Ordinary) Next() [][]byte {
	o.n++
	for i := range o.cols {
		if i > 0 && o.rng.IntN(10) == 0 {
			o.row[i] = nil
			continue
		}
		o.buf[i] = o.cell(o.buf[i][:0], i%20)
		o.row[i] = o.buf[i]
	}
	return o.row
}

// cell appends a value of one of the twenty columns.
func (o *Ordinary) cell(b []byte, column int) []byte {
	r := o.rng.Uint64()
	words := [...]string{"the course", "an enrolment", "completed", "pending, again", `said "no"`, "data science", "machine learning", "weekly"}
	switch column {
	case 0:
		return strconv.AppendInt(b, 1_700_000_000_000+o.n, 10)
	case 1:
		return strconv.AppendUint(b, r%3_000_000, 10)
	case 2:
		return strconv.AppendUint(b, r%5000, 10)
	case 3:
		return append(b, "USDEFRINBRMXJPCNGBIT"[r%10*2:r%10*2+2]...)
	case 4, 15:
		return append(b, words[r%8]...)
	case 5, 16:
		return fmt.Appendf(b, "%d.%02d", r%500, r>>32%4*25)
	case 6, 7:
		b = fmt.Appendf(b, "2026-%02d-%02d %02d:%02d:%02d", o.n/1_000_000%12+1, o.n/40_000%28+1, o.n/2000%24, r>>24%60, r>>32%60)
		if column == 7 {
			b = fmt.Appendf(b, ".%06d+00", r>>40%1_000_000)
		}
		return b
	case 8:
		return fmt.Appendf(b, "2026-%02d-%02d", o.n/1_000_000%12+1, o.n/40_000%28+1)
	case 9, 10:
		return append(b, "tf"[r%2])
	case 11:
		return strconv.AppendFloat(b, float64(r%1_000_000)/997, 'g', -1, 64)
	case 13, 14:
		return strconv.AppendUint(b, r%100, 10)
	case 17:
		return fmt.Appendf(b, "%08x-%04x-4%03x-8%03x-%012x", uint32(r), r>>32&0xffff, r>>48&0xfff, r&0xfff, o.rng.Uint64()&0xffffffffffff)
	case 19:
		return fmt.Appendf(b, `{"step": %d, "source": "%s"}`, r%20, words[r>>8%6][:4])
	default:
		for n := range r%4 + 1 {
			b = append(append(b, words[r>>(8*n)%8]...), ' ')
		}
		return b
	}
}

// Equal compares rows, NULL and ” apart.
func Equal(a, b [][][]byte) bool {
	return slices.EqualFunc(a, b, func(x, y [][]byte) bool {
		return slices.EqualFunc(x, y, func(c, d []byte) bool {
			return (c == nil) == (d == nil) && bytes.Equal(c, d)
		})
	})
}
