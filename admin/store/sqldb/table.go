package sqldb

import (
	"context"
	"strconv"
	"strings"
)

// Table is a table whose rows are Ts. Columns and Fields agree: Fields returns
// pointers into a T that a row can be scanned into and written from, in the
// order of Columns. The first Keys columns are the primary key.
type Table[T any] struct {
	Name    string
	Columns []string
	Keys    int
	Fields  func(*T) []any
}

// Add inserts a row.
func (t Table[T]) Add(ctx context.Context, tx *Tx, row *T) error {
	_, err := tx.Exec(ctx, t.insert(), t.Fields(row)...)
	return err
}

// Put inserts a row or writes all columns of the one that has its key.
func (t Table[T]) Put(ctx context.Context, tx *Tx, row *T) error {
	var b strings.Builder
	b.WriteString(t.insert() + " ON CONFLICT (" + strings.Join(t.Columns[:t.Keys], ", ") + ") DO ")
	if t.Keys == len(t.Columns) {
		b.WriteString("NOTHING")
	} else {
		b.WriteString("UPDATE SET ")
	}
	for i, col := range t.Columns[t.Keys:] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(col + " = excluded." + col)
	}
	_, err := tx.Exec(ctx, b.String(), t.Fields(row)...)
	return err
}

// Set writes all columns of the row that has the key: admin.ErrAbsent if there is none.
func (t Table[T]) Set(ctx context.Context, tx *Tx, row *T) error {
	pairs := func(from, to int, sep string) string {
		var out []string
		for i := from; i < to; i++ {
			out = append(out, t.Columns[i]+" = $"+strconv.Itoa(i+1))
		}
		return strings.Join(out, sep)
	}
	return tx.ExecOne(ctx, "UPDATE "+t.Name+" SET "+pairs(t.Keys, len(t.Columns), ", ")+
		" WHERE "+pairs(0, t.Keys, " AND "), t.Fields(row)...)
}

// Get returns the row of a condition: admin.ErrAbsent if there is none.
func (t Table[T]) Get(ctx context.Context, tx *Tx, where string, args ...any) (*T, error) {
	row := new(T)
	if err := tx.Row(ctx, t.selects()+" WHERE "+where, args, t.Fields(row)); err != nil {
		return nil, err
	}
	return row, nil
}

// List returns rows; tail is what follows FROM: WHERE, ORDER BY, LIMIT.
func (t Table[T]) List(ctx context.Context, tx *Tx, tail string, args ...any) ([]T, error) {
	var out []T
	err := tx.Rows(ctx, t.selects()+" "+tail, args, func(scan func(...any) error) error {
		var row T
		if err := scan(t.Fields(&row)...); err != nil {
			return err
		}
		out = append(out, row)
		return nil
	})
	return out, err
}

// Remove deletes the rows of a condition and returns how many.
func (t Table[T]) Remove(ctx context.Context, tx *Tx, where string, args ...any) (int64, error) {
	return tx.Exec(ctx, "DELETE FROM "+t.Name+" WHERE "+where, args...)
}

func (t Table[T]) selects() string {
	return "SELECT " + strings.Join(t.Columns, ", ") + " FROM " + t.Name
}

func (t Table[T]) insert() string {
	marks := make([]string, len(t.Columns))
	for i := range marks {
		marks[i] = "$" + strconv.Itoa(i+1)
	}
	return "INSERT INTO " + t.Name + " (" + strings.Join(t.Columns, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")"
}
