package format

import (
	"bytes"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/pgtext"
)

// csvFormat is RFC 4180. NULL is a word without quotes, by default the empty
// one; a text that reads like that word is quoted.
type csvFormat struct {
	delimiter byte
	end1      string // of a line
	null      string
	header    bool
	quoted    [256]bool // bytes that need quotes around the cell
	guarded   []bool    // columns in which a formula could stand; nil: none
	scratch   []byte
}

func newCSV(o Options, columns []result.Column) *csvFormat {
	f := &csvFormat{delimiter: o.delimiter(), end1: "\r\n", null: o.Null, header: !o.NoHeader}
	if o.LF {
		f.end1 = "\n"
	}
	for _, c := range []byte{'"', '\r', '\n', f.delimiter} {
		f.quoted[c] = true
	}
	if o.ExcelSafe {
		f.guarded = make([]bool, len(columns))
		for i, c := range columns {
			// What the server writes for a number or a day is no formula.
			k := c.Kind()
			f.guarded[i] = !k.Number() && !k.Day() && k != pgtext.Bool && k != pgtext.UUID
		}
	}
	return f
}

func (f *csvFormat) begin(dst []byte, columns []result.Column) []byte {
	if !f.header || len(columns) == 0 {
		return dst
	}
	for i, c := range columns {
		if i > 0 {
			dst = append(dst, f.delimiter)
		}
		dst = f.cell(dst, []byte(c.Name), f.guarded != nil)
	}
	return append(dst, f.end1...)
}

func (f *csvFormat) row(dst []byte, _ int64, row [][]byte) []byte {
	for i, cell := range row {
		if i > 0 {
			dst = append(dst, f.delimiter)
		}
		if cell == nil {
			dst = append(dst, f.null...)
			continue
		}
		dst = f.cell(dst, cell, f.guarded != nil && f.guarded[i])
	}
	return append(dst, f.end1...)
}

func (f *csvFormat) end(dst []byte, _ int64) []byte { return dst }

func (f *csvFormat) cell(dst, cell []byte, guard bool) []byte {
	if guard && formula(cell) {
		f.scratch = append(append(f.scratch[:0], '\''), cell...)
		cell = f.scratch
	}
	if len(cell) == len(f.null) && string(cell) == f.null {
		return append(append(append(dst, '"'), cell...), '"')
	}
	for _, c := range cell {
		if f.quoted[c] {
			return appendQuoted(dst, cell)
		}
	}
	return append(dst, cell...)
}

func appendQuoted(dst, cell []byte) []byte {
	dst = append(dst, '"')
	for {
		at := bytes.IndexByte(cell, '"')
		if at < 0 {
			return append(append(dst, cell...), '"')
		}
		dst = append(append(dst, cell[:at+1]...), '"')
		cell = cell[at+1:]
	}
}

// formula tells whether a spreadsheet could take a text for a formula.
func formula(cell []byte) bool {
	if len(cell) == 0 {
		return false
	}
	switch cell[0] {
	case '=', '+', '-', '@', '\t', '\r', '\n':
		return true
	case 0xef: // the full-width forms of = + - @
		return len(cell) > 2 && cell[1] == 0xbc && (cell[2] == 0x9d || cell[2] == 0x8b || cell[2] == 0x8d || cell[2] == 0xa0)
	default:
		return false
	}
}

// tsv is the text format of COPY with a line of names in front: NULL is \N,
// and a tab, a line end or a backslash in a text is written with a backslash.
type tsv struct{ header bool }

func (f tsv) begin(dst []byte, columns []result.Column) []byte {
	if !f.header || len(columns) == 0 {
		return dst
	}
	names := make([][]byte, len(columns))
	for i, c := range columns {
		names[i] = []byte(c.Name)
	}
	return f.row(dst, 0, names)
}

func (f tsv) row(dst []byte, _ int64, row [][]byte) []byte {
	for i, cell := range row {
		if i > 0 {
			dst = append(dst, '\t')
		}
		if cell == nil {
			dst = append(dst, `\N`...)
			continue
		}
		from := 0
		for j, c := range cell {
			if c > '\r' && c != '\\' {
				continue
			}
			if e := copyEscape(c); e != 0 {
				dst = append(append(dst, cell[from:j]...), '\\', e)
				from = j + 1
			}
		}
		dst = append(dst, cell[from:]...)
	}
	return append(dst, '\n')
}

func (f tsv) end(dst []byte, _ int64) []byte { return dst }

func copyEscape(c byte) byte {
	switch c {
	case '\b':
		return 'b'
	case '\t':
		return 't'
	case '\n':
		return 'n'
	case '\v':
		return 'v'
	case '\f':
		return 'f'
	case '\r':
		return 'r'
	case '\\':
		return '\\'
	default:
		return 0
	}
}
