package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

// Tx is one transaction.
type Tx struct {
	tx     *sql.Tx
	engine *Engine
	now    time.Time
}

// Now is the same during the whole transaction, in UTC, to the microsecond.
func (tx *Tx) Now() time.Time { return tx.now }

// Exec runs a statement and returns how many rows it changed.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := tx.tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, tx.wrap(err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, tx.wrap(err)
	}
	return n, nil
}

// ExecOne runs a statement that must change a row: admin.ErrAbsent if it does not.
func (tx *Tx) ExecOne(ctx context.Context, query string, args ...any) error {
	n, err := tx.Exec(ctx, query, args...)
	if err == nil && n == 0 {
		return admin.ErrAbsent
	}
	return err
}

// Row reads one row into dest: admin.ErrAbsent if there is none.
func (tx *Tx) Row(ctx context.Context, query string, args, dest []any) error {
	return tx.wrap(tx.tx.QueryRowContext(ctx, query, args...).Scan(dest...))
}

// Rows calls next for each row; it scans into what it likes.
func (tx *Tx) Rows(ctx context.Context, query string, args []any, next func(scan func(dest ...any) error) error) error {
	rows, err := tx.tx.QueryContext(ctx, query, args...)
	if err != nil {
		return tx.wrap(err)
	}
	defer rows.Close() //nolint:errcheck // its error is Err's
	for rows.Next() {
		if err := next(rows.Scan); err != nil {
			return tx.wrap(err)
		}
	}
	return tx.wrap(rows.Err())
}

// wrap gives the errors that use cases branch on their types.
func (tx *Tx) wrap(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return admin.ErrAbsent
	}
	if what, taken := tx.engine.Taken(err); taken {
		return &admin.TakenError{What: what}
	}
	return fmt.Errorf("store: %w", err)
}
