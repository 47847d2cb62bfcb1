package proxy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// outcomes fails unless every intent has exactly one outcome.
func outcomes(t *testing.T, m *memory) {
	t.Helper()
	type key struct {
		session string
		id      uint64
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		n := map[key]int{}
		for _, ev := range m.of(audit.KindIntent) {
			n[key{ev.Session, ev.StatementID}]++
		}
		for _, ev := range m.of(audit.KindOutcome) {
			n[key{ev.Session, ev.StatementID}]--
		}
		wrong := 0
		for _, v := range n {
			if v != 0 {
				wrong++
			}
		}
		if wrong == 0 {
			return
		}
		if time.Now().After(end) {
			t.Errorf("%d statements without exactly one outcome", wrong)
			return
		}
	}
}

// What was let through and never went up, because the client broke the
// protocol behind it or left, gives its place back and has its outcome.
func TestDecidedAndNeverSent(t *testing.T) {
	t.Parallel()
	d := open(t, oneAtATime(time.Minute))
	for _, end := range [][]byte{{0xff, 0, 0, 0, 4}, {'Q', 0, 0, 0, 1}} {
		c := d.client()
		c.Send(pt.Parse("", "SELECT 1"), pt.Bind("", ""), pt.Execute("", 0), end)
		if got := c.Receive(); !strings.HasSuffix(got, "E(08P01) EOF") {
			t.Errorf("got %s", got)
		}
	}
	outcomes(t, d.record)
	want(t, d.client().Query("SELECT 1"), "T D C(SELECT 1) Z(I)")
}

// A pipeline may execute a portal again; the second answer is its own and not
// that of whatever came behind it.
func TestPortalExecutedTwice(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{})
	c := d.client()
	got := c.Do(pt.Parse("", "SELECT generate_series(1,3)"), pt.Bind("", ""), pt.Execute("", 0), pt.Execute("", 0),
		pt.Parse("", "SELECT 7"), pt.Bind("", ""), pt.Execute("", 0), pt.Sync())
	want(t, got, "1 2 D*3 C(SELECT 3) C(SELECT 0) 1 2 D C(SELECT 1) Z(I)")
	outcomes(t, d.record)
}

// Pipelines that fail, portals never executed, suspended, closed and replaced:
// one outcome each.
func TestEveryIntentHasOneOutcome(t *testing.T) {
	t.Parallel()
	d := open(t, denyForbidden())
	c := d.client()
	c.Query("CREATE TEMP TABLE w(a int)")
	c.Do(pt.Parse("s", "SELECT generate_series(1,9)"), pt.Parse("bad", "SELECT 1/0"), pt.Parse("f", "SELECT 1 AS forbidden"), pt.Sync())
	c.Do(pt.Bind("a", "s"), pt.Execute("a", 2), pt.Bind("b", "s"), pt.Sync())
	c.Do(pt.Bind("", "s"), pt.Bind("", "s"), pt.Execute("", 1), pt.Close('P', ""), pt.Sync())
	c.Do(pt.Bind("", "bad"), pt.Execute("", 0), pt.Bind("", "s"), pt.Execute("", 0), pt.Sync())
	c.Do(pt.Bind("", "s"), pt.Execute("", 0), pt.Bind("", "f"), pt.Execute("", 0), pt.Bind("", "s"), pt.Execute("", 0), pt.Sync())
	c.Query("BEGIN")
	c.Do(pt.Bind("a", "s"), pt.Execute("a", 2), pt.Sync())
	c.Do(pt.Execute("a", 2), pt.Sync())
	c.Query("ROLLBACK")
	c.Query("SELECT 1; SELECT 1/0; SELECT 2")
	c.Query("SELECT * FROM forbidden")
	c.Query("BEGIN")
	c.Do(pt.Bind("a", "s"), pt.Execute("a", 2), pt.Sync())
	c.Kill()
	outcomes(t, d.record)
}

// What the record says of one statement has one number: that it was queued,
// that it ran, how it ended.
func TestOneNumberAStatement(t *testing.T) {
	t.Parallel()
	d := open(t, oneAtATime(time.Minute))
	busy, waiting := d.client(), d.client()
	busy.Send(pt.Query("SELECT pg_sleep(0.4)"))
	time.Sleep(100 * time.Millisecond)
	want(t, waiting.Query("SELECT 2"), "N(00000) T D C(SELECT 1) Z(I)")
	outcomes(t, d.record)
	queued := d.record.of(audit.KindDecision)
	if len(queued) != 1 {
		t.Fatalf("decisions: %+v", queued)
	}
	for _, ev := range d.record.of(audit.KindIntent) {
		if ev.Session == queued[0].Session && ev.StatementID != queued[0].StatementID {
			t.Errorf("queued as %d, ran as %d", queued[0].StatementID, ev.StatementID)
		}
	}
}

// A client that does not read its result loses the statement, not more than
// its connection, and the warehouse is free.
func TestClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{
		Classify: []policy.ClassifyLine{{Class: "bi"}},
		Classes:  []policy.ClassSource{{Name: "bi", Limits: policy.Limits{ClientStall: 300 * time.Millisecond}}},
	}, quick)
	c := d.client()
	pid := c.One("SELECT pg_backend_pid()")
	c.Send(pt.Query("SELECT repeat('x', 1000) FROM generate_series(1, 10000000)"))
	super := d.pg.Super(t)
	waitFor(t, super, "SELECT state = 'active' FROM pg_stat_activity WHERE pid = "+pid, "true")
	waitFor(t, super, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid = "+pid, "0")
	outcomes(t, d.record)
	stopped := 0
	for _, ev := range d.record.of(audit.KindOutcome) {
		if ev.Stop == audit.StopTimeout {
			stopped++
		}
	}
	if stopped != 1 {
		t.Errorf("%d statements were stopped, want 1", stopped)
	}
}
