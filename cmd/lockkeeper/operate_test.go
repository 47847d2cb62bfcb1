package main

import (
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// On SIGTERM idle sessions end at once, a transaction may finish, nobody new
// comes in, and the process ends well.
func TestDrain(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	p := serve(t, pg, "", "--drain-timeout", "30s")
	idle, busy, open := p.client(), p.client(), p.client()
	want(t, open.Query("CREATE TABLE drained(a int)"), "C(CREATE TABLE) Z(I)")
	want(t, open.Query("BEGIN"), "C(BEGIN) Z(T)")
	busy.Send(proxytest.Query("SELECT pg_sleep(2)"))
	eventually(t, "the statement runs", func() bool { return strings.Contains(p.console("show", "statements"), "pg_sleep") })
	p.signal(syscall.SIGTERM)

	began := time.Now()
	want(t, idle.Receive(), "E(57P01) EOF")
	want(t, idle.Errors()[0].Severity, "FATAL")
	if d := time.Since(began); d > time.Second {
		t.Errorf("an idle session ended after %s", d)
	}
	if c, err := net.DialTimeout("tcp", p.door, time.Second); err == nil {
		_ = c.Close()
		t.Error("a new client came in")
	}
	if code, _ := httpGet("http://" + p.admin + "/readyz"); code != 503 {
		t.Errorf("/readyz: %d", code)
	}
	want(t, open.Query("INSERT INTO drained VALUES (1)"), "C(INSERT 0 1) Z(T)")
	// The statement ends as if nothing were, and then its session.
	want(t, busy.Receive(), "T D C(SELECT 1) Z(I)")
	want(t, busy.Receive(), "E(57P01) EOF")
	want(t, open.Query("COMMIT"), "C(COMMIT) Z(I)")
	want(t, open.Receive(), "E(57P01) EOF")
	if code := p.exit(20 * time.Second); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.log)
	}
	var rows int
	if err := pg.Super(t).QueryRow(t.Context(), "SELECT count(*) FROM drained").Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d rows (%v)", rows, err)
	}
	p.verify()
}

// What has not ended within drain_timeout is cut, and the process still ends
// well, with an outcome of everything in the record.
func TestDrainTimeout(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	p := serve(t, pg, "", "--drain-timeout", "1s")
	open, busy := p.client(), p.client()
	want(t, open.Query("BEGIN"), "C(BEGIN) Z(T)")
	busy.Send(proxytest.Query("SELECT pg_sleep(60)"))
	eventually(t, "the statement runs", func() bool { return strings.Contains(p.console("show", "statements"), "pg_sleep") })
	began := time.Now()
	p.signal(syscall.SIGTERM)
	want(t, open.Receive(), "E(57P01) EOF")
	if d := time.Since(began); d < 900*time.Millisecond {
		t.Errorf("cut after %s, before drain_timeout", d)
	}
	if got := busy.Receive(); !strings.HasSuffix(got, "E(57P01) EOF") {
		t.Errorf("the running statement: %s", got)
	}
	if code := p.exit(20 * time.Second); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.log)
	}
	if !strings.Contains(p.log.String(), "drain_timeout is over") {
		t.Errorf("log:\n%s", p.log)
	}
	super := pg.Super(t)
	eventually(t, "the warehouse is free", func() bool {
		var n int
		err := super.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()").Scan(&n)
		return err == nil && n == 0
	})
	p.verify()
	intents, _ := command(t, "audit", "search", "--kind", "intent", "--json", p.state)
	outcomes, _ := command(t, "audit", "search", "--kind", "outcome", "--json", p.state)
	if countLines(intents) != countLines(outcomes) || countLines(intents) != 2 {
		t.Errorf("%d intents, %d outcomes", countLines(intents), countLines(outcomes))
	}
}

const (
	deletesPass = "version: 1\nrules: [{id: none, when: {verb: [truncate]}, deny: \"no truncate\"}]\n"
	deletesStop = "version: 1\nrules: [{id: none, when: {verb: [delete]}, deny: \"no delete\"}]\n"
	deletesBad  = "version: 1\nrules:\n  - {id: none, when: {verb: [delete]}, denny: \"typo\"}\n"
)

func code(err error) string {
	if e, ok := err.(*pgconn.PgError); ok { //nolint:errorlint // as it comes
		return e.Code
	}
	if err != nil {
		return err.Error()
	}
	return "ok"
}

