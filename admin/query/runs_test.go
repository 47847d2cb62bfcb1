package query_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/policy"
)

func TestCellsAreExact(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	run := h.run(h.ann, query.Request{
		SQL: `select 9223372036854775807::int8, 'NaN'::float8, 0.1::numeric(38,20), null, '' as x, 'b' as x, :since::date, 17 = any(:courses)`,
		Params: []query.Param{
			{Name: "since", Type: "date", Value: "2026-09-01"},
			{Name: "courses", Type: "int8[]", Value: []any{"17", "9007199254740993"}},
		},
	})
	if run.State != query.StateSucceeded {
		t.Fatalf("%s: %+v", run.State, run.Error)
	}
	want := [][]string{{"=9223372036854775807", "=NaN", "=0.10000000000000000000", "NULL", "=", "=b", "=2026-09-01", "=t"}}
	if diff := cmp.Diff(want, h.rows(h.ann, run.ID, 0)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	res := run.Statements[0].Result
	if res.CommandTag != "SELECT 1" || res.RowCount != 1 || res.Columns[4].Name != "x" || res.Columns[5].Name != "x" || res.Columns[0].Type != "int8" || res.Truncated != nil {
		t.Errorf("result %+v", res)
	}
}

func TestSeveralStatementsStopAtTheFirstError(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	sql := "select 1;\nselect ä, nonsense from pg_class -- ä\n;\nselect 3"
	if _, err := h.runs.Submit(t.Context(), h.ann, query.Request{SQL: sql}); slug(err) != "multiple-statements" {
		t.Errorf("without multi: %v", err)
	}
	run := h.run(h.ann, query.Request{SQL: sql, Multi: true})
	var states []string
	for _, st := range run.Statements {
		states = append(states, string(st.State))
	}
	if diff := cmp.Diff([]string{"succeeded", "failed", "skipped"}, states); diff != "" || run.State != query.StateFailed {
		t.Errorf("%s (-want +got):\n%s", run.State, diff)
	}
	if run.Error == nil || run.Error.Code != query.CodeSQL || *run.Error.Statement != 1 || run.Error.SQLState != "42703" {
		t.Fatalf("error %+v", run.Error)
	}
	if diff := cmp.Diff(&query.Position{Offset: 17, Line: 2, Column: 8}, run.Error.Position); diff != "" {
		t.Errorf("position (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"=1"}}, h.rows(h.ann, run.ID, 0)); diff != "" {
		t.Errorf("what went through before is kept (-want +got):\n%s", diff)
	}
}

func TestALimitOnAWriteCommitsAndSaysSo(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	h.run(h.ann, query.Request{SQL: "create table " + h.role + ".t as select g as id, 0 as n from generate_series(1, 1000) g", Access: query.ReadWrite})
	run := h.run(h.ann, query.Request{SQL: "update " + h.role + ".t set n = 1 returning id", Access: query.ReadWrite, Limits: query.Limits{MaxRows: 10}})
	res := run.Statements[0].Result
	if run.State != query.StateSucceeded || res.RowCount != 10 || res.CommandTag != "UPDATE 1000" {
		t.Fatalf("%s %+v %+v", run.State, res, run.Error)
	}
	if diff := cmp.Diff(&query.Truncation{By: query.ByMaxRows, Limit: 10}, res.Truncated); diff != "" {
		t.Errorf("truncated (-want +got):\n%s", diff)
	}
	run = h.run(h.ann, query.Request{SQL: "select count(*) from " + h.role + ".t where n = 1"})
	if diff := cmp.Diff([][]string{{"=1000"}}, h.rows(h.ann, run.ID, 0)); diff != "" {
		t.Errorf("the write (-want +got):\n%s", diff)
	}
}

// Within a transaction nothing is ended at a limit: that would undo what was
// written before. Who wants that says so.
func TestALimitInATransaction(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	h.run(h.ann, query.Request{SQL: "create table " + h.role + ".t as select 1 as id", Access: query.ReadWrite})
	req := query.Request{
		Multi: true, Access: query.ReadWrite, Limits: query.Limits{MaxRows: 10},
		SQL: "begin; delete from " + h.role + ".t; select * from generate_series(1, 20000) g; commit",
	}
	count := func() string {
		return h.rows(h.ann, h.run(h.ann, query.Request{SQL: "select count(*) from " + h.role + ".t"}).ID, 0)[0][0]
	}
	failing := req
	failing.OnLimit = query.Fail
	run := h.run(h.ann, failing)
	if run.State != query.StateFailed || run.Error.Code != query.CodeLimit || count() != "=1" {
		t.Errorf("on_limit fail: %s %+v, %s rows", run.State, run.Error, count())
	}
	run = h.run(h.ann, req)
	if res := run.Statements[2].Result; run.State != query.StateSucceeded || res.RowCount != 10 || res.Truncated == nil || run.Statements[3].Result.CommandTag != "COMMIT" {
		t.Errorf("%s %+v %+v", run.State, run.Error, run.Statements)
	}
	if got := count(); got != "=0" {
		t.Errorf("the DELETE is lost: %s rows", got)
	}
}

// A select that only reads is ended at its limit: two billion rows take no time.
func TestALimitOnAReadEndsIt(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	run := h.run(h.ann, query.Request{SQL: "select generate_series(1, 2000000000), repeat('x', 50)", Limits: query.Limits{MaxRows: 1000}})
	res := run.Statements[0].Result
	if run.State != query.StateSucceeded || res == nil || res.RowCount != 1000 || res.Truncated == nil || run.Error != nil {
		t.Fatalf("%s %+v %+v", run.State, res, run.Error)
	}
	if n := len(h.rows(h.ann, run.ID, 0)); n != 1000 {
		t.Errorf("%d rows are kept", n)
	}
	run = h.run(h.ann, query.Request{SQL: "select generate_series(1, 2000000000)", Limits: query.Limits{MaxBytes: 5000}})
	if res := run.Statements[0].Result; res == nil || res.Truncated == nil || res.Truncated.By != query.ByMaxBytes || res.Bytes > 5000 {
		t.Errorf("by bytes: %+v", res)
	}
	run = h.run(h.ann, query.Request{SQL: "select generate_series(1, 2000000000)", Limits: query.Limits{MaxRows: 5}, OnLimit: query.Fail})
	if run.State != query.StateFailed || run.Error.Code != query.CodeLimit {
		t.Errorf("on_limit fail: %s %+v", run.State, run.Error)
	}
}

func TestReadOnlyRefusesWrites(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	h.run(h.ann, query.Request{SQL: "create table " + h.role + ".t (id int)", Access: query.ReadWrite})
	for _, sql := range []string{
		"insert into " + h.role + ".t values (1)", "create table " + h.role + ".u (id int)", "set default_transaction_read_only = off",
		"do $$ begin insert into " + h.role + ".t values (1); end $$", "with x as (delete from " + h.role + ".t returning id) select * from x",
	} {
		run := h.run(h.ann, query.Request{SQL: sql})
		if run.State != query.StateFailed || run.Error.Code != query.CodePolicy || run.Times.Started != nil {
			t.Errorf("%s: %s %+v", sql, run.State, run.Error)
		}
	}
}

func TestAnOpenTransactionIsRolledBackAndSaidSo(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	run := h.run(h.ann, query.Request{SQL: "begin; create table " + h.role + ".gone (id int)", Access: query.ReadWrite, Multi: true})
	if run.State != query.StateSucceeded || !run.OpenTransaction {
		t.Fatalf("%s, open %v, %+v", run.State, run.OpenTransaction, run.Error)
	}
	run = h.run(h.ann, query.Request{SQL: "select to_regclass('" + h.role + ".gone')"})
	if diff := cmp.Diff([][]string{{"NULL"}}, h.rows(h.ann, run.ID, 0)); diff != "" {
		t.Errorf("the table (-want +got):\n%s", diff)
	}
}

func TestNoticesAndTagsOfWhatGivesNoRows(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	run := h.run(h.ann, query.Request{SQL: "create table if not exists " + h.role + ".a (id int); create table if not exists " + h.role + ".a (id int)", Access: query.ReadWrite, Multi: true})
	second := run.Statements[1]
	if run.State != query.StateSucceeded || second.Result.CommandTag != "CREATE TABLE" || len(second.Result.Columns) != 0 {
		t.Fatalf("%s %+v %+v", run.State, second, run.Error)
	}
	if len(second.Notices) != 1 || !strings.Contains(second.Notices[0].Message, "already exists") {
		t.Errorf("notices %+v", second.Notices)
	}
	if _, err := h.runs.Rows(t.Context(), h.ann, run.ID, query.RowsRequest{}); slug(err) != "no-rows" {
		t.Errorf("rows of what gives none: %v", err)
	}
}

func TestUrgencyFollowsWhoAsks(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	program := *h.ann
	program.Token = "k_1"
	for name, of := range map[string]struct {
		caller      *admin.Caller
		asked, want query.Urgency
	}{
		"a page": {h.ann, "", query.Interactive}, "a token": {&program, "", query.Batch}, "a token that says so": {&program, query.Interactive, query.Interactive},
	} {
		out, err := h.runs.Submit(t.Context(), of.caller, query.Request{SQL: "select 1", Urgency: of.asked})
		if err != nil || out.Run.Urgency != of.want {
			t.Errorf("%s: %q %v, want %q", name, out.Run.Urgency, err, of.want)
		}
		h.end(of.caller, out.Run.ID)
	}
}

func TestRequestsOutOfBoundsAreRefused(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	weak := *h.ann
	weak.Scopes = nil
	reading := *h.ann
	reading.Scopes = admin.Scopes{admin.ScopeRunsWrite, admin.ScopeRunsRead}
	for _, c := range []struct {
		name, want string
		req        query.Request
	}{
		{"empty", "bad-request", query.Request{}},
		{"comment", "sql-empty", query.Request{SQL: "-- nothing"}},
		{"large", "sql-too-large", query.Request{SQL: "select '" + strings.Repeat("x", query.MaxSQL) + "'"}},
		{"target", "target-forbidden", query.Request{SQL: "select 1", Target: "other"}},
		{"param", "param-missing", query.Request{SQL: "select :a, :b", Params: []query.Param{{Name: "a", Value: "1"}}}},
		{"type", "bad-request", query.Request{SQL: "select :a", Params: []query.Param{{Name: "a", Type: "nonsense", Value: "1"}}}},
		{"twice", "bad-request", query.Request{SQL: "select :a", Params: []query.Param{{Name: "a", Value: "1"}, {Name: "a", Value: "2"}}}},
		{"copy", "copy-not-possible", query.Request{SQL: "copy pg_class to stdout", Access: query.ReadWrite}},
		{"negative", "bad-request", query.Request{SQL: "select 1", Limits: query.Limits{MaxRows: -1}}},
		{"urgency", "bad-request", query.Request{SQL: "select 1", Urgency: "now"}},
	} {
		if _, err := h.runs.Submit(t.Context(), h.ann, c.req); slug(err) != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	if _, err := h.runs.Submit(t.Context(), &weak, query.Request{SQL: "select 1"}); slug(err) != "scope-missing" {
		t.Errorf("without scope: %v", err)
	}
	if _, err := h.runs.Submit(t.Context(), &reading, query.Request{SQL: "select 1", Access: query.ReadWrite}); slug(err) != "scope-missing" {
		t.Errorf("write without scope: %v", err)
	}
	if _, err := h.runs.Submit(t.Context(), h.eve, query.Request{SQL: "select 1"}); slug(err) != "target-forbidden" {
		t.Errorf("without role: %v", err)
	}
	page, err := h.runs.List(t.Context(), h.ann, query.Filter{})
	if err != nil || len(page.Runs) != 0 {
		t.Errorf("what was refused is no run: %d, %v", len(page.Runs), err)
	}
}
