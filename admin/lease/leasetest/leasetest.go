// Package leasetest holds what every lease must do. One is finished when Run
// passes.
package leasetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lockkeeper/lockkeeper/admin/lease"
)

// Place is where one lease is kept.
type Place interface {
	// Node returns another contender for the lease.
	Node(t *testing.T) lease.Lease
	// Lapse ends the holder's grant from outside, as its silence would: the
	// next Acquire of another succeeds, and the holder was not told.
	Lapse(t *testing.T, holder lease.Lease)
}

// Run checks a lease. newPlace returns one that nobody ever held.
func Run(t *testing.T, newPlace func(t *testing.T) Place) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Place){
		"acquire":       testAcquire,
		"renew":         testRenew,
		"release":       testRelease,
		"lapse":         testLapse,
		"late release":  testLateRelease,
		"epochs":        testEpochs,
		"at once":       testAtOnce,
		"ended context": testContext,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newPlace(t))
		})
	}
}

func acquire(t *testing.T, l lease.Lease) lease.Grant {
	t.Helper()
	g, err := l.Acquire(t.Context())
	if err != nil {
		t.Fatalf("acquire: %v", err)
	}
	if g.Epoch == 0 || g.TTL <= 0 {
		t.Fatalf("granted %+v", g)
	}
	return g
}

func release(t *testing.T, l lease.Lease, epoch uint64) {
	t.Helper()
	if err := l.Release(t.Context(), epoch); err != nil {
		t.Fatalf("release: %v", err)
	}
}

func wantHeld(t *testing.T, l lease.Lease) {
	t.Helper()
	if g, err := l.Acquire(t.Context()); !errors.Is(err, lease.ErrHeld) || g != (lease.Grant{}) {
		t.Errorf("acquire of a held lease: %+v, %v", g, err)
	}
}

func wantLost(t *testing.T, l lease.Lease, epoch uint64) {
	t.Helper()
	if g, err := l.Renew(t.Context(), epoch); !errors.Is(err, lease.ErrLost) || g != (lease.Grant{}) {
		t.Errorf("renew of epoch %d: %+v, %v; want lost", epoch, g, err)
	}
}

func testAcquire(t *testing.T, p Place) {
	one, two := p.Node(t), p.Node(t)
	g := acquire(t, one)
	wantHeld(t, two)
	wantHeld(t, one)
	if _, err := one.Renew(t.Context(), g.Epoch); err != nil { // the attempts took nothing away
		t.Errorf("renew: %v", err)
	}
	release(t, one, g.Epoch)
}

func testRenew(t *testing.T, p Place) {
	one, two := p.Node(t), p.Node(t)
	wantLost(t, one, 1)
	g := acquire(t, one)
	for range 3 {
		if again, err := one.Renew(t.Context(), g.Epoch); err != nil || again.Epoch != g.Epoch || again.TTL <= 0 {
			t.Errorf("renewed %+v to %+v, %v", g, again, err)
		}
	}
	wantLost(t, one, g.Epoch+1)
	wantLost(t, one, g.Epoch-1)
	wantLost(t, two, g.Epoch)
	release(t, one, g.Epoch)
}

func testRelease(t *testing.T, p Place) {
	one, two := p.Node(t), p.Node(t)
	g := acquire(t, one)
	release(t, two, g.Epoch)   // not its own
	release(t, one, g.Epoch+1) // not this one
	wantHeld(t, two)
	release(t, one, g.Epoch)
	release(t, one, g.Epoch)
	wantLost(t, one, g.Epoch)
	if next := acquire(t, two); next.Epoch <= g.Epoch {
		t.Errorf("epoch %d after %d", next.Epoch, g.Epoch)
	}
	wantHeld(t, one)
}

func testLapse(t *testing.T, p Place) {
	one, two := p.Node(t), p.Node(t)
	old := acquire(t, one)
	p.Lapse(t, one)
	g := acquire(t, two)
	if g.Epoch <= old.Epoch {
		t.Errorf("epoch %d after %d", g.Epoch, old.Epoch)
	}
	wantLost(t, one, old.Epoch)
	wantHeld(t, one)
	if _, err := two.Renew(t.Context(), g.Epoch); err != nil {
		t.Errorf("renew: %v", err)
	}
	release(t, two, g.Epoch)
}

// testLateRelease: who comes late gives away nothing that is another's.
func testLateRelease(t *testing.T, p Place) {
	one, two := p.Node(t), p.Node(t)
	old := acquire(t, one)
	p.Lapse(t, one)
	g := acquire(t, two)
	release(t, one, old.Epoch)
	release(t, one, g.Epoch)
	wantHeld(t, p.Node(t))
	if _, err := two.Renew(t.Context(), g.Epoch); err != nil {
		t.Errorf("renew: %v", err)
	}
	release(t, two, g.Epoch)
}

func testEpochs(t *testing.T, p Place) {
	var last uint64
	nodes := []lease.Lease{p.Node(t), p.Node(t), p.Node(t)}
	for i := range 12 {
		l := nodes[i*i%3]
		g := acquire(t, l)
		if g.Epoch <= last {
			t.Fatalf("epoch %d after %d", g.Epoch, last)
		}
		last = g.Epoch
		if i%2 == 0 {
			release(t, l, g.Epoch)
		} else {
			p.Lapse(t, l)
		}
	}
}

// testAtOnce: of many who ask at once, one holds at any time.
func testAtOnce(t *testing.T, p Place) {
	const nodes, rounds = 6, 20
	var holders, grants atomic.Int64
	var mu sync.Mutex
	seen := map[uint64]bool{}
	var wg sync.WaitGroup
	for range nodes {
		l := p.Node(t)
		wg.Go(func() {
			for range rounds {
				g, err := l.Acquire(t.Context())
				if errors.Is(err, lease.ErrHeld) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d hold it", n)
				}
				mu.Lock()
				if seen[g.Epoch] {
					t.Errorf("epoch %d twice", g.Epoch)
				}
				seen[g.Epoch] = true
				mu.Unlock()
				grants.Add(1)
				holders.Add(-1)
				if err := l.Release(t.Context(), g.Epoch); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if grants.Load() == 0 {
		t.Error("nobody ever got it")
	}
}

func testContext(t *testing.T, p Place) {
	l := p.Node(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Acquire(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("acquire: %v", err)
	}
	g := acquire(t, l)
	if _, err := l.Renew(ended, g.Epoch); !errors.Is(err, context.Canceled) {
		t.Errorf("renew: %v", err)
	}
	if _, err := l.Renew(t.Context(), g.Epoch); err != nil {
		t.Errorf("renew after one that was given up: %v", err)
	}
	release(t, l, g.Epoch)
}
