package lockwatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

func TestMain(m *testing.M) { proxytest.Main(m) }

// ground is a database with two tables, and a watcher for each sort of login.
type ground struct {
	t   *testing.T
	pg  *proxytest.Postgres
	db  string
	eye *pgx.Conn // sees whether somebody waits
}

func prepare(t *testing.T) *ground {
	t.Helper()
	pg := proxytest.StartPostgres(t)
	g := &ground{t: t, pg: pg, db: pg.CreateDatabase(t)}
	g.eye = g.connect()
	proxytest.Exec(t, g.eye, "create schema sales", "create table sales.orders (id int primary key, x int)",
		"insert into sales.orders values (1, 1), (2, 2)", "create table public.plain (id int)")
	return g
}

// watchers returns one watcher with no rights at all and one with pg_monitor.
func (g *ground) watchers() map[string]*Watcher {
	return map[string]*Watcher{"unprivileged": g.watcher(""), "pg_monitor": g.watcher("IN ROLE pg_monitor")}
}

func (g *ground) watcher(options string) *Watcher {
	g.t.Helper()
	w, err := New(Config{ConnString: g.pg.URL(g.pg.CreateRole(g.t, options), g.db), Timeout: 20 * time.Second})
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(w.Close)
	return w
}

func (g *ground) connect() *pgx.Conn {
	return g.pg.Connect(g.t, proxytest.Superuser, g.db)
}

// holder runs statements in a transaction that stays open.
func (g *ground) holder(statements ...string) (conn *pgx.Conn, pid uint32) {
	g.t.Helper()
	conn = g.connect()
	proxytest.Exec(g.t, conn, append([]string{"begin"}, statements...)...)
	return conn, conn.PgConn().PID()
}

