package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lockkeeper/lockkeeper/admin/query"
)

// cells returns a row as it stands in an answer: strings and null, or, where a
// caller wants JSON, what JSON holds without loss.
func cells(row []*string, columns []query.Column, asJSON bool) []any {
	out := make([]any, len(row))
	for i, cell := range row {
		if cell == nil {
			continue
		}
		out[i] = *cell
		if asJSON && i < len(columns) {
			out[i] = value(*cell, columns[i].Type)
		}
	}
	return out
}

// value is a cell as JSON. int8 and numeric stay strings: JavaScript would round
// them.
func value(cell, kind string) any {
	switch kind {
	case "bool", "boolean":
		if cell == "t" || cell == "f" {
			return cell == "t"
		}
	case "int2", "int4", "smallint", "integer":
		if n, err := strconv.ParseInt(cell, 10, 32); err == nil {
			return n
		}
	case "float4", "float8", "real", "double precision":
		if f, err := strconv.ParseFloat(cell, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return json.Number(jsonFloat(f))
		}
	case "json", "jsonb":
		if json.Valid([]byte(cell)) {
			return json.RawMessage(cell)
		}
	}
	return cell
}

func jsonFloat(f float64) string {
	b, err := json.Marshal(f)
	if err != nil {
		return "null"
	}
	return string(b)
}

// writeJSON writes the body row by row: a page is large, and its text as a whole
// would be held as long as the client takes for it.
func (b *rowsBody) writeJSON(to io.Writer) error {
	head := *b
	head.Rows = [][]any{}
	text, err := marshal(&head)
	if err != nil {
		return err
	}
	before, after, found := bytes.Cut(text, []byte(`"rows":[]`))
	if !found {
		return errors.New("the body of a page has no rows")
	}
	w := bufio.NewWriterSize(to, 32<<10)
	_, _ = w.Write(before) // Flush has the error of all
	_, _ = w.WriteString(`"rows":[`)
	for i, row := range b.page {
		line, err := marshal(cells(row, b.Columns, b.asJSON))
		if err != nil {
			return err
		}
		if i > 0 {
			_ = w.WriteByte(',')
		}
		if _, err := w.Write(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			return err
		}
	}
	_ = w.WriteByte(']')
	_, _ = w.Write(after)
	return w.Flush()
}

// marshal writes a value as all answers are written.
func marshal(v any) ([]byte, error) {
	var text bytes.Buffer
	err := huma.DefaultJSONFormat.Marshal(&text, v)
	return text.Bytes(), err
}
