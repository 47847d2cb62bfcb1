package format

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/pgtext"
)

// jsonFormat writes {"columns":[…],"rows":[[…],…]}, or, as ndjson, first the
// line {"columns":[…]} and then each row as an array on a line of its own.
type jsonFormat struct {
	lines   bool
	header  bool
	kinds   []pgtext.Kind // how cells are written; nil: all as strings
	compact bytes.Buffer
}

func newJSON(o Options, columns []result.Column) *jsonFormat {
	f := &jsonFormat{lines: o.Format == "ndjson", header: !o.NoHeader}
	if o.Values == Typed {
		f.kinds = make([]pgtext.Kind, len(columns))
		for i, c := range columns {
			f.kinds[i] = c.Kind()
		}
	}
	return f
}

func (f *jsonFormat) begin(dst []byte, columns []result.Column) []byte {
	if f.lines && !f.header {
		return dst
	}
	dst = AppendColumns(append(dst, `{"columns":`...), columns)
	if f.lines {
		return append(dst, "}\n"...)
	}
	return append(dst, `,"rows":[`...)
}

func (f *jsonFormat) row(dst []byte, n int64, row [][]byte) []byte {
	if !f.lines {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '\n')
	}
	dst = append(dst, '[')
	for i, cell := range row {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch {
		case cell == nil:
			dst = append(dst, "null"...)
		case f.kinds == nil:
			dst = appendString(dst, cell)
		default:
			dst = f.typed(dst, f.kinds[i], cell)
		}
	}
	dst = append(dst, ']')
	if f.lines {
		dst = append(dst, '\n')
	}
	return dst
}

func (f *jsonFormat) end(dst []byte, _ int64) []byte {
	if f.lines {
		return dst
	}
	return append(dst, "\n]}\n"...)
}

// typed writes a cell as JSON's own value where that loses nothing.
func (f *jsonFormat) typed(dst []byte, k pgtext.Kind, cell []byte) []byte {
	switch k {
	case pgtext.Bool:
		switch string(cell) {
		case "t":
			return append(dst, "true"...)
		case "f":
			return append(dst, "false"...)
		}
	case pgtext.Int2, pgtext.Int4, pgtext.Float4, pgtext.Float8:
		// Infinity and NaN are no numbers of JSON.
		if len(cell) <= 32 && json.Valid(cell) && (cell[0] == '-' || cell[0] >= '0' && cell[0] <= '9') {
			return append(dst, cell...)
		}
	case pgtext.JSON, pgtext.JSONB:
		// A line end between two tokens would end an ndjson line.
		f.compact.Reset()
		if utf8.Valid(cell) && json.Compact(&f.compact, cell) == nil {
			return append(dst, f.compact.Bytes()...)
		}
	default:
	}
	return appendString(dst, cell)
}

// AppendColumns writes columns as a JSON array of {name, type, oid}.
func AppendColumns(dst []byte, columns []result.Column) []byte {
	dst = append(dst, '[')
	for i, c := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, `{"name":`...), []byte(c.Name))
		dst = appendString(append(dst, `,"type":`...), []byte(c.Type))
		dst = strconv.AppendUint(append(dst, `,"oid":`...), uint64(c.OID), 10)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// AppendRow writes a row as a JSON array of strings and nulls.
func AppendRow(dst []byte, row [][]byte) []byte {
	return new(jsonFormat).row(dst, 0, row)[len("\n"):]
}

// appendString writes a JSON string. Bytes that are no UTF-8, which a database
// without an encoding can send, become U+FFFD: JSON has no word for them.
func appendString(dst, s []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[from:i]...), "\ufffd"...)
				from = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, s[from:i]...)
		dst = appendEscape(dst, c)
		i++
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}

func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	default:
		return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
	}
}