// A reload reaches statements that sessions prepared before it; a bad file
// reaches nobody and is named with its line, by RELOAD, SIGHUP and the watch.
func TestReloadReachesPrepared(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	proxytest.Exec(t, pg.Super(t), "CREATE TABLE books(n int)")
	p := serve(t, pg, deletesPass)
	conn := proxytest.Connect(t, p.url(proxytest.Superuser))
	if _, err := conn.Prepare(t.Context(), "del", "DELETE FROM books WHERE n = $1"); err != nil {
		t.Fatal(err)
	}
	del := func() string {
		_, err := conn.Exec(t.Context(), "del", 1)
		return code(err)
	}
	want(t, del(), "ok")

	refusals := func() float64 { return p.metric("lockkeeper_reload_failures_total") }
	p.writePolicy(deletesBad) // the watch sees it
	eventually(t, "the watch refuses", func() bool { return refusals() == 1 })
	p.signal(syscall.SIGHUP)
	eventually(t, "SIGHUP refuses", func() bool { return refusals() == 2 })
	out, exit := command(t, "reload", "--state", p.state)
	if exit == 0 || !strings.Contains(out, "policy.yaml:3") {
		t.Errorf("RELOAD of a bad file: code %d, %s", exit, out)
	}
	if got := strings.Count(p.log.String(), "policy.yaml:3"); got < 3 {
		t.Errorf("the log names the line %d times:\n%s", got, p.log)
	}
	want(t, del(), "ok")

	p.writePolicy(deletesStop)
	p.console("reload")
	want(t, del(), "42501")
	p.writePolicy(deletesPass)
	eventually(t, "the watch takes it", func() bool { return del() == "ok" })
	p.writePolicy(deletesStop)
	p.signal(syscall.SIGHUP)
	eventually(t, "SIGHUP takes it", func() bool { return del() == "42501" })
	if err := conn.Ping(t.Context()); err != nil {
		t.Errorf("the session: %v", err)
	}
	p.stop()
	out, _ = command(t, "audit", "search", "--kind", "config", "--json", p.state)
	if countLines(out) < 4 { // the start and three changes, or more if the watch came in between
		t.Errorf("changes of the configuration in the record:\n%s", out)
	}
}

// Every command of the console does its work through the socket.
func TestConsoleCommands(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	proxytest.Exec(t, pg.Super(t), "CREATE TABLE books(n int)")
	p := serve(t, pg, deletesStop, "--operator", pg.URL(proxytest.Superuser, "postgres"))
	holder, runner := p.client(), p.client("application_name", "runner")
	pidOf := func(c *proxytest.Client) string { return strconv.FormatUint(uint64(c.PID), 10) }

	if out := p.console("sessions"); !strings.Contains(out, pidOf(holder)) || !strings.Contains(out, "runner") {
		t.Errorf("sessions:\n%s", out)
	}
	for view, text := range map[string]string{
		"sessions": "PID", "statements": "PID", "queue": "", "locks": "", "quotas": "", "classes": "CLASS", "rules": "none",
		"config": "warehouse.url", "audit": "stored", "version": "",
	} {
		if out := p.console("show", view); !strings.Contains(strings.ToUpper(out), strings.ToUpper(text)) {
			t.Errorf("show %s:\n%s", view, out)
		}
	}
	if _, exit := command(t, "show", "nonsense", "--state", p.state); exit == 0 {
		t.Error("show nonsense went well")
	}

	runner.Send(proxytest.Query("SELECT pg_sleep(60)"))
	eventually(t, "it runs", func() bool { return strings.Contains(p.console("show", "statements"), "pg_sleep") })
	p.console("cancel", pidOf(runner))
	want(t, runner.Receive(), "T E(57014) Z(I)")
	if out, exit := command(t, "cancel", pidOf(runner), "--state", p.state); exit == 0 || !strings.Contains(out, "runs or waits") {
		t.Errorf("cancel of nothing: code %d, %s", exit, out)
	}

	want(t, holder.Query("BEGIN"), "C(BEGIN) Z(T)")
	want(t, holder.Query("SELECT * FROM books"), "T C(SELECT 0) Z(T)")
	p.console("release", pidOf(holder))
	if got := holder.Query("COMMIT"); !strings.HasSuffix(got, "C(COMMIT) Z(I)") {
		t.Errorf("a reader's COMMIT after release: %s", got)
	}

	want(t, runner.Query("DELETE FROM books"), "E(42501) Z(I)")
	p.console("observe", "on")
	want(t, runner.Query("DELETE FROM books"), "C(DELETE 0) Z(I)")
	p.console("observe", "off")
	want(t, runner.Query("DELETE FROM books"), "E(42501) Z(I)")

	p.console("kill", pidOf(runner))
	want(t, runner.Receive(), "E(57P01) EOF")
	p.console("reload")
	want(t, holder.One("SELECT 1"), "1")
	p.stop()

	out, _ := command(t, "audit", "search", "--kind", "operator_action", "--json", p.state)
	for _, what := range []string{"cancel", "release", "observe", "terminate", "reload"} {
		if !strings.Contains(out, `"`+what+`"`) {
			t.Errorf("no operator's %s in the record:\n%s", what, out)
		}
	}
	if _, exit := command(t, "sessions", "--state", p.state); exit == 0 {
		t.Error("a server that is gone still answers")
	}
}
