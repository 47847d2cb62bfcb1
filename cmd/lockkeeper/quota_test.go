package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

const tenStatements = `version: 1
quotas:
  - {id: per-user, key: [user], unit: statements, per: 1d, limit: 10}
  - {id: rows, key: [user], unit: rows_returned, per: 1d, limit: 1000000}
`

// The statement that would pass the limit is told what was used, of how much,
// and when it begins anew; neither a restart nor a crash forgets.
func TestQuotaIsKept(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	p := serve(t, pg, tenStatements)
	c := p.client()
	for range 4 {
		want(t, c.Query("SELECT 1"), "T D C(SELECT 1) Z(I)")
	}
	p.stop()

	p.start() // after an orderly end
	c = p.client()
	checkUsed(t, p, "4")
	for range 4 {
		want(t, c.Query("SELECT 1"), "T D C(SELECT 1) Z(I)")
	}
	time.Sleep(1500 * time.Millisecond) // it is saved every second
	p.kill()

	p.start() // after a crash
	checkUsed(t, p, "8")
	c = p.client()
	for range 2 {
		want(t, c.Query("SELECT 1"), "T D C(SELECT 1) Z(I)")
	}
	want(t, c.Query("SELECT 1"), "E(54000) Z(I)")
	want(t, c.Do(proxytest.Parse("", "SELECT 1"), proxytest.Bind("", ""), proxytest.Execute("", 0), proxytest.Sync()), "1 E(54000) Z(I)")
	c.Query("SELECT 1")
	n := c.Errors()[0]
	t.Logf("%s: %s; %s; %s", n.Code, n.Message, n.Detail, n.Hint)
	if ok, _ := regexp.MatchString(`\b10\b.*\b10\b.*(reset|again|anew|until)`, n.Detail); !ok {
		t.Errorf("DETAIL %q: want used, limit and reset", n.Detail)
	}
	other := proxytest.Connect(t, pg.URL(proxytest.Superuser, "postgres"))
	proxytest.Exec(t, other, "CREATE ROLE ann LOGIN")
	ann := proxytest.Dial(t, "tcp", p.door)
	ann.Login("ann", "postgres", "")
	want(t, ann.One("SELECT 1"), "1") // another key, another counter
	checkUsed(t, p, "10")
	p.stop()
	p.start()
	want(t, p.client().Query("SELECT 1"), "E(54000) Z(I)")
	p.stop()
}

// checkUsed looks the superuser's counter up in SHOW QUOTAS.
func checkUsed(t *testing.T, p *process, used string) {
	t.Helper()
	out := p.console("show", "quotas")
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) > 3 && f[0] == "per-user" && strings.Contains(line, "postgres") {
			if slices.Contains(f, used) {
				return
			}
		}
	}
	t.Errorf("used: want %s in\n%s", used, out)
}
