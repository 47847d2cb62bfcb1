package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/query"
)

// runRequest is the body of POST /runs.
type runRequest struct {
	Target  string            `json:"target,omitempty" maxLength:"63" doc:"Empty: the first warehouse."`
	SQL     string            `json:"sql,omitempty" doc:"What to run, word by word. Not with query."`
	Query   *queryPick        `json:"query,omitempty" doc:"A saved query to run. Not with sql."`
	Params  []runParam        `json:"params,omitempty" maxItems:"200" doc:"Values of the :names of the text. Only names given here are bound."`
	Access  string            `json:"access,omitempty" enum:"read_only,read_write" doc:"Default read_only."`
	Multi   bool              `json:"multi,omitempty" doc:"Allow more than one statement."`
	Urgency string            `json:"urgency,omitempty" enum:"interactive,batch" doc:"A hint for the policy. Default: interactive for pages, batch for tokens."`
	Limits  runLimits         `json:"limits,omitzero" required:"false"`
	OnLimit string            `json:"on_limit,omitempty" enum:"truncate,fail" doc:"Default truncate."`
	Tags    map[string]string `json:"tags,omitempty"`
	Title   string            `json:"title,omitempty" maxLength:"300"`
	Keep    bool              `json:"keep,omitempty" doc:"Run on when nobody looks."`
}

type queryPick struct {
	ID      string `json:"id"`
	Version int    `json:"version,omitempty" minimum:"0" doc:"0: the newest that you may run."`
}

type runParam struct {
	Name  string `json:"name" minLength:"1" maxLength:"63"`
	Type  string `json:"type,omitempty" maxLength:"63" doc:"A type's name as the warehouse knows it; empty: it decides."`
	Value any    `json:"value,omitempty" doc:"null, a string, a number, a bool, or a list of these for an array type. Write large numbers as strings."`
}

type runLimits struct {
	MaxRows        int64 `json:"max_rows,omitempty" minimum:"0"`
	MaxBytes       int64 `json:"max_bytes,omitempty" minimum:"0"`
	RunTimeoutMS   int64 `json:"run_timeout_ms,omitempty" minimum:"0"`
	QueueTimeoutMS int64 `json:"queue_timeout_ms,omitempty" minimum:"0"`
}

// request turns the body into what the use case takes.
func (b *runRequest) request(a *API, key string) query.Request {
	req := query.Request{
		Target: a.target(b.Target), SQL: b.SQL, Params: params(b.Params), Access: query.Access(b.Access), Multi: b.Multi,
		Urgency: query.Urgency(b.Urgency), OnLimit: query.OnLimit(b.OnLimit), Tags: b.Tags, Title: b.Title, Keep: b.Keep,
		Limits: query.Limits(b.Limits), IdempotencyKey: key,
	}
	if b.Query != nil {
		req.Query = &query.QueryPick{ID: b.Query.ID, Version: b.Query.Version}
		req.Target = b.Target // the query knows its own
	}
	return req
}

func params(in []runParam) []query.Param {
	var out []query.Param
	for _, p := range in {
		out = append(out, query.Param(p))
	}
	return out
}

// RunHeaders are of requests that begin a run.
type RunHeaders struct {
	Prefer string `header:"Prefer" doc:"wait=0…55 (seconds; default 10, POST /query 55) or respond-async."`
	Key    string `header:"Idempotency-Key" maxLength:"200" doc:"The same key and body give the same run for 24 hours."`
}

// begun is the answer to a request that begins a run: 201 if it has ended, 202
// if not.
type begun struct {
	Status   int
	Location string `header:"Location"`
	Applied  string `header:"Preference-Applied"`
	Replayed string `header:"Idempotent-Replayed"`
	ETag     string `header:"ETag"`
	Body     query.Run
}

// RunID names one run in a path.
type RunID struct {
	ID string `path:"id" maxLength:"64" doc:"r_ and 16 characters."`
}

type oneRun struct {
	Status   int
	ETag     string `header:"ETag"`
	Applied  string `header:"Preference-Applied"`
	Location string `header:"Location"`
	Body     *query.Run
}

type reasonBody struct {
	Reason string `json:"reason,omitempty" maxLength:"1000"`
}

type runChange struct {
	Title  *string `json:"title,omitempty" maxLength:"300"`
	Pinned *bool   `json:"pinned,omitempty"`
	Keep   *bool   `json:"keep,omitempty" doc:"Whether a run that goes on does so when nobody looks."`
}

type viewersBody struct {
	Items []query.Viewer `json:"items"`
}

