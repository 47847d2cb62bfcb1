package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy"
	"github.com/lockkeeper/lockkeeper/proxy/directory"
	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// mapped is a directory that sends everybody on as one role.
func mapped(t testing.TB, role string) func(*proxy.Config) {
	t.Helper()
	dir, err := directory.New(directory.Config{Map: directory.Mapping{Default: pgauth.Login{User: role}}})
	if err != nil {
		t.Fatal(err)
	}
	return func(c *proxy.Config) { c.Directory = dir }
}

// office is a door with a role behind it that owns a table, a function that
// writes it, and one that changes the mode of the session.
func office(t testing.TB, src policy.Source, change ...func(*proxy.Config)) (d *door, role string) {
	t.Helper()
	pg := pt.StartPostgres(t)
	role = pg.CreateRole(t, "")
	super := pg.Super(t)
	pt.Exec(t, super,
		"CREATE SCHEMA "+role+" AUTHORIZATION "+role,
		"CREATE TABLE "+role+".things (id int)", "ALTER TABLE "+role+".things OWNER TO "+role,
		"CREATE FUNCTION "+role+".adds() RETURNS int LANGUAGE sql AS $$ INSERT INTO "+role+".things VALUES (1) RETURNING id $$",
		"CREATE FUNCTION "+role+".opens() RETURNS text LANGUAGE sql AS $$ SELECT set_config('default_transaction_read_only', 'off', false) $$",
	)
	return open(t, src, append([]func(*proxy.Config){mapped(t, role)}, change...)...), role
}

func ann() policy.Principal {
	return policy.Principal{
		Subject: policy.Subject{User: "ann", Groups: []string{"growth"}, ClientIP: netip.MustParseAddr("192.0.2.7")},
		Via:     "web", RunID: "r_1", TokenID: "t_1", Attempt: 2,
	}
}

// as connects as a principal with pgx; settings are start-up parameters.
func (d *door) as(p policy.Principal, settings ...string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig("host=nowhere.invalid user=somebody database=postgres sslmode=disable")
	if err != nil {
		d.t.Fatal(err)
	}
	cfg.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return d.Dial(ctx, p) }
	for ; len(settings) > 1; settings = settings[2:] {
		cfg.RuntimeParams[settings[0]] = settings[1]
	}
	c, err := pgx.ConnectConfig(d.t.Context(), cfg)
	if err == nil {
		d.t.Cleanup(func() { _ = c.Close(context.WithoutCancel(d.t.Context())) })
	}
	return c, err
}

func (d *door) must(p policy.Principal, settings ...string) *pgx.Conn {
	d.t.Helper()
	c, err := d.as(p, settings...)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// code returns the SQLSTATE of an error, with its message.
func code(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Severity + " " + pg.Code + " " + pg.Message
	}
	return fmt.Sprint(err)
}

func wantCode(t testing.TB, err error, want string) {
	t.Helper()
	if got := code(err); !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// eventually polls for what gives no signal.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// sleeping waits until n backends of a role sleep: a cancel that overtakes its
// statement is lost, here as anywhere with Postgres.
func (d *door) sleeping(role string, n int) {
	d.t.Helper()
	waitFor(d.t, d.pg.Super(d.t), "SELECT count(*) FROM pg_stat_activity WHERE usename = '"+role+"' AND wait_event = 'PgSleep'", fmt.Sprint(n))
}

func TestPrincipal(t *testing.T) {
	t.Parallel()
	d, role := office(t, policy.Source{})
	p := ann()
	p.Actor = &policy.Subject{User: "robot"}
	// what stands in start-up text gives nobody another name, and is not passed on
	c := d.must(p, "application_name", "page", "lockkeeper.actor", "root", "lockkeeper.user", "root", "work_mem", "4MB")
	var user, app, mem, own string
	err := c.QueryRow(t.Context(), `SELECT current_user, current_setting('application_name'), current_setting('work_mem'),
		coalesce(current_setting('lockkeeper.actor', true), '-')`).Scan(&user, &app, &mem, &own)
	if err != nil {
		t.Fatal(err)
	}
	want(t, strings.Join([]string{user, app, mem, own}, " "), role+" page 4MB -")
	_, err = c.Exec(t.Context(), "SELECT 1/0")
	wantCode(t, err, "ERROR 22012")
	var n int
	if err := c.QueryRow(t.Context(), "SELECT $1::int", 7).Scan(&n); err != nil || n != 7 {
		t.Errorf("after an error: %d, %v", n, err)
	}
	if _, err := c.Exec(t.Context(), "BEGIN; DELETE FROM "+role+".things; ROLLBACK"); err != nil {
		t.Errorf("a principal that may write: %v", err)
	}
	_ = c.Close(t.Context())
	eventually(t, "session ends", func() bool { return len(d.record.of(audit.KindSessionEnd)) == 1 })
	all := slices.Concat(d.record.of(audit.KindSessionStart), d.record.of(audit.KindIntent), d.record.of(audit.KindOutcome), d.record.of(audit.KindSessionEnd))
	if len(all) < 8 {
		t.Errorf("%d events", len(all))
	}
	for _, e := range all {
		got := []any{e.User, e.Actor, e.Via, e.Run, e.Token, e.Attempt, e.ClientAddr, e.Role, e.Database, e.ApplicationName}
		if diff := cmp.Diff([]any{"ann", "robot", "web", "r_1", "t_1", 2, "192.0.2.7", role, "postgres", "page"}, got); diff != "" {
			t.Errorf("%s (-want +got): %s", e.Kind, diff)
		}
	}
	if got := d.record.of(audit.KindSessionEnd)[0].Reason; got != "client said goodbye" {
		t.Errorf("ended: %s", got)
	}
}

// executing runs a statement beside the test; whoever reads its error joins it.
func executing(t testing.TB, c *pgx.Conn, sql string) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() { // ends with the statement
		_, err := c.Exec(t.Context(), sql)
		done <- err
	}()
	return done
}

