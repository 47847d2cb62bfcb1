package sqldb

import (
	"context"
	"errors"
	"fmt"

	"github.com/lockkeeper/lockkeeper/admin"
)

// ErrFenced says that another office was given the store since: what this one
// does not know yet, and must not write over.
var ErrFenced = errors.New("another office has taken over this store; this one must stop")

// fence is the term under which a DB writes.
type fence struct {
	lease string
	epoch uint64
}

// WithEpoch returns the same database for one term of a lease: each Tx first
// looks whether a greater epoch was seen, and is ErrFenced then. The first Tx
// makes a greater one known, where the lease itself is kept elsewhere.
//
// The check and the commit cannot be parted: Lease.Acquire is a Tx too, and one
// runs at a time. The connections are shared; closing either closes both.
func (db *DB) WithEpoch(lease string, epoch uint64) *DB {
	fenced := *db
	fenced.fence = &fence{lease, epoch}
	return &fenced
}

func (f *fence) check(ctx context.Context, tx *Tx) error {
	if f == nil {
		return nil
	}
	var seen int64
	err := tx.Row(ctx, "SELECT epoch FROM office_leases WHERE name = $1", []any{f.lease}, []any{&seen})
	if err != nil && !errors.Is(err, admin.ErrAbsent) {
		return fmt.Errorf("look who works on the store: %w", err)
	}
	if uint64(seen) > f.epoch {
		return fmt.Errorf("%w: its epoch is %d, this one's %d", ErrFenced, seen, f.epoch)
	}
	if uint64(seen) == f.epoch {
		return nil
	}
	_, err = tx.Exec(ctx, `INSERT INTO office_leases (name, epoch, holder, expires) VALUES ($1, $2, '', 0)
		ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch`, f.lease, int64(f.epoch))
	return err
}
