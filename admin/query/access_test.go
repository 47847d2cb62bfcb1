package query_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// Who may open a run, by what it read.
func TestWhoMayOpenARun(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{Rules: []policy.RuleSource{{
		ID: "sales-no-hr", When: policy.Condition{Team: []string{"sales"}, Reads: []string{"*.hr"}}, Deny: "no",
	}}})
	r, other := h.role, h.role+"_other"
	proxytest.Exec(t, h.pg.Connect(t, h.role, "postgres"),
		"CREATE TABLE "+r+".open (id int, name text)", "CREATE TABLE "+r+".closed (id int)", "CREATE TABLE "+r+".cols (id int, pay int)", "CREATE TABLE "+r+".rls (id int)",
		"CREATE TABLE "+r+".hr (id int)", "CREATE TABLE "+r+".base (id int)", "CREATE VIEW "+r+".view AS SELECT * FROM "+r+".base",
		"CREATE FUNCTION "+r+".f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$",
		"CREATE FUNCTION "+r+".seen() RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT count(*) FROM "+r+".open; END",
		"CREATE FUNCTION "+r+".over() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER BEGIN ATOMIC SELECT count(*) FROM "+r+".closed; END",
		"CREATE FUNCTION "+r+".within() RETURNS int LANGUAGE sql STABLE BEGIN ATOMIC SELECT "+r+".f(); END",
		"GRANT USAGE ON SCHEMA "+r+" TO "+other, "GRANT SELECT ON "+r+".open, "+r+".rls, "+r+".hr, "+r+".view TO "+other, "GRANT SELECT (id) ON "+r+".cols TO "+other,
		"ALTER TABLE "+r+".rls ENABLE ROW LEVEL SECURITY",
	)
	h.learn()
	for _, c := range []struct {
		name, sql string
		bob       bool
		why       bool // it is its owner's alone, and the owner is told
	}{
		{"a table that both may read", "select * from " + r + ".open", true, false},
		{"no table", "select 1", true, false},
		{"a table without a grant", "select * from " + r + ".closed", false, false},
		{"both", "select * from " + r + ".open, " + r + ".closed", false, false},
		{"a grant by column", "select id from " + r + ".cols", false, false},
		{"row security", "select * from " + r + ".rls", false, false},
		{"policy denies it", "select * from " + r + ".hr", false, false},
		{"a view whose base is closed", "select * from " + r + ".view", false, false},
		{"a function that nobody trusts", "select " + r + ".f()", false, true},
		{"a function that can be seen through", "select " + r + ".seen()", true, false},
		{"one that reads a closed table for its caller", "select " + r + ".over()", false, false},
		{"one that calls another that nobody trusts", "select " + r + ".within()", false, true},
		{"one beside one", "select " + r + ".seen(), " + r + ".f()", false, true},
		{"monitoring", "select pid from pg_stat_activity", false, true},
		{"the function behind a monitoring view", "select * from pg_lock_status()", false, true},
		{"another", "select * from pg_stat_get_activity(null)", false, true},
		{"settings by function", "select * from pg_show_all_settings()", false, true},
		{"a setting", "select current_setting('search_path')", false, true},
		{"settings", "show all", false, true},
		{"a plan", "explain select * from " + r + ".open", true, false},
		{"the plan of a closed table", "explain select * from " + r + ".closed", false, false},
		{"a name that may mean another", "select * from information_schema.tables", false, true},
	} {
		run := h.run(h.ann, query.Request{SQL: c.sql})
		if run.State != query.StateSucceeded {
			t.Fatalf("%s: %s %+v", c.name, run.State, run.Error)
		}
		run = h.recorded(run.ID)
		if (run.ViewersOnly != nil) != c.why {
			t.Errorf("%s: viewers only %v", c.name, run.ViewersOnly)
		}
		_, err := h.runs.Rows(t.Context(), h.bob, run.ID, query.RowsRequest{})
		if got := err == nil; got != c.bob || !got && slug(err) != "not-found" {
			t.Errorf("%s: bob: %v", c.name, err)
		}
		if _, err := h.runs.Get(t.Context(), h.eve, run.ID); slug(err) != "not-found" {
			t.Errorf("%s: eve, who has no role: %v", c.name, err)
		}
	}
	page, err := h.runs.List(t.Context(), h.bob, query.Filter{Submitter: "ann"})
	if err != nil || len(page.Runs) != 4 {
		t.Errorf("bob lists %d of ann's runs: %v", len(page.Runs), err)
	}
}