func TestPrincipalCancel(t *testing.T) {
	t.Parallel()
	d, role := office(t, policy.Source{})
	c := d.must(ann())
	done := executing(t, c, "SELECT pg_sleep(60)")
	var at proxy.RunStatus
	eventually(t, "the run is active", func() bool {
		at, _ = d.RunStatus("r_1")
		return at.Statement.State == "active"
	})
	d.sleeping(role, 1)
	if at.Session.User != "ann" || at.Statement.Started.IsZero() || at.Statement.Position != 0 {
		t.Errorf("status %+v", at)
	}
	began := time.Now()
	if err := c.PgConn().CancelRequest(t.Context()); err != nil {
		t.Errorf("cancel: %v", err)
	}
	wantCode(t, <-done, "ERROR 57014")
	within(t, began, 0, 10*time.Second)
	if _, err := c.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Errorf("after the cancel: %v", err)
	}
	eventually(t, "the cancel is recorded for the run", func() bool {
		e := d.record.of(audit.KindCancel)
		return len(e) == 1 && e[0].Run == "r_1"
	})
}

func TestPrincipalReadOnly(t *testing.T) {
	t.Parallel()
	d, role := office(t, policy.Source{})
	p := ann()
	p.ReadOnly = true
	c := d.must(p, "default_transaction_read_only", "off") // not the client's to say
	for sql, want := range map[string]string{
		"DELETE FROM " + role + ".things":       "ERROR 42501 this session is read-only: the statement writes",
		"SET default_transaction_read_only=off": "ERROR 42501 this session is read-only and stays so",
		"SET role = postgres":                   "ERROR 42501 this session is read-only and stays so",
		"BEGIN READ WRITE":                      "ERROR 42501 this session is read-only and stays so",
		"SELECT " + role + ".adds()":            "ERROR 25006", // the warehouse says it
	} {
		_, err := c.Exec(t.Context(), sql)
		wantCode(t, err, want)
	}
	var n int
	if err := c.QueryRow(t.Context(), "SELECT count(*) FROM "+role+".things").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d things, %v", n, err)
	}
	// a function may open the mode for the next transaction: there is none
	_, err := c.Exec(t.Context(), "SELECT "+role+".opens()")
	if err == nil {
		_, err = c.Exec(t.Context(), "SELECT "+role+".adds()")
	}
	if err == nil {
		t.Error("the session goes on")
	}
	eventually(t, "session ends", func() bool { return len(d.record.of(audit.KindSessionEnd)) == 1 })
	if err := d.pg.Super(t).QueryRow(t.Context(), "SELECT count(*) FROM "+role+".things").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d things behind the mode, %v", n, err)
	}
	for _, name := range []string{"options", "ROLE", "session_authorization", "transaction_read_only"} {
		_, err := d.as(p, name, "x")
		if !strings.Contains(fmt.Sprint(err), "42501") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPrincipalActor(t *testing.T) {
	t.Parallel()
	d, _ := office(t, policy.Source{
		Classify: []policy.ClassifyLine{{Class: "office/${user}"}},
		Rules:    []policy.RuleSource{{ID: "robots", When: policy.Condition{User: []string{"robot"}, Reads: []string{"forbidden"}}, Deny: "not for robots"}},
	})
	alone, p := d.must(ann()), ann()
	p.Actor = &policy.Subject{User: "robot"}
	acted := d.must(p)
	_, err := alone.Exec(t.Context(), "SELECT 'forbidden'")
	wantCode(t, err, "<nil>")
	_, err = acted.Exec(t.Context(), "SELECT 'forbidden'")
	wantCode(t, err, "ERROR 42501 not for robots")
	_, err = acted.Exec(t.Context(), "SELECT 1")
	wantCode(t, err, "<nil>")
	for _, e := range d.record.of(audit.KindIntent) {
		if e.Class != "office/ann" {
			t.Errorf("class %s", e.Class)
		}
	}
}

func TestPrincipalNeedsALogin(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{}) // maps nobody: a client's own name and password go on
	_, err := d.as(ann())
	if !strings.Contains(fmt.Sprint(err), `no warehouse login is set for "ann"; grant one`) || !strings.Contains(fmt.Sprint(err), "28000") {
		t.Errorf("%v", err)
	}
	if e := d.record.of(audit.KindLogin); len(e) != 1 || e[0].Run != "r_1" || e[0].Via != "web" || e[0].Verdict != audit.VerdictDeny {
		t.Errorf("record %+v", e)
	}
	if _, err := d.Dial(t.Context(), policy.Principal{}); err == nil {
		t.Error("a principal without a name is served")
	}
}

