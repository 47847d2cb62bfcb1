package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/lease"
	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
)

const (
	officeLease = "office"
	leaseLife   = 15 * time.Second
)

var errTakenOver = errors.New("office: another server has taken over the store; start this one again, and it stands by")

// hold does the office's work while it may, and keeps others out, until the
// function returned is called. With SQLite the lock of the state directory is
// enough. In a Postgres that many reach one office works and the others stand
// by: a lease says which. Who loses it must stop at once, so the server ends.
func (o *office) hold(failed chan<- error) (release func()) {
	ctx, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	if o.cfg.Office.Store.IsZero() {
		o.alone.Store(true)
		group.Go(func() { o.work(ctx, failed) })
		return func() { stop(); group.Wait() }
	}
	keeper, err := o.keeper()
	if err != nil {
		failed <- fmt.Errorf("office: %w", err)
		return stop
	}
	keep, giveBack := context.WithCancel(context.Background())
	var keeping sync.WaitGroup
	keeping.Go(func() { _ = keeper.Run(keep) }) // gives the lease back when keep ends
	group.Go(func() { o.serveTerm(ctx, keeper, failed) })
	return func() {
		stop()
		group.Wait()
		giveBack() // last: another begins at once
		keeping.Wait()
	}
}

func (o *office) keeper() (*lease.Keeper, error) {
	row, err := sqldb.NewLease(o.db, officeLease, nodeName(), leaseLife)
	if err != nil {
		return nil, err
	}
	return lease.NewKeeper(lease.Config{Lease: row, Log: o.log})
}

// serveTerm waits for its turn, works, and tells when the turn was lost.
func (o *office) serveTerm(ctx context.Context, keeper *lease.Keeper, failed chan<- error) {
	o.log.InfoContext(ctx, "the office waits for its turn at the store")
	select {
	case <-ctx.Done():
	case term := <-keeper.Terms():
		o.log.InfoContext(ctx, "the office works on the store", slog.Uint64("epoch", term.Epoch()))
		if err := o.blobs.Recount(ctx); err != nil && ctx.Err() == nil {
			o.log.WarnContext(ctx, "cannot count the results of the office before; their bound is not exact", slog.Any("error", err))
		}
		o.fence.Begin(term.Epoch()) // before anything is written
		o.term.Store(term)
		var group sync.WaitGroup
		group.Go(func() { o.work(ctx, failed) })
		select {
		case <-ctx.Done():
		case <-term.Lost():
			failed <- errTakenOver
		}
		group.Wait() // ends with ctx, which the end of the server brings
	}
}

// works reports whether this office is the one that works on the store. Who was
// frozen may believe it for a moment too long: the store's fence does not.
func (o *office) works() bool {
	term := o.term.Load()
	return o.alone.Load() || term != nil && term.Valid()
}

// gate answers in place of an office that stands by.
func (o *office) gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.works() {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Retry-After", "5")
		answer(w, http.StatusServiceUnavailable, "this office stands by; another server works on its store")
	})
}