// A run of several statements is open to whom all of them are: not before the
// record tells of all, and not where one used what is the owner's alone.
func TestWhoMayOpenARunOfMany(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	r, other := h.role, h.role+"_other"
	proxytest.Exec(t, h.pg.Connect(t, h.role, "postgres"),
		"CREATE TABLE "+r+".open AS SELECT 1 AS id", "CREATE TABLE "+r+".closed AS SELECT 'planted' AS word",
		"GRANT USAGE ON SCHEMA "+r+" TO "+other, "GRANT SELECT ON "+r+".open TO "+other)
	h.learn()
	rows := func(run query.Run, statement int) string {
		_, err := h.runs.Rows(t.Context(), h.bob, run.ID, query.RowsRequest{Statement: statement})
		return slug(err)
	}
	h.journal.show(1) // the rest is written a moment late
	late := h.run(h.ann, query.Request{Multi: true, SQL: "select * from " + r + ".open; select * from " + r + ".closed"})
	if got, run := rows(late, 1), must(t, must1(h.runs.Get(t.Context(), h.ann, late.ID)), nil); got != "not-found" || run.ViewersOnly == nil || !strings.Contains(*run.ViewersOnly, "not recorded yet") {
		t.Errorf("half recorded: bob %q, %v", got, run.ViewersOnly)
	}
	h.journal.show(0)
	if run := h.recorded(late.ID); run.ViewersOnly != nil || rows(late, 0) != "not-found" {
		t.Errorf("recorded: %v", run.ViewersOnly)
	}
	for name, sql := range map[string]string{
		"a temporary table": "create temp table t as select * from " + r + ".closed; select * from t",
		"a block of code":   "do $$ begin end $$; select * from " + r + ".open",
	} {
		run := h.run(h.ann, query.Request{Multi: true, Access: query.ReadWrite, SQL: sql})
		if run.State != query.StateSucceeded {
			t.Fatalf("%s: %s %+v", name, run.State, run.Error)
		}
		if run = h.recorded(run.ID); run.ViewersOnly == nil || rows(run, 1) != "not-found" {
			t.Errorf("%s: %v", name, run.ViewersOnly)
		}
	}
	both := h.recorded(h.run(h.ann, query.Request{Multi: true, SQL: "begin; select * from " + r + ".open; select 2; commit"}).ID)
	if both.ViewersOnly != nil || rows(both, 1) != "" || rows(both, 2) != "" {
		t.Errorf("a transaction: %v, bob %q, %q", both.ViewersOnly, rows(both, 1), rows(both, 2))
	}
}

// A named viewer sees a run that went wrong, if the policy lets him read what it
// read; not while it runs, and not where the record does not tell.
func TestViewersOfWhatWentWrong(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{Rules: []policy.RuleSource{{
		ID: "sales-no-hr", When: policy.Condition{Team: []string{"sales"}, Reads: []string{"*.hr"}}, Deny: "no",
	}, {ID: "nobody", When: policy.Condition{Reads: []string{"*.banned"}}, Deny: "no"}}})
	proxytest.Exec(t, h.pg.Connect(t, h.role, "postgres"), "CREATE TABLE "+h.role+".hr AS SELECT 'planted' AS word", "CREATE TABLE "+h.role+".open AS SELECT 'x' AS word")
	h.learn()
	running := h.submit(h.ann, query.Request{SQL: "select pg_sleep(60) from " + h.role + ".hr"})
	h.until("it runs", h.active("pg_sleep(60) from "+h.role))
	if err := h.runs.AddViewer(t.Context(), h.ann, running.ID, "bob"); slug(err) != "share-not-yet" {
		t.Errorf("while it runs: %v", err)
	}
	if _, err := h.runs.Cancel(t.Context(), h.ann, running.ID, ""); err != nil {
		t.Fatal(err)
	}
	h.end(h.ann, running.ID)
	for _, c := range []struct{ name, sql, may string }{
		{"what he may not read", "select word::int from " + h.role + ".hr", "share-not-allowed"},
		{"what he may read", "select word::int from " + h.role + ".open", ""},
		{"what never ran", "select id from " + h.role + ".banned", "share-not-yet"},
	} {
		run := h.run(h.ann, query.Request{SQL: c.sql})
		if run.State != query.StateFailed {
			t.Fatalf("%s: %s", c.name, run.State)
		}
		if c.may != "share-not-yet" {
			run = h.recorded(run.ID)
		}
		if err := h.runs.AddViewer(t.Context(), h.ann, run.ID, "bob"); slug(err) != c.may {
			t.Errorf("%s: shared: %v", c.name, err)
		}
		_, err := h.runs.Get(t.Context(), h.bob, run.ID)
		if got := err == nil; got != (c.may == "") {
			t.Errorf("%s: opened: %v", c.name, err)
		}
	}
}

// recorded waits until the record says where a run's rows came from: it is
// written a moment after the statement went up.
func (h *house) recorded(id string) query.Run {
	h.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		run, err := h.runs.Get(h.t.Context(), h.ann, id)
		if err != nil {
			h.t.Fatal(err)
		}
		if run.ViewersOnly == nil || !strings.Contains(*run.ViewersOnly, "not recorded yet") && !strings.Contains(*run.ViewersOnly, "would have read") {
			return run
		}
		if time.Now().After(end) {
			h.t.Fatalf("%s: never recorded", id)
		}
	}
}

