package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/query"
)

type oneShotIn struct {
	RunHeaders
	OpenParams
	Looks

	Target string `query:"target" maxLength:"63"`
	Format string `query:"format" enum:"csv,tsv,json,ndjson,xlsx,parquet" default:"json"`
	Body   runRequest
}

// OpenParams are p.NAME=value and p.NAME:TYPE=value of the query string.
type OpenParams struct {
	params []query.Param
}

// Resolve reads them: huma knows no parameters with open names.
func (p *OpenParams) Resolve(hc huma.Context) []error {
	u := hc.URL()
	all, errs := splitParams(u.Query())
	p.params = all
	return errs
}

// oneShotKnown are the other parameters of POST /query.
var oneShotKnown = []string{"target", "format", "delimiter", "null", "header", "safe", "values"}

func splitParams(q url.Values) ([]query.Param, []error) {
	var out []query.Param
	var errs []error
	for name, values := range q {
		rest, is := strings.CutPrefix(name, "p.")
		switch {
		case !is && slices.Contains(oneShotKnown, name):
			continue
		case !is:
			errs = append(errs, &huma.ErrorDetail{Location: "query." + name, Message: unknownName(oneShotKnown) + ", and p.NAME for :NAME in the SQL"})
			continue
		}
		called, kind, _ := strings.Cut(rest, ":")
		if called == "" || len(called) > 63 || len(kind) > 63 || len(values) != 1 || len(out) == query.MaxParams {
			errs = append(errs, &huma.ErrorDetail{Location: "query." + name, Message: "write p.NAME=value or p.NAME:TYPE=value, each name once"})
			continue
		}
		out = append(out, query.Param{Name: called, Type: kind, Value: values[0]})
	}
	slices.SortFunc(out, func(a, b query.Param) int { return strings.Compare(a.Name, b.Name) })
	return out, errs
}

func (a *API) oneShotRoutes() {
	register(a, route{
		id: "query", method: "POST", path: "/query", summary: "Run SQL and take its rows in one call", tag: "runs", also: []int{202},
		scopes: []admin.Scope{admin.ScopeRunsWrite, admin.ScopeRunsWriteDML, admin.ScopeQueriesRun}, maxBody: maxSQLBody, slow: true, openParams: true,
	}, a.oneShot)
}

func (a *API) oneShot(ctx context.Context, c *admin.Caller, in *oneShotIn) (*download, error) {
	req := in.Body.request(a, in.Key)
	if in.Target != "" {
		req.Target = a.target(in.Target)
	}
	req.Params = append(req.Params, in.params...)
	if err := boundSQL(req.SQL); err != nil {
		return nil, err
	}
	options, err := in.options(in.Format)
	if err != nil {
		return nil, err
	}
	p := parsePrefer(in.Prefer, maxWait)
	sub, err := a.cfg.Runs.Submit(ctx, c, req)
	if err != nil {
		return nil, err
	}
	run, err := a.await(ctx, c, sub.Run, p.wait)
	if err != nil {
		return nil, err
	}
	more := map[string]string{"Lockkeeper-Run": run.ID}
	if p.applied != "" {
		more["Preference-Applied"] = p.applied
	}
	if sub.Replayed {
		more["Idempotent-Replayed"] = "true"
	}
	if !run.State.Terminal() {
		return &download{func(hc huma.Context) { a.later(hc, run, more) }}, nil
	}
	if run.State != query.StateSucceeded {
		return nil, runProblem(run)
	}
	x, err := a.cfg.Runs.Export(ctx, c, run.ID, query.ExportRequest{
		Statement: lastResult(run), Options: options,
	})
	if err != nil {
		return nil, err
	}
	return &download{func(hc huma.Context) { a.send(ctx, hc, x, "", more) }}, nil
}

// later answers with a run that has not ended.
func (a *API) later(hc huma.Context, run query.Run, more map[string]string) {
	for name, value := range more {
		hc.SetHeader(name, value)
	}
	hc.SetHeader("Location", a.runPath(run.ID))
	hc.SetHeader("Retry-After", retryAfter(2*time.Second))
	hc.SetHeader("Content-Type", mediaJSON)
	hc.SetStatus(http.StatusAccepted)
	_ = a.huma.Marshal(hc.BodyWriter(), mediaJSON, dense(run)) // whoever left cannot be told
}

// lastResult is the statement whose rows a one-shot query means: the last that
// gave any.
func lastResult(run query.Run) int {
	for _, s := range slices.Backward(run.Statements) {
		if s.Result != nil && len(s.Result.Columns) > 0 {
			return s.Index
		}
	}
	return max(0, len(run.Statements)-1)
}

// runProblem is a run that did not succeed, as an error of the one-shot query.
func runProblem(run query.Run) error {
	e := &admin.Error{Code: admin.Unprocessable, Slug: "run-failed", Text: "The run was canceled.", Extra: map[string]any{"run_id": run.ID}}
	if run.Error == nil {
		return e
	}
	e.Text = run.Error.Message
	e.Extra["error"] = run.Error
	if run.Error.Code == query.CodeSQL {
		e.Slug = "sql-error"
		e.Extra["sqlstate"], e.Extra["hint"], e.Extra["position"] = run.Error.SQLState, run.Error.Hint, run.Error.Position
	}
	if run.Error.Code == query.CodePolicy {
		e.Code, e.Slug = admin.Forbidden, "policy-denied"
	}
	return e
}
