package api_test

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/api"
	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/audit"
)

// backroom keeps the promises of the use cases of runs and saved queries, in
// memory: a run is its owner's and its viewers', every read is recorded first.
// A run of SQL that holds "slow" ends when the test says so.
type backroom struct {
	h *house

	mu      sync.Mutex // guards all below
	runs    map[string]*kept
	keys    map[string]string
	saved   map[string]*query.Saved
	changes int // of anything
	begun   int // runs begun
	asked   []query.RowsRequest
}

type kept struct {
	run     query.Run
	owner   string
	viewers map[string]query.Viewer
	changed chan struct{}
}

func newBackroom(h *house) *backroom {
	return &backroom{h: h, runs: map[string]*kept{}, keys: map[string]string{}, saved: map[string]*query.Saved{}}
}

var _ api.Runs = (*backroom)(nil)

// open returns a run that is the caller's, or open to them.
func (b *backroom) open(c *admin.Caller, id string, own bool) (*kept, error) {
	k, found := b.runs[id]
	if !found {
		return nil, admin.Missing()
	}
	_, viewer := k.viewers[c.Login]
	if k.owner == c.ID || viewer && !own {
		return k, nil
	}
	return nil, admin.Missing()
}

func (b *backroom) Submit(_ context.Context, c *admin.Caller, req query.Request) (query.Submitted, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if req.Query != nil {
		q, found := b.saved[req.Query.ID]
		if !found || q.Owner.ID != c.ID {
			return query.Submitted{}, admin.Missing()
		}
		req.SQL = q.SQL
	}
	if strings.TrimSpace(req.SQL) == "" {
		return query.Submitted{}, admin.Errorf(admin.Invalid, "invalid-request", "There is no SQL.")
	}
	if c.Role(req.Target) == admin.RoleNone && req.Query == nil {
		return query.Submitted{}, admin.Errorf(admin.Forbidden, "target-forbidden", "No grant opens this warehouse to you.")
	}
	key := c.ID + "\x00" + req.IdempotencyKey
	if id, used := b.keys[key]; used && req.IdempotencyKey != "" {
		if *b.runs[id].run.SQL != req.SQL {
			return query.Submitted{}, admin.Errorf(admin.Unprocessable, "idempotency-key-reused", "This key was used for another request.")
		}
		return query.Submitted{Run: b.runs[id].run, Replayed: true}, nil
	}
	k := b.begin(c, req)
	b.keys[key] = k.run.ID
	return query.Submitted{Run: k.run}, nil
}

func (b *backroom) begin(c *admin.Caller, req query.Request) *kept {
	b.begun++
	b.changes++
	now := time.Date(2026, 9, 20, 10, 0, 0, 123456789, time.UTC)
	sql := req.SQL
	id := admin.NewID(admin.PrefixRun)
	k := &kept{owner: c.ID, viewers: map[string]query.Viewer{}, changed: make(chan struct{}), run: query.Run{
		ID: id, URL: "/r/" + id[2:], State: query.StateRunning, Target: cmp.Or(req.Target, "warehouse"), Access: cmp.Or(req.Access, query.ReadOnly), Via: c.Via, Title: req.Title,
		Submitter: query.Submitter{ID: c.ID, Kind: string(c.Kind), Login: c.Login}, SQL: &sql, Times: query.Times{Submitted: now, Started: &now}, Version: 1,
		Statements: []query.Statement{{State: query.StatementRunning}}, Params: req.Params,
	}}
	b.runs[k.run.ID] = k
	if !strings.Contains(sql, "slow") {
		b.finishLocked(k)
	}
	return k
}

func (b *backroom) finishLocked(k *kept) {
	if k.run.State.Terminal() {
		return
	}
	next := k.run
	next.Version++
	next.State = query.StateSucceeded
	next.Statements = []query.Statement{{State: query.StatementSucceeded, Result: &query.Result{RowCount: 3, Columns: columns, CommandTag: "SELECT 3", Formats: []string{"csv"}}}}
	if strings.Contains(*k.run.SQL, "syntax") {
		next.State = query.StateFailed
		next.Error = &query.RunError{Code: query.CodeSQL, SQLState: "42601", Message: "syntax error", Position: &query.Position{Offset: 3, Line: 1, Column: 4}}
	}
	b.change(k, next)
}

func (b *backroom) change(k *kept, next query.Run) {
	k.run = next
	b.changes++
	close(k.changed)
	k.changed = make(chan struct{})
	b.h.hub.Publish("run:"+k.run.ID, uint64(k.run.Version), nil)
	b.h.hub.Publish("runs:"+k.owner, uint64(b.changes), nil)
}

