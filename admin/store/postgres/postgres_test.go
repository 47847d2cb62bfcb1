package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/store/postgres"
	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
	"github.com/lockkeeper/lockkeeper/admin/store/storetest"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

func TestMain(m *testing.M) { proxytest.Main(m) }

// database makes a fresh database of a locale that does not sort by bytes.
func database(t *testing.T, pg *proxytest.Postgres, n *atomic.Int64) string {
	t.Helper()
	name := fmt.Sprint("office", n.Add(1))
	proxytest.Exec(t, pg.Super(t), "CREATE DATABASE "+name)
	return pg.URL(proxytest.Superuser, name)
}

func open(t *testing.T, url string, now func() time.Time) *sqldb.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Config{URL: url, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestStore(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPostgres(t)
	var n atomic.Int64
	storetest.Run(t, func(t *testing.T, now func() time.Time) admin.Store {
		return sqldb.NewPeople(open(t, database(t, pg, &n), now))
	})
}

// The expiry is the database's: a node whose clock is wrong takes nothing.
func TestLease(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPostgres(t)
	storetest.RunLease(t, func(t *testing.T) *sqldb.DB {
		return open(t, pg.URL(proxytest.Superuser, pg.CreateDatabase(t)), func() time.Time { return time.Now().Add(24 * time.Hour) })
	})
}

// An office that is stopped in the middle of a Tx does not keep others from the
// store for ever, and what it had not committed is gone.
func TestFrozenWriter(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPostgres(t)
	url := pg.URL(proxytest.Superuser, pg.CreateDatabase(t))
	frozen, other := open(t, url, time.Now), open(t, url, time.Now)
	bump := func(tx *sqldb.Tx) error {
		_, err := tx.Exec(t.Context(), "UPDATE revisions SET value = value + 1")
		return err
	}
	inside, thaw := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() { // ends with thaw; joined below
		ended <- frozen.Tx(t.Context(), func(tx *sqldb.Tx) error {
			var timeout string
			err := tx.Row(t.Context(), "SHOW idle_in_transaction_session_timeout", nil, []any{&timeout})
			if timeout != "10s" {
				t.Errorf("a transaction may do nothing for %s", timeout)
			}
			_, shorter := tx.Exec(t.Context(), "SET LOCAL idle_in_transaction_session_timeout = '200ms'")
			err = errors.Join(err, shorter, bump(tx))
			close(inside)
			<-thaw
			return err
		})
	}()
	<-inside
	if err := other.Tx(t.Context(), bump); err != nil {
		t.Error(err)
	}
	close(thaw)
	if err := <-ended; err == nil {
		t.Error("it committed")
	}
	if err := frozen.Tx(t.Context(), bump); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	err := other.View(t.Context(), func(tx *sqldb.Tx) error {
		var n int64
		err := tx.Row(t.Context(), "SELECT value FROM revisions", nil, []any{&n})
		if n != 3 {
			t.Errorf("revision %d: the frozen one's change is there", n)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Writers that wait for one elsewhere do not keep the holder of the lease from
// renewing it.
func TestRenewBesideWriters(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPostgres(t)
	name := pg.CreateDatabase(t)
	db := open(t, pg.URL(proxytest.Superuser, name), time.Now)
	l, err := sqldb.NewLease(db, "office", "node", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	grant, err := l.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := pg.Connect(t, proxytest.Superuser, name)
	proxytest.Exec(t, elsewhere, "SELECT pg_advisory_lock(7815696)")
	var writers sync.WaitGroup
	for range 5 {
		writers.Go(func() { // ends when the lock is given back
			if err := db.Tx(t.Context(), func(*sqldb.Tx) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	waiting := func() (n int) {
		err := elsewhere.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 7815696 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for end := time.Now().Add(time.Second); waiting() < 2 && time.Now().Before(end); { // one, if they wait for each other first
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := l.Renew(ctx, grant.Epoch); err != nil {
		t.Error(err)
	}
	proxytest.Exec(t, elsewhere, "SELECT pg_advisory_unlock(7815696)")
	writers.Wait()
}
