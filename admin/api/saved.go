package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/query"
)

// chart is a chart's spec: a JSON object that the use case reads.
type chart json.RawMessage

// Schema says so in the document.
func (chart) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Nullable: true, AdditionalProperties: true, Description: `A chart: {"v":1,"type":"line","x":"day","y":[{"col":"n","agg":"sum"}],"series":"variant",…}.`}
}

// UnmarshalJSON keeps the text.
func (c *chart) UnmarshalJSON(b []byte) error {
	*c = bytes.Clone(b)
	return nil
}

// MarshalJSON gives it back.
func (c chart) MarshalJSON() ([]byte, error) { return json.RawMessage(c).MarshalJSON() }

// declaredParam declares a parameter of a saved query.
type declaredParam struct {
	Name    string `json:"name" minLength:"1" maxLength:"63"`
	Type    string `json:"type,omitempty" maxLength:"63"`
	Default any    `json:"default,omitempty"`
	Choices []any  `json:"choices,omitempty" maxItems:"1000"`
}

func savedParams(in []declaredParam) []query.SavedParam {
	out := []query.SavedParam{}
	for _, p := range in {
		out = append(out, query.SavedParam(p))
	}
	return out
}

type newQuery struct {
	Title       string          `json:"title,omitempty" maxLength:"300"`
	Description string          `json:"description,omitempty" maxLength:"10000"`
	SQL         string          `json:"sql,omitempty"`
	Params      []declaredParam `json:"params,omitempty" maxItems:"200"`
	Chart       chart           `json:"chart,omitempty"`
	Tags        []string        `json:"tags,omitempty" maxItems:"20"`
	Team        *string         `json:"team,omitempty" maxLength:"200" doc:"A team's name, everyone, or null: private."`
	Draft       bool            `json:"draft,omitempty"`
	Target      string          `json:"target,omitempty" maxLength:"63"`
}

type draftWorking struct {
	SQL    string          `json:"sql,omitempty"`
	Params []declaredParam `json:"params,omitempty" maxItems:"200"`
	Chart  chart           `json:"chart,omitempty"`
}

type queryChange struct {
	Title       *string          `json:"title,omitempty" maxLength:"300"`
	Description *string          `json:"description,omitempty" maxLength:"10000"`
	SQL         *string          `json:"sql,omitempty"`
	Params      *[]declaredParam `json:"params,omitempty" maxItems:"200"`
	Chart       chart            `json:"chart,omitempty" doc:"null removes it."`
	Tags        *[]string        `json:"tags,omitempty" maxItems:"20"`
	Team        nullable         `json:"team,omitzero" required:"false" doc:"null or empty: private."`
	Draft       *bool            `json:"draft,omitempty"`
	Target      *string          `json:"target,omitempty" maxLength:"63"`
	Working     *draftWorking    `json:"working,omitempty" doc:"Autosaved, without a version."`
}

// nullable is a string that tells null from what is not there.
type nullable struct{ value *string }

// Schema says so in the document.
func (nullable) Schema(huma.Registry) *huma.Schema {
	most := 200
	return &huma.Schema{Type: huma.TypeString, Nullable: true, MaxLength: &most}
}

// UnmarshalJSON reads null as an empty string.
func (n *nullable) UnmarshalJSON(b []byte) error {
	n.value = new(string)
	if string(b) == "null" {
		return nil
	}
	return json.Unmarshal(b, n.value)
}

func (b *queryChange) change() query.SavedChange {
	ch := query.SavedChange{Title: b.Title, Description: b.Description, SQL: b.SQL, Tags: b.Tags, Team: b.Team.value, Draft: b.Draft, Target: b.Target}
	if b.Params != nil {
		all := savedParams(*b.Params)
		ch.Params = &all
	}
	if b.Chart != nil {
		raw := json.RawMessage(b.Chart)
		ch.Chart = &raw
	}
	if b.Working != nil {
		ch.Working = &query.NewWorking{SQL: b.Working.SQL, Params: savedParams(b.Working.Params), Chart: json.RawMessage(b.Working.Chart)}
	}
	return ch
}

// QueryID names one saved query in a path.
type QueryID struct {
	ID string `path:"id" maxLength:"64" doc:"q_ and 16 characters."`
}

type savedOut struct {
	Status   int
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     *query.Saved
}

func savedTag(rev int64) string { return `"v` + strconv.FormatInt(rev, 10) + `"` }

// answerSaved has the version as its tag, for If-Match. Who starred it, and where
// it is released and ran last, changes without one: no browser keeps the answer.
func answerSaved(q query.Saved, err error) (*savedOut, error) {
	return &savedOut{Status: http.StatusOK, ETag: savedTag(q.Rev), Body: &q}, err
}

func (a *API) created(q query.Saved, err error) (*savedOut, error) {
	out, err := answerSaved(q, err)
	out.Status, out.Location = http.StatusCreated, a.out.prefix+apiBase+"/queries/"+q.ID
	return out, err
}

