package query_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/blob"
	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/admin/result/format"
	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// A run that comes while the office opens is held, not refused: who started the
// server sends the first query before it has recovered.
func TestRunWhileTheOfficeOpens(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	h.stop()
	if out, err := h.runs.Submit(t.Context(), h.ann, query.Request{SQL: "select 1"}); err == nil {
		t.Errorf("an office that has stopped took %s", out.Run.ID)
	}
	h.runs = must1(query.New(h.cfg))
	type taken struct {
		out query.Submitted
		err error
	}
	early := make(chan taken)
	go func() {
		out, err := h.runs.Submit(t.Context(), h.ann, query.Request{SQL: "select 'early'"})
		early <- taken{out, err}
	}()
	select {
	case got := <-early:
		t.Fatalf("before it opened: %+v", got)
	case <-time.After(50 * time.Millisecond):
	}
	h.serve()
	got := <-early
	if got.err != nil {
		t.Fatal(got.err)
	}
	if run := h.end(h.ann, got.out.Run.ID); run.State != query.StateSucceeded {
		t.Errorf("%s %+v", run.State, run.Error)
	}
}

// What ran when the office stopped is failed, and what a crash left is too.
func TestRestart(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	run := h.submit(h.ann, query.Request{SQL: "select pg_sleep(60), 'stopped'"})
	h.until("it runs", h.active("stopped"))
	h.stop()
	var crashed *query.Record
	err := h.store.Update(t.Context(), func(tx query.Tx) (err error) { // as a crash leaves it
		if crashed, err = tx.Run(t.Context(), run.ID); err != nil {
			return err
		}
		stopped := *crashed
		crashed.ID = admin.NewID(admin.PrefixRun)
		crashed.State, crashed.Outcome, crashed.Finished = query.StateRunning, nil, time.Time{}
		sealed := query.SealForTest(h.cfg.Vault, crashed.ID, "select 1; select 2")
		crashed.SQL, crashed.Params, crashed.TextKey = sealed, nil, nil
		if stopped.State != query.StateFailed {
			t.Errorf("after the stop it is %s", stopped.State)
		}
		return tx.AddRun(t.Context(), crashed)
	})
	if err != nil {
		t.Fatal(err)
	}
	h.start()
	for _, id := range []string{run.ID, crashed.ID} {
		got := h.end(h.ann, id)
		if got.State != query.StateFailed || got.Error == nil || got.Error.Code != query.CodeConnection || !got.Error.Retriable {
			t.Errorf("%s: %s %+v", id, got.State, got.Error)
		}
		if id == crashed.ID && (got.Version <= crashed.Version || len(got.Statements) != 2) {
			t.Errorf("version %d after %d, %d statements", got.Version, crashed.Version, len(got.Statements))
		}
	}
}

// full is a place without room for more than some bytes.
type full struct {
	blob.Store

	room int
}

func (f full) Create(ctx context.Context, name string) (blob.Writer, error) {
	w, err := f.Store.Create(ctx, name)
	return &fullWriter{w, f.room}, err
}

type fullWriter struct {
	blob.Writer

	room int
}

func (w *fullWriter) Write(p []byte) (int, error) {
	if w.room -= len(p); w.room < 0 {
		return 0, blob.ErrFull
	}
	return w.Writer.Write(p)
}

func TestAFullDiskFailsTheRunAndNothingElse(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{}, func(c *query.Config) { c.Blobs = full{c.Blobs, 100_000} })
	h.run(h.ann, query.Request{SQL: "create table " + h.role + ".t (id text)", Access: query.ReadWrite})
	run := h.run(h.ann, query.Request{SQL: "select md5(g::text), md5((g+1)::text) from generate_series(1, 1000000) g", Limits: query.Limits{MaxRows: 1_000_000}})
	if run.State != query.StateFailed || run.Error.Code != query.CodeLimit || !strings.Contains(run.Error.Message, "full") {
		t.Errorf("%s %+v", run.State, run.Error)
	}
	run = h.run(h.ann, query.Request{SQL: "insert into " + h.role + ".t select md5(g::text) from generate_series(1, 100000) g returning id, md5(id)", Access: query.ReadWrite})
	if run.State != query.StateFailed || !strings.Contains(run.Error.Message, "went to its end") || run.Error.Retriable {
		t.Errorf("%s %+v", run.State, run.Error)
	}
	run = h.run(h.ann, query.Request{SQL: "select count(*) from " + h.role + ".t"})
	if got := h.rows(h.ann, run.ID, 0)[0][0]; run.State != query.StateSucceeded || got != "=100000" {
		t.Errorf("afterwards: %s %s", run.State, got)
	}
}

