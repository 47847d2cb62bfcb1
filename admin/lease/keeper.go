package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

const (
	renewals       = 3               // in a TTL
	releaseTimeout = 5 * time.Second // of the last act
)

// Keeper competes for a lease and keeps it.
type Keeper struct {
	cfg   Config
	terms chan *Term
}

// NewKeeper returns a Keeper that has not begun.
func NewKeeper(cfg Config) (*Keeper, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Keeper{cfg: cfg.withDefaults(), terms: make(chan *Term, 1)}, nil
}

// Terms gives each term as it begins. One that nobody took and that is over is
// replaced by the next.
func (k *Keeper) Terms() <-chan *Term { return k.terms }

// Run competes for the lease, keeps it, and competes again when it is lost,
// until ctx ends; then it ends the term and gives the lease back. Whoever works
// under a term must have stopped before: another may begin at once.
// The result is nil: nothing but the end of ctx stops it.
func (k *Keeper) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		term := k.acquire(ctx)
		if term == nil {
			k.pause(ctx, k.cfg.Retry, nil)
			continue
		}
		k.announce(term)
		k.keep(ctx, term)
		term.end()
		k.release(ctx, term)
	}
	return nil
}

func (k *Keeper) acquire(ctx context.Context) *Term {
	from := k.cfg.Now()
	grant, err := k.cfg.Lease.Acquire(ctx)
	if err == nil {
		k.cfg.Log.InfoContext(ctx, "lease acquired", slog.Uint64("epoch", grant.Epoch))
		return newTerm(grant, from, k.cfg.Now)
	}
	if !errors.Is(err, ErrHeld) && ctx.Err() == nil {
		k.cfg.Log.WarnContext(ctx, "lease cannot be asked for", slog.Any("error", err))
	}
	return nil
}

// announce never waits: Run is the only sender, and the one slot is empty after
// the old term was taken out.
func (k *Keeper) announce(term *Term) {
	select {
	case <-k.terms:
	default:
	}
	k.terms <- term
}

// keep renews until the term is over or ctx ends.
func (k *Keeper) keep(ctx context.Context, term *Term) {
	pause := term.left() / renewals
	for k.pause(ctx, pause, term.lost) {
		grant, from, err := k.renew(ctx, term)
		switch {
		case err == nil && term.prolong(grant, from):
			pause = grant.TTL / renewals
		case err == nil || errors.Is(err, ErrLost):
			k.cfg.Log.WarnContext(ctx, "lease lost", slog.Uint64("epoch", term.epoch))
			return
		case ctx.Err() == nil:
			k.cfg.Log.WarnContext(ctx, "lease cannot be renewed", slog.Any("error", err), slog.Duration("left", term.left()))
			pause = min(k.cfg.Retry, max(term.left()/renewals, time.Millisecond))
		}
	}
}

// renew gives up when the term does.
func (k *Keeper) renew(ctx context.Context, term *Term) (Grant, time.Time, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, term.left(), fmt.Errorf("%w: no answer in time", ErrLost))
	defer cancel()
	from := k.cfg.Now()
	grant, err := k.cfg.Lease.Renew(ctx, term.epoch)
	return grant, from, err
}

// release is the last act of a term, due after ctx has ended too.
func (k *Keeper) release(ctx context.Context, term *Term) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if err := k.cfg.Lease.Release(ctx, term.epoch); err != nil {
		k.cfg.Log.WarnContext(ctx, "lease cannot be given back; it ends by itself", slog.Any("error", err))
	}
}

// pause returns false when ctx or the term ended.
func (k *Keeper) pause(ctx context.Context, d time.Duration, lost <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-lost:
		return false
	case <-timer.C:
		return true
	}
}