func TestPrincipalCapsAndEnds(t *testing.T) {
	t.Parallel()
	d, role := office(t, policy.Source{}, func(c *proxy.Config) { c.MaxPerUser = 2 })
	gone, p := d.must(ann()), ann()
	p.RunID = "r_2"
	ours, theirs := socketPair(t)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- d.ServeConn(ctx, ours, p) }() // ends with ctx; joined below
	second := over(t, theirs)
	if _, err := d.as(ann()); !strings.Contains(fmt.Sprint(err), "53300") {
		t.Errorf("third of two: %v", err)
	}
	// the client vanishes in the middle of a statement
	running := make(chan error, 1)
	go func() { // ends when its connection is closed; joined below
		_, err := gone.Exec(t.Context(), "SELECT pg_sleep(60)")
		running <- err
	}()
	eventually(t, "it runs", func() bool { at, _ := d.RunStatus("r_1"); return at.Statement.State == "active" })
	d.sleeping(role, 1)
	_ = gone.PgConn().Conn().Close()
	if err := <-running; err == nil {
		t.Error("it ended well")
	}
	eventually(t, "its session ends", func() bool { _, ok := d.RunStatus("r_1"); return !ok })
	for _, e := range d.record.of(audit.KindOutcome) {
		if e.Run == "r_1" && e.Stop != audit.StopClientGone && e.Stop != audit.StopUser { // the library asks to cancel too, and may be first
			t.Errorf("outcome %+v", e)
		}
	}
	d.must(ann()) // there is room again
	// whoever serves it ends it
	go func() { _, err := second.Exec(t.Context(), "SELECT pg_sleep(60)"); running <- err }()
	eventually(t, "the other runs", func() bool { at, _ := d.RunStatus("r_2"); return at.Statement.State == "active" })
	d.sleeping(role, 1)
	cancel()
	if err := <-served; err == nil {
		t.Error("ServeConn ended without a cause")
	}
	if err := <-running; err == nil {
		t.Error("the statement ended well")
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := d.as(ann()); err == nil {
		t.Error("a closed server serves")
	}
}

