package postgres_test

import (
	"fmt"
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
