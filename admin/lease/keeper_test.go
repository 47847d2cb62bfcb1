package lease_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/lease"
)

const ttl = 9 * time.Second

// row is a lease with an expiry, as a store keeps it, in memory and in the time
// of the test.
type row struct {
	mu      sync.Mutex
	epoch   uint64
	until   time.Time
	down    error         // answers every call
	hang    chan struct{} // a renewal waits for it, whatever its context says
	renewed int
}

func (r *row) Acquire(ctx context.Context) (lease.Grant, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := errors.Join(ctx.Err(), r.down); err != nil {
		return lease.Grant{}, err
	}
	if time.Now().Before(r.until) {
		return lease.Grant{}, lease.ErrHeld
	}
	r.epoch++
	r.until = time.Now().Add(ttl)
	return lease.Grant{Epoch: r.epoch, TTL: ttl}, nil
}

func (r *row) Renew(ctx context.Context, epoch uint64) (lease.Grant, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if hang := r.hang; hang != nil {
		r.mu.Unlock()
		<-hang
		r.mu.Lock()
	}
	if err := errors.Join(ctx.Err(), r.down); err != nil {
		return lease.Grant{}, err
	}
	if epoch != r.epoch || !time.Now().Before(r.until) {
		return lease.Grant{}, lease.ErrLost
	}
	r.renewed++
	r.until = time.Now().Add(ttl)
	return lease.Grant{Epoch: epoch, TTL: ttl}, nil
}

func (r *row) Release(ctx context.Context, epoch uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := errors.Join(ctx.Err(), r.down); err != nil {
		return err
	}
	if epoch == r.epoch {
		r.until = time.Time{}
	}
	return nil
}

func (r *row) set(down error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

func (r *row) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.renewed
}

// run starts a Keeper inside a bubble; stop ends it and waits.
func run(t *testing.T, cfg lease.Config) (k *lease.Keeper, stop func()) {
	t.Helper()
	k, err := lease.NewKeeper(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := k.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return k, func() {
		cancel()
		wg.Wait()
	}
}

func isLost(term *lease.Term) bool {
	select {
	case <-term.Lost():
		return true
	default:
		return false
	}
}

func TestKeeperKeeps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &row{}
		k, stop := run(t, lease.Config{Lease: r})
		term := <-k.Terms()
		time.Sleep(time.Hour + time.Second)
		if isLost(term) || !term.Valid() || term.Epoch() != 1 || r.count() != 1200 {
			t.Errorf("after an hour: lost %v, epoch %d, renewed %d times", isLost(term), term.Epoch(), r.count())
		}
		stop()
		if !isLost(term) || term.Valid() {
			t.Error("the term outlives its keeper")
		}
		if g, err := r.Acquire(t.Context()); err != nil || g.Epoch != 2 {
			t.Errorf("it was not given back: %+v, %v", g, err)
		}
	})
}

// One stands by, and takes over within a pause of the other's end.
func TestKeeperStandsBy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &row{}
		one, stopOne := run(t, lease.Config{Lease: r})
		first := <-one.Terms()
		two, stopTwo := run(t, lease.Config{Lease: r})
		defer stopTwo()
		time.Sleep(time.Minute)
		select {
		case <-two.Terms():
			t.Fatal("two hold it")
		default:
		}
		stopOne()
		began := time.Now()
		second := <-two.Terms()
		if wait := time.Since(began); wait > time.Second || second.Epoch() <= first.Epoch() {
			t.Errorf("took over after %v, epoch %d after %d", wait, second.Epoch(), first.Epoch())
		}
	})
}

// A short outage is nothing; a long one ends the term before another can begin.
func TestKeeperOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &row{}
		k, stop := run(t, lease.Config{Lease: r})
		defer stop()
		term := <-k.Terms()
		r.set(errors.New("away"))
		time.Sleep(5 * time.Second)
		r.set(nil)
		time.Sleep(time.Minute)
		if isLost(term) {
			t.Fatal("lost by a short outage")
		}
		r.set(errors.New("away"))
		r.mu.Lock()
		until := r.until
		r.mu.Unlock()
		<-term.Lost()
		if now := time.Now(); now.After(until) || until.Sub(now) > ttl/2 {
			t.Errorf("lost %v before the lease ended", until.Sub(now))
		}
		r.set(nil)
		if next := <-k.Terms(); next.Epoch() <= term.Epoch() {
			t.Errorf("epoch %d after %d", next.Epoch(), term.Epoch())
		}
	})
}

// A renewal that hangs and heeds no context does not hide the end.
func TestKeeperHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &row{hang: make(chan struct{})}
		k, stop := run(t, lease.Config{Lease: r})
		term, began := <-k.Terms(), time.Now()
		<-term.Lost()
		if d := time.Since(began); d != ttl {
			t.Errorf("lost after %v, want %v", d, ttl)
		}
		close(r.hang)
		stop()
	})
}

// What another took is lost at the next renewal.
func TestKeeperTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &row{}
		k, stop := run(t, lease.Config{Lease: r})
		defer stop()
		term, began := <-k.Terms(), time.Now()
		r.mu.Lock()
		r.epoch++
		r.mu.Unlock()
		<-term.Lost()
		if d := time.Since(began); d > ttl/3 {
			t.Errorf("noticed after %v", d)
		}
		r.mu.Lock()
		if !time.Now().Before(r.until) {
			t.Error("the late release ended another's lease")
		}
		r.mu.Unlock()
	})
}

// A machine that slept knows it by the wall clock, before any timer.
func TestTermAfterSleep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var slept time.Duration
		now := func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Round(0).Add(slept)
		}
		k, stop := run(t, lease.Config{Lease: &row{}, Now: now})
		defer stop()
		term := <-k.Terms()
		if !term.Valid() {
			t.Error("not valid at its beginning")
		}
		mu.Lock()
		slept = time.Hour
		mu.Unlock()
		if term.Valid() {
			t.Error("valid after an hour of sleep")
		}
		<-term.Lost()
	})
}

func TestKeeperConfig(t *testing.T) {
	t.Parallel()
	for _, cfg := range []lease.Config{{}, {Lease: &row{}, Retry: -1}} {
		if _, err := lease.NewKeeper(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}