// TestServeConnGoodbye: a goodbye is no error, and a context that has ended
// lets nobody in.
func TestServeConnGoodbye(t *testing.T) {
	t.Parallel()
	d, _ := office(t, policy.Source{})
	ours, theirs := socketPair(t)
	served := make(chan error, 1)
	go func() { served <- d.ServeConn(t.Context(), ours, ann()) }() // ends with the goodbye; joined below
	c := over(t, theirs)
	_ = c.Close(t.Context())
	if err := <-served; err != nil {
		t.Errorf("goodbye: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ours, theirs = socketPair(t)
	defer theirs.Close()
	if err := d.ServeConn(ctx, ours, ann()); err == nil {
		t.Error("served without a context")
	}
}

func TestPrincipalsInParallel(t *testing.T) {
	t.Parallel()
	d, role := office(t, policy.Source{})
	pt.Exec(t, d.pg.Super(t), "ALTER ROLE "+role+" CONNECTION LIMIT 60")
	slots := make(chan struct{}, 40)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() { // joined below
			slots <- struct{}{}
			defer func() { <-slots }()
			p := ann()
			p.RunID, p.Subject.User = fmt.Sprint("r_", i), fmt.Sprint("user", i)
			c, err := d.as(p)
			if err != nil {
				t.Errorf("connect %d: %v", i, err)
				return
			}
			for j := range 5 {
				var got int
				if err := c.QueryRow(t.Context(), "SELECT $1::int + 1000", j).Scan(&got); err != nil || got != j+1000 {
					t.Errorf("%d: got %d, %v", i, got, err)
				}
			}
			_ = c.Close(t.Context())
		})
	}
	all.Wait()
	eventually(t, "all sessions end", func() bool { return len(d.record.of(audit.KindSessionEnd)) == 100 })
	runs := map[string]string{}
	for _, e := range d.record.of(audit.KindIntent) {
		if had := runs[e.Run]; had != "" && had != e.User {
			t.Errorf("run %s of %s and %s", e.Run, had, e.User)
		}
		runs[e.Run] = e.User
	}
	if len(runs) != 100 {
		t.Errorf("%d runs recorded", len(runs))
	}
}

