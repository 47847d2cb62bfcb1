package proxy_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

func biAndETL(minIdle time.Duration, ladder ...policy.ReleaseMode) policy.Source {
	return policy.Source{
		Classify: []policy.ClassifyLine{
			{When: policy.Condition{Tool: []string{"load*"}}, Class: "etl"},
			{Class: "bi"},
		},
		Classes: []policy.ClassSource{
			{Name: "etl"},
			{Name: "bi", Release: &policy.ReleaseSource{Ladder: ladder, MinIdle: &minIdle, For: []string{"etl"}}},
		},
	}
}

// A load waits for a reader that idles in its transaction: it proceeds, the
// reader's COMMIT succeeds, both were told.
func TestLoadIsNotBlockedByIdleReader(t *testing.T) {
	t.Parallel()
	d := open(t, biAndETL(time.Second, policy.ReleaseRollback))
	super := d.pg.Super(t)
	table := "lk_load_" + d.addr[len(d.addr)-5:]
	pt.Exec(t, super, "CREATE TABLE "+table+"(a int)")
	t.Cleanup(func() { _, _ = super.Exec(context.Background(), "DROP TABLE "+table) })
	reader := d.client("application_name", "metabase")
	reader.Query("BEGIN")
	want(t, reader.Query("SELECT * FROM "+table), "T C(SELECT 0) Z(T)")

	load := d.client("application_name", "load")
	began := time.Now()
	got := load.Query("TRUNCATE " + table)
	want(t, got, "C(TRUNCATE TABLE) Z(I)")
	within(t, began, 900*time.Millisecond, 2*time.Second)

	want(t, reader.Query("COMMIT"), "N(00000) C(COMMIT) Z(I)")
	want(t, reader.One("SELECT 1"), "1")
	rel := d.record.of(audit.KindRelease)
	if len(rel) != 1 || rel[0].Mode != "rollback" || len(rel[0].Relations) == 0 {
		t.Errorf("release records: %+v", rel)
	}
}

func TestSessionThatBlocksNobodyIsLeftAlone(t *testing.T) {
	t.Parallel()
	d := open(t, biAndETL(100*time.Millisecond, policy.ReleaseRollback))
	reader := d.client()
	reader.Query("BEGIN")
	reader.Query("CREATE TEMP TABLE w(a int)")
	time.Sleep(1500 * time.Millisecond)
	want(t, reader.Query("INSERT INTO w VALUES (1)"), "C(INSERT 0 1) Z(T)")
	want(t, reader.Query("COMMIT"), "C(COMMIT) Z(I)")
}

// Without a rung to take both sides are told, and nothing is taken.
func TestNoticeToBothSides(t *testing.T) {
	t.Parallel()
	d := open(t, biAndETL(100*time.Millisecond))
	super := d.pg.Super(t)
	table := "lk_notice_" + d.addr[len(d.addr)-5:]
	pt.Exec(t, super, "CREATE TABLE "+table+"(a int)")
	t.Cleanup(func() { _, _ = super.Exec(context.Background(), "DROP TABLE "+table) })
	reader := d.client()
	reader.Query("BEGIN")
	reader.Query("SELECT * FROM " + table)
	load := d.client("application_name", "load")
	load.Send(pt.Query("TRUNCATE " + table))
	want(t, load.ReceiveUntil('N'), "N(00000)")
	want(t, reader.ReceiveUntil('N'), "N(00000)")
	want(t, reader.Query("COMMIT"), "C(COMMIT) Z(I)")
	want(t, load.Receive(), "C(TRUNCATE TABLE) Z(I)")
}

// A hidden writer never gets COMMIT success.
func TestHiddenWriterLosesLoudly(t *testing.T) {
	t.Parallel()
	_, c := released(t, func(c *pt.Client) {
		c.Query("CREATE FUNCTION pg_temp.hide() RETURNS int LANGUAGE sql AS 'INSERT INTO w VALUES (1) RETURNING a'")
		c.Query("CREATE TEMP VIEW pg_locks AS SELECT 1 AS pid, 'x' AS locktype, 'AccessShareLock' AS mode WHERE false")
		c.Query("BEGIN")
		want(t, c.Query("SELECT pg_temp.hide()"), "T D C(SELECT 1) Z(T)")
	})
	want(t, first(c.Query("COMMIT")), "E(40001) Z(I)")
	want(t, c.One("SELECT count(*) FROM w"), "0")
}

