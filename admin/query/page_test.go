package query_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/admin/result/format"
	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
)

// The order of a sorted result is found once; whoever has no part in the memory
// for it is told to come again.
func TestSortsShareMemory(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{}, func(c *query.Config) { c.Bounds.Patience = 20 * time.Millisecond })
	run := h.run(h.ann, query.Request{SQL: "select g as n, g % 7 as m from generate_series(1, 5000) g"})
	req := query.RowsRequest{Sort: "m:desc,n", Filter: `[{"col":"n","op":"gt","value":"100"}]`, Limit: 3}
	release := h.runs.HoldSorts(t)
	_, err := h.runs.Rows(t.Context(), h.ann, run.ID, req)
	if e := problem(err); slug(err) != "sorts-busy" || e.Code != admin.Unavailable || e.RetryAfter <= 0 {
		t.Fatalf("with no memory left: %v", err)
	}
	release()
	page, err := h.runs.Rows(t.Context(), h.ann, run.ID, req)
	if err != nil || *page.Rows[0][0]+" "+*page.Rows[0][1] != "104 6" || *page.Filtered != 4900 {
		t.Fatalf("%+v %v", page, err)
	}
	defer h.runs.HoldSorts(t)()
	req.Offset = 4898
	page, err = h.runs.Rows(t.Context(), h.ann, run.ID, req) // its order is known
	if err != nil || len(page.Rows) != 2 || *page.Rows[1][0] != "4998" || page.More || *page.Filtered != 4900 {
		t.Fatalf("%+v %v", page, err)
	}
	// What is known opens nothing to whom the run is not open.
	if _, err := h.runs.Rows(t.Context(), h.eve, run.ID, req); slug(err) != "not-found" {
		t.Errorf("eve: %v", err)
	}
	// Of filtered rows, too.
	only := query.RowsRequest{Filter: `[{"col":"m","op":"eq","value":"3"}]`, Offset: 700, Limit: 1}
	for range 2 {
		if page, err = h.runs.Rows(t.Context(), h.ann, run.ID, only); err != nil || *page.Rows[0][0] != "4903" || *page.Filtered != 714 {
			t.Fatalf("%+v %v", page, err)
		}
	}
	if n, bytes := h.runs.Views(); n != 2 || bytes < 4*4900 {
		t.Errorf("%d views of %d bytes are kept", n, bytes)
	}
	if err := h.runs.Delete(t.Context(), h.ann, run.ID); err != nil {
		t.Fatal(err)
	}
	if n, _ := h.runs.Views(); n != 0 {
		t.Errorf("%d views of a deleted run are kept", n)
	}
}

// Charts take their memory where sorts do.
func TestChartsShareMemory(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{}, func(c *query.Config) { c.Bounds.Patience = 20 * time.Millisecond })
	run := h.run(h.ann, query.Request{SQL: "select g % 7 as m, g as n from generate_series(1, 5000) g"})
	spec := []byte(`{"v":1,"type":"bar","x":"m","y":[{"col":"n","agg":"count"}]}`)
	release := h.runs.HoldSorts(t)
	_, err := h.runs.Aggregate(t.Context(), h.ann, run.ID, 0, spec)
	if e := problem(err); slug(err) != "charts-busy" || e.Code != admin.Unavailable || e.RetryAfter <= 0 {
		t.Fatalf("with no memory left: %v", err)
	}
	release()
	for range 3 { // each gives back what it took
		if chart, err := h.runs.Aggregate(t.Context(), h.ann, run.ID, 0, spec); err != nil || chart.Data.Rows != 5000 {
			t.Fatalf("%+v %v", chart, err)
		}
	}
}

// Pages on their way take memory until they are closed; then the next is served.
func TestPagesShareMemory(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{}, func(c *query.Config) {
		c.Bounds.Patience, c.Bounds.PageBytes = 20*time.Millisecond, 1<<20
	})
	run := h.run(h.ann, query.Request{SQL: "select g as n, repeat('x', 1000) as w, null::int from generate_series(1, 3000) g"})
	release := h.runs.HoldPages(t)
	if _, err := h.runs.Rows(t.Context(), h.ann, run.ID, query.RowsRequest{}); slug(err) != "pages-busy" || problem(err).RetryAfter <= 0 {
		t.Errorf("with no memory left: %v", err)
	}
	release()
	page, err := h.runs.Rows(t.Context(), h.ann, run.ID, query.RowsRequest{Limit: 900})
	if held := h.runs.PagesHeld(); err != nil || held < 900_000 || held > 1<<20 {
		t.Errorf("%d bytes are held: %v", held, err)
	}
	page.Close()
	page.Close()
	_, err = h.runs.Rows(t.Context(), h.ann, run.ID, query.RowsRequest{Limit: 2000})
	if slug(err) != "page-too-large" {
		t.Errorf("2 MB of 1 MiB: %v", err)
	}
	h.journal.broken(errors.New("full"))
	if _, err := h.runs.Rows(t.Context(), h.ann, run.ID, query.RowsRequest{}); slug(err) != "audit-unavailable" {
		t.Errorf("no record: %v", err)
	}
	if held := h.runs.PagesHeld(); held != 0 {
		t.Errorf("%d bytes are held by nobody", held)
	}
}

// Files that hold a part of the result in memory are few at a time; the others
// wait for nobody.
func TestExportsShareMemory(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{}, func(c *query.Config) { c.Bounds.ExportPatience = 20 * time.Millisecond })
	run := h.run(h.ann, query.Request{SQL: "select g as n from generate_series(1, 5000) g"})
	export := func(name string) (*query.Export, error) {
		return h.runs.Export(t.Context(), h.ann, run.ID, query.ExportRequest{Options: format.Options{Format: name}})
	}
	release := h.runs.HoldExports(t)
	if _, err := export("parquet"); slug(err) != "exports-busy" || problem(err).RetryAfter <= 0 {
		t.Fatalf("with no memory left: %v", err)
	}
	if said := h.journal.of(audit.KindResultExport, run.ID); len(said) != 0 {
		t.Errorf("%d exports are recorded of none", len(said))
	}
	csv, err := export("csv")
	if err != nil || csv.Close() != nil {
		t.Errorf("a file that holds nothing: %v", err)
	}
	release()
	x, err := export("parquet")
	if err != nil || h.runs.ExportsHeld() == 0 {
		t.Fatalf("%d bytes are held: %v", h.runs.ExportsHeld(), err)
	}
	if err := errors.Join(x.Write(t.Context(), io.Discard), x.Close()); err != nil {
		t.Error(err)
	}
	h.journal.broken(errors.New("full"))
	if _, err := export("parquet"); slug(err) != "audit-unavailable" {
		t.Errorf("no record: %v", err)
	}
	if held := h.runs.ExportsHeld(); held != 0 {
		t.Errorf("%d bytes are held by nobody", held)
	}
}

// problem is an answer of ours; an empty one if it is none.
func problem(err error) *admin.Error {
	if e, ok := errors.AsType[*admin.Error](err); ok {
		return e
	}
	return &admin.Error{}
}
