package api_test

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/audit"
)

// everybodys are the operations on one thing that every member may read; what a
// stranger sees there is less, or the same for all.
var everybodys = []string{"get-person", "list-tables", "get-table", "get-completions"}

// anonymous is a problem without the id of its request.
func (a *answer) anonymous() string {
	m := a.object()
	id, _ := m["request_id"].(string)
	return strings.ReplaceAll(string(a.body), id, "ID")
}

// TestNobodyReachesWhatIsNotTheirs asks every operation that names a thing, as
// everybody whose it is not.
func TestNobodyReachesWhatIsNotTheirs(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.root.call("POST", "/teams", map[string]any{"name": "data"}).want(201)
	h.root.call("POST", "/teams", map[string]any{"name": "other"}).want(201)
	owner, stranger := h.person("ana", "member", "data"), h.person("eve", "member", "other")
	service := h.root.call("POST", "/services", map[string]any{"name": "robot", "team": "other"}).want(201).id()
	h.root.call("POST", "/grants", map[string]any{"principal": service, "target": "warehouse", "role": "member"}).want(201)
	robot := h.root.programFor(service, "runs:write", "runs:read", "runs:write_dml", "queries:read", "queries:write", "queries:run", "catalog:read", "tokens:write", "usage:read")
	gone := h.person("bob", "member", "data")
	goneToken := gone.program("runs:read", "runs:write", "queries:read", "queries:write")
	h.root.call("PATCH", "/people/"+gone.id, map[string]any{"disabled": true}).want(200)

	w := &things{h: h, owner: owner}
	all := examples(h)
	rows := 0
	for _, op := range read(t, h.api.OpenAPI()).operations() {
		if !strings.Contains(op.path, "{") {
			continue
		}
		x, hasExample := all[op.ID]
		if op.Body != nil && !hasExample && op.Body.Required {
			t.Errorf("%s: no example: add a row", op.ID)
			continue
		}
		rows++
		path := w.path(op)
		var unscoped *browser
		if scopes := op.scopes(); slices.Contains(scopes, "admin:*") {
			unscoped = h.without(h.root, scopes)
		} else if len(scopes) > 0 {
			unscoped = h.without(owner, scopes)
		}
		before := h.state(owner)
		for who, b := range map[string]*browser{"a stranger": stranger, "a service": robot} {
			h.sameAsAbsent(who, b, op, path, w.absent(op), x)
		}
		for who, b := range map[string]*browser{"a disabled owner's page": gone, "a disabled owner's token": goneToken} {
			if a := b.call(op.method, path+x.query, x.body, x.headers); a.res.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s, %s: %d %s", op.ID, who, a.res.StatusCode, a.body)
			}
		}
		if unscoped != nil {
			a := unscoped.call(op.method, path+x.query, x.body, x.headers)
			if a.res.StatusCode != http.StatusForbidden || a.object()["code"] != "scope-missing" {
				t.Errorf("%s without %v: %d %s", op.ID, op.scopes(), a.res.StatusCode, a.body)
			}
		}
		if diff := cmp.Diff(before, h.state(owner)); diff != "" {
			t.Errorf("%s: something changed though all were refused:\n%s", op.ID, diff)
		}
	}
	if rows < 40 {
		t.Errorf("only %d operations name a thing", rows)
	}
}

// sameAsAbsent fails unless a thing that is not theirs answers as one that is not.
func (h *house) sameAsAbsent(who string, b *browser, op operation, path, absent string, x example) {
	h.Helper()
	there, missing := b.call(op.method, path+x.query, x.body, x.headers), b.call(op.method, absent+x.query, x.body, x.headers)
	if slices.Contains(everybodys, op.ID) {
		if there.res.StatusCode != http.StatusOK || missing.res.StatusCode != http.StatusNotFound {
			h.Errorf("%s, %s: %d and %d, want 200 and 404", op.ID, who, there.res.StatusCode, missing.res.StatusCode)
		}
		if strings.Contains(string(there.body), "@example.com") {
			h.Errorf("%s, %s sees an address: %s", op.ID, who, there.body)
		}
		return
	}
	if code := there.res.StatusCode; code != 404 && code != 403 {
		h.Errorf("%s, %s: %d %s", op.ID, who, code, there.body)
		return
	}
	if got, want := there.anonymous(), missing.anonymous(); got != want || there.res.StatusCode != missing.res.StatusCode {
		h.Errorf("%s, %s: what is there and what is not differ:\n%s\n%s", op.ID, who, got, want)
	}
	if !slices.Equal(slices.Sorted(maps.Keys(there.res.Header)), slices.Sorted(maps.Keys(missing.res.Header))) {
		h.Errorf("%s, %s: headers differ: %v, %v", op.ID, who, there.res.Header, missing.res.Header)
	}
}

// state is what refused requests must leave as it is.
func (h *house) state(owner *browser) map[string]string {
	h.Helper()
	all := map[string]string{
		"begun":    strconv.Itoa(h.door.count()),
		"recorded": strconv.Itoa(h.journal.count(audit.KindAdminChange, audit.KindGrant, audit.KindToken, audit.KindShare, audit.KindResultRead, audit.KindResultExport, audit.KindLogout)),
	}
	for _, path := range []string{"/people?limit=200", "/teams", "/services?limit=200", "/grants"} {
		all[path] = string(h.root.call("GET", path, nil).want(200).body)
	}
	for _, path := range []string{"/runs?limit=200", "/queries?limit=200"} {
		all[path] = string(owner.call("GET", path, nil).want(200).body)
	}
	return all
}

// without returns a token of somebody's that has every scope but these.
func (h *house) without(b *browser, scopes []string) *browser {
	h.Helper()
	me := b.call("GET", "/me", nil).want(200).object()
	var rest []string
	for _, s := range me["scopes"].([]any) {
		if !slices.Contains(scopes, s.(string)) {
			rest = append(rest, s.(string))
		}
	}
	key := b.login + strings.Join(rest, " ")
	if h.tokens[key] == nil {
		if h.tokens == nil {
			h.tokens = map[string]*browser{}
		}
		h.tokens[key] = b.program(rest...)
	}
	return h.tokens[key]
}