func (a *API) runRoutes() {
	const tag = "runs"
	write := []admin.Scope{admin.ScopeRunsWrite, admin.ScopeRunsWriteDML, admin.ScopeQueriesRun}
	read := []admin.Scope{admin.ScopeRunsRead}
	register(a, route{id: "submit-run", method: "POST", path: "/runs", summary: "Run SQL, or a saved query", tag: tag, scopes: write, status: 201, also: []int{202}, maxBody: maxSQLBody, slow: true}, a.submitRun)
	register(a, route{id: "list-runs", method: "GET", path: "/runs", summary: "List runs, the newest first", tag: tag, scopes: read}, a.listRuns)
	register(a, route{id: "get-run", method: "GET", path: "/runs/{id}", summary: "Read a run, or wait for it", tag: tag, scopes: read, also: []int{304}, slow: true}, a.getRun)
	register(a, route{id: "update-run", method: "PATCH", path: "/runs/{id}", summary: "Name or pin a run", tag: tag, scopes: write}, a.updateRun)
	register(a, route{id: "delete-run", method: "DELETE", path: "/runs/{id}", summary: "Destroy rows, SQL and parameters of a run", tag: tag, scopes: write}, a.deleteRun)
	register(a, route{id: "cancel-run", method: "POST", path: "/runs/{id}/cancel", summary: "End a run", tag: tag, scopes: append(write[:3:3], admin.ScopeActivityCancel), status: 202, also: []int{200}}, a.cancelRun)
	register(a, route{id: "lease-run", method: "POST", path: "/runs/{id}/lease", summary: "Say that somebody looks at an interactive run", tag: tag, scopes: write}, a.leaseRun)
	register(a, route{id: "list-viewers", method: "GET", path: "/runs/{id}/viewers", summary: "List who else may open a run", tag: tag, scopes: read}, a.listViewers)
	register(a, route{id: "add-viewer", method: "PUT", path: "/runs/{id}/viewers/{login}", summary: "Let somebody open a run", tag: tag, scopes: write}, a.addViewer)
	register(a, route{id: "remove-viewer", method: "DELETE", path: "/runs/{id}/viewers/{login}", summary: "Take that back", tag: tag, scopes: write}, a.removeViewer)
}

func (a *API) submitRun(ctx context.Context, c *admin.Caller, in *struct {
	RunHeaders

	Body runRequest
},
) (*begun, error) {
	return a.begin(ctx, c, in.Body.request(a, in.Key), in.Prefer)
}

// begin submits a run and waits for it as long as the caller wants.
func (a *API) begin(ctx context.Context, c *admin.Caller, req query.Request, preference string) (*begun, error) {
	if err := boundSQL(req.SQL); err != nil {
		return nil, err
	}
	p := parsePrefer(preference, 10*time.Second)
	sub, err := a.cfg.Runs.Submit(ctx, c, req)
	if err != nil {
		return nil, err
	}
	run, err := a.await(ctx, c, sub.Run, p.wait)
	if err != nil {
		return nil, err
	}
	out := &begun{Status: http.StatusAccepted, Location: a.runPath(run.ID), Applied: p.applied, ETag: quoted(run.ETag()), Body: run}
	if run.State.Terminal() {
		out.Status = http.StatusCreated
	}
	if sub.Replayed {
		out.Replayed = "true"
	}
	return out, nil
}

// maxSQL bounds a text, in bytes.
const maxSQL = 1 << 20

func boundSQL(sql string) error {
	if len(sql) <= maxSQL {
		return nil
	}
	e := fail("sql-too-large", "The SQL is larger than 1 MiB. Load data with COPY, and long lists into a table.")
	e.Extra = map[string]any{"limit": maxSQL}
	return e
}

