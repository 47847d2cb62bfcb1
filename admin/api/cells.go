package api

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/lockkeeper/lockkeeper/admin/query"
)

// cells returns rows as they stand in an answer: strings and null, or, where a
// caller wants JSON, what JSON holds without loss.
func cells(rows [][]*string, columns []query.Column, asJSON bool) [][]any {
	out := make([][]any, len(rows))
	for i, row := range rows {
		out[i] = make([]any, len(row))
		for j, cell := range row {
			if cell == nil {
				continue
			}
			out[i][j] = *cell
			if asJSON && j < len(columns) {
				out[i][j] = value(*cell, columns[j].Type)
			}
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
