package api_test

import (
	"database/sql"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/audit"
)

// named are the operations that name a thing, and what a stranger is told of one
// that is there. An operation that is not here fails the test by its name.
var named = map[string]string{
	"revoke-db-password": hidden, "revoke-token": hidden, "remove-grant": hidden,
	"get-person": shown, "update-person": hidden, "make-link": hidden, "end-sessions": hidden,
	"get-query": hidden, "update-query": hidden, "delete-query": hidden, "fork-query": hidden, "latest-run": hidden, "release-query": hidden,
	"run-query": hidden, "star-query": hidden, "unstar-query": hidden, "list-versions": hidden, "get-version": hidden,
	"get-run": hidden, "update-run": hidden, "delete-run": hidden, "cancel-run": hidden, "lease-run": hidden, "run-events": hidden,
	"get-rows": hidden, "aggregate-result": hidden, "list-viewers": hidden, "add-viewer": hidden, "remove-viewer": hidden,
	"get-result-csv": hidden, "get-result-tsv": hidden, "get-result-json": hidden, "get-result-ndjson": hidden, "get-result-xlsx": hidden, "get-result-parquet": hidden,
	"get-service": hidden, "update-service": hidden, "remove-service": hidden,
	"rename-team": hidden, "remove-team": hidden, "add-member": hidden, "remove-member": hidden,
	"list-tables": shown, "get-table": shown, "get-completions": shown,
}

const (
	hidden = "404 or 403, as if it were not there"
	shown  = "what every member may read: less than its owner does, or the same for all"
)

// anonymous is a problem without the id of its request.
func (a *answer) anonymous() string {
	m := a.object()
	id, _ := m["request_id"].(string)
	return strings.ReplaceAll(string(a.body), id, "ID")
}

// TestNobodyReachesWhatIsNotTheirs asks every operation that names a thing, as
// everybody whose it is not, and as an owner who may no longer come in.
func TestNobodyReachesWhatIsNotTheirs(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.root.call("POST", "/teams", map[string]any{"name": "data"}).want(201)
	h.root.call("POST", "/teams", map[string]any{"name": "other"}).want(201)
	owner, bob := h.person("ana", "member", "data"), h.person("bob", "admin", "data")
	service := h.root.call("POST", "/services", map[string]any{"name": "robot", "team": "other"}).want(201).id()
	h.root.call("POST", "/grants", map[string]any{"principal": service, "target": "warehouse", "role": "member"}).want(201)
	h.person("vera", "member")
	decoy := h.root.call("POST", "/queries", map[string]any{"title": "another's", "sql": "select 1", "team": "everyone"}).want(201).id()
	bound := []any{map[string]any{"id": decoy, "version": 1}}
	everything := []string{"runs:write", "runs:read", "runs:write_dml", "queries:read", "queries:write", "queries:run", "catalog:read", "tokens:write", "usage:read"}
	strangers := map[string]*browser{
		"a stranger": h.person("eve", "member", "other"),
		"one whom policy lets and the warehouse does not": h.person("mia", "member", "other"),
		"a service": h.root.programFor(service, everything...),
		"the owner's token that is bound to another query": owner.bound(bound),
		"a stranger's token that is bound to one":          h.person("ben", "member", "other").bound(bound),
	}
	ops := read(t, h.api.OpenAPI()).operations()
	ops = slices.DeleteFunc(ops, func(op operation) bool { return !strings.Contains(op.path, "{") })
	for _, op := range ops {
		if named[op.ID] == "" {
			t.Errorf("%s %s: not in the table: add a row to named", op.method, op.path)
		}
	}
	for id := range named {
		if !slices.ContainsFunc(ops, func(op operation) bool { return op.ID == id }) {
			t.Errorf("%s: in the table, and no operation that names a thing", id)
		}
	}
	all := examples(h)
	for _, op := range ops {
		x, path := all[op.ID], (&things{h: h, owner: owner}).path(op)
		if op.Body != nil && op.Body.Required && x.body == nil {
			t.Errorf("%s: no example: add a row", op.ID)
		}
		owner.call("GET", path, nil) // whatever a look settles is settled
		if op.ID == "remove-viewer" {
			path = strings.Replace(path, "/viewers/ana", "/viewers/vera", 1)
			owner.call("PUT", path, nil).want(204)
		}
		unscoped := h.unscoped(owner, op)
		before := h.state()
		for who, b := range strangers {
			if op.ID == "get-service" && b.id == owner.id {
				continue // whoever is of the team that holds it sees it, by any proof
			}
			h.sameAsAbsent(who, b, op, path, (&things{h: h}).absent(op), x)
		}
		if unscoped != nil {
			a := unscoped.call(op.method, path+x.query, x.body, x.headers)
			if a.res.StatusCode != http.StatusForbidden || a.object()["code"] != "scope-missing" {
				t.Errorf("%s without %v: %d %s", op.ID, op.scopes(), a.res.StatusCode, a.body)
			}
		}
		if diff := cmp.Diff(before, h.state()); diff != "" {
			t.Errorf("%s: something changed though all were refused:\n%s", op.ID, diff)
		}
	}
	h.disabledOwner(bob, ops, all)
}

