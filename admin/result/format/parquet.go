package format

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/lockkeeper/lockkeeper/admin/result"
)

// What bounds the memory of a parquet writer: it holds a group of rows.
const (
	groupRows  = 100_000
	groupBytes = 16 << 20 // of cells
	wideCell   = 4 << 10  // above it a column has no least and greatest value
)

// parquetMemory is what a writer holds of a result of so many bytes: a group,
// once as it came and once as it goes, and pages that are begun.
func parquetMemory(raw int64, columns int) int64 {
	return 2*min(raw, groupBytes) + int64(columns)*(48<<10)
}

// renderParquet reads the result twice: first to see which columns hold a
// value that their parquet type does not have, or long ones, then to write.
func renderParquet(ctx context.Context, out io.Writer, src result.Source) error {
	columns := src.Columns()
	fields := make([]field, len(columns))
	for i, c := range columns {
		fields[i] = fieldOf(c)
	}
	if err := settle(ctx, src, fields); err != nil {
		return err
	}
	names := uniqueNames(columns)
	root := ordered{}
	for i, f := range fields {
		root.fields = append(root.fields, named{Node: parquet.Optional(parquet.Encoded(f.node, &parquet.Plain)), name: names[i]})
	}
	described, err := describe(columns, names)
	if err != nil {
		return err
	}
	options := []parquet.WriterOption{
		parquet.NewSchema("result", root), parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}), parquet.DataPageVersion(1), parquet.DataPageStatistics(false),
		parquet.CreatedBy("lockkeeper", "", ""), parquet.KeyValueMetadata("lockkeeper.columns", described),
	}
	for i, f := range fields {
		if f.wide {
			options = append(options, parquet.SkipPageBounds(names[i]))
		}
	}
	w := parquet.NewGenericWriter[any](out, options...)
	if err := writeGroups(ctx, w, src, fields); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("write the rendered result: %w", err)
	}
	return nil
}

func writeGroups(ctx context.Context, w *parquet.GenericWriter[any], src result.Source, fields []field) error {
	row := make(parquet.Row, len(fields))
	rows, size := 0, 0
	var scratch []byte
	for cells, err := range src.Rows(ctx, 0, -1) {
		if err != nil {
			return err
		}
		scratch = scratch[:0]
		for i, cell := range cells {
			if cell == nil {
				row[i] = parquet.NullValue().Level(0, 0, i)
				continue
			}
			var v parquet.Value
			var ok bool
			if v, scratch, ok = fields[i].value(scratch, cell); !ok {
				return fmt.Errorf("column %d changed between two readings", i+1)
			}
			row[i] = v.Level(0, 1, i)
			size += len(cell)
		}
		if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
			return fmt.Errorf("write the rendered result: %w", err)
		}
		if rows++; rows == groupRows || size > groupBytes {
			if err := w.Flush(); err != nil {
				return fmt.Errorf("write the rendered result: %w", err)
			}
			rows, size = 0, 0
		}
	}
	return nil
}

// settle makes a column of strings of each that holds a value which its type
// does not have in parquet, such as NaN in a decimal, and sees which are wide.
func settle(ctx context.Context, src result.Source, fields []field) error {
	var open []int
	for i := range fields {
		if fields[i].risky || fields[i].bytes() {
			open = append(open, i)
		}
	}
	if len(open) == 0 {
		return nil
	}
	var scratch []byte
	for cells, err := range src.Rows(ctx, 0, -1) {
		if err != nil {
			return err
		}
		for _, i := range open {
			f := &fields[i]
			f.wide = f.wide || len(cells[i]) > wideCell
			if cells[i] == nil || !f.risky {
				continue
			}
			var ok bool
			if _, scratch, ok = f.value(scratch[:0], cells[i]); !ok {
				wide := f.wide
				*f = stringField()
				f.wide = wide
			}
		}
	}
	return nil
}

// uniqueNames renames columns so that no two have the same name: x, x_2, x_3.
func uniqueNames(columns []result.Column) []string {
	taken := make(map[string]bool, len(columns))
	for _, c := range columns {
		taken[c.Name] = true
	}
	names := make([]string, len(columns))
	first := make(map[string]bool, len(columns))
	for i, c := range columns {
		name := c.Name
		if name == "" || first[name] {
			base := name
			if base == "" {
				base = "column"
			}
			for n := 2; ; n++ {
				if name == "" && n == 2 {
					n = i + 1 // column_3 is the third
				}
				if name = base + "_" + strconv.Itoa(n); !taken[name] {
					break
				}
			}
		}
		taken[name], first[name] = true, true
		names[i] = name
	}
	return names
}

// describe keeps what the schema cannot: the names and types as they were.
func describe(columns []result.Column, names []string) (string, error) {
	type column struct {
		Name     string `json:"name"` // in this file
		Original string `json:"original"`
		Type     string `json:"type"`
		OID      uint32 `json:"oid"`
	}
	list := make([]column, len(columns))
	for i, c := range columns {
		list[i] = column{Name: names[i], Original: c.Name, Type: c.Type, OID: c.OID}
	}
	text, err := json.Marshal(list)
	return string(text), err
}

// ordered is a group whose fields stand in the order of the result; parquet's
// own group sorts them by name.
type ordered struct {
	parquet.Group
	fields []parquet.Field
}

func (o ordered) Fields() []parquet.Field { return o.fields }

// GoType is asked for by nothing that we use; a name with a comma would make
// the group's own answer panic.
func (o ordered) GoType() reflect.Type { return reflect.TypeFor[struct{}]() }

type named struct {
	parquet.Node
	name string
}

func (n named) Name() string                              { return n.name }
func (n named) Value(reflect.Value) (value reflect.Value) { return value }
