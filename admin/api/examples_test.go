package api_test

import (
	"strings"

	"github.com/lockkeeper/lockkeeper/admin"
)

// example is a request that an operation takes.
type example struct {
	query   string
	body    any
	headers header
}

// examples is one of each operation that needs more than its path.
func examples(h *house) map[string]example {
	return map[string]example{
		"submit-run":       {body: map[string]any{"sql": "select 1"}},
		"update-run":       {body: map[string]any{"title": "weekly"}},
		"cancel-run":       {body: map[string]any{"reason": "too slow"}},
		"aggregate-result": {body: map[string]any{"v": 1, "type": "bar", "x": "n", "y": []any{map[string]any{"col": "n", "agg": "sum"}}}},
		"query":            {query: "?format=csv", body: map[string]any{"sql": "select 1"}},
		"explain":          {body: map[string]any{"sql": "select 1"}},
		"create-query":     {body: map[string]any{"title": "q", "sql": "select 1"}},
		"update-query":     {body: map[string]any{"title": "r"}, headers: header{"If-Match": `"v1"`}},
		"run-query":        {body: map[string]any{"params": []any{}}},
		"release-query":    {body: map[string]any{"version": 1, "service": (&things{h: h}).make("services")}},
		"events":           {query: "?topics=me,runs,connect"},
		"make-token":       {body: map[string]any{"name": "cron", "scopes": []string{"runs:read"}, "expires_in_days": 1}},
		"make-db-password": {body: map[string]any{"tool": "psql"}},
		"add-person":       {body: map[string]any{"login": "n" + strings.ToLower(admin.NewID("")), "role": "member"}},
		"update-person":    {body: map[string]any{"name": "Somebody Else"}},
		"add-service":      {body: map[string]any{"name": "svc" + strings.ToLower(admin.NewID("")), "team": "data"}},
		"update-service":   {body: map[string]any{"description": "loads"}},
		"add-team":         {body: map[string]any{"name": "t" + strings.ToLower(admin.NewID(""))}},
		"rename-team":      {body: map[string]any{"name": "u" + strings.ToLower(admin.NewID(""))}},
		"add-grant":        {body: map[string]any{"principal": h.root.call("POST", "/teams", map[string]any{"name": "g" + strings.ToLower(admin.NewID(""))}).want(201).id(), "target": "warehouse", "role": "member"}},
		"exchange-token":   {body: map[string]any{"assertion": h.lendable()}},
		"sign-in":          {body: map[string]any{"login": "root", "password": rootPassword}},
		"sign-in-link":     {body: map[string]any{"token": h.link("linked")}},
		"set-password":     {body: map[string]any{"new": "a long enough password"}},
		"csp-report":       {body: map[string]any{"csp-report": map[string]any{}}, headers: header{"Content-Type": "application/csp-report"}},
		"sign-in-oidc":     {query: "?return_to=/q"},
	}
}

const rootPassword = "correct horse battery staple"

// link adds somebody and returns the secret of their link.
func (h *house) link(login string) string {
	h.Helper()
	a := h.root.call("POST", "/people", map[string]any{"login": login + strings.ToLower(admin.NewID("")), "role": "member"}).want(201)
	_, secret, _ := strings.Cut(a.object()["link"].(string), "#link=")
	return secret
}

// things are what paths name, made anew for each use.
type things struct {
	h     *house
	owner *browser // of runs, queries, tokens and passwords
}

// path fills in a path with things that are there.
func (w *things) path(op operation) string {
	w.h.Helper()
	path := op.path
	if before, after, found := strings.Cut(path, "{id}"); found {
		path = before + w.make(strings.Split(path, "/")[1]) + after
	}
	return strings.NewReplacer("{login}", "ana", "{n}", "1", "{target}", "warehouse", "{schema}", "public", "{table}", "fact").Replace(path)
}

// absent fills in a path with a thing that is not there.
func (w *things) absent(op operation) string {
	prefix := map[string]string{"runs": "r_", "queries": "q_", "tokens": "k_", "db-passwords": "d_", "people": "p_", "services": "s_", "teams": "t_", "grants": "g_"}
	path := strings.Replace(op.path, "{id}", admin.NewID(prefix[strings.Split(op.path, "/")[1]]), 1)
	return strings.NewReplacer("{login}", "ana", "{n}", "1", "{target}", "nowhere", "{schema}", "public", "{table}", "nothing").Replace(path)
}

// make makes one thing of a kind and returns its id.
func (w *things) make(kind string) string {
	w.h.Helper()
	unique := strings.ToLower(admin.NewID(""))
	post := func(b *browser, path string, body any) string { return b.call("POST", path, body).want(201).id() }
	switch kind {
	case "runs":
		return post(w.owner, "/runs", map[string]any{"sql": "select 1"})
	case "queries":
		id := post(w.owner, "/queries", map[string]any{"title": "q", "sql": "select 1"})
		w.owner.call("POST", "/queries/"+id+"/runs", nil).want(201)
		return id
	case "tokens":
		a := w.owner.call("POST", "/tokens", map[string]any{"name": "t", "scopes": []string{"runs:read"}, "expires_in_days": 1}).want(201)
		return a.object()["item"].(map[string]any)["id"].(string)
	case "db-passwords":
		for _, one := range w.owner.call("GET", "/db-passwords", nil).want(200).object()["items"].([]any) { // few may be live
			w.owner.call("DELETE", "/db-passwords/"+one.(map[string]any)["id"].(string), nil).want(204)
		}
		a := w.owner.call("POST", "/db-passwords", map[string]any{"tool": "psql"}).want(201)
		return a.object()["item"].(map[string]any)["id"].(string)
	case "people":
		return post(w.h.root, "/people", map[string]any{"login": "p" + unique, "email": unique + "@example.com"})
	case "services":
		return post(w.h.root, "/services", map[string]any{"name": "s" + unique, "team": "data"})
	case "teams":
		return post(w.h.root, "/teams", map[string]any{"name": "t" + unique})
	case "grants":
		team := post(w.h.root, "/teams", map[string]any{"name": "t" + unique})
		return post(w.h.root, "/grants", map[string]any{"principal": team, "target": "warehouse", "role": "member"})
	default:
		w.h.Fatalf("no way to make %s: add one", kind)
		return ""
	}
}
