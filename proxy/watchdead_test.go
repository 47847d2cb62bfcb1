package proxy_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy"
	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// looks counts how often the warehouse is asked who waits.
type looks struct {
	proxy.LockWatcher

	n atomic.Int64
}

func (l *looks) Edges(ctx context.Context, waiters []uint32) ([]policy.LockEdge, error) {
	l.n.Add(1)
	return l.LockWatcher.Edges(ctx, waiters)
}

// A holder whose connection is dead does not stop the watch for all others.
func TestDeadHolderDoesNotStopTheWatch(t *testing.T) {
	t.Parallel()
	pg := pt.StartPostgres(t)
	relay := pt.StartRelay(t, pg.Addr())
	watch := &looks{}
	d := openTo(t, pg, backendOf(t, relay.Addr()), biAndETL(100*time.Millisecond, policy.ReleaseRollback), func(c *proxy.Config) {
		watch.LockWatcher = c.Watcher
		c.Watcher = watch
	})
	super := pg.Super(t)
	table := "lk_dead_" + d.addr[len(d.addr)-5:]
	pt.Exec(t, super, "CREATE TABLE "+table+"(a int)")
	t.Cleanup(func() { _, _ = super.Exec(context.Background(), "DROP TABLE "+table) })
	reader := d.client()
	reader.Query("BEGIN")
	reader.Query("SELECT * FROM " + table)
	load := d.client("application_name", "load")
	load.Send(pt.Query("TRUNCATE " + table))
	waitFor(t, super, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = '"+table+"'::regclass", "true")
	relay.Stall(pt.ToTarget)
	time.Sleep(2 * time.Second)
	before := watch.n.Load()
	time.Sleep(time.Second)
	if n := watch.n.Load() - before; n < 2 {
		t.Errorf("%d looks in a second", n)
	}
	relay.Heal()
	want(t, load.Receive(), "C(TRUNCATE TABLE) Z(I)")
}
