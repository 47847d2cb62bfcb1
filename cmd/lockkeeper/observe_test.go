package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// biting is a policy of which nothing lets the test below through.
const biting = `version: 1
defaults: {mode: MODE}
classify: [{class: narrow}]
classes:
  narrow: {concurrency: {hard: 1}, queue: {max_wait: 100ms}, limits: {query_execution_time: 300ms, return_row_count: 3}, release: {ladder: [rollback], max_idle_tx: 300ms}}
rules:
  - {id: no-delete, when: {verb: [delete]}, deny: "no delete"}
quotas:
  - {id: few, key: [user], unit: statements, per: 1d, limit: 1}
`

// In observe mode nothing is denied, queued, limited, released or used up; the
// counters and the record say what would have been.
func TestObserveChangesNothing(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	for _, mode := range []string{"observe", "enforce"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			table := "books_" + mode
			proxytest.Exec(t, pg.Super(t), "CREATE TABLE "+table+"(n int)")
			p := serve(t, pg, strings.Replace(biting, "MODE", mode, 1), "--operator", pg.URL(proxytest.Superuser, "postgres"))
			if mode == "enforce" { // by the policy, and switched off for all by an operator
				p.console("observe", "on")
				want(t, fmt.Sprint(p.metric("lockkeeper_observe")), "1")
			}
			writer, sleeper := p.client(), p.client()
			want(t, writer.Query("BEGIN"), "C(BEGIN) Z(T)")
			want(t, writer.Query("INSERT INTO "+table+" VALUES (1)"), "C(INSERT 0 1) Z(T)")
			sleeper.Send(proxytest.Query("SELECT pg_sleep(1)"))
			proxytest.Exec(t, proxytest.Connect(t, p.url(proxytest.Superuser)), "SELECT 1", "SELECT 2") // beside it, in a class for one
			want(t, sleeper.Receive(), "T D C(SELECT 1) Z(I)")
			want(t, writer.Query("SELECT n FROM generate_series(1, 10) AS n"), "T D*10 C(SELECT 10) Z(T)")
			want(t, writer.Query("DELETE FROM "+table), "C(DELETE 1) Z(T)")
			want(t, writer.Query("COMMIT"), "C(COMMIT) Z(I)")

			if out := p.console("show", "rules"); !regexp.MustCompile(`no-delete.*\b1\b`).MatchString(out) {
				t.Errorf("the match is not counted:\n%s", out)
			}
			out, _ := command(t, "audit", "search", "--kind", "decision", "--json", p.state)
			if !strings.Contains(out, `"no-delete"`) || !strings.Contains(out, `"observe"`) {
				t.Errorf("the record does not say what would have been:\n%s", out)
			}
			if mode == "enforce" { // back again, it bites at once
				p.console("observe", "off")
				if got := writer.Query("DELETE FROM " + table); !strings.HasPrefix(got, "E(") {
					t.Errorf("after OBSERVE OFF: %s", got)
				}
			}
			p.stop()
		})
	}
}

// One rule on trial is counted; its neighbours are in force.
func TestObserveOneRule(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	proxytest.Exec(t, pg.Super(t), "CREATE TABLE books(n int)")
	p := serve(t, pg, `version: 1
rules:
  - {id: no-delete, when: {verb: [delete]}, deny: "no delete"}
  - {id: no-truncate, mode: observe, when: {verb: [truncate]}, deny: "no truncate"}
`)
	c := p.client()
	want(t, c.Query("DELETE FROM books"), "E(42501) Z(I)")
	want(t, c.Query("TRUNCATE books"), "C(TRUNCATE TABLE) Z(I)")
	if out := p.console("show", "rules"); !regexp.MustCompile(`no-truncate.*observe.*\b1\b`).MatchString(out) {
		t.Errorf("the match is not counted:\n%s", out)
	}
	p.stop()
	out, _ := command(t, "audit", "search", "--kind", "decision", "--json", p.state)
	if countLines(out) != 2 {
		t.Errorf("decisions in the record:\n%s", out)
	}
}