// The answer for what is not there and for what is not open is one.
func TestMissingIsMissing(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	run := h.submit(h.ann, query.Request{SQL: "select pg_sleep(60)"})
	_, hidden := h.runs.Get(t.Context(), h.bob, run.ID)
	_, absent := h.runs.Get(t.Context(), h.bob, admin.NewID(admin.PrefixRun))
	_, nonsense := h.runs.Get(t.Context(), h.bob, "' or 1=1")
	if hidden == nil || hidden.Error() != absent.Error() || absent.Error() != nonsense.Error() || slug(hidden) != slug(absent) {
		t.Errorf("%v\n%v\n%v", hidden, absent, nonsense)
	}
}

func TestNamedViewers(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	proxytest.Exec(t, h.pg.Connect(t, h.role, "postgres"), "CREATE TABLE "+h.role+".t (id int)")
	h.learn()
	run := h.run(h.ann, query.Request{SQL: "select * from " + h.role + ".t", Title: "mine"})
	if _, err := h.runs.Get(t.Context(), h.bob, run.ID); slug(err) != "not-found" {
		t.Fatalf("before: %v", err)
	}
	for login, want := range map[string]string{"nobody": "person-unknown", "eve": "share-not-allowed", "bob": ""} {
		if err := h.runs.AddViewer(t.Context(), h.ann, run.ID, login); slug(err) != want {
			t.Errorf("%s: %v", login, err)
		}
	}
	got, err := h.runs.Get(t.Context(), h.bob, run.ID)
	if err != nil || got.SQL == nil || got.Can.Share || got.Can.Delete || got.Can.Pin || !got.Can.Rows {
		t.Errorf("the viewer: %+v %v", got.Can, err)
	}
	h.rows(h.bob, run.ID, 0)
	page, err := h.runs.List(t.Context(), h.bob, query.Filter{})
	if err != nil || len(page.Runs) != 1 {
		t.Errorf("his list has %d, %v", len(page.Runs), err)
	}
	if err := h.runs.AddViewer(t.Context(), h.bob, run.ID, "ops"); slug(err) != "forbidden" {
		t.Errorf("a viewer shares: %v", err)
	}
	viewers, err := h.runs.Viewers(t.Context(), h.ann, run.ID)
	if err != nil || len(viewers) != 1 || viewers[0].Login != "bob" || viewers[0].By != "ann" {
		t.Errorf("viewers %+v %v", viewers, err)
	}
	if err := h.runs.RemoveViewer(t.Context(), h.ann, run.ID, "bob"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.runs.Get(t.Context(), h.bob, run.ID); slug(err) != "not-found" {
		t.Errorf("afterwards: %v", err)
	}
}

func TestListPagesAndSearches(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { testList(t, build(t, policy.Source{})) })
	t.Run("postgres", func(t *testing.T) { testList(t, buildOnPostgres(t)) })
}

func testList(t *testing.T, h *house) {
	t.Helper()
	for range 5 {
		h.run(h.ann, query.Request{SQL: "select 'needle'", Title: "one"})
		h.run(h.ann, query.Request{SQL: "select 'hay'", Title: "two"})
	}
	var ids []string
	f := query.Filter{Text: "NEEDLE", Limit: 2}
	for {
		page, err := h.runs.List(t.Context(), h.ann, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Runs {
			ids = append(ids, r.ID)
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			break
		}
	}
	seen := map[string]bool{}
	for _, id := range ids {
		seen[id] = true
	}
	if len(ids) != 5 || len(seen) != 5 {
		t.Errorf("%d runs, %d different", len(ids), len(seen))
	}
	if page, err := h.runs.List(t.Context(), h.ann, query.Filter{State: query.StateFailed}); err != nil || len(page.Runs) != 0 {
		t.Errorf("failed: %d %v", len(page.Runs), err)
	}
	if _, err := h.runs.List(t.Context(), h.ann, query.Filter{Cursor: "x"}); slug(err) != "bad-request" {
		t.Errorf("cursor: %v", err)
	}
}

// A service that acts for a person sees and does what both may.
func TestOnBehalf(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	bot := service("bot")
	acting := *h.ann
	acting.Actor, acting.Token, acting.Via = bot, "k_1", "api"
	run := h.run(&acting, query.Request{SQL: "select 1"})
	if run.Submitter.Login != "bot" || run.Submitter.OnBehalfOf == nil || *run.Submitter.OnBehalfOf != "ann" {
		t.Errorf("submitter %+v", run.Submitter)
	}
	intent := h.journal.of("intent", run.ID)
	if len(intent) != 1 || intent[0].User != "ann" || intent[0].Actor != "bot" || intent[0].Via != "api" || intent[0].Token != "k_1" {
		t.Errorf("intent %+v", intent)
	}
	if _, err := h.runs.Submit(t.Context(), &acting, query.Request{SQL: "select 1", Access: query.ReadWrite}); slug(err) != "idempotency-key-missing" {
		t.Errorf("a service writes without a key: %v", err)
	}
}

// Who acts for somebody reads of their stored results what both may read.
func TestOnBehalfReadsWhatBothMay(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{Rules: []policy.RuleSource{{ID: "no-robots", When: policy.Condition{User: []string{"bot"}, Reads: []string{"*.hr"}}, Deny: "no"}}})
	proxytest.Exec(t, h.pg.Connect(t, h.role, "postgres"), "CREATE TABLE "+h.role+".hr (id int)", "CREATE TABLE "+h.role+".open (id int)")
	h.learn()
	bot := service("bot")
	acting := *h.ann
	acting.Actor, acting.Token, acting.Via = bot, "k_1", "api"
	for _, c := range []struct{ name, sql, slug string }{
		{"what the service is denied", "select * from " + h.role + ".hr", "not-found"},
		{"what both may read", "select * from " + h.role + ".open", ""},
		{"what is its owner's alone", "select pid from pg_stat_activity", "not-found"},
	} {
		run := h.recorded(h.run(h.ann, query.Request{SQL: c.sql}).ID)
		if _, err := h.runs.Rows(t.Context(), &acting, run.ID, query.RowsRequest{}); slug(err) != c.slug {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := h.runs.Get(t.Context(), &acting, run.ID); slug(err) != c.slug {
			t.Errorf("%s: its SQL: %v", c.name, err)
		}
	}
	own := h.run(&acting, query.Request{SQL: "select pid from pg_stat_activity"})
	if _, err := h.runs.Rows(t.Context(), &acting, own.ID, query.RowsRequest{}); err != nil {
		t.Errorf("what it ran itself: %v", err)
	}
}

func TestLibrary(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { testLibrary(t, build(t, policy.Source{})) })
	t.Run("postgres", func(t *testing.T) { testLibrary(t, buildOnPostgres(t)) })
}

