package backup

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// A row is a JSON array. Each value says what it is:
//
//	null   12   "text"   {"bytes":"base64"}   {"text":"base64 of what is no UTF-8"}

// appendRow appends a row and a newline.
func appendRow(dst []byte, columns []Column, row []any) ([]byte, error) {
	dst = append(dst, '[')
	for i, v := range row {
		if i > 0 {
			dst = append(dst, ',')
		}
		if !columns[i].Kind.takes(v) {
			return dst, fmt.Errorf("column %s: %T for %s", columns[i].Name, v, columns[i].Kind)
		}
		var err error
		if dst, err = appendValue(dst, v); err != nil {
			return dst, err
		}
	}
	return append(dst, "]\n"...), nil
}

func appendValue(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case []byte:
		return appendBase64(dst, "bytes", v), nil
	case string:
		if !utf8.ValidString(v) {
			return appendBase64(dst, "text", []byte(v)), nil
		}
		text, err := json.Marshal(v)
		return append(dst, text...), err
	default:
		return dst, fmt.Errorf("a value of type %T", v)
	}
}

func appendBase64(dst []byte, kind string, b []byte) []byte {
	dst = append(dst, `{"`+kind+`":"`...)
	return append(base64.StdEncoding.AppendEncode(dst, b), `"}`...)
}

// cell is a value as it is read.
type cell struct{ v any }

// UnmarshalJSON takes what appendValue writes.
func (c *cell) UnmarshalJSON(text []byte) error {
	switch text[0] {
	case 'n':
		c.v = nil
		return nil
	case '"':
		var s string
		err := json.Unmarshal(text, &s)
		c.v = s
		return err
	case '{':
		return c.object(text)
	default:
		n, err := strconv.ParseInt(string(text), 10, 64)
		c.v = n
		return err
	}
}

func (c *cell) object(text []byte) error {
	var o struct {
		Bytes *[]byte `json:"bytes"`
		Text  *[]byte `json:"text"`
	}
	if err := parse(text, &o); err != nil {
		return err
	}
	switch {
	case o.Bytes != nil && o.Text == nil:
		c.v = *o.Bytes
	case o.Text != nil && o.Bytes == nil:
		c.v = string(*o.Text)
	default:
		return errors.New("neither bytes nor text")
	}
	return nil
}

// parseRow reads a row of these columns. It stops at the first value too many:
// a line is bounded, what is made of it must be too.
func parseRow(line []byte, columns []Column) ([]any, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, errors.New("not an array")
	}
	row := make([]any, len(columns))
	for i, col := range columns {
		if !d.More() {
			return nil, errors.New("too few values")
		}
		var c cell
		if err := d.Decode(&c); err != nil {
			return nil, fmt.Errorf("column %s: %w", col.Name, err)
		}
		if !col.Kind.takes(c.v) {
			return nil, fmt.Errorf("column %s: %T for %s", col.Name, c.v, col.Kind)
		}
		row[i] = c.v
	}
	if t, err := d.Token(); err != nil || t != json.Delim(']') {
		return nil, errors.New("too many values")
	}
	if d.More() {
		return nil, errors.New("more than a row")
	}
	return row, nil
}

// takes tells whether a column can hold a value. SQLite keeps bytes in a column
// of text when it is given them, and text in one of bytes, and they come back to
// it as they were.
func (k Kind) takes(v any) bool {
	switch v.(type) {
	case nil:
		return true
	case int64:
		return k == Int
	case string, []byte:
		return k == Text || k == Bytes
	default:
		return false
	}
}