// revision reads If-Match; 0: there is none, or none of ours.
func revision(header string) (int64, error) {
	if header == "" {
		return 0, nil
	}
	text := strings.TrimSuffix(strings.TrimPrefix(opaque(header), `"v`), `"`)
	rev, err := strconv.ParseInt(text, 10, 64)
	if err != nil || rev < 1 {
		return 0, badParameter("If-Match", `Send the ETag as it came, such as "v3".`)
	}
	return rev, nil
}

func (a *API) queryRoutes() {
	const tag = "queries"
	read, write := []admin.Scope{admin.ScopeQueriesRead}, []admin.Scope{admin.ScopeQueriesWrite}
	run := []admin.Scope{admin.ScopeQueriesRun, admin.ScopeRunsWrite, admin.ScopeRunsWriteDML}
	register(a, route{id: "list-queries", method: "GET", path: "/queries", summary: "List saved queries and drafts open to you", tag: tag, scopes: read}, a.listQueries)
	register(a, route{id: "create-query", method: "POST", path: "/queries", summary: "Save a query or a draft", tag: tag, scopes: write, status: 201, maxBody: 2 * maxSQLBody}, a.createQuery)
	register(a, route{id: "get-query", method: "GET", path: "/queries/{id}", summary: "Read a saved query", tag: tag, scopes: read, also: []int{304}}, a.getQuery)
	register(a, route{id: "update-query", method: "PATCH", path: "/queries/{id}", summary: "Change a saved query", tag: tag, scopes: write, maxBody: 3 * maxSQLBody}, a.updateQuery)
	register(a, route{id: "delete-query", method: "DELETE", path: "/queries/{id}", summary: "Delete a saved query", tag: tag, scopes: write}, a.deleteQuery)
	register(a, route{id: "list-versions", method: "GET", path: "/queries/{id}/versions", summary: "List versions, the newest first", tag: tag, scopes: read}, a.listVersions)
	register(a, route{id: "get-version", method: "GET", path: "/queries/{id}/versions/{n}", summary: "Read one version", tag: tag, scopes: read}, a.getVersion)
	register(a, route{id: "fork-query", method: "POST", path: "/queries/{id}/fork", summary: "Copy into a draft of your own", tag: tag, scopes: write, status: 201}, a.forkQuery)
	register(a, route{id: "run-query", method: "POST", path: "/queries/{id}/runs", summary: "Run a saved query", tag: tag, scopes: run, status: 201, also: []int{202}, slow: true}, a.runQuery)
	register(a, route{id: "latest-run", method: "GET", path: "/queries/{id}/latest", summary: "Go to the newest succeeded run", tag: tag, scopes: []admin.Scope{admin.ScopeRunsRead}, status: 303}, a.latestRun)
	register(a, route{id: "star-query", method: "PUT", path: "/queries/{id}/star", summary: "Mark for yourself", tag: tag, scopes: write}, a.star(true))
	register(a, route{id: "unstar-query", method: "DELETE", path: "/queries/{id}/star", summary: "Take the mark away", tag: tag, scopes: write}, a.star(false))
	register(a, route{id: "release-query", method: "POST", path: "/queries/{id}/release", summary: "Let a service's tokens run a version", tag: tag, scopes: write}, a.releaseQuery)
}

func (a *API) listQueries(ctx context.Context, c *admin.Caller, in *struct {
	Page

	Mine    bool   `query:"mine"`
	Team    string `query:"team" maxLength:"200" doc:"Name of a team."`
	MyTeams bool   `query:"my_teams" doc:"Those of any team you are in."`
	Starred bool   `query:"starred"`
	Tag     string `query:"tag" maxLength:"200"`
	Draft   string `query:"draft" enum:"true,false" doc:"Absent: both."`
	Q       string `query:"q" maxLength:"200"`
},
) (*listOf[query.Saved], error) {
	f := query.SavedFilter{Mine: in.Mine, Team: in.Team, MyTeams: in.MyTeams, Starred: in.Starred, Tag: in.Tag, Text: in.Q, Cursor: in.Cursor, Limit: in.Limit}
	if in.Draft != "" {
		draft := in.Draft == "true"
		f.Draft = &draft
	}
	found, err := a.cfg.Library.List(ctx, c, f)
	return list(found.Items, found.Next), err
}

func (a *API) createQuery(ctx context.Context, c *admin.Caller, in *struct{ Body newQuery }) (*savedOut, error) {
	b := in.Body
	if err := boundSQL(b.SQL); err != nil {
		return nil, err
	}
	return a.created(a.cfg.Library.Create(ctx, c, query.NewSaved{
		Title: b.Title, Description: b.Description, SQL: b.SQL, Params: savedParams(b.Params), Chart: json.RawMessage(b.Chart),
		Tags: b.Tags, Team: b.Team, Draft: b.Draft, Target: a.target(b.Target),
	}))
}

