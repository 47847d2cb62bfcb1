package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lockkeeper/lockkeeper/admin"
)

// Media types of reports by browsers: of the old way and of the new one.
const (
	mediaReport  = "application/csp-report"
	mediaReports = "application/reports+json"
)

type documentOut struct {
	Type string `header:"Content-Type"`
	Body []byte `contentType:"application/openapi+json"`
}

func (a *API) metaRoutes() {
	register(a, route{id: "openapi", method: "GET", path: "/openapi.json", summary: "This document", tag: "meta"}, a.openAPI)
	register(a, route{id: "csp-report", method: "POST", path: "/csp-reports", summary: "Where browsers report what the page's policy stopped", tag: "meta", open: true, report: true}, a.cspReport)
}

func (a *API) openAPI(context.Context, *admin.Caller, *nothing) (*documentOut, error) {
	return &documentOut{Type: "application/openapi+json", Body: a.spec}, nil
}

// cspReport counts. What the report says comes from a stranger and is not kept.
func (a *API) cspReport(ctx context.Context, _ *admin.Caller, _ *struct {
	RawBody []byte `contentType:"application/csp-report"`
},
) (*nothing, error) {
	n := a.cspReports.Add(1)
	if n&(n-1) == 0 { // the first, second, fourth …: a page that fails often must not fill the log
		a.cfg.Log.WarnContext(ctx, "the content security policy of the page was violated", slogRequest(ctx), slogCount(n))
	}
	if a.cfg.OnCSPReport != nil {
		a.cfg.OnCSPReport()
	}
	return nil, nil //nolint:nilnil // no content
}

// noRoute answers below /api what no operation does.
func (a *API) noRoute(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		probe := new(http.Request)
		*probe = *r
		probe.Method = method
		if _, pattern := a.mux.Handler(probe); strings.HasPrefix(pattern, method+" "+apiBase) {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		a.refuse(w, r, admin.Missing())
		return
	}
	p := a.problem(r.Context(), fail("method-not-allowed", "This path takes "+strings.Join(allowed, ", ")+"."))
	p.allow = strings.Join(allowed, ", ")
	a.refuse(w, r, p)
}

// document returns the OpenAPI document, with what huma cannot know: lists of
// answers are never null, and what is a pointer to an object may be.
func (a *API) document() ([]byte, error) {
	raw, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	a.mendDocument(doc)
	return json.MarshalIndent(doc, "", "  ")
}

// schemaName names a schema after its type; types of ours that only carry an
// answer are named without that word.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for _, suffix := range []string{"Out", "Body"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}
