package proxy_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy"
	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// A remedy that cannot be carried out, here because the ladder has no rung, is
// tried again later; it does not keep a processor busy.
func TestRemedyWithoutEffectDoesNotSpin(t *testing.T) {
	t.Parallel()
	var looks atomic.Int64
	d := open(t, policy.Source{
		Classify: []policy.ClassifyLine{{Class: "bi"}},
		Classes:  []policy.ClassSource{{Name: "bi", Release: &policy.ReleaseSource{Ladder: []policy.ReleaseMode{policy.ReleaseRollback}, MaxIdleTx: 50 * time.Millisecond}}},
	}, func(c *proxy.Config) {
		c.Now = func() time.Time { looks.Add(1); return time.Now() }
	})
	c := d.client()
	c.Query("BEGIN")
	c.Send(pt.Query("COMMIT")[:3]) // the client has begun to speak: its transaction is its own
	time.Sleep(200 * time.Millisecond)
	before := looks.Load()
	time.Sleep(500 * time.Millisecond)
	if n := looks.Load() - before; n > 100 {
		t.Errorf("looked at the clock %d times in half a second", n)
	}
	c.Send(pt.Query("COMMIT")[3:])
	want(t, c.Receive(), "C(COMMIT) Z(I)")
}

// limitsByTable gives statements that read one table less time than others.
func limitsByTable() policy.Source {
	return policy.Source{Rules: []policy.RuleSource{
		{ID: "short", When: policy.Condition{Reads: []string{"*.forbidden"}}, Limits: policy.Limits{QueryExecutionTime: time.Second}},
		{ID: "long", Limits: policy.Limits{QueryExecutionTime: 20 * time.Second}},
	}}
}

// Each statement of a pipeline has its own time, though they went up together
// and the one before has more.
func TestDeadlinesWithinAPipeline(t *testing.T) {
	t.Parallel()
	d := open(t, limitsByTable(), quick, func(c *proxy.Config) { c.Watcher = nil })
	one := func(sql string) []byte { return pt.Join(pt.Parse("", sql), pt.Bind("", ""), pt.Execute("", 0)) }
	t.Run("the second is short", func(t *testing.T) {
		c := d.client()
		began := time.Now()
		got := c.Do(one("SELECT pg_sleep(1.5)"), one("SELECT pg_sleep(15) AS forbidden"), pt.Sync())
		want(t, got, "1 2 D C(SELECT 1) 1 2 E(57014) Z(I)")
		within(t, began, 2450*time.Millisecond, 3500*time.Millisecond)
	})
	t.Run("the first is short", func(t *testing.T) {
		c := d.client()
		began := time.Now()
		got := c.Do(one("SELECT pg_sleep(15) AS forbidden"), one("SELECT 1"), pt.Sync())
		want(t, got, "1 2 E(57014) Z(I)")
		within(t, began, 950*time.Millisecond, 2*time.Second)
	})
}

// Waiting for COPY data counts as running: a trickle does not buy time.
func TestCopyInTrickleTimesOut(t *testing.T) {
	t.Parallel()
	d := open(t, twoSeconds(), quick)
	for _, half := range []bool{false, true} {
		c := d.client()
		want(t, c.Query("CREATE TEMP TABLE w(a int)"), "C(CREATE TABLE) Z(I)")
		c.Send(pt.Query("COPY w FROM STDIN"))
		want(t, c.ReceiveUntil('G'), "G")
		began := time.Now()
		for time.Since(began) < 1500*time.Millisecond {
			c.Send(pt.CopyData("1\n"))
			time.Sleep(100 * time.Millisecond)
		}
		if half { // a message that never comes whole changes nothing
			c.Send(pt.CopyData("1\n")[:6])
		}
		want(t, c.Receive(), "E(57014) Z(I)")
		within(t, began, 1500*time.Millisecond, 3*time.Second)
	}
}

// An idle session may be ended; one that waits in a queue is not idle.
func TestQueuedSessionIsNotIdle(t *testing.T) {
	t.Parallel()
	src := oneAtATime(time.Minute)
	src.Classes[0].Limits.IdleSession = 400 * time.Millisecond
	d := open(t, src)
	busy, waiting := d.client(), d.client()
	busy.Send(pt.Query("SELECT pg_sleep(1.2)"))
	time.Sleep(100 * time.Millisecond)
	want(t, waiting.Query("SELECT 1"), "N(00000) T D C(SELECT 1) Z(I)")
	want(t, waiting.Receive(), "E(57P05) EOF")
}

// What the client cancels is cancelled once, as by Postgres: a statement that
// traps it goes on.
func TestCancelOfTheClientIsNotEscalated(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{}, quick)
	c := d.client()
	pid := c.One("SELECT pg_backend_pid()")
	// The postmaster signals the backend and its process group: one cancel may
	// come twice, at once. The second block takes that in; ours would come
	// after a grace, into the last sleep.
	c.Send(pt.Query(`DO $$BEGIN
		BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END;
		BEGIN PERFORM pg_sleep(0.2); EXCEPTION WHEN query_canceled THEN NULL; END;
		PERFORM pg_sleep(1.5);
	END$$`))
	waitFor(t, d.pg.Super(t), "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = "+pid, "true")
	c.Cancel()
	want(t, c.Receive(), "C(DO) Z(I)")
}