func (b *backroom) finish(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.finishLocked(b.runs[id])
}

func (b *backroom) Get(_ context.Context, c *admin.Caller, id string) (query.Run, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k, err := b.open(c, id, false)
	if err != nil {
		return query.Run{}, err
	}
	return k.run, nil
}

func (b *backroom) Wait(ctx context.Context, c *admin.Caller, id string, version int64) (query.Run, error) {
	for {
		b.mu.Lock()
		k, err := b.open(c, id, false)
		if err != nil {
			b.mu.Unlock()
			return query.Run{}, err
		}
		run, changed := k.run, k.changed
		b.mu.Unlock()
		if run.State.Terminal() || run.Version > version {
			return run, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return run, nil
		}
	}
}

func (b *backroom) List(_ context.Context, c *admin.Caller, f query.Filter) (query.Page, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var p query.Page
	for _, id := range slices.Sorted(maps.Keys(b.runs)) {
		k, err := b.open(c, id, false)
		if err != nil || f.Submitter != "" && k.run.Submitter.Login != f.Submitter {
			continue
		}
		p.Runs = append(p.Runs, k.run)
	}
	if len(p.Runs) > f.Limit {
		p.Runs, p.Next = p.Runs[:f.Limit], "more"
	}
	return p, nil
}

func (b *backroom) Live(_ context.Context, c *admin.Caller) ([]query.Run, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []query.Run
	for _, id := range slices.Sorted(maps.Keys(b.runs)) {
		if k := b.runs[id]; k.owner == c.ID && !k.run.State.Terminal() {
			out = append(out, k.run)
		}
	}
	return out, nil
}

func (b *backroom) alter(c *admin.Caller, id string, act func(*query.Run)) (query.Run, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k, err := b.open(c, id, true)
	if err != nil {
		return query.Run{}, err
	}
	next := k.run
	next.Version++
	act(&next)
	b.change(k, next)
	return next, nil
}

func (b *backroom) Cancel(_ context.Context, c *admin.Caller, id, reason string) (query.Run, error) {
	return b.alter(c, id, func(r *query.Run) {
		if !r.State.Terminal() {
			r.State, r.Cancel = query.StateCanceled, &query.Canceled{By: c.Login, Reason: reason}
		}
	})
}

func (b *backroom) Lease(_ context.Context, c *admin.Caller, id string) error {
	_, err := b.alter(c, id, func(*query.Run) {})
	return err
}

func (b *backroom) Update(_ context.Context, c *admin.Caller, id string, ch query.Change) (query.Run, error) {
	return b.alter(c, id, func(r *query.Run) {
		if ch.Title != nil {
			r.Title = *ch.Title
		}
		if ch.Pinned != nil {
			r.Pinned = *ch.Pinned
		}
	})
}

func (b *backroom) Delete(_ context.Context, c *admin.Caller, id string) error {
	_, err := b.alter(c, id, func(r *query.Run) { r.Deleted, r.SQL = true, nil })
	return err
}

func (b *backroom) Viewers(_ context.Context, c *admin.Caller, id string) ([]query.Viewer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k, err := b.open(c, id, true)
	if err != nil {
		return nil, err
	}
	return slices.Collect(maps.Values(k.viewers)), nil
}

func (b *backroom) AddViewer(_ context.Context, c *admin.Caller, id, login string) error {
	_, err := b.alter(c, id, func(r *query.Run) { b.runs[id].viewers[login] = query.Viewer{Login: login, By: c.Login} })
	return err
}

func (b *backroom) RemoveViewer(_ context.Context, c *admin.Caller, id, login string) error {
	_, err := b.alter(c, id, func(*query.Run) { delete(b.runs[id].viewers, login) })
	return err
}

var columns = []query.Column{{Name: "n", Type: "int4", OID: 23}, {Name: "big", Type: "int8", OID: 20}, {Name: "t", Type: "text", OID: 25}}

func text(s string) *string { return &s }

var rows = [][]*string{{text("1"), text("9223372036854775807"), text("SECRETCELL")}, {text("2"), nil, text("")}, {text("3"), text("0"), nil}}

