package backup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
)

// Bounds of what goes into the store at once.
const (
	batchRows  = 256
	batchBytes = 1 << 20
)

// tables reads the parts of each table in order. One without rows has none.
func (b *restoring) tables(ctx context.Context, w Writing, keys *keysSeen) error {
	for _, t := range b.head.Tables {
		f := filling{to: w, table: t, keys: keys}
		for n := 1; b.name == partName(t.Name, n); n++ {
			if b.size > maxPart {
				return damaged("%s has %d bytes, at most %d", b.name, b.size, maxPart)
			}
			if err := f.part(ctx, b.unpacker); err != nil {
				return fmt.Errorf("%s: %w", b.name, err)
			}
			if err := b.advance(); err != nil {
				return err
			}
		}
		b.m.Tables = append(b.m.Tables, Count{Table: t.Name, Rows: f.count})
	}
	if strings.HasPrefix(b.name, tablesPrefix) {
		return damaged("%.60q does not belong here", b.name)
	}
	return nil
}

// filling is a table on its way into the store.
type filling struct {
	to    Writing
	table Table
	keys  *keysSeen
	count int64

	rows  [][]any
	bytes int
}

func (f *filling) part(ctx context.Context, r *unpacker) error {
	lines := bufio.NewScanner(pace{ctx, r})
	lines.Buffer(nil, maxRow+1)
	for lines.Scan() {
		row, err := parseRow(lines.Bytes(), f.table.Columns)
		if err != nil {
			return damaged("row %d: %w", f.count+1, err)
		}
		f.count++
		f.keys.look(row)
		f.rows = append(f.rows, row)
		if f.bytes += len(lines.Bytes()); len(f.rows) < batchRows && f.bytes < batchBytes {
			continue
		}
		if err := f.flush(ctx); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return damaged("row %d is longer than %d bytes", f.count+1, maxRow)
		}
		return err
	}
	return f.flush(ctx)
}

func (f *filling) flush(ctx context.Context) error {
	if len(f.rows) == 0 {
		return nil
	}
	if err := f.to.Fill(ctx, f.table, f.rows); err != nil {
		return fmt.Errorf("one of rows %d to %d cannot be stored: %w", f.count-int64(len(f.rows))+1, f.count, err)
	}
	f.rows, f.bytes = f.rows[:0], 0
	return nil
}
