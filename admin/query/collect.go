package query

import (
	"context"
	"errors"
)

// collect runs a small statement of ours and returns its rows, at most limit.
func collect(ctx context.Context, conn Conn, sql string, oids []uint32, values []*string, limit int) ([][]*string, error) {
	c := &collector{limit: limit}
	_, err := conn.Query(ctx, sql, oids, values, c)
	if errors.Is(err, errEnough) {
		err = nil
	}
	return c.rows, err
}

// collector keeps rows in memory.
type collector struct {
	rows  [][]*string
	limit int
}

// Columns is not needed: who asks knows.
func (c *collector) Columns([]string, []uint32, []int32) error { return nil }

// Row keeps a row.
func (c *collector) Row(cells [][]byte) error {
	if len(c.rows) >= c.limit {
		return errEnough
	}
	row := make([]*string, len(cells))
	for i, cell := range cells {
		if cell != nil {
			text := string(cell)
			row[i] = &text
		}
	}
	c.rows = append(c.rows, row)
	return nil
}

// Notice is not needed.
func (c *collector) Notice(_, _, _, _ string) {}
