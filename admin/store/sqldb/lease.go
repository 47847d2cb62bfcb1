package sqldb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/lease"
)

// postgresClock is the time of the database, one for all who ask it, in
// microseconds. It goes on within a transaction.
const postgresClock = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

// Lease is a lease kept in a row of the store, with an expiry by one clock: the
// database's own on Postgres, Config.Now on SQLite, whose processes share a
// machine. It is used by one goroutine at a time.
type Lease struct {
	db     *DB
	name   string
	holder string
	ttl    time.Duration
}

var _ lease.Lease = (*Lease)(nil)

// NewLease returns a contender for the lease of a name. The holder's name is for
// people; two of the same name are still two.
func NewLease(db *DB, name, holder string, ttl time.Duration) (*Lease, error) {
	if name == "" || ttl < time.Millisecond {
		return nil, errors.New("lease: a name and a time to live are needed")
	}
	free := *db
	free.fence = nil // a term is not asked for under another
	return &Lease{db: &free, name: name, holder: holder + " " + rand.Text(), ttl: ttl}, nil
}

// Acquire takes the lease when it was never held or is over, with the epoch
// after the greatest that was seen. It waits for the writer at work, and no
// writer of an older epoch comes after it (see DB.Behind).
func (l *Lease) Acquire(ctx context.Context) (lease.Grant, error) {
	var epoch int64
	err := l.db.Tx(ctx, func(tx *Tx) error {
		return tx.Row(ctx, `INSERT INTO office_leases (name, epoch, holder, expires) VALUES ($1, 1, $2, `+l.db.clock()+` + $3)
			ON CONFLICT (name) DO UPDATE SET epoch = office_leases.epoch + 1, holder = excluded.holder, expires = excluded.expires
			WHERE office_leases.expires <= `+l.db.clock()+` RETURNING epoch`,
			[]any{l.name, l.holder, l.ttl.Microseconds()}, []any{&epoch})
	})
	if errors.Is(err, admin.ErrAbsent) {
		return lease.Grant{}, lease.ErrHeld
	}
	if err != nil {
		return lease.Grant{}, fmt.Errorf("acquire the lease: %w", err)
	}
	return lease.Grant{Epoch: uint64(epoch), TTL: l.ttl}, nil
}

// Renew prolongs the grant of this epoch. It waits for no writer: a long one
// must not cost the lease.
func (l *Lease) Renew(ctx context.Context, epoch uint64) (lease.Grant, error) {
	n, err := l.set(ctx, epoch, l.db.clock()+" + "+strconv.FormatInt(l.ttl.Microseconds(), 10))
	if err != nil {
		return lease.Grant{}, fmt.Errorf("renew the lease: %w", err)
	}
	if n == 0 {
		return lease.Grant{}, lease.ErrLost
	}
	return lease.Grant{Epoch: epoch, TTL: l.ttl}, nil
}

// Release ends the grant of this epoch. The row stays: the epoch must outlive
// everybody.
func (l *Lease) Release(ctx context.Context, epoch uint64) error {
	if _, err := l.set(ctx, epoch, "0"); err != nil {
		return fmt.Errorf("release the lease: %w", err)
	}
	return nil
}

// set writes when our grant of this epoch expires, if it still holds.
func (l *Lease) set(ctx context.Context, epoch uint64, expires string) (int64, error) {
	//nolint:gosec // what is joined in are numbers and the clock's name
	res, err := l.db.write.ExecContext(ctx, `UPDATE office_leases SET expires = `+expires+`
		WHERE name = $1 AND holder = $2 AND epoch = $3 AND expires > `+l.db.clock(), l.name, l.holder, int64(epoch))
	return affected(res, err)
}

func affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// clock is the time as SQL, in microseconds.
func (db *DB) clock() string {
	if db.engine.Goose == goose.DialectPostgres {
		return postgresClock
	}
	return strconv.FormatInt(db.now().UnixMicro(), 10)
}