// await waits until a run has ended, at most for so long.
func (a *API) await(ctx context.Context, c *admin.Caller, run query.Run, wait time.Duration) (query.Run, error) {
	if wait <= 0 || run.State.Terminal() {
		return run, nil
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for !run.State.Terminal() && waiting.Err() == nil {
		next, err := a.cfg.Runs.Wait(waiting, c, run.ID, run.Version)
		if err != nil {
			if waiting.Err() != nil && ctx.Err() == nil {
				break // the use case heard the time-out first
			}
			return run, err
		}
		run = next
	}
	if err := ctx.Err(); err != nil {
		return run, interrupted(ctx)
	}
	return run, nil
}

// runPath returns the path of a run, as a client of this origin can use it.
func (a *API) runPath(id string) string { return a.out.prefix + apiBase + "/runs/" + id }

func (a *API) getRun(ctx context.Context, c *admin.Caller, in *struct {
	RunID

	Prefer    string `header:"Prefer" doc:"wait=0…55: with If-None-Match until it changes, else until it has ended."`
	NoneMatch string `header:"If-None-Match"`
},
) (*oneRun, error) {
	run, err := a.cfg.Runs.Get(ctx, c, in.ID)
	if err != nil {
		return nil, err
	}
	p := parsePrefer(in.Prefer, 0)
	if in.NoneMatch == "" {
		run, err = a.await(ctx, c, run, p.wait)
	} else if noneMatch(in.NoneMatch, quoted(run.ETag())) {
		run, err = a.awaitChange(ctx, c, run, p.wait)
	}
	if err != nil {
		return nil, err
	}
	// The tag is the version: whom it is open to changes without one, so that it is
	// for who asks by it, and no browser keeps the answer.
	out := &oneRun{Status: http.StatusOK, ETag: quoted(run.ETag()), Applied: p.applied, Body: &run}
	if noneMatch(in.NoneMatch, out.ETag) {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return out, nil
}

const privateCache = "private, no-cache"

// awaitChange waits until a run has another version, at most for so long.
func (a *API) awaitChange(ctx context.Context, c *admin.Caller, run query.Run, wait time.Duration) (query.Run, error) {
	if wait <= 0 || run.State.Terminal() {
		return run, nil
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	next, err := a.cfg.Runs.Wait(waiting, c, run.ID, run.Version)
	switch {
	case ctx.Err() != nil:
		return run, interrupted(ctx)
	case err != nil && waiting.Err() != nil:
		return run, nil
	default:
		return next, err
	}
}

func (a *API) listRuns(ctx context.Context, c *admin.Caller, in *struct {
	Page

	Submitter string    `query:"submitter" maxLength:"63" doc:"me or a login."`
	State     string    `query:"state" enum:"queued,running,succeeded,failed,canceled"`
	Query     string    `query:"query" maxLength:"64" doc:"Id of a saved query."`
	Q         string    `query:"q" maxLength:"200" doc:"Part of the title, or of the SQL where you may see it."`
	Target    string    `query:"target" maxLength:"63"`
	Via       string    `query:"via" enum:"web,api"`
	Since     time.Time `query:"since"`
	Until     time.Time `query:"until"`
	Starred   bool      `query:"starred" doc:"Pinned runs only."`
},
) (*runList, error) {
	f := query.Filter{
		Submitter: in.Submitter, State: query.State(in.State), Query: in.Query, Text: in.Q, Target: in.Target, Via: in.Via,
		Since: in.Since, Until: in.Until, Pinned: in.Starred, Cursor: in.Cursor, Limit: in.Limit,
	}
	if f.Submitter == "me" {
		f.Submitter = c.Login
	}
	found, err := a.cfg.Runs.List(ctx, c, f)
	all := list(found.Runs, found.Next)
	return &runList{runsBody{Items: all.Body.Items, Next: all.Body.Next, Incomplete: found.Incomplete}}, err
}

type runList struct{ Body runsBody }

type runsBody struct {
	Items      []query.Run `json:"items"`
	Next       *string     `json:"next" doc:"The cursor of the next page; null: no more."`
	Incomplete bool        `json:"incomplete" doc:"The warehouse does not answer: runs of others are left out of which it would have to say whether you may see them."`
}

func (a *API) updateRun(ctx context.Context, c *admin.Caller, in *struct {
	RunID

	Body runChange
},
) (*oneRun, error) {
	run, err := a.cfg.Runs.Update(ctx, c, in.ID, query.Change{Title: in.Body.Title, Pinned: in.Body.Pinned, Keep: in.Body.Keep})
	return &oneRun{Status: http.StatusOK, ETag: quoted(run.ETag()), Body: &run}, err
}

func (a *API) deleteRun(ctx context.Context, c *admin.Caller, in *RunID) (*nothing, error) {
	return nil, a.cfg.Runs.Delete(ctx, c, in.ID)
}

func (a *API) cancelRun(ctx context.Context, c *admin.Caller, in *struct {
	RunID

	Body *reasonBody `required:"false"`
},
) (*oneRun, error) {
	reason := ""
	if in.Body != nil {
		reason = strings.TrimSpace(in.Body.Reason)
	}
	run, err := a.cfg.Runs.Cancel(ctx, c, in.ID, reason)
	out := &oneRun{Status: http.StatusAccepted, ETag: quoted(run.ETag()), Location: a.runPath(run.ID), Body: &run}
	if run.State.Terminal() {
		out.Status = http.StatusOK
	}
	return out, err
}

func (a *API) leaseRun(ctx context.Context, c *admin.Caller, in *RunID) (*nothing, error) {
	return nil, a.cfg.Runs.Lease(ctx, c, in.ID)
}

type viewersOut struct{ Body viewersBody }

func (a *API) listViewers(ctx context.Context, c *admin.Caller, in *RunID) (*viewersOut, error) {
	items, err := a.cfg.Runs.Viewers(ctx, c, in.ID)
	return &viewersOut{viewersBody{items}}, err
}

type viewerID struct {
	RunID

	Login string `path:"login" maxLength:"63"`
}

func (a *API) addViewer(ctx context.Context, c *admin.Caller, in *viewerID) (*nothing, error) {
	return nil, a.cfg.Runs.AddViewer(ctx, c, in.ID, in.Login)
}

func (a *API) removeViewer(ctx context.Context, c *admin.Caller, in *viewerID) (*nothing, error) {
	return nil, a.cfg.Runs.RemoveViewer(ctx, c, in.ID, in.Login)
}
