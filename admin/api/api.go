package api

import (
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/lockkeeper/lockkeeper/admin/query"
)

// API serves the office over HTTP. It is safe for concurrent use.
type API struct {
	cfg     Config
	out     external
	mux     *routed
	huma    huma.API
	routes  []route
	limits  *buckets
	open    *buckets
	streams *streams
	vouched vouched
	files   *files
	spec    []byte // the OpenAPI document

	problemSchema *huma.Schema
	cspReports    atomic.Uint64
}

// routed is a mux that remembers what it routes, so that a test can tell whether
// all of it is in the OpenAPI document.
type routed struct {
	*http.ServeMux

	patterns []string
}

// HandleFunc adds a route.
func (m *routed) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	m.patterns = append(m.patterns, pattern)
	m.ServeMux.HandleFunc(pattern, handler)
}

// New returns an API.
func New(cfg Config) (*API, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	out, err := parseExternal(cfg.ExternalURL)
	if err != nil {
		return nil, err
	}
	a := &API{
		cfg: cfg, out: out, mux: &routed{ServeMux: http.NewServeMux()},
		limits: newBuckets(cfg.Rate), open: newBuckets(cfg.OpenRate), streams: newStreams(cfg.MaxStreams, cfg.MaxWaiting),
	}
	if a.files, err = newFiles(cfg.Files); err != nil {
		return nil, err
	}
	a.huma = humago.New(a.mux, a.humaConfig())
	a.problemSchema = a.huma.OpenAPI().Components.Schemas.Schema(typeOf[Problem](), true, "")
	a.addRoutes()
	if a.spec, err = a.document(); err != nil {
		return nil, err
	}
	a.addPages()
	return a, nil
}

func (a *API) humaConfig() huma.Config {
	format := strictFormat()
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info:    &huma.Info{Title: a.cfg.Title, Version: "1", Description: "What the pages of Lockkeeper use, and all that programs need. Unknown members and parameters are refused; answers may grow."},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"session": {Type: "apiKey", In: "cookie", Name: a.out.cookieName(), Description: "The session of a page, from our own origin only."},
				"token":   {Type: "http", Scheme: "bearer", Description: "A personal (lk_pat_…) or service token (lk_svc_…)."},
			},
		},
	}
	return huma.Config{
		OpenAPI: doc, DefaultFormat: mediaJSON,
		Formats:      map[string]huma.Format{mediaJSON: format, "json": format, mediaSQL: sqlFormat(format), mediaReport: format, mediaReports: format},
		Transformers: []huma.Transformer{a.transform},
	}
}

// addRoutes fills the table of routes.
func (a *API) addRoutes() {
	a.sessionRoutes()
	a.exchangeRoutes()
	a.meRoutes()
	a.runRoutes()
	a.resultRoutes()
	a.oneShotRoutes()
	a.explainRoutes()
	a.queryRoutes()
	a.targetRoutes()
	a.eventRoutes()
	a.proofRoutes()
	a.peopleRoutes()
	a.teamRoutes()
	a.grantRoutes()
	a.metaRoutes()
}

// addPages adds what is no operation: the files of the page, the pages of
// problems, and the answers to what is no route.
func (a *API) addPages() {
	a.mux.HandleFunc("/problems/{code}", a.problemPage)
	a.mux.HandleFunc("/api/", a.noRoute)
	a.mux.HandleFunc("/{path...}", a.page)
}

// Close ends all event streams and long waits, so that a server can shut down;
// give it to http.Server.RegisterOnShutdown.
func (a *API) Close() { a.streams.close() }

// CSPReports returns how many violations of the content security policy
// browsers have reported.
func (a *API) CSPReports() uint64 { return a.cspReports.Load() }

// OpenAPI returns the OpenAPI document, as JSON.
func (a *API) OpenAPI() []byte { return a.spec }

// Routes returns the operations as "METHOD /path", in the order of the table.
func (a *API) Routes() []string {
	var out []string
	for _, rt := range a.routes {
		out = append(out, rt.method+" "+apiBase+rt.path)
	}
	return out
}

// base returns the URL below which everything stands, without a slash at the end.
func (a *API) base() string { return a.out.url }

// target returns the target that a request means.
func (a *API) target(name string) string {
	if name == "" {
		return a.cfg.Targets[0].Name
	}
	return name
}

func (a *API) hasTarget(name string) bool {
	return slices.ContainsFunc(a.cfg.Targets, func(t query.Target) bool { return t.Name == name })
}