// result returns a run whose rows may be read now, after that is in the record.
func (b *backroom) result(ctx context.Context, c *admin.Caller, id string, kind audit.Kind) error {
	b.mu.Lock()
	k, err := b.open(c, id, false)
	if err != nil {
		b.mu.Unlock()
		return err
	}
	run := k.run
	b.mu.Unlock()
	if run.Deleted {
		return admin.Errorf(admin.Gone, "result-expired", "The rows are gone.")
	}
	if !run.State.Terminal() {
		return &admin.Error{Code: admin.Conflict, Slug: "run-not-finished", Text: "The run has not finished.", RetryAfter: time.Second, Extra: map[string]any{"state": run.State}}
	}
	e := c.Entry(kind)
	e.Run = id
	if err := b.h.journal.Record(ctx, &e); err != nil {
		return &admin.Error{Code: admin.Unavailable, Slug: "record-unavailable", Text: "The record is unavailable.", Err: err}
	}
	return nil
}

func (b *backroom) Rows(ctx context.Context, c *admin.Caller, id string, req query.RowsRequest) (query.RowsPage, error) {
	if err := b.result(ctx, c, id, audit.KindResultRead); err != nil {
		return query.RowsPage{}, err
	}
	b.mu.Lock()
	b.asked = append(b.asked, req)
	b.mu.Unlock()
	from := min(int(req.Offset), len(rows))
	to := min(from+req.Limit, len(rows))
	return query.RowsPage{Run: id, Statement: req.Statement, Offset: req.Offset, RowCount: int64(len(rows)), Columns: columns, Rows: rows[from:to], More: to < len(rows), ETag: id + "-" + strconv.Itoa(from)}, nil
}

func (b *backroom) Aggregate(ctx context.Context, c *admin.Caller, id string, _ int, chart []byte) (query.Groups, error) {
	if err := b.result(ctx, c, id, audit.KindResultRead); err != nil {
		return query.Groups{}, err
	}
	if !json.Valid(chart) {
		return query.Groups{}, admin.Errorf(admin.Invalid, "invalid-request", "No chart.")
	}
	return query.Groups{Columns: columns[:1], Rows: rows[:1], FromRows: 3, OfRows: 3, ETag: id}, nil
}

// slowly hands out pieces until the context of the download ends.
var slowly = strings.Repeat("x", 32<<10)

func (b *backroom) Export(ctx context.Context, c *admin.Caller, id string, req query.ExportRequest) (*query.Export, error) {
	if err := b.result(ctx, c, id, audit.KindResultExport); err != nil {
		return nil, err
	}
	x := &query.Export{ContentType: "text/csv; charset=utf-8", Filename: "run " + id + "." + req.Format, ETag: id + "-" + req.Format, RowCount: 3}
	b.mu.Lock()
	endless := b.runs[id].run.SQL != nil && strings.Contains(*b.runs[id].run.SQL, "endless")
	b.mu.Unlock()
	meet(x, "write", func(ctx context.Context, w io.Writer) error {
		if endless {
			for {
				if _, err := io.WriteString(w, slowly); err != nil {
					return err
				}
			}
		}
		_, err := io.WriteString(w, "n,big,t\n1,9223372036854775807,SECRETCELL\n")
		return err
	})
	meet(x, "close", func() error { return nil })
	return x, nil
}

// meet sets a field that only the use case can.
func meet(x *query.Export, field string, fn any) {
	f := reflect.ValueOf(x).Elem().FieldByName(field)
	reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem().Set(reflect.ValueOf(fn))
}

func (b *backroom) Latest(_ context.Context, c *admin.Caller, queryID string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	q, found := b.saved[queryID]
	if !found || q.Owner.ID != c.ID {
		return "", admin.Missing()
	}
	for id, k := range b.runs {
		if k.owner == c.ID && k.run.State == query.StateSucceeded {
			return id, nil
		}
	}
	return "", admin.Missing()
}

func (b *backroom) state() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changes
}

type library struct{ *backroom }

func (b *backroom) library() api.Library { return library{b} }

func (l library) find(c *admin.Caller, id string) (*query.Saved, error) {
	q, found := l.saved[id]
	if !found || q.Owner.ID != c.ID {
		return nil, admin.Missing()
	}
	return q, nil
}

func (l library) List(_ context.Context, c *admin.Caller, f query.SavedFilter) (query.SavedPage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var p query.SavedPage
	for _, q := range l.saved {
		if q.Owner.ID == c.ID && (f.Draft == nil || *f.Draft == q.Draft) {
			p.Items = append(p.Items, *q)
		}
	}
	return p, nil
}

