package sqldb

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"

	"github.com/lockkeeper/lockkeeper/admin/backup"
)

// Tables is the store as a backup sees it: what the schema says there is, so
// that a migration's new tables are in it by themselves.
type Tables struct{ db *DB }

var _ backup.Tables = (*Tables)(nil)

// NewTables returns the tables of a database.
func NewTables(db *DB) *Tables { return &Tables{db} }

// Tables that are no part of what the store holds, and those that a migration
// puts rows into.
const (
	leasesTable    = "office_leases"
	revisionsTable = "revisions"
)

// The columns of all tables: table, column, type. A virtual table cannot be
// copied row by row; its type says so where the kind of column is looked up.
const (
	columnsSQLite = `SELECT l.name, c.name, CASE WHEN l.type = 'virtual' THEN 'virtual table' ELSE lower(c.type) END
		FROM pragma_table_list AS l JOIN pragma_table_info(l.name) AS c
		WHERE l.schema = 'main' AND l.type IN ('table', 'virtual') AND l.name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY l.name, c.cid`
	columnsPostgres = `SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL)
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
		AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY c.relname::text COLLATE "C", a.attnum`
)

// kindOf is what a column's type holds.
func kindOf(declared string) (backup.Kind, bool) {
	switch declared {
	case "text":
		return backup.Text, true
	case "bigint", "smallint", "integer":
		return backup.Int, true
	case "blob", "bytea":
		return backup.Bytes, true
	default:
		return "", false
	}
}

// Read runs fn on one moment.
func (t *Tables) Read(ctx context.Context, fn func(backup.Reading) error) error {
	return t.db.View(ctx, func(tx *Tx) error {
		if err := tx.patient(ctx); err != nil {
			return err
		}
		return fn(tablesTx{tx})
	})
}

// tablesTx meets backup.Writing.
type tablesTx struct{ *Tx }

// patient lets a transaction wait for its file: the server must not end it.
func (tx *Tx) patient(ctx context.Context) error {
	if tx.engine.Goose != goose.DialectPostgres {
		return nil
	}
	_, err := tx.Exec(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0")
	return err
}

// Schema is the number of the last migration.
func (tx tablesTx) Schema(ctx context.Context) (int64, error) {
	var version int64
	err := tx.Row(ctx, "SELECT max(version_id) FROM "+goose.DefaultTablename+" WHERE is_applied", nil, []any{&version})
	return version, err
}

// Tables are all but those about the store itself.
func (tx tablesTx) Tables(ctx context.Context) ([]backup.Table, error) {
	query := columnsSQLite
	if tx.engine.Goose == goose.DialectPostgres {
		query = columnsPostgres
	}
	var tables []backup.Table
	err := tx.Tx.Rows(ctx, query, nil, func(scan func(...any) error) error {
		var table, column, declared string
		if err := scan(&table, &column, &declared); err != nil {
			return err
		}
		if table == goose.DefaultTablename || table == leasesTable {
			return nil
		}
		kind, known := kindOf(declared)
		if !known {
			return fmt.Errorf("column %s.%s: a backup knows no type %q", table, column, declared)
		}
		if len(tables) == 0 || tables[len(tables)-1].Name != table {
			tables = append(tables, backup.Table{Name: table})
		}
		last := &tables[len(tables)-1]
		last.Columns = append(last.Columns, backup.Column{Name: column, Kind: kind})
		return nil
	})
	return tables, err
}

// Rows reads a table.
func (tx tablesTx) Rows(ctx context.Context, t backup.Table, each func(row []any) error) error {
	row, dest := make([]any, len(t.Columns)), make([]any, len(t.Columns))
	for i := range row {
		dest[i] = &row[i]
	}
	return tx.Tx.Rows(ctx, "SELECT "+columnList(t)+" FROM "+quote(t.Name), nil, func(scan func(...any) error) error {
		if err := scan(dest...); err != nil {
			return err
		}
		return each(row)
	})
}

// Fill inserts rows, as many at once as the engines let parameters through.
func (tx tablesTx) Fill(ctx context.Context, t backup.Table, rows [][]any) error {
	const maxParameters = 30_000
	most := max(1, maxParameters/len(t.Columns))
	for len(rows) > 0 {
		n := min(most, len(rows))
		if err := tx.insert(ctx, t, rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func (tx tablesTx) insert(ctx context.Context, t backup.Table, rows [][]any) error {
	var q strings.Builder
	q.WriteString("INSERT INTO " + quote(t.Name) + " (" + columnList(t) + ") VALUES ")
	args := make([]any, 0, len(rows)*len(t.Columns))
	for i, row := range rows {
		q.WriteString([]string{"(", ", ("}[min(i, 1)])
		for j, v := range row {
			if j > 0 {
				q.WriteByte(',')
			}
			args = append(args, tx.storable(t.Columns[j].Kind, v))
			q.WriteString("$" + strconv.Itoa(len(args)))
		}
		q.WriteByte(')')
	}
	_, err := tx.Exec(ctx, q.String(), args...)
	return err
}

// storable is a value as the engine takes it: Postgres knows no bytes in text,
// and no text in bytes.
func (tx tablesTx) storable(kind backup.Kind, v any) any {
	if tx.engine.Goose != goose.DialectPostgres {
		return v
	}
	if b, ok := v.([]byte); ok && kind == backup.Text {
		return string(b)
	}
	if s, ok := v.(string); ok && kind == backup.Bytes {
		return []byte(s)
	}
	return v
}

func columnList(t backup.Table) string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = quote(c.Name)
	}
	return strings.Join(names, ", ")
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