// A page of long queries ends early, and the next goes on where it ended.
func TestLongQueriesInPages(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	long := "select '" + strings.Repeat("x", 1<<20-20) + "'"
	for range 20 {
		must(t, must1(h.library.Create(t.Context(), h.ann, query.NewSaved{Title: "long", SQL: long})), nil)
	}
	seen := map[string]bool{}
	pages := 0
	for cursor := ""; ; pages++ {
		page, err := h.library.List(t.Context(), h.ann, query.SavedFilter{Limit: 200, Cursor: cursor})
		if err != nil || len(page.Items) == 0 || len(page.Items) > 9 {
			t.Fatalf("%d in a page, %v", len(page.Items), err)
		}
		for _, q := range page.Items {
			if seen[q.ID] || q.SQL != long {
				t.Errorf("%s again, or cut", q.ID)
			}
			seen[q.ID] = true
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(seen) != 20 || pages != 2 {
		t.Errorf("%d in %d pages", len(seen), pages+1)
	}
	for _, limit := range []int{1, 7, 16, 17, 20} {
		n := 0
		for cursor := ""; ; {
			page, err := h.library.List(t.Context(), h.ann, query.SavedFilter{Limit: limit, Cursor: cursor})
			if err != nil || len(page.Items) > limit {
				t.Fatalf("%d of %d, %v", len(page.Items), limit, err)
			}
			n += len(page.Items)
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if n != 20 {
			t.Errorf("%d by %d", n, limit)
		}
	}
}

// One owner's queries and their text are bounded; others' are not counted.
func TestLibraryIsBounded(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { testLibraryIsBounded(t, build(t, policy.Source{})) })
	t.Run("postgres", func(t *testing.T) { testLibraryIsBounded(t, buildOnPostgres(t)) })
}

func testLibraryIsBounded(t *testing.T, h *house) {
	t.Helper()
	ctx := t.Context()
	lib := must(t, must1(query.NewLibrary(query.LibraryConfig{Store: h.store, Journal: h.journal, Services: peoplePort{}, Now: h.clock.now, MaxEach: 3, MaxChars: 100})), nil)
	create := func(c *admin.Caller, sql string) (query.Saved, error) {
		return lib.Create(ctx, c, query.NewSaved{Title: "q", SQL: sql})
	}
	everyone := admin.Everyone
	first := must(t, must1(create(h.ann, "select 1")), nil)
	first = must(t, must1(lib.Update(ctx, h.ann, first.ID, first.Rev, query.SavedChange{Team: &everyone})), nil)
	for range 2 {
		must(t, must1(create(h.ann, "select 1")), nil)
	}
	_, err := create(h.ann, "select 1")
	if admin.CodeOf(err) != admin.Quota || !strings.Contains(err.Error(), "3 saved queries") {
		t.Errorf("the fourth: %v", err)
	}
	if _, err := lib.Fork(ctx, h.ann, first.ID); admin.CodeOf(err) != admin.Quota {
		t.Errorf("a fork: %v", err)
	}
	if _, err := lib.Fork(ctx, h.bob, first.ID); err != nil {
		t.Errorf("another's: %v", err)
	}
	text := "select '" + strings.Repeat("x", 40) + "'"
	first = must(t, must1(lib.Update(ctx, h.ann, first.ID, first.Rev, query.SavedChange{SQL: &text})), nil)
	text += " as x"
	if _, err := lib.Update(ctx, h.ann, first.ID, first.Rev, query.SavedChange{SQL: &text}); admin.CodeOf(err) != admin.Quota || !strings.Contains(err.Error(), "characters") {
		t.Errorf("one more version: %v", err)
	}
	title := "renamed"
	if _, err := lib.Update(ctx, h.ann, first.ID, first.Rev, query.SavedChange{Title: &title}); err != nil {
		t.Errorf("a new name takes no room: %v", err)
	}
	if err := lib.Delete(ctx, h.ann, first.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := create(h.ann, "select 1"); err != nil {
		t.Errorf("after one was deleted: %v", err)
	}
}

func testLibrary(t *testing.T, h *house) {
	t.Helper()
	ctx, lib := t.Context(), h.library
	team, everyone := "growth", admin.Everyone
	q, err := lib.Create(ctx, h.ann, query.NewSaved{
		Title: "Enrolments", SQL: "select :n::int + 1, :w", Tags: []string{"weekly"},
		Params: []query.SavedParam{{Name: "n", Type: "int4"}, {Name: "w", Type: "text", Default: "a", Choices: []any{"a", "b"}}},
	})
	if err != nil || q.Version != 1 || q.Rev != 1 || !q.Can.Edit {
		t.Fatalf("%+v %v", q, err)
	}
	if _, err := lib.Get(ctx, h.bob, q.ID); slug(err) != "not-found" {
		t.Errorf("private: %v", err)
	}
	if _, err := lib.Update(ctx, h.ann, q.ID, 0, query.SavedChange{Team: &team}); slug(err) != "if-match-required" {
		t.Errorf("without a version: %v", err)
	}
	q = must(t, must1(lib.Update(ctx, h.ann, q.ID, q.Rev, query.SavedChange{Team: &everyone})), nil)
	if told := h.journal.of(audit.KindShare, ""); len(told) != 1 || told[0].What != "share query" || told[0].Grantee != "team:everyone" || told[0].Reason != q.ID {
		t.Errorf("recorded %+v", told)
	}
	h.journal.broken(errors.New("disk full"))
	if _, err := lib.Update(ctx, h.ann, q.ID, q.Rev, query.SavedChange{Team: &team}); slug(err) != "audit-unavailable" {
		t.Errorf("shared without a record: %v", err)
	}
	h.journal.broken(nil)
	if _, err := lib.Update(ctx, h.ann, q.ID, 1, query.SavedChange{Team: &team}); slug(err) != "version-conflict" {
		t.Errorf("stale: %v", err)
	}
	if got, err := lib.Get(ctx, h.bob, q.ID); err != nil || got.Can.Edit {
		t.Errorf("everyone's: %+v %v", got.Can, err)
	}
	if _, err := lib.Update(ctx, h.bob, q.ID, q.Rev, query.SavedChange{Title: &team}); slug(err) != "forbidden" {
		t.Errorf("bob changes it: %v", err)
	}
	sql := "select :n::int + 2, :w"
	q = must(t, must1(lib.Update(ctx, h.ann, q.ID, q.Rev, query.SavedChange{SQL: &sql})), nil)
	if q.Version != 2 {
		t.Errorf("version %d", q.Version)
	}
	for _, c := range []struct {
		version int
		params  []query.Param
		want    string
		slug    string
	}{
		{0, []query.Param{{Name: "n", Value: "1"}}, "=3", ""},
		{1, []query.Param{{Name: "n", Value: "1"}, {Name: "w", Value: "b"}}, "=2", ""},
		{0, nil, "", "param-missing"},
		{0, []query.Param{{Name: "n", Value: "1"}, {Name: "w", Value: "c"}}, "", "param-choice"},
		{7, []query.Param{{Name: "n", Value: "1"}}, "", "version-unknown"},
	} {
		out, err := h.runs.Submit(ctx, h.bob, query.Request{Query: &query.QueryPick{ID: q.ID, Version: c.version}, Params: c.params})
		if slug(err) != c.slug {
			t.Errorf("version %d: %v", c.version, err)
		}
		if err == nil {
			run := h.end(h.bob, out.Run.ID)
			if got := h.rows(h.bob, run.ID, 0); got[0][0] != c.want || run.Query.ID != q.ID {
				t.Errorf("version %d: %v", c.version, got)
			}
		}
	}
	latest, err := h.runs.Latest(ctx, h.ann, q.ID)
	if err != nil || !admin.IsID(admin.PrefixRun, latest) {
		t.Errorf("latest %q %v", latest, err)
	}
	fork, err := lib.Fork(ctx, h.bob, q.ID)
	if err != nil || !fork.Draft || fork.Owner.Login != "bob" || fork.SQL != sql {
		t.Errorf("fork %+v %v", fork, err)
	}
	if _, err := lib.Get(ctx, h.ann, fork.ID); slug(err) != "not-found" {
		t.Errorf("another's draft: %v", err)
	}
	working := &query.NewWorking{SQL: "select 'half wri"}
	fork = must(t, must1(lib.Update(ctx, h.bob, fork.ID, fork.Rev, query.SavedChange{Working: working})), nil)
	if fork.Working == nil || fork.Working.SQL != working.SQL || fork.Version != 1 || fork.SQL != sql {
		t.Errorf("working copy %+v", fork)
	}
	if err := lib.Star(ctx, h.bob, q.ID, true); err != nil {
		t.Fatal(err)
	}
	sales := "sales"
	must(t, must1(lib.Create(ctx, person("cal", admin.RoleMember, sales), query.NewSaved{Title: "Deals", SQL: "select 1", Team: &sales})), nil)
	for _, c := range []struct {
		name string
		f    query.SavedFilter
		want int
	}{
		{"all", query.SavedFilter{}, 3},
		{"mine", query.SavedFilter{Mine: true}, 1},
		{"starred", query.SavedFilter{Starred: true}, 1},
		{"tag", query.SavedFilter{Tag: "weekly"}, 2},
		{"text", query.SavedFilter{Text: "ENROL"}, 2},
		{"sql", query.SavedFilter{Text: "+ 2"}, 2},
		{"nothing", query.SavedFilter{Text: "100%"}, 0},
		{"team", query.SavedFilter{Team: "growth"}, 0},
		{"a team by name", query.SavedFilter{Team: "sales"}, 1},
		{"my teams", query.SavedFilter{MyTeams: true}, 1}, // not everyone's
		{"my teams, mine", query.SavedFilter{MyTeams: true, Mine: true}, 0},
		{"owner's login", query.SavedFilter{Text: "cal"}, 1},
		{"owner's name", query.SavedFilter{Text: "BOB"}, 1},
	} {
		page, err := lib.List(ctx, h.bob, c.f)
		if err != nil || len(page.Items) != c.want {
			t.Errorf("%s: %d, %v", c.name, len(page.Items), err)
		}
	}
	versions, err := lib.Versions(ctx, h.bob, q.ID)
	if err != nil || len(versions) != 2 || versions[0].Version != 2 {
		t.Errorf("versions %+v %v", versions, err)
	}
	if err := lib.Delete(ctx, h.bob, q.ID); slug(err) != "forbidden" {
		t.Errorf("bob deletes: %v", err)
	}
	if err := lib.Delete(ctx, h.ann, q.ID); err != nil {
		t.Error(err)
	}
}

// A draft that is saved is the same query: its id, its one version, its chart.
func TestDraftBecomesQuery(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { testDraftBecomesQuery(t, build(t, policy.Source{})) })
	t.Run("postgres", func(t *testing.T) { testDraftBecomesQuery(t, buildOnPostgres(t)) })
}

func testDraftBecomesQuery(t *testing.T, h *house) {
	t.Helper()
	ctx, lib := t.Context(), h.library
	draft := must(t, must1(lib.Create(ctx, h.ann, query.NewSaved{SQL: "select :n", Draft: true})), nil)
	chart := json.RawMessage(`{"v":1,"type":"bar","x":"day","y":[{"col":"n","agg":"sum"}]}`)
	draft = must(t, must1(lib.Update(ctx, h.ann, draft.ID, draft.Rev, query.SavedChange{Working: &query.NewWorking{SQL: "select :n", Chart: chart}})), nil)
	if draft.Working == nil || !json.Valid(draft.Working.Chart) || string(draft.Chart) != "null" {
		t.Fatalf("the chart is in the working copy alone: %+v", draft)
	}
	saved, title, sql := false, "Days", "select :n"
	params := []query.SavedParam{{Name: "n", Type: "int8", Default: json.Number("7"), Choices: []any{json.Number("7"), "8"}}}
	if _, err := lib.Update(ctx, h.ann, draft.ID, draft.Rev, query.SavedChange{Draft: &saved, SQL: &sql}); slug(err) != "bad-request" {
		t.Errorf("without a name: %v", err)
	}
	q := must(t, must1(lib.Update(ctx, h.ann, draft.ID, draft.Rev, query.SavedChange{Draft: &saved, Title: &title, SQL: &sql, Params: &params, Chart: &chart})), nil)
	if q.ID != draft.ID || q.Draft || q.Version != 1 || q.Working != nil {
		t.Errorf("saved: %+v", q)
	}
	if all, err := lib.Versions(ctx, h.ann, q.ID); err != nil || len(all) != 1 || all[0].Title != title || string(all[0].Chart) == "null" {
		t.Errorf("its version: %+v %v", all, err)
	}
	// What is saved again as it was makes no version, however it is written.
	otherwise := json.RawMessage(`{ "type": "bar", "v": 1, "y": [{"agg": "sum", "col": "n"}], "x": "day" }`)
	again := []query.SavedParam{{Name: "n", Type: "int8", Default: float64(7), Choices: []any{float64(7), "8"}}}
	q = must(t, must1(lib.Update(ctx, h.ann, q.ID, q.Rev, query.SavedChange{SQL: &sql, Params: &again, Chart: &otherwise, Draft: &saved})), nil)
	if q.Version != 1 {
		t.Errorf("unchanged, and yet version %d", q.Version)
	}
	none, null := []query.SavedParam{}, json.RawMessage("null")
	for i, want := range []int{2, 2} { // the chart and the parameters go, and then there is nothing left to go
		q = must(t, must1(lib.Update(ctx, h.ann, q.ID, q.Rev, query.SavedChange{Params: &none, Chart: &null})), nil)
		if q.Version != want || string(q.Chart) != "null" {
			t.Errorf("%d: version %d, chart %s", i, q.Version, q.Chart)
		}
	}
	line := json.RawMessage(`{"v":1,"type":"line","x":"day","y":[{"col":"n","agg":"sum"}]}`)
	if q = must(t, must1(lib.Update(ctx, h.ann, q.ID, q.Rev, query.SavedChange{Chart: &line})), nil); q.Version != 3 {
		t.Errorf("another chart, and yet version %d", q.Version)
	}
}

// A token bound to a version runs it, and a later one only after its release.
func TestRelease(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	ctx, lib := t.Context(), h.library
	q := must(t, must1(lib.Create(ctx, h.ann, query.NewSaved{Title: "mail", SQL: "select 1"})), nil)
	other := must(t, must1(lib.Create(ctx, h.ann, query.NewSaved{Title: "other", SQL: "select 1"})), nil)
	second := "select 2"
	q = must(t, must1(lib.Update(ctx, h.ann, q.ID, q.Rev, query.SavedChange{SQL: &second})), nil)
	bot := service("bot")
	bot.Token, bot.Scopes, bot.Queries = "k_1", admin.Scopes{admin.ScopeQueriesRun}, map[string]int{q.ID: 1}
	runs := func(version int) (string, string) {
		out, err := h.runs.Submit(ctx, bot, query.Request{Query: &query.QueryPick{ID: q.ID, Version: version}})
		if err != nil {
			return "", slug(err)
		}
		run := h.end(bot, out.Run.ID)
		return h.rows(bot, run.ID, 0)[0][0], ""
	}
	check := func(version int, want, refused string) {
		t.Helper()
		if got, no := runs(version); got != want || no != refused {
			t.Errorf("version %d: %q %q", version, got, no)
		}
	}
	check(0, "=1", "")
	check(2, "", "version-not-released")
	if _, err := lib.Release(ctx, h.bob, q.ID, 2, bot.ID); err == nil {
		t.Error("bob, who holds nothing, releases")
	}
	if _, err := lib.Release(ctx, h.ann, q.ID, 9, bot.ID); slug(err) != "version-unknown" {
		t.Errorf("version 9: %v", err)
	}
	got, err := lib.Release(ctx, h.ann, q.ID, 2, bot.ID)
	if err != nil || len(got.Released) != 1 || got.Released[0].By != "ann" {
		t.Fatalf("%+v %v", got.Released, err)
	}
	check(0, "=2", "")
	check(1, "=1", "")
	for _, req := range []query.Request{{SQL: "select 1"}, {Query: &query.QueryPick{ID: other.ID}}} {
		if _, err := h.runs.Submit(ctx, bot, req); err == nil {
			t.Errorf("the token runs %+v", req)
		}
	}
}

func TestCatalogAndExplain(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	proxytest.Exec(t, h.pg.Connect(t, h.role, "postgres"), "CREATE TABLE "+h.role+".fact_enroll (id bigint not null, variant varchar(10))",
		"COMMENT ON TABLE "+h.role+".fact_enroll IS 'One row an enrolment'", "COMMENT ON COLUMN "+h.role+".fact_enroll.id IS 'The key'")
	k := must(t, must1(query.NewCatalog(query.CatalogConfig{Targets: h.cfg.Targets, Door: h.cfg.Door, Now: h.clock.now})), nil)
	page, err := k.Tables(t.Context(), h.ann, "", h.role+".FACT_", "", 10)
	if err != nil || len(page.Items) != 1 || page.Items[0].Comment != "One row an enrolment" || page.Items[0].Kind != "table" {
		t.Fatalf("%+v %v", page, err)
	}
	detail, err := k.Table(t.Context(), h.ann, "", h.role, "fact_enroll")
	if err != nil || len(detail.Columns) != 2 || detail.Columns[0].Nullable || detail.Columns[1].Type != "character varying(10)" || detail.Columns[0].Comment != "The key" {
		t.Errorf("%+v %v", detail, err)
	}
	if _, err := k.Table(t.Context(), h.ann, "", h.role, "nothing"); slug(err) != "not-found" {
		t.Errorf("nothing: %v", err)
	}
	names, err := k.Completions(t.Context(), h.ann, "")
	if err != nil || len(names.Functions) == 0 || names.Version == "" {
		t.Fatalf("%v", err)
	}
	found := false
	for _, s := range names.Schemas {
		for _, tab := range s.Tables {
			found = found || s.Name == h.role && tab.Name == "fact_enroll" && len(tab.Columns) == 2 && tab.Columns[0] == [2]string{"id", "bigint"}
		}
	}
	if !found {
		t.Error("the table is not among the completions")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if again, err := k.Completions(ctx, h.ann, ""); err != nil || again.Version != names.Version {
		t.Errorf("within a minute nobody is asked: %v", err)
	}
	h.clock.move(2 * time.Minute)
	if _, err := k.Completions(ctx, h.ann, ""); err == nil {
		t.Error("two minutes later the warehouse is asked")
	}

	x := must(t, must1(query.NewExplainer(query.ExplainerConfig{Targets: h.cfg.Targets, Door: h.cfg.Door, Facts: h.cfg.Facts})), nil)
	e, err := x.Explain(t.Context(), h.ann, query.ExplainRequest{SQL: "select * from " + h.role + ".fact_enroll where id = :id and variant = :v", Params: []query.Param{{Name: "id", Type: "int8", Value: "1"}}})
	if err != nil || len(e.Statements) != 1 || e.Statements[0].Kind != "read" || e.Plan == nil || e.Plan.Error != nil || e.Plan.Text == "" || len(e.Params) != 2 || *e.Params[0].Type != "int8" || e.Params[1].Type != nil {
		t.Errorf("%+v %+v %v", e, e.Plan, err)
	}
	e, err = x.Explain(t.Context(), h.ann, query.ExplainRequest{SQL: "select\n nonsense from " + h.role + ".fact_enroll"})
	if err != nil || e.Plan.Error == nil || e.Plan.Error.Position == nil || e.Plan.Error.Position.Line != 2 || e.Plan.Error.Position.Column != 2 {
		t.Errorf("%+v %v", e.Plan, err)
	}
	e, err = x.Explain(t.Context(), h.ann, query.ExplainRequest{SQL: "delete from " + h.role + ".fact_enroll where id = 1"})
	if err != nil || len(e.Statements) != 1 || e.Statements[0].Kind != "write" || len(e.Statements[0].Writes) != 1 || e.Plan == nil || !strings.Contains(e.Plan.Text, "Delete on fact_enroll") {
		t.Errorf("%+v %+v %v", e, e.Plan, err)
	}
	for _, sql := range []string{"explain analyze delete from " + h.role + ".fact_enroll", "(analyze) select 1", "analyze select 1"} {
		if e, err = x.Explain(t.Context(), h.ann, query.ExplainRequest{SQL: sql}); err != nil || e.Plan != nil {
			t.Errorf("%s was sent to the warehouse: %+v %v", sql, e.Plan, err)
		}
	}
	e, err = x.Explain(t.Context(), h.ann, query.ExplainRequest{SQL: "delete from " + h.role + ".fact_enroll; select 1"})
	if err != nil || len(e.Statements) != 2 || e.Statements[0].Kind != "write" || e.Plan != nil {
		t.Errorf("%+v %v", e, err)
	}
}

// A token is bound to what its maker may read, in a version that stays as it is;
// a person's bound token opens a query for as long as the person may.
func TestBindings(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	ctx, lib := t.Context(), h.library
	everyone, private := admin.Everyone, ""
	own := must(t, must1(lib.Create(ctx, h.ann, query.NewSaved{Title: "own", SQL: "select 1"})), nil)
	draft := must(t, must1(lib.Create(ctx, h.ann, query.NewSaved{SQL: "select 1", Draft: true})), nil)
	open := must(t, must1(lib.Create(ctx, h.ann, query.NewSaved{Title: "open", SQL: "select 1", Team: &everyone})), nil)
	for _, c := range []struct {
		name    string
		who     *admin.Caller
		id      string
		version int
		slug    string
	}{
		{"one's own", h.ann, own.ID, 1, ""},
		{"another's", h.bob, own.ID, 1, "version-unknown"},
		{"a draft", h.ann, draft.ID, 1, "version-unknown"},
		{"everyone's", h.bob, open.ID, 1, ""},
		{"a version that is none", h.ann, own.ID, 2, "version-unknown"},
		{"a query that is none", h.ann, admin.NewID(admin.PrefixQuery), 1, "version-unknown"},
		{"at the machine", admin.Operator(), own.ID, 1, ""},
		{"a draft at the machine", admin.Operator(), draft.ID, 1, "version-unknown"},
	} {
		if err := lib.Bindable(ctx, c.who, map[string]int{c.id: c.version}); slug(err) != c.slug {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	again := true
	if _, err := lib.Update(ctx, h.ann, own.ID, own.Rev, query.SavedChange{Draft: &again}); slug(err) != "saved-already" {
		t.Errorf("a version can be written anew: %v", err)
	}
	bound := *h.bob
	bound.Token, bound.Scopes, bound.Queries = "k_2", admin.Scopes{admin.ScopeQueriesRun, admin.ScopeQueriesRead}, map[string]int{open.ID: 1, own.ID: 1}
	if _, err := lib.Get(ctx, &bound, open.ID); err != nil {
		t.Errorf("bound to everyone's: %v", err)
	}
	if _, err := lib.Get(ctx, &bound, own.ID); slug(err) != "not-found" {
		t.Errorf("bound to what is not his: %v", err)
	}
	must(t, must1(lib.Update(ctx, h.ann, open.ID, open.Rev, query.SavedChange{Team: &private})), nil)
	if _, err := lib.Get(ctx, &bound, open.ID); slug(err) != "not-found" {
		t.Errorf("bound to what was taken from everyone: %v", err)
	}
	if _, err := h.runs.Submit(ctx, &bound, query.Request{Query: &query.QueryPick{ID: open.ID}}); slug(err) != "not-found" {
		t.Errorf("and runs it: %v", err)
	}
}