// Each page, chart, export and each revalidation is recorded before it is seen.
func TestEveryReadIsRecordedFirst(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	run := h.run(h.ann, query.Request{SQL: "select g as n, case when g % 2 = 0 then 'even' else 'odd' end as kind from generate_series(1, 5000) g"})
	const reads = 1000
	for i := range reads {
		page, err := h.runs.Rows(t.Context(), h.ann, run.ID, query.RowsRequest{Offset: int64(i), Limit: 3})
		if err != nil || len(page.Rows) != 3 || *page.Rows[0][0] != fmt.Sprint(i+1) || page.ETag == "" {
			t.Fatalf("read %d: %+v %v", i, page, err)
		}
	}
	events := h.journal.of(audit.KindResultRead, run.ID)
	if len(events) != reads {
		t.Fatalf("%d records of %d reads", len(events), reads)
	}
	if e := events[7]; e.User != "ann" || e.Offset != 7 || e.Rows != 3 || e.Target != "warehouse" || e.OnFailure != audit.Closed || e.Durability != audit.Durable {
		t.Errorf("record %+v", e)
	}
	h.journal.broken(context.DeadlineExceeded)
	if page, err := h.runs.Rows(t.Context(), h.ann, run.ID, query.RowsRequest{}); slug(err) != "audit-unavailable" {
		t.Errorf("rows without a record: %d, %v", len(page.Rows), err)
	}
	if _, err := h.runs.Aggregate(t.Context(), h.ann, run.ID, 0, []byte(`{"v":1,"type":"bar","x":"kind","y":[{"col":"n","agg":"sum"}]}`)); slug(err) != "audit-unavailable" {
		t.Errorf("a chart without a record: %v", err)
	}
	if _, err := h.runs.Export(t.Context(), h.ann, run.ID, query.ExportRequest{Options: format.Options{Format: "csv"}}); slug(err) != "audit-unavailable" {
		t.Errorf("an export without a record: %v", err)
	}
	h.journal.broken(nil)
	chart, err := h.runs.Aggregate(t.Context(), h.ann, run.ID, 0, []byte(`{"v":1,"type":"bar","x":"kind","y":[{"col":"n","agg":"sum"}]}`))
	if err != nil || len(chart.Points) != 2 || chart.Rows != 5000 {
		t.Errorf("chart %+v %v", chart, err)
	}
	if n := len(h.journal.of(audit.KindIntent, run.ID)); n != 1 {
		t.Errorf("the warehouse ran it %d times", n)
	}
}