func TestPrincipalIntentIsResolved(t *testing.T) {
	t.Parallel()
	d, role := office(t, policy.Source{})
	d.engine.PublishCatalog(policy.NewCatalog(policy.CatalogData{Relations: []policy.CatalogRelation{
		{Schema: role, Name: "forbidden"}, {Schema: "public", Name: "sly", Kind: policy.RelView, Bases: []policy.Relation{{Schema: "pii", Name: "people"}}},
	}}))
	pt.Exec(t, d.pg.Super(t), "CREATE TABLE "+role+".forbidden ()", "ALTER TABLE "+role+".forbidden OWNER TO "+role)
	c := d.must(ann(), "search_path", role+", public")
	for _, sql := range []string{"SELECT FROM forbidden", "SELECT 'public_sly'", "SET search_path = nowhere", "SELECT 'forbidden'"} {
		if _, err := c.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	got := [][]string{}
	for _, e := range d.record.of(audit.KindIntent) {
		got = append(got, e.ResolvedReads)
		if !e.Expanded || e.Unread || e.Temp {
			t.Errorf("%s: expanded %v, unread %v, temp %v", e.Text, e.Expanded, e.Unread, e.Temp)
		}
	}
	want := [][]string{{role + ".forbidden"}, {"pii.people", "public.sly"}, nil, {"?pg_temp.forbidden"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got): %s", diff)
	}
	for _, e := range d.record.of(audit.KindOutcome) {
		if len(e.ResolvedReads) > 0 || e.Expanded {
			t.Errorf("the outcome says it again: %+v", e)
		}
	}
}

// A statement that a rule holds says so: no full class is to blame.
func TestRunStatusHeldByRule(t *testing.T) {
	t.Parallel()
	d, _ := office(t, policy.Source{Rules: []policy.RuleSource{{ID: "hold", Queue: true, When: policy.Condition{Reads: []string{"forbidden"}}}}})
	c := d.must(ann())
	done := executing(t, c, "SELECT 'forbidden'")
	var at proxy.RunStatus
	eventually(t, "it waits", func() bool { at, _ = d.RunStatus("r_1"); return at.Statement.Position == 1 })
	if w := at.Statement; w.Why != "hold" || !w.ByRule || w.Ahead != 0 {
		t.Errorf("waits: %+v", w)
	}
	if err := c.PgConn().CancelRequest(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantCode(t, <-done, "ERROR 57014")
}

func TestRunStatusAndAct(t *testing.T) {
	t.Parallel()
	d, role := office(t, oneAtATime(time.Minute))
	first, p := d.must(ann()), ann()
	p.RunID = "r_2"
	second := d.must(p)
	if _, ok := d.RunStatus("r_3"); ok {
		t.Error("a run that nobody has")
	}
	idle, ok := d.RunStatus("r_2")
	if !ok || idle.Session.State != "idle" || idle.Statement.Session != "" {
		t.Errorf("idle: %+v", idle)
	}
	firstDone := executing(t, first, "SELECT pg_sleep(60)")
	eventually(t, "the first runs", func() bool { at, _ := d.RunStatus("r_1"); return at.Statement.State == "active" })
	d.sleeping(role, 1)
	before := d.Version()
	secondDone := executing(t, second, "SELECT pg_sleep(60)")
	var at proxy.RunStatus
	eventually(t, "the second waits", func() bool { at, _ = d.RunStatus("r_2"); return at.Statement.Position == 1 })
	w := at.Statement
	if w.State != "queued" || w.Queue != "narrow" || w.Class != "narrow" || w.Why != "1 of 1 running" || w.ByRule || w.Ahead != 1 || w.MaxWait != time.Minute || w.Asked.IsZero() || !w.Started.IsZero() {
		t.Errorf("waits: %+v", w)
	}
	if d.Version() == before {
		t.Error("the version says that nothing happened")
	}
	st := d.Snapshot()
	if len(st.Sessions) != 2 || len(st.Statements) != 2 || len(st.Queue) != 1 || len(st.Classes) == 0 {
		t.Fatalf("snapshot %+v", st)
	}
	if q := st.Queue[0]; q.Session != w.Session || q.Statement != w.Statement || q.Run != "r_2" || q.Position != 1 || q.User != "ann" {
		t.Errorf("queue %+v", q)
	}
	if s := st.Statements[0]; s.Run != "r_1" || s.Text == "" || s.Statement == 0 || s.Via != "web" {
		t.Errorf("statement %+v", s)
	}
	act := func(a proxy.Act, session string, statement uint64) error {
		return d.Act(t.Context(), proxy.Action{Act: a, Session: session, Statement: statement, By: "olga", Reason: "enough", Via: "web"})
	}
	for name, err := range map[string]error{
		"another statement": act(proxy.ActCancel, w.Session, w.Statement+1),
		"another session":   act(proxy.ActCancel, "nobody", w.Statement),
		"not idle":          act(proxy.ActRelease, w.Session, w.Statement),
	} {
		if !errors.Is(err, proxy.ErrMoved) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := act(proxy.ActCancel, w.Session, w.Statement); err != nil {
		t.Error(err)
	}
	wantCode(t, <-secondDone, "ERROR 57014")
	if err := act(proxy.ActCancel, w.Session, w.Statement); !errors.Is(err, proxy.ErrMoved) {
		t.Errorf("a second time: %v", err)
	}
	f := st.Statements[0]
	if err := act(proxy.ActTerminate, f.Session, f.Statement); err != nil {
		t.Error(err)
	}
	if err := <-firstDone; err == nil {
		t.Error("the first goes on")
	}
	var done []string
	for _, e := range d.record.of(audit.KindOperatorAction) {
		done = append(done, strings.Join([]string{e.User, e.What, e.Run, e.Reason, e.Via}, " "))
	}
	if !slices.Contains(done, "olga cancel r_2 enough web") || !slices.Contains(done, "olga terminate r_1 enough web") {
		t.Errorf("recorded %q", done)
	}
}

func TestActRelease(t *testing.T) {
	t.Parallel()
	d, role := office(t, policy.Source{})
	c := d.must(ann())
	for _, sql := range []string{"BEGIN", "DELETE FROM " + role + ".things"} {
		if _, err := c.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	at, _ := d.RunStatus("r_1")
	if at.Session.State != "idle in transaction" || at.Session.Statement < 2 || at.Session.Tx != policy.TxActive {
		t.Errorf("%+v", at.Session)
	}
	a := proxy.Action{Act: proxy.ActRelease, Session: at.Session.Name, Statement: at.Session.Statement - 1, By: "olga"}
	if err := d.Act(t.Context(), a); !errors.Is(err, proxy.ErrMoved) {
		t.Errorf("of the statement before: %v", err)
	}
	a.Statement = at.Session.Statement
	eventually(t, "it is released", func() bool { return d.Act(t.Context(), a) == nil })
	_, err := c.Exec(t.Context(), "SELECT 1")
	wantCode(t, err, "ERROR 40001")
}

// TestShutdownEndsPrincipals: an idle one at once, one in a transaction when
// the time is over; nobody comes in meanwhile.
func TestShutdownEndsPrincipals(t *testing.T) {
	t.Parallel()
	d, _ := office(t, policy.Source{})
	d.must(ann())
	p := ann()
	p.RunID = "r_2"
	busy := d.must(p)
	if _, err := busy.Exec(t.Context(), "BEGIN"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Shutdown(ctx) }() // ends with ctx; joined below
	eventually(t, "the idle one ends", func() bool { _, ok := d.RunStatus("r_1"); return !ok })
	if _, ok := d.RunStatus("r_2"); !ok {
		t.Error("a transaction was not waited for")
	}
	if _, err := d.as(ann()); err == nil {
		t.Error("somebody came in")
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v", err)
	}
	if _, err := busy.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("the transaction goes on")
	}
}
