package postgres_test

import (
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
	"github.com/lockkeeper/lockkeeper/admin/store/storetest"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// A store of the first schema opens with today's, and keeps all it held.
func TestSchemaV1(t *testing.T) {
	t.Parallel()
	dump, err := os.ReadFile("testdata/schema-v1.sql")
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	n.Store(1000)
	url := database(t, proxytest.StartPostgres(t), &n)
	proxytest.Exec(t, proxytest.Connect(t, url), string(dump))
	storetest.CheckV1(t, sqldb.NewPeople(open(t, url, func() time.Time { return storetest.Epoch })))
}