func TestSortFilterAndExport(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	run := h.run(h.ann, query.Request{SQL: "select g as n, null::text as x, g % 3 as m from generate_series(1, 1000) g"})
	page, err := h.runs.Rows(t.Context(), h.ann, run.ID, query.RowsRequest{Sort: "m:desc,c0:desc", Filter: `[{"col":"c0","op":"le","value":"10"}]`, Limit: 2})
	if err != nil || *page.Filtered != 10 || page.RowCount != 1000 || *page.Rows[0][0] != "8" || *page.Rows[1][0] != "5" || page.Rows[0][1] != nil || !page.More {
		t.Fatalf("page %+v %v", page, err)
	}
	for _, req := range []query.RowsRequest{{Sort: "nothing"}, {Sort: "n:up"}, {Filter: "x"}, {Limit: query.MaxPage + 1}, {Offset: -1}} {
		if _, err := h.runs.Rows(t.Context(), h.ann, run.ID, req); slug(err) != "bad-request" {
			t.Errorf("%+v: %v", req, err)
		}
	}
	export, err := h.runs.Export(t.Context(), h.ann, run.ID, query.ExportRequest{Options: format.Options{Format: "csv"}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := export.Write(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if err := export.Close(); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(lines) != 1001 {
		t.Errorf("%d lines, %v", len(lines), err)
	}
	if e := h.journal.of(audit.KindResultExport, run.ID); len(e) != 1 || e[0].Rows != 1000 || e[0].Mode != "csv" {
		t.Errorf("records %+v", e)
	}
	if _, err := h.runs.Export(t.Context(), h.ann, run.ID, query.ExportRequest{Options: format.Options{Format: "pdf"}}); slug(err) != "format-unavailable" {
		t.Errorf("pdf: %v", err)
	}
}

// Rows that leave as a download are charged to the quotas of the tables they
// came from, like those of the statement that brought them.
func TestExportIsCharged(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{Quotas: []policy.QuotaSource{{
		ID: "charged-rows", Key: []policy.QuotaKey{{Name: "user"}, {Name: "table", Table: "*.charged"}},
		Unit: policy.UnitRowsReturned, Per: time.Hour, Limit: 25,
	}}})
	proxytest.Exec(t, h.pg.Super(t), fmt.Sprintf("SET ROLE %s; CREATE TABLE %[1]s.charged AS SELECT generate_series(1, 10)", h.role))
	h.learn()
	charged := h.recorded(h.run(h.ann, query.Request{SQL: "table " + h.role + ".charged"}).ID)
	free := h.recorded(h.run(h.ann, query.Request{SQL: "select generate_series(1, 1000)"}).ID)
	export := func(run query.Run) string {
		e, err := h.runs.Export(t.Context(), h.ann, run.ID, query.ExportRequest{Options: format.Options{Format: "csv"}})
		if err != nil {
			return slug(err)
		}
		return fmt.Sprint(e.Close())
	}
	var got []string
	for range 3 { // what the client has already costs nothing
		e, err := h.runs.Export(t.Context(), h.ann, charged.ID, query.ExportRequest{Options: format.Options{Format: "csv"}, Unsent: func(etag string) bool { return etag != "" }})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, run := range []query.Run{charged, charged, charged, free} { // 10 by the statement, then 10 each
		got = append(got, export(run))
	}
	if want := []string{"<nil>", "<nil>", "quota-exceeded", "<nil>"}; !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	if n := len(h.journal.of(audit.KindResultExport, charged.ID)); n != 5 {
		t.Errorf("%d exports recorded, want 5", n)
	}
}

// Nothing of SQL, parameters or rows lies readable at rest.
func TestAtRest(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	const secret = "a very secret word"
	run := h.run(h.ann, query.Request{Title: secret + " as title", SQL: "select :w || ' in rows', 1/:z", Params: []query.Param{{Name: "w", Value: secret}, {Name: "z", Type: "int4", Value: "1"}}})
	if got := h.rows(h.ann, run.ID, 0); !strings.Contains(got[0][0], secret) {
		t.Fatalf("rows %v %+v", got, run.Error)
	}
	var rec *query.Record
	if err := h.store.View(t.Context(), func(tx query.Tx) (err error) { rec, err = tx.Run(t.Context(), run.ID); return err }); err != nil {
		t.Fatal(err)
	}
	list, err := h.blobs.List(t.Context(), "runs/", "", 0)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d blobs, %v", len(list), err)
	}
	object, err := h.blobs.Open(t.Context(), list[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = object.Close() }()
	stored, err := io.ReadAll(io.NewSectionReader(object, 0, object.Size()))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"rows": stored, "sql": rec.SQL, "params": rec.Params, "outcome": rec.Outcome} {
		if len(b) == 0 || bytes.Contains(b, []byte(secret)) || bytes.Contains(b, []byte("in rows")) {
			t.Errorf("%s lies open (%d bytes)", name, len(b))
		}
	}
	if n := h.find([]byte(run.ID)); n == 0 {
		t.Fatal("the run's id is in no file of the store: nothing would be found")
	}
	for _, word := range []string{secret, "in rows", "as title"} {
		if n := h.find([]byte(word)); n > 0 {
			t.Errorf("%q lies open in the files of the office, %d times", word, n)
		}
	}
}

// find counts the places in the files of the office where some bytes are.
func (h *house) find(what []byte) (n int) {
	h.t.Helper()
	err := filepath.WalkDir(h.folder, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		n += bytes.Count(b, what)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// record reads a run as it is stored.
func (h *house) record(id string) *query.Record {
	h.t.Helper()
	var rec *query.Record
	if err := h.store.View(h.t.Context(), func(tx query.Tx) (err error) { rec, err = tx.Run(h.t.Context(), id); return err }); err != nil {
		h.t.Fatal(err)
	}
	return rec
}

// A deletion destroys the keys: copies of what was sealed, taken before, open no
// more with all that is left, and of the keys nothing is left in any file. Many
// runs make the store move its rows about.
func TestDeleteDestroysKeys(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	const many = 60
	var copies []*query.Record
	for i := range many {
		sql := fmt.Sprintf("select 'planted %d' || :w /* %s */", i, strings.Repeat("x", i*40%1500))
		run := h.run(h.ann, query.Request{Title: "planted title", SQL: sql, Params: []query.Param{{Name: "w", Value: "planted"}}})
		copies = append(copies, h.record(run.ID))
	}
	for i, rec := range copies {
		if i%3 == 0 {
			continue
		}
		if len(rec.TextKey) == 0 || len(rec.RowsKey) == 0 || h.find(rec.TextKey) == 0 || h.find(rec.RowsKey) == 0 {
			t.Fatalf("run %d: the keys are not where they are looked for", i)
		}
		if err := h.runs.Delete(t.Context(), h.ann, rec.ID); err != nil {
			t.Fatal(err)
		}
	}
	for i, rec := range copies {
		left := h.record(rec.ID)
		now := *rec
		now.TextKey = left.TextKey
		sql, err := query.OpenForTest(h.cfg.Vault, &now)
		if i%3 == 0 {
			if err != nil || !strings.HasPrefix(sql, "select 'planted") {
				t.Errorf("run %d is not deleted: %v", i, err)
			}
			continue
		}
		if err == nil || left.RowsKey != nil {
			t.Errorf("run %d: a copy of its SQL still opens: %q", i, sql)
		}
		if n, m := h.find(rec.TextKey), h.find(rec.RowsKey); n+m > 0 {
			t.Errorf("run %d: its text key is found %d times, its rows' %d times", i, n, m)
		}
	}
	if n := h.find([]byte("planted")); n > 0 {
		t.Errorf("plain SQL or titles are found %d times", n)
	}
}

// What expires loses the key of its rows, and keeps that of its texts.
func TestExpiryDestroysTheRowsKey(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		h := build(t, policy.Source{}, func(c *query.Config) { c.Bounds.Sweep = 5 * time.Millisecond })
		rec := testExpiry(t, h)
		for end := time.Now().Add(10 * time.Second); h.find(rec.RowsKey) > 0; {
			if time.Now().After(end) {
				t.Fatal("the key of the rows lingers")
			}
		}
	})
	t.Run("postgres", func(t *testing.T) {
		testExpiry(t, buildOnPostgres(t, func(c *query.Config) { c.Bounds.Sweep = 5 * time.Millisecond }))
	})
}

func testExpiry(t *testing.T, h *house) (before *query.Record) {
	t.Helper()
	run := h.run(h.ann, query.Request{Title: "a title", SQL: "select 1"})
	before = h.record(run.ID)
	h.clock.move(91 * 24 * time.Hour)
	for end := time.Now().Add(10 * time.Second); h.record(run.ID).RowsKey != nil; {
		if time.Now().After(end) {
			t.Fatal("the rows never expire")
		}
	}
	if after := h.record(run.ID); !bytes.Equal(after.TextKey, before.TextKey) || before.TextKey == nil {
		t.Error("the text key went with the rows")
	}
	if got := h.end(h.ann, run.ID); got.SQL == nil || got.Title != "a title" {
		t.Errorf("after its expiry: %+v", got)
	}
	return before
}

// A run from before there were text keys opens under the vault, until it is
// deleted.
func TestOldRunsOpen(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	rec := h.record(h.run(h.ann, query.Request{SQL: "select 1"}).ID)
	rec.ID = admin.NewID(admin.PrefixRun)
	rec.SQL, rec.Params, rec.Outcome, rec.TextKey, rec.SealedTitle = query.SealForTest(h.cfg.Vault, rec.ID, "select 'old'"), nil, nil, nil, nil
	rec.Title = "an old title"
	if err := h.store.Update(t.Context(), func(tx query.Tx) error { return tx.AddRun(t.Context(), rec) }); err != nil {
		t.Fatal(err)
	}
	if got := h.end(h.ann, rec.ID); got.SQL == nil || *got.SQL != "select 'old'" || got.Title != "an old title" {
		t.Errorf("%+v", got)
	}
	title := "a new title"
	if got, err := h.runs.Update(t.Context(), h.ann, rec.ID, query.Change{Title: &title}); err != nil || got.Title != title {
		t.Errorf("%+v %v", got, err)
	}
	if err := h.runs.Delete(t.Context(), h.ann, rec.ID); err != nil {
		t.Fatal(err)
	}
	if got := h.end(h.ann, rec.ID); got.SQL != nil || got.Title != "" || !got.Deleted {
		t.Errorf("tombstone %+v", got)
	}
}

func TestRetention(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{}, func(c *query.Config) { c.Bounds.Sweep = 5 * time.Millisecond })
	const sql = "select g from generate_series(1, 10) g"
	plain, pinned, deleted := h.run(h.ann, query.Request{SQL: sql}), h.run(h.ann, query.Request{SQL: sql}), h.run(h.ann, query.Request{SQL: sql})
	yes := true
	title := "kept"
	if got, err := h.runs.Update(t.Context(), h.ann, pinned.ID, query.Change{Pinned: &yes, Title: &title}); err != nil || !got.Pinned || got.Title != title || got.ExpiresAt != nil || got.Version <= pinned.Version {
		t.Errorf("pin: %+v %v", got, err)
	}
	if err := h.runs.Delete(t.Context(), h.bob, deleted.ID); slug(err) != "forbidden" { // it read no table: he may see it, and no more
		t.Errorf("bob deletes: %v", err)
	}
	if err := h.runs.Delete(t.Context(), h.ann, deleted.ID); err != nil {
		t.Fatal(err)
	}
	got := h.end(h.ann, deleted.ID)
	if !got.Deleted || got.SQL != nil || got.State != query.StateSucceeded || got.Can.Rows {
		t.Errorf("tombstone %+v", got)
	}
	if _, err := h.runs.Rows(t.Context(), h.ann, deleted.ID, query.RowsRequest{}); admin.CodeOf(err) != admin.Gone {
		t.Errorf("rows of what was deleted: %v", err)
	}
	h.clock.move(91 * 24 * time.Hour)
	for end := time.Now().Add(10 * time.Second); !h.end(h.ann, plain.ID).RowsExpired; {
		if time.Now().After(end) {
			t.Fatal("the rows never expire")
		}
	}
	if got = h.end(h.ann, plain.ID); got.SQL == nil || *got.SQL != sql {
		t.Errorf("the SQL went with the rows")
	}
	if _, err := h.runs.Rows(t.Context(), h.ann, plain.ID, query.RowsRequest{}); slug(err) != "result-expired" {
		t.Errorf("rows: %v", err)
	}
	if n := len(h.rows(h.ann, pinned.ID, 0)); n != 10 {
		t.Errorf("pinned: %d rows", n)
	}
	for end := time.Now().Add(10 * time.Second); ; {
		list, err := h.blobs.List(t.Context(), "runs/", "", 0)
		if err != nil || len(list) == 1 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d blobs are left, %v", len(list), err)
		}
	}
}