func (a *API) getQuery(ctx context.Context, c *admin.Caller, in *struct {
	QueryID

	NoneMatch string `header:"If-None-Match"`
},
) (*savedOut, error) {
	out, err := answerSaved(a.cfg.Library.Get(ctx, c, in.ID))
	if err == nil && noneMatch(in.NoneMatch, out.ETag) {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return out, err
}

func (a *API) updateQuery(ctx context.Context, c *admin.Caller, in *struct {
	QueryID

	Match string `header:"If-Match" doc:"The ETag of what the change builds on; required."`
	Body  queryChange
},
) (*savedOut, error) {
	rev, err := revision(in.Match)
	if err != nil {
		return nil, err
	}
	ch := in.Body.change()
	if ch.SQL != nil {
		if err := boundSQL(*ch.SQL); err != nil {
			return nil, err
		}
	}
	if ch.Working != nil {
		if err := boundSQL(ch.Working.SQL); err != nil {
			return nil, err
		}
	}
	return answerSaved(a.cfg.Library.Update(ctx, c, in.ID, rev, ch))
}

func (a *API) deleteQuery(ctx context.Context, c *admin.Caller, in *QueryID) (*nothing, error) {
	return nil, a.cfg.Library.Delete(ctx, c, in.ID)
}

func (a *API) listVersions(ctx context.Context, c *admin.Caller, in *QueryID) (*listOf[query.Version], error) {
	all, err := a.cfg.Library.Versions(ctx, c, in.ID)
	return list(all, ""), err
}

type versionOut struct{ Body query.Version }

func (a *API) getVersion(ctx context.Context, c *admin.Caller, in *struct {
	QueryID

	N int `path:"n" minimum:"1" maximum:"1000000"`
},
) (*versionOut, error) {
	v, err := a.cfg.Library.Version(ctx, c, in.ID, in.N)
	return &versionOut{v}, err
}

func (a *API) forkQuery(ctx context.Context, c *admin.Caller, in *QueryID) (*savedOut, error) {
	return a.created(a.cfg.Library.Fork(ctx, c, in.ID))
}

// savedRun is the body of a run of a saved query.
type savedRun struct {
	Params  []runParam        `json:"params,omitempty" maxItems:"200"`
	Version int               `json:"version,omitempty" minimum:"0"`
	Urgency string            `json:"urgency,omitempty" enum:"interactive,batch"`
	Access  string            `json:"access,omitempty" enum:"read_only,read_write"`
	Multi   bool              `json:"multi,omitempty"`
	Limits  runLimits         `json:"limits,omitzero" required:"false"`
	OnLimit string            `json:"on_limit,omitempty" enum:"truncate,fail"`
	Tags    map[string]string `json:"tags,omitempty"`
	Title   string            `json:"title,omitempty" maxLength:"300"`
	Keep    bool              `json:"keep,omitempty"`
}

func (a *API) runQuery(ctx context.Context, c *admin.Caller, in *struct {
	QueryID
	RunHeaders

	Body *savedRun `required:"false"`
},
) (*begun, error) {
	b := in.Body
	if b == nil {
		b = &savedRun{}
	}
	req := runRequest{
		Query: &queryPick{ID: in.ID, Version: b.Version}, Params: b.Params, Urgency: b.Urgency, Access: b.Access, Multi: b.Multi,
		Limits: b.Limits, OnLimit: b.OnLimit, Tags: b.Tags, Title: b.Title, Keep: b.Keep,
	}
	return a.begin(ctx, c, req.request(a, in.Key), in.Prefer)
}

type seeOther struct {
	Location string `header:"Location"`
}

func (a *API) latestRun(ctx context.Context, c *admin.Caller, in *QueryID) (*seeOther, error) {
	id, err := a.cfg.Runs.Latest(ctx, c, in.ID)
	return &seeOther{a.runPath(id)}, err
}

func (a *API) star(on bool) func(context.Context, *admin.Caller, *QueryID) (*nothing, error) {
	return func(ctx context.Context, c *admin.Caller, in *QueryID) (*nothing, error) {
		return nil, a.cfg.Library.Star(ctx, c, in.ID, on)
	}
}

func (a *API) releaseQuery(ctx context.Context, c *admin.Caller, in *struct {
	QueryID

	Body struct {
		Version int    `json:"version" minimum:"1"`
		Service string `json:"service" maxLength:"64" doc:"Its id or login."`
	}
},
) (*savedOut, error) {
	service, err := a.cfg.Office.ServiceID(ctx, c, in.Body.Service)
	if admin.CodeOf(err) == admin.NotFound {
		service, err = in.Body.Service, nil // what the use case says of it is said of those that are not held, too
	}
	if err != nil {
		return nil, err
	}
	return answerSaved(a.cfg.Library.Release(ctx, c, in.ID, in.Body.Version, service))
}