func (l library) Create(_ context.Context, c *admin.Caller, n query.NewSaved) (query.Saved, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := &query.Saved{ID: admin.NewID(admin.PrefixQuery), Title: n.Title, SQL: n.SQL, Params: n.Params, Chart: n.Chart, Team: n.Team, Draft: n.Draft, Target: n.Target, Owner: query.Owner{ID: c.ID, Login: c.Login}, Version: 1, Rev: 1}
	l.saved[q.ID] = q
	l.changes++
	return *q, nil
}

func (l library) Get(_ context.Context, c *admin.Caller, id string) (query.Saved, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q, err := l.find(c, id)
	if err != nil {
		return query.Saved{}, err
	}
	return *q, nil
}

func (l library) Update(_ context.Context, c *admin.Caller, id string, rev int64, ch query.SavedChange) (query.Saved, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q, err := l.find(c, id)
	if err != nil {
		return query.Saved{}, err
	}
	if rev == 0 {
		return query.Saved{}, admin.Errorf(admin.Precondition, "if-match-required", "Send If-Match.")
	}
	if rev != q.Rev {
		e := admin.Errorf(admin.Precondition, "version-conflict", "Somebody changed it.")
		e.Extra = map[string]any{"current_version": q.Rev}
		return query.Saved{}, e
	}
	next := *q
	if ch.Title != nil {
		next.Title = *ch.Title
	}
	if ch.Team != nil {
		next.Team = ch.Team
	}
	if ch.Chart != nil {
		next.Chart = *ch.Chart
	}
	next.Rev++
	l.saved[id] = &next
	l.changes++
	return next, nil
}

func (l library) Delete(_ context.Context, c *admin.Caller, id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.find(c, id)
	if err == nil {
		delete(l.saved, id)
		l.changes++
	}
	return err
}

func (l library) Versions(ctx context.Context, c *admin.Caller, id string) ([]query.Version, error) {
	v, err := l.Version(ctx, c, id, 1)
	return []query.Version{v}, err
}

func (l library) Version(ctx context.Context, c *admin.Caller, id string, n int) (query.Version, error) {
	q, err := l.Get(ctx, c, id)
	if err == nil && n != 1 {
		err = admin.Missing()
	}
	return query.Version{Version: 1, SQL: q.SQL}, err
}

func (l library) Fork(ctx context.Context, c *admin.Caller, id string) (query.Saved, error) {
	q, err := l.Get(ctx, c, id)
	if err != nil {
		return q, err
	}
	return l.Create(ctx, c, query.NewSaved{Title: q.Title, SQL: q.SQL, Draft: true})
}

func (l library) Star(_ context.Context, c *admin.Caller, id string, on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	q, err := l.find(c, id)
	if err == nil {
		next := *q
		next.Starred = on
		l.saved[id] = &next
		l.changes++
	}
	return err
}

func (l library) Release(_ context.Context, c *admin.Caller, id string, version int, service string) (query.Saved, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q, err := l.find(c, id)
	if err != nil {
		return query.Saved{}, err
	}
	next := *q
	next.Released = append(slices.Clone(q.Released), query.Released{Service: service, Version: version, By: c.Login})
	l.saved[id] = &next
	l.changes++
	return next, nil
}

type catalog struct{}

func (b *backroom) catalog() api.Catalog { return catalog{} }

func (catalog) Tables(context.Context, *admin.Caller, string, string, string, int) (query.TablePage, error) {
	return query.TablePage{Items: []query.Table{{Schema: "public", Name: "fact", Kind: "table"}}}, nil
}

func (catalog) Table(_ context.Context, _ *admin.Caller, _, schema, name string) (query.TableDetail, error) {
	if schema != "public" || name != "fact" {
		return query.TableDetail{}, admin.Missing()
	}
	return query.TableDetail{Table: query.Table{Schema: schema, Name: name}}, nil
}

func (catalog) Completions(context.Context, *admin.Caller, string) (query.Completions, error) {
	return query.Completions{Version: "abc", Schemas: []query.CompletionSchema{{Name: "public"}}}, nil
}

type explainer struct{}

func (b *backroom) explainer() api.Explainer { return explainer{} }

func (explainer) Explain(_ context.Context, _ *admin.Caller, req query.ExplainRequest) (query.Explanation, error) {
	if req.SQL == "" {
		return query.Explanation{}, admin.Errorf(admin.Invalid, "invalid-request", "There is no SQL.")
	}
	return query.Explanation{Statements: []query.ExplainedStatement{{Kind: "select", Verdict: "allow"}}}, nil
}
