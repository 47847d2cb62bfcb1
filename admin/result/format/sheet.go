package format

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/pgtext"
)

// sheet writes the rows of a workbook. NULL is an empty cell, ” a cell with a
// text of no characters.
type sheet struct {
	kinds   []pgtext.Kind
	numbers bool     // numeric cells as numbers
	names   [][]byte // of the columns: A, B, …
}

func newSheet(o Options, columns []result.Column) *sheet {
	s := &sheet{numbers: o.NumericCells}
	for i, c := range columns {
		s.kinds = append(s.kinds, c.Kind())
		s.names = append(s.names, columnName(i))
	}
	return s
}

// columnName is A, B, … Z, AA, …
func columnName(i int) []byte {
	var name []byte
	for i++; i > 0; i = (i - 1) / 26 {
		name = append([]byte{byte('A' + (i-1)%26)}, name...)
	}
	return name
}

func (s *sheet) begin(dst []byte, columns []result.Column) []byte {
	dst = append(dst, sheetBegin...)
	dst = append(dst, `<row r="1">`...)
	for i, c := range columns {
		dst = s.text(dst, i, 1, styleName, []byte(c.Name))
	}
	return append(dst, `</row>`...)
}

func (s *sheet) row(dst []byte, n int64, row [][]byte) []byte {
	n += 2
	dst = strconv.AppendInt(append(dst, `<row r="`...), n, 10)
	dst = append(dst, `">`...)
	for i, cell := range row {
		if cell != nil {
			dst = s.cell(dst, i, n, cell)
		}
	}
	return append(dst, `</row>`...)
}

func (s *sheet) end(dst []byte, _ int64) []byte { return append(dst, sheetEnd...) }

// cell writes a typed value where a sheet holds it exactly, else the text.
func (s *sheet) cell(dst []byte, column int, n int64, cell []byte) []byte {
	k := s.kinds[column]
	switch {
	case k == pgtext.Bool && (string(cell) == "t" || string(cell) == "f"):
		value := byte('0')
		if cell[0] == 't' {
			value = '1'
		}
		dst = append(s.open(dst, column, n, 0), ` t="b"><v>`...)
		return append(append(dst, value), `</v></c>`...)
	case k.Integer(), k == pgtext.Numeric && s.numbers, k.Float():
		if sheetNumber(k, cell) {
			dst = append(append(s.open(dst, column, n, 0), `><v>`...), cell...)
			return append(dst, `</v></c>`...)
		}
	case k == pgtext.Date, k == pgtext.Timestamp:
		if m, ok := pgtext.ParseMoment(k, cell); ok {
			if days, micros, ok := serial(m); ok {
				style := styleDay
				if k == pgtext.Timestamp {
					style = styleTime
				}
				dst = append(s.open(dst, column, n, style), `><v>`...)
				return append(appendSerial(dst, days, micros), `</v></c>`...)
			}
		}
	}
	return s.text(dst, column, n, 0, cell)
}

func (s *sheet) open(dst []byte, column int, n int64, style int) []byte {
	dst = append(append(dst, `<c r="`...), s.names[column]...)
	dst = append(strconv.AppendInt(dst, n, 10), '"')
	if style > 0 {
		dst = append(append(dst, ` s="`...), byte('0'+style), '"')
	}
	return dst
}

// sheetNumber tells whether a sheet shows a number with all its digits: it
// keeps fifteen.
func sheetNumber(k pgtext.Kind, cell []byte) bool {
	if !k.Float() {
		v, ok := pgtext.ParseNumber(cell)
		return ok && v.Finite() && v.Digits() <= 15
	}
	mantissa, _, _ := bytes.Cut(cell, []byte{'e'})
	v, ok := pgtext.ParseNumber(mantissa)
	f, read := pgtext.ParseFloat(cell, 64)
	// Beyond these a sheet says infinity or zero.
	small := f != 0 && f < 1e-307 && f > -1e-307
	return ok && read && v.Finite() && v.Digits() <= 15 && f <= 9e307 && f >= -9e307 && !small
}

// serial is a moment as a sheet counts it, if it can be exact: days since
// 1899-12-30, from March 1900 on (before, sheets have a day too many) to the
// year 9999, with milliseconds.
func serial(m pgtext.Moment) (days, millis int64, ok bool) {
	days = m.Days + 25569
	return days, m.Micros / 1000, m.Inf == 0 && days >= 61 && days <= 2958465 && m.Micros%1000 == 0
}

// appendSerial writes days and the part of the day with enough digits for a
// sheet to find the millisecond again.
func appendSerial(dst []byte, days, millis int64) []byte {
	dst = strconv.AppendInt(dst, days, 10)
	if millis == 0 {
		return dst
	}
	part := strconv.AppendFloat(nil, float64(millis)/86_400_000, 'f', 12, 64)
	return append(dst, part[1:]...)
}

func (s *sheet) text(dst []byte, column int, n int64, style int, cell []byte) []byte {
	dst = append(s.open(dst, column, n, style), ` t="inlineStr"><is><t xml:space="preserve">`...)
	if len(cell) > maxSheetCell {
		cell = cut(cell)
	}
	return append(appendXML(dst, cell), `</t></is></c>`...)
}

// cut shortens a text that no cell can hold, and says so at its end.
func cut(cell []byte) []byte {
	units, total := 0, 0
	at := -1
	for i := 0; i < len(cell); {
		r, size := utf8.DecodeRune(cell[i:])
		width := 1
		if r > 0xffff {
			width = 2
		}
		if at < 0 && units+width > maxSheetCell-80 {
			at = i
		}
		units += width
		total++
		i += size
	}
	if units <= maxSheetCell {
		return cell
	}
	return fmt.Appendf(bytes.Clone(cell[:at]), " … [cut: of %d characters a sheet cannot hold more; csv has them all]", total)
}

// appendXML writes a text as the content of an element. Characters that XML
// does not have are written as _xHHHH_, as sheets do, and a text that looks
// like that is kept apart from it. Bytes that are no UTF-8 become U+FFFD.
func appendXML(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(s[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				dst = append(dst, "\ufffd"...)
			case r == 0xfffe || r == 0xffff:
				dst = fmt.Appendf(dst, "_x%04X_", r)
			default:
				dst = append(dst, s[i:i+size]...)
			}
			i += size
			continue
		}
		switch {
		case c == '<':
			dst = append(dst, "&lt;"...)
		case c == '>':
			dst = append(dst, "&gt;"...)
		case c == '&':
			dst = append(dst, "&amp;"...)
		case c < ' ' && c != '\n' && c != '\t':
			dst = fmt.Appendf(dst, "_x%04X_", c)
		case c == '_' && escaped(s[i:]):
			dst = append(dst, "_x005F_"...)
		default:
			dst = append(dst, c)
		}
		i++
	}
	return dst
}

// escaped tells whether a text begins like an escaped character. The _ at its
// end may come from the escape of what follows.
func escaped(s []byte) bool {
	if len(s) < 6 || s[1] != 'x' {
		return false
	}
	_, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	return err == nil
}
