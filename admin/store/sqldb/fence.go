package sqldb

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

var (
	// ErrStandby says that no term has begun: another office may be at work.
	ErrStandby = errors.New("this office stands by, and writes nothing")
	// ErrFenced says that another office was given the store since: what this one
	// does not know yet, and must not write over.
	ErrFenced = errors.New("another office has taken over this store; this one must stop")
)

// askAgain is when whoever was refused may find an office at work.
const askAgain = 5 * time.Second

// Fence says under which term of a lease a DB writes (DB.Behind). Before Begin
// it writes nothing.
type Fence struct {
	lease string
	epoch atomic.Uint64 // 0: no term has begun
}

// NewFence returns the fence of a lease, closed.
func NewFence(lease string) *Fence { return &Fence{lease: lease} }

// Begin opens it for one term. What is written from now on is written under this
// epoch: refused as soon as a greater one was seen.
func (f *Fence) Begin(epoch uint64) { f.epoch.Store(epoch) }

// Behind returns the same database behind a fence. Reading is free. Each Tx is
// refused, before its function is called, while no term has begun (ErrStandby)
// and once the store has seen a greater epoch (ErrFenced). Either comes as an
// *admin.Error that may be shown. The first Tx of a term makes its epoch known
// to the store, where the lease itself is kept elsewhere.
//
// The check and the commit cannot be parted: Lease.Acquire is a Tx too, and one
// runs at a time. The connections are shared; closing either closes both.
func (db *DB) Behind(f *Fence) *DB {
	fenced := *db
	fenced.fence = f
	return &fenced
}

// enter returns the epoch to write under; it needs no connection.
func (f *Fence) enter() (epoch uint64, err error) {
	if f == nil {
		return 0, nil
	}
	if epoch = f.epoch.Load(); epoch == 0 {
		return 0, refuse(ErrStandby)
	}
	return epoch, nil
}

// check looks whether the epoch is still the greatest.
func (f *Fence) check(ctx context.Context, tx *Tx, epoch uint64) error {
	if f == nil {
		return nil
	}
	var seen int64
	err := tx.Row(ctx, "SELECT epoch FROM office_leases WHERE name = $1", []any{f.lease}, []any{&seen})
	if err != nil && !errors.Is(err, admin.ErrAbsent) {
		return fmt.Errorf("look who works on the store: %w", err)
	}
	if uint64(seen) > epoch {
		return refuse(fmt.Errorf("%w: its epoch is %d, this one's %d", ErrFenced, seen, epoch))
	}
	if uint64(seen) == epoch {
		return nil
	}
	_, err = tx.Exec(ctx, `INSERT INTO office_leases (name, epoch, holder, expires) VALUES ($1, $2, '', 0)
		ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch`, f.lease, int64(epoch))
	return err
}

// refuse gives a fence's answer words for whoever asked for the write.
func refuse(err error) error {
	e := admin.Errorf(admin.Unavailable, "unavailable", "Another server works for this office now, so nothing was done here. Ask again in a moment.")
	e.Err, e.RetryAfter = err, askAgain
	return e
}
