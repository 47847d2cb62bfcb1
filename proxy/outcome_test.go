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
