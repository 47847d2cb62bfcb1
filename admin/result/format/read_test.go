package format_test

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/format"
)

func render(tb testing.TB, src result.Source, o format.Options) []byte {
	tb.Helper()
	var out bytes.Buffer
	if err := format.Render(tb.Context(), &out, src, o); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// sheetCell is a cell as a spreadsheet program reads it.
type sheetCell struct {
	Ref    string  `xml:"r,attr"`
	Type   string  `xml:"t,attr"`
	Style  string  `xml:"s,attr"`
	Value  *string `xml:"v"`
	Inline *struct {
		Text string `xml:"t"`
	} `xml:"is"`
}

func (c sheetCell) String() string {
	switch {
	case c.Inline != nil:
		return "text " + c.Inline.Text
	case c.Type == "b":
		return "bool " + *c.Value
	case c.Style == "2":
		return "day " + *c.Value
	case c.Style == "3":
		return "moment " + *c.Value
	default:
		return "number " + *c.Value
	}
}

// readSheet returns the rows of a workbook by the references of their cells.
func readSheet(tb testing.TB, file []byte) []map[string]sheetCell {
	tb.Helper()
	zipped, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		tb.Fatal(err)
	}
	var rows []map[string]sheetCell
	for _, f := range zipped.File {
		part, err := f.Open()
		if err != nil {
			tb.Fatal(err)
		}
		var sheet struct {
			Rows []struct {
				Cells []sheetCell `xml:"c"`
			} `xml:"sheetData>row"`
		}
		text, err := io.ReadAll(part)
		if err != nil {
			tb.Fatal(err)
		}
		if err := xml.Unmarshal(text, &sheet); err != nil {
			tb.Fatalf("%s: %v", f.Name, err)
		}
		for _, row := range sheet.Rows {
			cells := map[string]sheetCell{}
			for _, c := range row.Cells {
				cells[strings.TrimRight(c.Ref, "0123456789")] = c
			}
			rows = append(rows, cells)
		}
	}
	return rows
}

// readParquet returns the types and the cells of a parquet file as text.
func readParquet(tb testing.TB, file []byte) (names, types []string, rows [][]string, meta map[string]string) {
	tb.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		tb.Fatal(err)
	}
	for _, field := range f.Schema().Fields() {
		names, types = append(names, field.Name()), append(types, field.Type().String())
	}
	for _, group := range f.RowGroups() {
		reader := group.Rows()
		for {
			buf := make([]parquet.Row, 1)
			n, err := reader.ReadRows(buf)
			if n == 1 {
				cells := make([]string, len(names))
				for i, v := range buf[0] {
					cells[i] = parquetText(types[i], v)
				}
				rows = append(rows, cells)
			}
			if err != nil {
				break
			}
		}
		if err := reader.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	meta = map[string]string{}
	for _, kv := range f.Metadata().KeyValueMetadata {
		meta[kv.Key] = kv.Value
	}
	return names, types, rows, meta
}

func parquetText(typ string, v parquet.Value) string {
	switch {
	case v.IsNull():
		return "NULL"
	case v.Kind() == parquet.FixedLenByteArray:
		n := new(big.Int).SetBytes(v.ByteArray())
		if n.Bit(127) == 1 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), 128))
		}
		return n.String()
	case typ == "STRING":
		return string(v.ByteArray())
	case v.Kind() == parquet.ByteArray:
		return fmt.Sprintf("%x", v.ByteArray())
	default:
		return v.String()
	}
}
