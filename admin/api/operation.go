package api

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/lockkeeper/lockkeeper/admin"
)

// apiBase is below what all routes stand.
const apiBase = "/api/v1"

// route is one line of the table of routes.
type route struct {
	id      string // of the operation
	method  string
	path    string // below apiBase
	summary string
	tag     string
	scopes  []admin.Scope // any of them is enough; none: whoever is signed in
	open    bool          // nobody need be signed in
	status  int           // of success; 0: 200, or 204 without a body
	also    []int         // further statuses of success and 3xx
	maxBody int64         // bytes; 0: maxBody
	slow    bool          // lasts: it ends with the caller's rights
	stream  bool          // an event stream: counted
	report  bool          // browsers send it by themselves, without our headers

	openParams bool // query parameters that the document cannot list
}

const (
	maxBody    = 256 << 10       // of most bodies
	maxSQLBody = 1<<20 + 256<<10 // of those that hold SQL: 1 MiB of it and what goes around
	mediaJSON  = "application/json"
	mediaSQL   = "application/sql"
)

// nothing is the input or output that holds none.
type nothing struct{}

// register puts one operation into the table: its handler gets the caller that
// the edge found, or nil if the route is open and nobody is signed in.
func register[I, O any](a *API, rt route, handler func(ctx context.Context, c *admin.Caller, in *I) (*O, error)) {
	op := huma.Operation{
		OperationID: rt.id, Method: rt.method, Path: apiBase + rt.path, Summary: rt.summary, Tags: []string{rt.tag},
		DefaultStatus: rt.status, MaxBodyBytes: max(rt.maxBody, maxBody), BodyReadTimeout: -1, // the edge has read the body
		RejectUnknownQueryParameters: !rt.openParams, Security: security(rt),
		Responses: map[string]*huma.Response{"default": {Description: "A problem.", Content: map[string]*huma.MediaType{problemType: {Schema: a.problemSchema}}}},
	}
	for _, status := range rt.also {
		op.Responses[fmt.Sprint(status)] = &huma.Response{Description: http.StatusText(status)}
	}
	if rt.path == "/query" {
		op.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{mediaSQL: {Schema: &huma.Schema{Type: huma.TypeString}}}}
	}
	a.routes = append(a.routes, rt)
	op.Middlewares = huma.Middlewares{a.gate(rt)}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, callerOf(ctx), in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return out, nil
	})
}

func security(rt route) []map[string][]string {
	if rt.open {
		return []map[string][]string{}
	}
	var scopes []string
	for _, s := range rt.scopes {
		scopes = append(scopes, string(s))
	}
	return []map[string][]string{{"session": {}}, {"token": scopes}}
}

// gate stands before the operation: who may pass, and with what body.
func (a *API) gate(rt route) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(hc)
		ctx := context.WithValue(hc.Context(), operationKey, rt.id)
		ctx, done, err := a.admit(ctx, w, r, rt)
		if err != nil {
			a.refuse(w, r.WithContext(ctx), err)
			return
		}
		defer done()
		var after []func()
		ctx = context.WithValue(ctx, afterKey, &after)
		defer func() {
			for _, f := range after {
				f()
			}
		}()
		began := a.cfg.Now()
		if err := a.takeBody(w, r, rt, hc.Operation(), callerOf(ctx)); err != nil {
			a.refuse(w, r.WithContext(ctx), err)
			return
		}
		if c := callerOf(ctx); c != nil && a.cfg.Now().Sub(began) > slowBody {
			now, err := a.again(ctx)
			if err == nil {
				err = needAny(now, rt.scopes)
			}
			if err != nil {
				a.refuse(w, r.WithContext(ctx), err)
				return
			}
			ctx = context.WithValue(ctx, callerKey, now)
		}
		next(&answer{humaContext: huma.WithContext(hc, ctx)})
	}
}

// slowBody is how long a body may take before whoever sends it is looked at
// again: rights that ended meanwhile have ended for what they ask, too.
const slowBody = 200 * time.Millisecond

// afterwards calls f when the answer has been written, or never will be.
func afterwards(ctx context.Context, f func()) {
	if all, ok := ctx.Value(afterKey).(*[]func()); ok {
		*all = append(*all, f)
	}
}

// answer is the context of one operation. It carries the status of a problem
// past huma, which has its own ideas.
type answer struct {
	humaContext

	problem *Problem
}

// humaContext gives the embedded field another name than its method Context.
type humaContext = huma.Context

// Unwrap returns the context of the adapter.
func (x *answer) Unwrap() huma.Context { return x.humaContext }

// SetStatus sets the status of the answer, or that of the problem it became.
func (x *answer) SetStatus(code int) {
	if x.problem != nil {
		code = x.problem.Status
	}
	x.humaContext.SetStatus(code)
}

// transform is the last step before a body is written.
func (a *API) transform(hc huma.Context, _ string, body any) (any, error) {
	m, invalid := body.(*huma.ErrorModel)
	if !invalid {
		if p, is := body.(*Problem); is {
			return p, nil
		}
		return dense(body), nil
	}
	p := a.validation(hc, m)
	if x, ok := hc.(*answer); ok {
		x.problem = p
	}
	for name, values := range p.GetHeaders() {
		for _, v := range values {
			hc.SetHeader(name, v)
		}
	}
	return p, nil
}

// mediaType returns the media type of a body, in lower case.
func mediaType(r *http.Request) string {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

// sqlFormat lets a body of application/sql stand for {"sql": …}.
func sqlFormat(json huma.Format) huma.Format {
	return huma.Format{Marshal: json.Marshal, Unmarshal: func(data []byte, v any) error {
		text := &strings.Builder{}
		if err := json.Marshal(text, map[string]string{"sql": string(data)}); err != nil {
			return err
		}
		return json.Unmarshal([]byte(text.String()), v)
	}}
}