func TestMaxIdleTx(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{
		Classify: []policy.ClassifyLine{{Class: "bi"}},
		Classes:  []policy.ClassSource{{Name: "bi", Release: &policy.ReleaseSource{Ladder: []policy.ReleaseMode{policy.ReleaseRollback}, MaxIdleTx: 500 * time.Millisecond}}},
	})
	c := d.client()
	c.Query("CREATE TEMP TABLE w(a int)")
	c.Query("BEGIN")
	c.Query("INSERT INTO w VALUES (1)")
	want(t, c.ReceiveUntil('N'), "N(00000)")
	want(t, c.Query("SELECT 1"), "E(40001) Z(E)")
	want(t, c.Query("ROLLBACK"), "C(ROLLBACK) Z(I)")
}

// Every kind of idle holder lets a load through in time, stays connected, and
// hears the truth about its work.
func TestEveryIdleHolderLetsTheLoadThrough(t *testing.T) {
	t.Parallel()
	d := open(t, biAndETL(time.Second, policy.ReleaseRollback))
	super := d.pg.Super(t)
	type holder struct {
		hold func(c *pt.Client, table string)
		then func(t *testing.T, c *pt.Client)
	}
	commits := func(t *testing.T, c *pt.Client) {
		want(t, first(c.Query("COMMIT")), "C(COMMIT) Z(I)")
	}
	loses := func(t *testing.T, c *pt.Client) {
		want(t, first(c.Query("SELECT 1")), "E(40001) Z(E)")
		want(t, c.Query("SELECT 1"), "E(25P02) Z(E)")
		want(t, c.Query("ROLLBACK"), "C(ROLLBACK) Z(I)")
	}
	holders := map[string]holder{
		"reader": {func(c *pt.Client, table string) { c.Query("BEGIN"); c.Query("SELECT * FROM " + table) }, commits},
		"writer": {func(c *pt.Client, table string) { c.Query("BEGIN"); c.Query("INSERT INTO " + table + " VALUES (1)") }, loses},
		"failed with a savepoint": {func(c *pt.Client, table string) {
			c.Query("BEGIN")
			c.Query("INSERT INTO " + table + " VALUES (1)")
			c.Query("SAVEPOINT a")
			want(t, c.Query("SELECT 1/0"), "E(22012) Z(E)")
		}, func(t *testing.T, c *pt.Client) {
			want(t, first(c.Query("ROLLBACK TO a")), "E(40001) Z(E)")
			want(t, c.Query("ROLLBACK"), "C(ROLLBACK) Z(I)")
		}},
		"parse and flush": {func(c *pt.Client, table string) {
			c.Send(pt.Parse("s", "SELECT * FROM "+table), pt.Describe('S', "s"), pt.Flush())
			c.ReceiveUntil('T')
		}, func(t *testing.T, c *pt.Client) {
			want(t, first(c.Do(pt.Bind("", "s"), pt.Execute("", 0), pt.Sync())), "2 C(SELECT 0) Z(I)")
		}},
		"copy in": {func(c *pt.Client, table string) {
			c.Send(pt.Query("COPY " + table + " FROM STDIN"))
			c.ReceiveUntil('G')
			c.Send(pt.CopyData("1\n"))
		}, func(t *testing.T, c *pt.Client) {
			want(t, strings.ReplaceAll(c.Receive(), "N(00000) ", ""), "E(40001) Z(I)")
			c.Send(pt.CopyDone())
		}},
		"repeatable read": {func(c *pt.Client, table string) {
			c.Query("BEGIN ISOLATION LEVEL REPEATABLE READ")
			c.Query("SELECT * FROM " + table)
		}, commits},
		"impostor": {func(c *pt.Client, table string) {
			c.Query("CREATE TEMP VIEW pg_locks AS SELECT 1 AS pid, 'x' AS locktype, 'AccessShareLock' AS mode WHERE false")
			c.Query("BEGIN")
			c.Query("INSERT INTO " + table + " VALUES (1)")
		}, loses},
	}
	for name, h := range holders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := "lk_" + strings.ReplaceAll(name, " ", "_") + d.addr[len(d.addr)-5:]
			setup := d.pg.Super(t)
			pt.Exec(t, setup, "CREATE TABLE "+table+"(a int)")
			t.Cleanup(func() { _, _ = super.Exec(context.Background(), "DROP TABLE "+table) })
			c := pt.Dial(t, "tcp", d.addr)
			c.Login(pt.Superuser, "postgres", "")
			pid := c.One("SELECT pg_backend_pid()")
			h.hold(c, table)
			load := pt.Dial(t, "tcp", d.addr)
			load.Login(pt.Superuser, "postgres", "", "application_name", "load")
			began := time.Now()
			want(t, load.Query("TRUNCATE "+table), "C(TRUNCATE TABLE) Z(I)")
			within(t, began, 500*time.Millisecond, 2*time.Second) // max(min_idle, probe_after) + 1 s
			h.then(t, c)
			want(t, c.One("SELECT pg_backend_pid()"), pid)
		})
	}
}
