package sqldb

import (
	"context"
	"errors"
	"fmt"

	"github.com/pressly/goose/v3"

	"github.com/lockkeeper/lockkeeper/admin/backup"
)

// Write runs fn on an empty store, with references checked at the end: tables
// may refer to each other and to themselves.
func (t *Tables) Write(ctx context.Context, fn func(backup.Writing) error) error {
	return t.db.Tx(ctx, func(tx *Tx) error {
		w := tablesTx{tx}
		if err := w.vacant(ctx); err != nil {
			return err
		}
		if err := tx.patient(ctx); err != nil {
			return err
		}
		check, err := w.deferReferences(ctx)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM "+revisionsTable); err != nil {
			return err
		}
		if err := fn(w); err != nil {
			return err
		}
		return check()
	})
}

// vacant refuses a store that holds more than its migrations put in.
func (tx tablesTx) vacant(ctx context.Context) error {
	tables, err := tx.Tables(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if t.Name == revisionsTable {
			continue
		}
		var filled int64
		if err := tx.Row(ctx, "SELECT count(*) FROM (SELECT 1 FROM "+quote(t.Name)+" LIMIT 1) AS one", nil, []any{&filled}); err != nil {
			return err
		}
		if filled > 0 {
			return fmt.Errorf("%w: table %s of this one has rows; restore into a database that is not there yet, and point the office at it", backup.ErrNotEmpty, t.Name)
		}
	}
	return nil
}

// deferReferences lets rows come before those they refer to, and returns what
// checks them.
func (tx tablesTx) deferReferences(ctx context.Context) (check func() error, err error) {
	if tx.engine.Goose == goose.DialectPostgres {
		return tx.deferPostgres(ctx)
	}
	if _, err := tx.Exec(ctx, "PRAGMA defer_foreign_keys = ON"); err != nil {
		return nil, err
	}
	// A commit that fails leaves SQLite's transaction open: look before.
	return func() error {
		return tx.Tx.Rows(ctx, `SELECT "table", "parent" FROM pragma_foreign_key_check`, nil, func(scan func(...any) error) error {
			var table, parent string
			return errors.Join(scan(&table, &parent), fmt.Errorf("a row of table %s refers to one of %s that is not there", table, parent))
		})
	}, nil
}

// deferPostgres makes the references deferrable for as long as the transaction
// lasts.
func (tx tablesTx) deferPostgres(ctx context.Context) (check func() error, err error) {
	var references [][2]string
	err = tx.Tx.Rows(ctx, `SELECT conrelid::regclass::text, quote_ident(conname) FROM pg_constraint
		WHERE contype = 'f' AND connamespace = current_schema()::regnamespace AND NOT condeferrable AND conparentid = 0`,
		nil, func(scan func(...any) error) error {
			var r [2]string
			references = append(references, r)
			last := &references[len(references)-1]
			return scan(&last[0], &last[1])
		})
	if err != nil {
		return nil, err
	}
	alter := func(how string) error {
		for _, r := range references {
			if _, err := tx.Exec(ctx, "ALTER TABLE "+r[0]+" ALTER CONSTRAINT "+r[1]+" "+how); err != nil {
				return err
			}
		}
		return nil
	}
	return func() error {
		if _, err := tx.Exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE"); err != nil {
			return err
		}
		return alter("NOT DEFERRABLE")
	}, alter("DEFERRABLE INITIALLY DEFERRED")
}
