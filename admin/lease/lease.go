package lease

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrHeld says that another holds the lease.
	ErrHeld = errors.New("lease is held by another")
	// ErrLost says that the lease is no longer held under this epoch.
	ErrLost = errors.New("lease was lost")
)

// Lease is what offices compete for. A value stands for one contender and is
// used by one goroutine at a time.
type Lease interface {
	// Acquire takes the lease when nobody holds it, or returns ErrHeld at once.
	// Each grant has a greater epoch than all before, of all contenders.
	Acquire(ctx context.Context) (Grant, error)

	// Renew prolongs the grant of this epoch, or returns ErrLost when it is over.
	// Another error says nothing about who holds the lease.
	Renew(ctx context.Context, epoch uint64) (Grant, error)

	// Release gives the lease back if it is still held under this epoch, and
	// leaves another's alone.
	Release(ctx context.Context, epoch uint64) error
}

// Grant is a lease that was given.
type Grant struct {
	Epoch uint64 // the fencing token: from 1, greater with each grant
	// TTL is how long nobody else is given the lease, from the moment on at
	// which Acquire or Renew was called.
	TTL time.Duration
}
