package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A token is bound to saved queries on the command line as by the API: it runs
// that version, and neither another query nor SQL of its own.
func TestTokenOfSavedQueries(t *testing.T) {
	t.Parallel()
	h := serveOffice(t)
	h.console("team", "add", "growth")
	gil := h.welcome(t, "gil", "reader", "--team", "growth")
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte("reader-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.console("service", "add", "mailer", "--team", "growth")
	h.console("grant", "add", "--to", "service:mailer", "--warehouse-login", "reader", "--password-file", secret)
	var audience, twin, other savedQuery
	save := func(q *savedQuery, title, sql string) {
		gil.must(http.MethodPost, "/queries", map[string]any{"title": title, "team": "growth", "sql": sql}, q)
	}
	save(&audience, "Audience @ night", "SELECT 41 AS n")
	save(&twin, "twin", "SELECT 1")
	save(&other, "twin", "SELECT 2")
	var personal struct{ Token string }
	gil.must(http.MethodPost, "/tokens", map[string]any{"name": "maker", "scopes": []string{"tokens:write", "queries:run", "queries:read", "runs:read"}, "expires_in_days": 1}, &personal)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(personal.Token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	remote := func(args ...string) (string, int) {
		return command(t, append(args, "--server", strings.TrimSuffix(h.web, "/api/v1"), "--token-file", file)...)
	}
	add := func(args ...string) string {
		t.Helper()
		out, code := remote(append([]string{"token", "add", "nightly", "--service", "mailer", "--days", "1"}, args...)...)
		if code != 0 {
			t.Fatalf("token add %v: code %d: %s", args, code, out)
		}
		return strings.TrimSpace(out)
	}
	runs := func(token, id string) int {
		t.Helper()
		var r struct{ Query struct{ Version int } }
		h.program(t, token).must(http.MethodPost, "/queries/"+id+"/runs", map[string]any{}, &r)
		return r.Query.Version
	}

	first := add("--query", "audience @ night") // the newest, which is the first
	change := &officeUser{t: t, web: gil.web, http: gil.http, header: http.Header{"If-Match": {`"v1"`}}}
	change.must(http.MethodPatch, "/queries/"+audience.ID, map[string]any{"sql": "SELECT 42 AS n"}, nil)
	for _, c := range []struct {
		token string
		want  int
	}{
		{first, 1}, {add("--query", "Audience @ night"), 2}, {add("--query", "Audience @ night@1"), 1}, {add("--query", audience.ID), 2}, {add("--query", audience.ID+"@1", "--query", other.ID), 1},
	} {
		if got := runs(c.token, audience.ID); got != c.want {
			t.Errorf("the token runs version %d, want %d", got, c.want)
		}
	}
	h.program(t, first).refused(http.MethodPost, "/queries/"+twin.ID+"/runs", map[string]any{}, http.StatusNotFound, "not-found")
	h.program(t, first).refused(http.MethodPost, "/runs", map[string]any{"sql": "SELECT 1"}, http.StatusForbidden, "scope-missing")

	if out, code := remote("token", "list", "--service", "mailer"); code != 0 || !strings.Contains(out, audience.ID+"@1") || !strings.Contains(out, other.ID+"@1") {
		t.Errorf("code %d: %s", code, out)
	}
	for _, c := range []struct{ query, want string }{
		{"twin", "several saved queries"}, {"nothing", "no saved query"}, {"twin@0", "versions count from 1"}, {"q_0123456789ABCDEF", "newest version"},
	} {
		if out, code := remote("token", "add", "x", "--service", "mailer", "--query", c.query); code == 0 || !strings.Contains(out, c.want) {
			t.Errorf("%s: code %d: %s, want %q", c.query, code, out, c.want)
		}
	}
	if out, code := remote("token", "add", "x", "--service", "mailer", "--query", audience.ID, "--scope", "runs:write"); code == 0 {
		t.Errorf("a bound token with runs:write: %s", out)
	}
	// On the server's machine the operator sees nobody's queries, and needs none: an
	// id and a version are enough.
	if out := h.console("token", "add", "local", "--service", "mailer", "--query", audience.ID+"@2", "--days", "1"); runs(strings.TrimSpace(out), audience.ID) != 2 {
		t.Error("the operator's token runs another version")
	}
}
