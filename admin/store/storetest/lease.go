package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/lease"
	"github.com/lockkeeper/lockkeeper/admin/lease/leasetest"
	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
)

// leaseName and leaseTTL are those of the suite.
const (
	leaseName = "office"
	leaseTTL  = time.Minute
)

// RunLease checks the lease in the store and the fence that goes with it. open
// makes a fresh store.
func RunLease(t *testing.T, open func(t *testing.T) *sqldb.DB) {
	t.Run("Lease", func(t *testing.T) {
		t.Parallel()
		leasetest.Run(t, func(t *testing.T) leasetest.Place { return leaseRow{open(t)} })
	})
	t.Run("Expiry", func(t *testing.T) {
		t.Parallel()
		testExpiry(t, leaseRow{open(t)})
	})
	t.Run("Fence", func(t *testing.T) {
		t.Parallel()
		testFence(t, leaseRow{open(t)})
	})
}

// leaseRow is a lease's place in a store.
type leaseRow struct{ db *sqldb.DB }

// Node returns a contender. All have one name, as those of one container have.
func (l leaseRow) Node(t *testing.T) lease.Lease { return l.contender(t, leaseTTL) }

func (l leaseRow) contender(t *testing.T, ttl time.Duration) *sqldb.Lease {
	t.Helper()
	c, err := sqldb.NewLease(l.db, leaseName, "node", ttl)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Lapse sets the expiry to the past.
func (l leaseRow) Lapse(t *testing.T, _ lease.Lease) {
	t.Helper()
	err := l.db.Tx(t.Context(), func(tx *sqldb.Tx) error {
		return tx.ExecOne(t.Context(), "UPDATE office_leases SET expires = 1")
	})
	if err != nil {
		t.Fatal(err)
	}
}

// testExpiry: the row says a time to live from now, by the clock that the
// others read too.
func testExpiry(t *testing.T, l leaseRow) {
	one, two := l.contender(t, time.Millisecond), l.contender(t, time.Hour)
	old, err := one.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var g lease.Grant
	for ctx := t.Context(); ; { // the store's clock runs by itself
		if g, err = two.Acquire(ctx); !errors.Is(err, lease.ErrHeld) {
			break
		}
	}
	if err != nil || g.Epoch != old.Epoch+1 || g.TTL != time.Hour {
		t.Errorf("granted %+v, %v", g, err)
	}
	if _, err := one.Renew(t.Context(), old.Epoch); !errors.Is(err, lease.ErrLost) {
		t.Errorf("renew: %v", err)
	}
	if _, err := sqldb.NewLease(l.db, "", "x", time.Hour); err == nil {
		t.Error("a lease without a name")
	}
}

// testFence: who lost the store without knowing writes no more.
func testFence(t *testing.T, l leaseRow) {
	one, two := l.Node(t), l.Node(t)
	fence := sqldb.NewFence(leaseName)
	db := l.db.Behind(fence)
	behind := func(name string, epoch uint64) *sqldb.DB {
		f := sqldb.NewFence(name)
		f.Begin(epoch)
		return l.db.Behind(f)
	}
	write := func(db *sqldb.DB) error {
		return db.Tx(t.Context(), func(tx *sqldb.Tx) error {
			_, err := tx.Exec(t.Context(), "UPDATE revisions SET value = value + 1")
			return err
		})
	}
	is(t, "before its term", write(db), sqldb.ErrStandby)
	fence.Begin(fencedGrant(t, one))
	is(t, "the holder writes", write(db), nil)
	l.Lapse(t, one)
	is(t, "nobody holds it yet", write(db), nil)
	second := fencedGrant(t, two)
	refused := write(db)
	is(t, "another holds it", refused, sqldb.ErrFenced)
	if admin.CodeOf(refused) != admin.Unavailable {
		t.Errorf("whoever asked is told: %v", refused)
	}
	is(t, "the other writes", write(behind(leaseName, second)), nil)
	is(t, "another lease", write(behind("else", 1)), nil)
	is(t, "without a term", write(l.db), nil)
	err := db.View(t.Context(), func(tx *sqldb.Tx) error {
		var n int64
		if err := tx.Row(t.Context(), "SELECT value FROM revisions", nil, []any{&n}); err != nil {
			return err
		}
		same(t, "writes", n, int64(6))
		return nil
	})
	is(t, "reading goes on", err, nil)

	// An epoch from elsewhere is made known, and goes back never.
	is(t, "a greater one", write(behind("file", 7)), nil)
	is(t, "a smaller one", write(behind("file", 6)), sqldb.ErrFenced)
	if err := two.Release(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	contender, err := sqldb.NewLease(db, leaseName, "node", leaseTTL) // of the fenced one
	is(t, "another contender", err, nil)
	if _, err := contender.Acquire(t.Context()); err != nil {
		t.Errorf("a fence keeps from the next term: %v", err)
	}
}

func fencedGrant(t *testing.T, l lease.Lease) uint64 {
	t.Helper()
	g, err := l.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return g.Epoch
}