// disabledOwner asks as an admin to whom the things belong and who is disabled.
func (h *house) disabledOwner(b *browser, ops []operation, all map[string]example) {
	h.Helper()
	token, w, paths := b.program(allScopes()...), &things{h: h, owner: b}, map[string]string{}
	for _, op := range ops {
		paths[op.ID] = w.path(op)
	}
	for _, id := range []string{"get-run", "get-query", "get-person", "get-rows"} {
		if op := ops[slices.IndexFunc(ops, func(op operation) bool { return op.ID == id })]; token.call(op.method, paths[id], nil).res.StatusCode != http.StatusOK {
			h.Errorf("%s: the owner does not reach it while enabled, so that it proves nothing later", id)
		}
	}
	h.root.call("PATCH", "/people/"+b.id, map[string]any{"disabled": true}).want(200)
	before := h.state()
	for who, b := range map[string]*browser{"a disabled owner's page": b, "a disabled owner's token": token} {
		for _, op := range ops {
			x := all[op.ID]
			if a := b.call(op.method, paths[op.ID]+x.query, x.body, x.headers); a.res.StatusCode != http.StatusUnauthorized {
				h.Errorf("%s, %s: %d %s", op.ID, who, a.res.StatusCode, a.body)
			}
		}
	}
	if diff := cmp.Diff(before, h.state()); diff != "" {
		h.Errorf("something changed though a disabled owner was refused:\n%s", diff)
	}
}

// bound makes a token that runs these saved queries only.
func (b *browser) bound(queries []any) *browser {
	b.h.Helper()
	a := b.call("POST", "/tokens", map[string]any{"name": "bound", "scopes": []string{"queries:run", "queries:read", "runs:read"}, "queries": queries, "expires_in_days": 1}).want(201)
	return &browser{h: b.h, id: b.id, login: b.login, token: a.object()["token"].(string)}
}

// unscoped returns a token of somebody who may otherwise, without what the
// operation needs; nil: it needs nothing.
func (h *house) unscoped(owner *browser, op operation) *browser {
	h.Helper()
	switch scopes := op.scopes(); {
	case slices.Contains(scopes, "admin:*"):
		return h.without(h.root, scopes)
	case len(scopes) > 0:
		return h.without(owner, scopes)
	default:
		return nil
	}
}

// TestReaderReads: whom policy and warehouse let reads what another ran, and does
// no more with it.
func TestReaderReads(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.root.call("POST", "/teams", map[string]any{"name": "data"}).want(201)
	owner, reader := h.person("ana", "member", "data"), h.person("vera", "member")
	w, all := &things{h: h, owner: owner}, examples(h)
	reads := []string{"get-run", "run-events", "get-rows", "aggregate-result", "get-result-csv", "get-result-tsv", "get-result-json", "get-result-ndjson", "get-result-xlsx", "get-result-parquet"}
	for _, op := range read(t, h.api.OpenAPI()).operations() {
		if !strings.HasPrefix(op.path, "/runs/{id}") {
			continue
		}
		path, x := w.path(op), all[op.ID]
		owner.call("GET", path, nil)
		before := h.state()
		a := reader.call(op.method, path+x.query, x.body, x.headers)
		if a.res.StatusCode < 300 && slices.Contains([]string{"list-viewers", "lease-run"}, op.ID) {
			continue // who else may look; and looking keeps a run alive, as its owner wants
		}
		if slices.Contains(reads, op.ID) {
			a.want(200)
			continue
		}
		if a.res.StatusCode != http.StatusNotFound && a.res.StatusCode != http.StatusForbidden {
			t.Errorf("%s by a reader: %d %s", op.ID, a.res.StatusCode, a.body)
		}
		if diff := cmp.Diff(before, h.state()); diff != "" {
			t.Errorf("%s: something changed though a reader was refused:\n%s", op.ID, diff)
		}
	}
}

// sameAsAbsent fails unless a thing that is not theirs answers as one that is not.
func (h *house) sameAsAbsent(who string, b *browser, op operation, path, absent string, x example) {
	h.Helper()
	there, missing := b.call(op.method, path+x.query, x.body, x.headers), b.call(op.method, absent+x.query, x.body, x.headers)
	if named[op.ID] == shown && there.res.StatusCode != http.StatusForbidden {
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

// state is all that refused requests must leave as it is: every row of every
// table of the office, what was recorded, and what went to the warehouse.
func (h *house) state() map[string]string {
	h.Helper()
	all := map[string]string{
		"begun":    strconv.Itoa(h.door.count()),
		"recorded": strconv.Itoa(h.journal.count(audit.KindAdminChange, audit.KindGrant, audit.KindToken, audit.KindShare, audit.KindResultRead, audit.KindResultExport, audit.KindLogout)),
	}
	db, err := sql.Open("sqlite", "file:"+h.file+"?mode=ro")
	if err != nil {
		h.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, table := range h.column(db, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'") {
		// What is noted of every request, whatever its answer.
		columns := h.column(db, "SELECT name FROM pragma_table_info('"+table+"') WHERE name NOT IN ('used', 'used_addr', 'used_by', 'seen')")
		list := `"` + strings.Join(columns, `", "`) + `"`
		rows := h.column(db, "SELECT concat_ws('|', "+strings.ReplaceAll(list, `", "`, `", '~', "`)+") FROM "+table+" ORDER BY 1")
		all[table] = strings.Join(rows, "\n")
	}
	if len(all) < 15 || all["runs"] == "" && all["principals"] == "" {
		h.Fatalf("only %d tables are looked at", len(all))
	}
	return all
}

func (h *house) column(db *sql.DB, query string) (out []string) {
	h.Helper()
	rows, err := db.QueryContext(h.Context(), query)
	if err != nil {
		h.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			h.Fatal(err)
		}
		out = append(out, one)
	}
	if err := rows.Err(); err != nil {
		h.Fatal(err)
	}
	return out
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