// waiter runs a statement and returns when it waits for a lock. The statement
// ends with the test at the latest.
func (g *ground) waiter(statements ...string) uint32 {
	g.t.Helper()
	conn, pid := g.holder(statements[:len(statements)-1]...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { // ends with the lock, or with cancel at the test's end, which waits
		defer close(done)
		_, _ = conn.Exec(ctx, statements[len(statements)-1])
	}()
	g.t.Cleanup(func() {
		cancel()
		<-done
	})
	for waits := false; !waits; {
		err := g.eye.QueryRow(g.t.Context(), "select wait_event_type = 'Lock' is true from pg_stat_activity where pid = $1", pid).Scan(&waits)
		if err != nil {
			g.t.Fatal(err)
		}
	}
	return pid
}

func (g *ground) edges(w *Watcher, pids ...uint32) []policy.LockEdge {
	g.t.Helper()
	edges, err := w.Edges(g.t.Context(), pids)
	if err != nil {
		g.t.Fatal(err)
	}
	return edges
}

// expect compares the edges that both sorts of login see.
func (g *ground) expect(asked []uint32, want ...policy.LockEdge) {
	g.t.Helper()
	slices.SortFunc(want, func(a, b policy.LockEdge) int {
		if a.Waiter != b.Waiter {
			return int(a.Waiter) - int(b.Waiter)
		}
		return int(a.Holder) - int(b.Holder)
	})
	for name, w := range g.watchers() {
		if diff := cmp.Diff(want, g.edges(w, asked...)); diff != "" {
			g.t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

func TestNobodyWaits(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	_, pid := g.holder("select * from sales.orders")
	g.expect([]uint32{pid, 999999})
	g.expect(nil)
}

func TestReaderBlocksLoad(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	_, reader := g.holder("select * from sales.orders")
	load := g.waiter("truncate sales.orders")
	g.expect([]uint32{load, reader}, policy.LockEdge{
		Waiter: load, Holder: reader, Relations: []string{"sales.orders"}, Mode: "AccessExclusiveLock",
	})
}

// TestSoftBlock is the origin story: a reader idle in a transaction, a load
// behind it, and a dashboard behind the load that is not even in conflict with
// the reader.
func TestSoftBlock(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	_, reader := g.holder("select * from sales.orders")
	load := g.waiter("truncate sales.orders")
	dashboard := g.waiter("select count(*) from sales.orders")
	g.expect([]uint32{dashboard},
		policy.LockEdge{Waiter: dashboard, Holder: load, Relations: []string{"sales.orders"}, Mode: "AccessShareLock", Soft: true},
		policy.LockEdge{Waiter: load, Holder: reader, Relations: []string{"sales.orders"}, Mode: "AccessExclusiveLock"},
	)
}

// TestHardThroughAWaiter has a blocker that waits itself, but holds what the
// first one wants: that is no soft edge.
func TestHardThroughAWaiter(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	_, root := g.holder("lock table public.plain in exclusive mode")
	middle := g.waiter("lock table sales.orders in access exclusive mode", "insert into public.plain values (1)")
	last := g.waiter("select * from sales.orders")
	g.expect([]uint32{last},
		policy.LockEdge{Waiter: last, Holder: middle, Relations: []string{"sales.orders"}, Mode: "AccessShareLock"},
		policy.LockEdge{Waiter: middle, Holder: root, Relations: []string{"public.plain"}, Mode: "RowExclusiveLock"},
	)
}

// TestUpgradeInTheQueue has a blocker that holds a harmless lock and waits for
// a stronger one on the same table: soft.
func TestUpgradeInTheQueue(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	_, root := g.holder("select * from sales.orders")
	middle := g.waiter("select * from sales.orders", "lock table sales.orders in access exclusive mode")
	last := g.waiter("insert into sales.orders values (3, 3)")
	g.expect([]uint32{last},
		policy.LockEdge{Waiter: last, Holder: middle, Relations: []string{"sales.orders"}, Mode: "RowExclusiveLock", Soft: true},
		policy.LockEdge{Waiter: middle, Holder: root, Relations: []string{"sales.orders"}, Mode: "AccessExclusiveLock"},
	)
}

func TestSeveralHolders(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	_, a := g.holder("select * from sales.orders")
	_, b := g.holder("insert into sales.orders values (3, 3)")
	load := g.waiter("truncate sales.orders")
	edge := policy.LockEdge{Waiter: load, Relations: []string{"sales.orders"}, Mode: "AccessExclusiveLock"}
	ea, eb := edge, edge
	ea.Holder, eb.Holder = a, b
	g.expect([]uint32{load}, ea, eb)
}

func TestRowLocksNameTheTable(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	_, a := g.holder("update sales.orders set x = 5 where id = 1")
	b := g.waiter("update sales.orders set x = 6 where id = 1")
	// The second in line waits for the row itself, which the first in line has.
	c := g.waiter("update sales.orders set x = 7 where id = 1")
	// A duplicate key waits for the other's transaction with no row in hand.
	_, d := g.holder("insert into sales.orders values (9, 9)")
	e := g.waiter("insert into sales.orders values (9, 9)")
	orders := []string{"sales.orders"}
	g.expect([]uint32{c, e},
		policy.LockEdge{Waiter: b, Holder: a, Relations: orders, Mode: "ShareLock"},
		policy.LockEdge{Waiter: c, Holder: b, Relations: orders, Mode: "ExclusiveLock"},
		policy.LockEdge{Waiter: e, Holder: d, Relations: orders, Mode: "ShareLock"},
	)
}

func TestPreparedTransactionIsPIDZero(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	name := "lk_" + g.db
	conn, _ := g.holder("insert into sales.orders values (3, 3)", "prepare transaction '"+name+"'")
	t.Cleanup(func() { _, _ = conn.Exec(context.Background(), "rollback prepared '"+name+"'") })
	load := g.waiter("truncate sales.orders")
	g.expect([]uint32{load}, policy.LockEdge{
		Waiter: load, Holder: 0, Relations: []string{"sales.orders"}, Mode: "AccessExclusiveLock",
	})
}

func TestAdvisoryLocksHaveNoRelation(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	_, a := g.holder("select pg_advisory_lock(hashtext(current_database()))")
	b := g.waiter("select pg_advisory_lock(hashtext(current_database()))")
	g.expect([]uint32{b}, policy.LockEdge{Waiter: b, Holder: a, Mode: "ExclusiveLock"})
}

// TestParallelWorkersCountOnce has a holder with workers, each with its own
// lock, all reported by the leader's pid.
func TestParallelWorkersCountOnce(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	proxytest.Exec(t, g.eye, "create table big as select i from generate_series(1, 20000) i", "analyze big",
		"create function slow(int) returns int language plpgsql parallel safe as $$begin perform pg_sleep(0.01); return 1; end$$")
	conn, leader := g.holder("set local parallel_setup_cost = 0", "set local parallel_tuple_cost = 0",
		"set local min_parallel_table_scan_size = 0", "set local max_parallel_workers_per_gather = 3")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { // ends with cancel at the test's end, which waits
		defer close(done)
		_, _ = conn.Exec(ctx, "select count(*) from big where slow(i) = 1")
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	for workers := 0; workers < 2; {
		err := g.eye.QueryRow(t.Context(), "select count(*) from pg_locks l join pg_stat_activity a using (pid) where a.leader_pid = $1 and relation = 'big'::regclass", leader).Scan(&workers)
		if err != nil {
			t.Fatal(err)
		}
	}
	load := g.waiter("truncate big")
	var raw []uint32
	if err := g.eye.QueryRow(t.Context(), "select pg_blocking_pids($1)", load).Scan(&raw); err != nil || len(raw) < 2 {
		t.Fatalf("the server reports %v, %v; want the leader several times", raw, err)
	}
	g.expect([]uint32{load}, policy.LockEdge{
		Waiter: load, Holder: leader, Relations: []string{"public.big"}, Mode: "AccessExclusiveLock",
	})
}

// TestImpostorsFoolNobody puts objects with the catalog's names where careless
// queries would find them.
func TestImpostorsFoolNobody(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	role := g.pg.CreateRole(t, "")
	url := g.pg.URL(role, g.db)
	proxytest.Exec(t, g.eye,
		"create schema "+role,
		"create view "+role+".pg_locks as select null::text as locktype, 0 as pid, true as granted where false",
		"create function "+role+".pg_blocking_pids(int) returns int[] language sql as 'select array[1]'",
		"create function "+role+".never(int, int) returns bool language sql as 'select false'",
		"create operator "+role+".= (leftarg = int, rightarg = int, function = "+role+".never)",
		"grant usage on schema "+role+" to public",
		"alter role "+role+" in database "+g.db+" set search_path = "+role+", pg_catalog",
	)
	other, reader := g.holder("select * from sales.orders")
	proxytest.Exec(t, other, "create temp view pg_locks as select 1 as pid", "create temp view pg_class as select 1 as oid")
	load := g.waiter("truncate sales.orders")
	w, err := New(Config{ConnString: url, Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	// Even if the connection's own search_path were turned round.
	if err := w.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"pg_catalog", role + ", pg_catalog"} {
		err := w.conn.use(t.Context(), func(ctx context.Context, c *session) error {
			_, err := c.conn.Exec(ctx, "set search_path = "+path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []policy.LockEdge{{Waiter: load, Holder: reader, Relations: []string{"sales.orders"}, Mode: "AccessExclusiveLock"}}
		if diff := cmp.Diff(want, g.edges(w, load)); diff != "" {
			t.Errorf("search_path %s: -want +got\n%s", path, diff)
		}
	}
	proxytest.Exec(t, g.eye, "alter role "+role+" in database "+g.db+" reset search_path")
}

// TestRelationsOfOtherDatabasesHaveNoName: oids mean something else there.
func TestRelationsOfOtherDatabasesHaveNoName(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	_, reader := g.holder("select * from sales.orders")
	load := g.waiter("truncate sales.orders")
	w, err := New(Config{ConnString: g.pg.URL(proxytest.Superuser, "postgres"), Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	want := []policy.LockEdge{{Waiter: load, Holder: reader, Mode: "AccessExclusiveLock"}}
	if diff := cmp.Diff(want, g.edges(w, load)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestCaps(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	for options, want := range map[string]Caps{
		"":                                     {},
		"IN ROLE pg_monitor":                   {Monitor: true},
		"IN ROLE pg_read_all_stats":            {Monitor: true},
		"IN ROLE pg_signal_backend":            {Terminate: true},
		"NOINHERIT IN ROLE pg_signal_backend":  {},
		"IN ROLE pg_signal_backend,pg_monitor": {Monitor: true, Terminate: true},
		"SUPERUSER":                            {Superuser: true, Monitor: true, Terminate: true},
	} {
		got, err := g.watcher(options).Caps(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.Version < 130000 || !strings.HasPrefix(got.User, "lk_role_") {
			t.Errorf("%q: %+v", options, got)
		}
		got.Version, got.User = 0, ""
		if got != want {
			t.Errorf("%q: got %+v, want %+v", options, got, want)
		}
	}
}

func TestTerminate(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	victim := g.pg.Connect(t, g.pg.CreateRole(t, ""), g.db)
	pid := victim.PgConn().PID()
	var refused *pgconn.PgError
	if err := g.watcher("").Terminate(t.Context(), pid); !errors.As(err, &refused) || refused.Code != "42501" {
		t.Errorf("without the right: %v", err)
	}
	w := g.watcher("IN ROLE pg_signal_backend")
	if err := w.Terminate(t.Context(), pid); err != nil {
		t.Fatal(err)
	}
	if _, err := victim.Exec(t.Context(), "select pg_sleep(60)"); err == nil || !victim.IsClosed() {
		t.Errorf("the victim lives: %v", err)
	}
	if err := w.Terminate(t.Context(), 4_000_000); !errors.Is(err, ErrNoBackend) {
		t.Errorf("a pid that is none: %v", err)
	}
	if err := w.Terminate(t.Context(), g.eye.PgConn().PID()); !errors.As(err, &refused) || refused.Code != "42501" {
		t.Errorf("a superuser's backend: %v", err)
	}
	if err := w.Ping(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestConnectionShowsItself(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	w := g.watcher("")
	for range 3 {
		if err := w.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	caps, err := w.Caps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var n int
	err = g.eye.QueryRow(t.Context(), "select count(*) from pg_stat_activity where usename = $1 and application_name = $2", caps.User, ApplicationName).Scan(&n)
	if err != nil || n != 1 {
		t.Errorf("%d connections, %v; want one", n, err)
	}
}

// TestReconnects restarts the server under the watcher, and keeps it away.
func TestReconnects(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	var now atomic.Int64
	w, err := New(Config{
		ConnString: pg.URL(proxytest.Superuser, "postgres"), Timeout: 20 * time.Second,
		Log: slog.New(proxytest.Canary(t, nil, "no secret here")),
		Now: func() time.Time { return time.Unix(0, now.Load()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	if err := w.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	pg.Restart(t)
	if err := w.Ping(t.Context()); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	pg.Halt()
	if err := w.Ping(t.Context()); err == nil {
		t.Error("a server that is gone answers")
	}
	for range 3 {
		if _, err := w.Edges(t.Context(), []uint32{1}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("during the pause: %v", err)
		}
	}
	pg.Restart(t)
	if err := w.Ping(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("still in the pause: %v", err)
	}
	now.Add(int64(firstPause))
	if err := w.Ping(t.Context()); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

func TestPausesGrow(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	dir := t.TempDir() // no server listens in it
	w, err := New(Config{ConnString: "host=" + dir + " user=u dbname=d", Now: func() time.Time { return time.Unix(0, now.Load()) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	var attempts []time.Duration
	for d := time.Duration(0); d < 3*time.Minute; d += firstPause {
		now.Store(int64(d))
		if err := w.Ping(t.Context()); err == nil {
			t.Fatal("connected to nothing")
		} else if !errors.Is(err, ErrUnavailable) {
			attempts = append(attempts, d)
		}
	}
	var pauses []string
	for i := 1; i < len(attempts); i++ {
		pauses = append(pauses, fmt.Sprint(attempts[i]-attempts[i-1]))
	}
	want := "250ms 500ms 1s 2s 4s 8s 16s 30s 30s 30s 30s"
	if got := strings.Join(pauses, " "); got != want {
		t.Errorf("pauses %s, want %s", got, want)
	}
}

// TestGivesUp has a warehouse that takes the call and never answers.
func TestGivesUp(t *testing.T) {
	t.Parallel()
	f := proxytest.StartFake(t, proxytest.Script{proxytest.Hang()})
	w, err := New(Config{ConnString: f.URL("u", "d"), Timeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	if _, err := w.Edges(t.Context(), []uint32{1}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	g := prepare(t)
	w := g.watcher("")
	if err := w.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Close()
	w.Close()
	if err := w.Ping(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
}

func TestNewRefusesNonsense(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	for _, cfg := range []Config{
		{ConnString: "postgres://u:" + secret + "@h:notaport/d"},
		{ConnString: "host=" + filepath.Join(os.TempDir(), "x"), Timeout: -1},
	} {
		if _, err := New(cfg); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("got %v", err)
		}
	}
}

// BenchmarkEdges looks at a chain of three while a hundred others hold locks.
func BenchmarkEdges(b *testing.B) {
	pg := proxytest.StartPostgres(b)
	for options, name := range map[string]string{"": "unprivileged", "IN ROLE pg_monitor": "pg_monitor"} {
		b.Run(name, func(b *testing.B) {
			eye := pg.Super(b)
			proxytest.Exec(b, eye, "create table if not exists bench_edges (i int)")
			for range 100 {
				proxytest.Exec(b, pg.Super(b), "begin", "select count(*) from pg_class")
			}
			proxytest.Exec(b, pg.Super(b), "begin", "lock table bench_edges in access share mode")
			ctx, cancel := context.WithCancel(context.Background())
			var last uint32
			var wg sync.WaitGroup
			for _, mode := range []string{"access exclusive", "access share"} {
				conn := pg.Super(b)
				last = conn.PgConn().PID()
				proxytest.Exec(b, conn, "begin")
				wg.Go(func() { _, _ = conn.Exec(ctx, "lock table bench_edges in "+mode+" mode") }) // ends with cancel
				for waits := false; !waits; {
					if err := eye.QueryRow(b.Context(), "select wait_event_type = 'Lock' is true from pg_stat_activity where pid = $1", last).Scan(&waits); err != nil {
						b.Fatal(err)
					}
				}
			}
			w, err := New(Config{ConnString: pg.URL(pg.CreateRole(b, options), "postgres"), Timeout: 20 * time.Second})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if edges, err := w.Edges(b.Context(), []uint32{last}); err != nil || len(edges) != 2 {
					b.Fatal(edges, err)
				}
			}
			w.Close()
			cancel()
			wg.Wait()
		})
	}
}
