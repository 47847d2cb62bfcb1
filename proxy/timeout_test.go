package proxy_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy"
	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

func twoSeconds() policy.Source {
	return policy.Source{
		Classify: []policy.ClassifyLine{{Class: "short"}},
		Classes:  []policy.ClassSource{{Name: "short", Limits: policy.Limits{QueryExecutionTime: 2 * time.Second}}},
	}
}

func quick(c *proxy.Config) { c.CancelGrace = 300 * time.Millisecond }

const (
	atLeast = 1950 * time.Millisecond
	atMost  = 2600 * time.Millisecond
)

func extended(sql string) []byte {
	return pt.Join(pt.Parse("", sql), pt.Bind("", ""), pt.Execute("", 0), pt.Sync())
}

func TestTimeoutsCancel(t *testing.T) {
	t.Parallel()
	d := open(t, twoSeconds(), quick)
	setup := d.client()
	name := "lk_wait_" + d.addr[len(d.addr)-5:]
	setup.Query("CREATE TABLE " + name + "(a int)")
	super := d.pg.Super(t)
	t.Cleanup(func() { _, _ = super.Exec(context.Background(), "DROP TABLE "+name) })
	blocker := d.pg.Super(t)
	pt.Exec(t, blocker, "BEGIN", "LOCK TABLE "+name+" IN ACCESS EXCLUSIVE MODE")

	cases := map[string]func(t *testing.T, c *pt.Client){
		"simple": func(t *testing.T, c *pt.Client) { want(t, c.Query("SELECT pg_sleep(60)"), "T E(57014) Z(I)") },
		"extended": func(t *testing.T, c *pt.Client) {
			want(t, c.Do(extended("SELECT pg_sleep(60)")), "1 2 E(57014) Z(I)")
		},
		"cpu": func(t *testing.T, c *pt.Client) {
			got := c.Query("SELECT count(*) FROM generate_series(1,100000000000)") // a slow start has not described it yet
			want(t, strings.TrimPrefix(got, "T "), "E(57014) Z(I)")
		},
		"lock": func(t *testing.T, c *pt.Client) { want(t, c.Query("SELECT * FROM "+name), "E(57014) Z(I)") },
		"settings": func(t *testing.T, c *pt.Client) {
			c.Query("UPDATE pg_settings SET setting = 0 WHERE name = 'statement_timeout'")
			c.Query("SELECT set_config('statement_timeout', '0', false)")
			began := time.Now()
			want(t, c.Query("SELECT pg_sleep(60)"), "T E(57014) Z(I)")
			within(t, began, atLeast, atMost)
		},
		"bind": func(t *testing.T, c *pt.Client) {
			c.Query("CREATE FUNCTION pg_temp.slow() RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(60); RETURN 1; END$$")
			began := time.Now()
			want(t, c.Do(extended("SELECT pg_temp.slow()")), "1 E(57014) Z(I)")
			within(t, began, atLeast, atMost)
		},
		"copy in": func(t *testing.T, c *pt.Client) {
			c.Query("CREATE TEMP TABLE w(a int)")
			c.Send(pt.Query("COPY w FROM STDIN"))
			want(t, c.Receive(), "G E(57014) Z(I)")
		},
		"copy in extended": func(t *testing.T, c *pt.Client) {
			c.Query("CREATE TEMP TABLE w(a int)")
			c.Send(pt.Parse("", "COPY w FROM STDIN"), pt.Bind("", ""), pt.Execute("", 0), pt.Sync())
			want(t, c.ReceiveUntil('E'), "1 2 G E(57014)")
			want(t, c.Do(pt.CopyDone(), pt.Sync()), "Z(I)")
		},
		"transaction": func(t *testing.T, c *pt.Client) {
			c.Query("BEGIN")
			c.Query("SAVEPOINT a")
			want(t, c.Query("SELECT pg_sleep(60)"), "T E(57014) Z(E)")
			want(t, c.Query("ROLLBACK TO a"), "C(ROLLBACK) Z(T)")
			want(t, c.Query("COMMIT"), "C(COMMIT) Z(I)")
		},
		"trap": func(t *testing.T, c *pt.Client) {
			// The handler swallows the cancel and sleeps on: the second one ends it.
			began := time.Now()
			got := c.Query("DO $$BEGIN BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN PERFORM pg_sleep(60); END; END$$")
			want(t, got, "E(57014) Z(I)")
			within(t, began, atLeast, 3*time.Second)
		},
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := pt.Dial(t, "tcp", d.addr)
			c.Login(pt.Superuser, "postgres", "")
			began := time.Now()
			run(t, c)
			if name != "bind" && name != "settings" && name != "trap" && name != "pipeline" {
				within(t, began, atLeast, atMost)
			}
			if es := c.Errors(); len(es) == 1 && es[0].Message != "canceling statement due to statement timeout" {
				t.Errorf("message %q", es[0].Message)
			}
			want(t, c.One("SELECT 7"), "7")
			pid := c.One("SELECT pg_backend_pid()")
			super := d.pg.Super(t)
			var active int
			if err := super.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE pid = "+pid+" AND state = 'active'").Scan(&active); err != nil || active != 0 {
				t.Errorf("backend still active: %d %v", active, err)
			}
		})
	}
}

func TestPipelineOfShortStatementsIsNotCancelled(t *testing.T) {
	t.Parallel()
	d := open(t, twoSeconds())
	c := d.client()
	var all []byte
	for range 5 {
		all = append(all, pt.Join(pt.Parse("", "SELECT pg_sleep(0.6)"), pt.Bind("", ""), pt.Execute("", 0))...)
	}
	want(t, c.Do(all, pt.Sync()), "1 2 D C(SELECT 1) 1 2 D C(SELECT 1) 1 2 D C(SELECT 1) 1 2 D C(SELECT 1) 1 2 D C(SELECT 1) Z(I)")
	c.Close()
}

// Only closing helps against a statement that cannot be cancelled and a
// warehouse that lets nobody terminate.
func TestLastRungAnswersTheClient(t *testing.T) {
	t.Parallel()
	d := open(t, twoSeconds(), quick, func(c *proxy.Config) { c.Watcher = nil })
	c := d.client()
	began := time.Now()
	got := c.Query("DO $$BEGIN LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END$$")
	want(t, got, "E(57014) Z(I)")
	within(t, began, atLeast, 4*time.Second)
	want(t, c.Receive(), "EOF")
}

func TestClientGoneCancels(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{})
	c := d.client()
	pid := c.One("SELECT pg_backend_pid()")
	c.Send(pt.Query("SELECT pg_sleep(60)"))
	super := d.pg.Super(t)
	waitFor(t, super, "SELECT state = 'active' FROM pg_stat_activity WHERE pid = "+pid, "true")
	c.Kill()
	began := time.Now()
	waitFor(t, super, "SELECT count(*) FROM pg_stat_activity WHERE pid = "+pid, "0")
	within(t, began, 0, time.Second)
}

func TestRowLimit(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{
		Classify: []policy.ClassifyLine{{Class: "few"}},
		Classes:  []policy.ClassSource{{Name: "few", Limits: policy.Limits{ReturnRowCount: 10}}},
	})
	c := d.client()
	want(t, c.Query("SELECT generate_series(1,10)"), "T D*10 C(SELECT 10) Z(I)")
	want(t, c.Query("SELECT generate_series(1,11)"), "T D*10 E(57014) Z(I)")
	want(t, c.Query("SELECT generate_series(1,100000000)"), "T D*10 E(57014) Z(I)")
	want(t, c.One("SELECT 1"), "1")
}
