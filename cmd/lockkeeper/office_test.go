package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// officeHouse is a server with an office, in front of a warehouse with a table
// that reader may read and outsider may not.
type officeHouse struct {
	*process
	pg  *proxytest.Postgres
	web string // URL of the API
}

func serveOffice(t *testing.T, flags ...string) *officeHouse {
	t.Helper()
	return serveOfficeAt(t, officeWarehouse(t), freeAddress(t), flags...)
}

func officeWarehouse(t *testing.T) *proxytest.Postgres {
	t.Helper()
	pg := proxytest.StartPrivate(t)
	proxytest.Exec(t, pg.Super(t),
		"CREATE ROLE reader LOGIN PASSWORD 'reader-secret'", "CREATE ROLE outsider LOGIN PASSWORD 'outsider-secret'",
		"CREATE ROLE watcher LOGIN PASSWORD 'watcher' IN ROLE pg_monitor, pg_signal_backend",
		"CREATE TABLE public.sales AS SELECT i AS id, i * 2.5 AS amount FROM generate_series(1, 1000) i", "GRANT SELECT ON public.sales TO reader")
	pg.Auth(t, "reader", "scram-sha-256")
	pg.Auth(t, "outsider", "scram-sha-256")
	return pg
}

// serveOfficeAt serves the page at an address, which others know already.
func serveOfficeAt(t *testing.T, pg *proxytest.Postgres, web string, flags ...string) *officeHouse {
	t.Helper()
	h := &officeHouse{pg: pg, web: "http://" + web + "/api/v1"}
	h.process = serve(t, pg, "version: 1\nclassify: [{class: all}]\nclasses: {all: {}}\n", append([]string{
		"--auth", "passthrough", "--web-listen", web, "--operator", "postgres://watcher:watcher@" + pg.Addr() + "/postgres?sslmode=disable",
	}, flags...)...)
	return h
}

// welcome lets somebody in by the command line, with a warehouse login.
func (h *officeHouse) welcome(t *testing.T, login, warehouse string, flags ...string) *officeUser {
	t.Helper()
	link := h.admit(t, login, warehouse, flags...)
	u := h.browser(t)
	u.must(http.MethodPost, "/session/link", map[string]any{"token": link}, nil)
	return u
}

// browser is one in which nobody is signed in.
func (h *officeHouse) browser(t *testing.T) *officeUser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &officeUser{t: t, web: h.web, http: &http.Client{Jar: jar, Timeout: time.Minute}}
}

// admit makes a person with a warehouse login, and returns the token of their
// one-use link.
func (h *officeHouse) admit(t *testing.T, login, warehouse string, flags ...string) string {
	t.Helper()
	out := h.console(append([]string{"user", "add", login}, flags...)...)
	link := regexp.MustCompile(`#link=([0-9A-Z]+)`).FindStringSubmatch(out)
	if link == nil {
		t.Fatalf("no link in %q", out)
	}
	h.grant(t, login, warehouse)
	return link[1]
}

// employ makes a service of a new team, with a warehouse login.
func (h *officeHouse) employ(t *testing.T, service, team, warehouse string) {
	t.Helper()
	h.console("team", "add", team)
	h.console("service", "add", service, "--team", team)
	h.grant(t, "service:"+service, warehouse)
}

func (h *officeHouse) grant(t *testing.T, to, warehouse string) {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte(warehouse+"-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.console("grant", "add", "--to", to, "--warehouse-login", warehouse, "--password-file", secret)
}

// officeUser is somebody's browser, as far as the API is concerned.
type officeUser struct {
	t      *testing.T
	web    string
	http   *http.Client
	header http.Header // of each request
}

func (u *officeUser) do(method, path string, in any) (int, []byte) {
	u.t.Helper()
	code, body, err := u.try(method, path, in)
	if err != nil {
		u.t.Fatal(err)
	}
	return code, body
}

// try is do of a server that may be going.
func (u *officeUser) try(method, path string, in any) (int, []byte, error) {
	u.t.Helper()
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			u.t.Fatal(err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(u.t.Context(), method, u.web+path, body)
	if err != nil {
		u.t.Fatal(err)
	}
	maps.Copy(req.Header, u.header)
	req.Header.Set("Content-Type", "application/json")
	answer, err := u.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	return answer.StatusCode, raw, err
}

func (u *officeUser) must(method, path string, in, out any) {
	u.t.Helper()
	code, raw := u.do(method, path, in)
	if code >= 300 {
		u.t.Fatalf("%s %s: %d: %s", method, path, code, raw)
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			u.t.Fatalf("%s: %v", raw, err)
		}
	}
}

// run runs SQL to its end and returns the run's id.
func (u *officeUser) run(sql string) string {
	u.t.Helper()
	return u.runWith(map[string]any{"sql": sql})
}

func (u *officeUser) runWith(request map[string]any) string {
	u.t.Helper()
	patient := u.prefer("wait=20")
	var r struct{ ID, State string }
	patient.must(http.MethodPost, "/runs", request, &r)
	for r.State == "queued" || r.State == "running" {
		patient.must(http.MethodGet, "/runs/"+r.ID, nil, &r)
	}
	if r.State != "succeeded" {
		_, whole := u.do(http.MethodGet, "/runs/"+r.ID, nil)
		u.t.Fatalf("%s: %s: %s", request["sql"], r.State, whole)
	}
	return r.ID
}

// A person of the office comes in at the door with a password made for one
// tool, under the warehouse login that was granted; whatever is taken back ends
// what was going on under it.
func TestOfficePeopleAtTheDoor(t *testing.T) {
	t.Parallel()
	h := serveOffice(t)
	h.welcome(t, "ada", "reader", "--admin")
	ann := h.welcome(t, "ann", "reader")
	var made struct {
		Password, Login string
		Item            struct{ ID string }
	}
	ann.must(http.MethodPost, "/db-passwords", map[string]any{"tool": "psql"}, &made)
	conn := func(password string) (*pgx.Conn, error) {
		return pgx.Connect(t.Context(), fmt.Sprintf("postgres://%s:%s@%s/postgres?sslmode=disable", made.Login, password, h.door))
	}
	c, err := conn(made.Password)
	if err != nil {
		t.Fatal(err)
	}
	var role string
	if err := c.QueryRow(t.Context(), "SELECT current_user").Scan(&role); err != nil {
		t.Fatal(err)
	}
	want(t, role, "reader")
	if _, err := conn("not-" + made.Password); sqlState(err) != "28P01" {
		t.Errorf("a wrong password: %v", err)
	}
	eventually(t, "the page saw the tool", func() bool {
		var list struct {
			Items []struct {
				Used *time.Time `json:"last_used"`
			}
		}
		ann.must(http.MethodGet, "/db-passwords", nil, &list)
		return len(list.Items) == 1 && list.Items[0].Used != nil
	})

	began := time.Now()
	ended := make(chan error, 1)
	go func() { // ends with the session; joined below
		_, err := c.Exec(t.Context(), "SELECT pg_sleep(60)")
		ended <- err
	}()
	h.console("user", "disable", "ann")
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the statement of somebody disabled ended well")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the session of somebody disabled goes on")
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("the session went on for %s", d)
	}
	if code, _ := ann.do(http.MethodGet, "/me", nil); code != http.StatusUnauthorized {
		t.Errorf("the page of somebody disabled: %d", code)
	}
	if _, err := conn(made.Password); err == nil {
		t.Error("somebody disabled comes in at the door")
	}
	h.console("user", "enable", "ann")
	again, err := conn(made.Password)
	if err != nil {
		t.Fatalf("enabled again: %v", err)
	}
	if err := again.Close(t.Context()); err != nil {
		t.Error(err)
	}
	h.stop()
}

func sqlState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// Whoever may read the tables sees exactly the rows of a run, also when the
// table was emptied meanwhile; whoever may not reads what a random id gives.
func TestOfficeSharesExactlyThatResult(t *testing.T) {
	t.Parallel()
	h := serveOffice(t)
	ann, bo, eve := h.welcome(t, "ann", "reader", "--admin"), h.welcome(t, "bo", "reader"), h.welcome(t, "eve", "outsider")
	eventually(t, "the catalog is known", func() bool { return strings.Contains(h.log.String(), "catalog changed") })
	id := ann.run("SELECT id, amount FROM public.sales ORDER BY id")
	_, first := ann.do(http.MethodGet, "/runs/"+id+"/result.csv", nil)
	proxytest.Exec(t, h.pg.Super(t), "UPDATE public.sales SET amount = 0", "TRUNCATE public.sales")
	code, seen := bo.do(http.MethodGet, "/runs/"+id+"/result.csv", nil)
	if code != http.StatusOK || !bytes.Equal(first, seen) || bytes.Count(first, []byte("\n")) != 1001 {
		t.Errorf("a second person: %d, %d bytes of %d", code, len(seen), len(first))
	}
	anonymous := func(body []byte) string {
		return regexp.MustCompile(`[0-9A-Z]{16}`).ReplaceAllString(string(body), "-")
	}
	code, refused := eve.do(http.MethodGet, "/runs/"+id+"/rows", nil)
	_, nothing := eve.do(http.MethodGet, "/runs/r_0000000000000000/rows", nil)
	if code != http.StatusNotFound || anonymous(refused) != anonymous(nothing) {
		t.Errorf("a stranger: %d %s, want as %s", code, refused, nothing)
	}
	proxytest.Exec(t, h.pg.Super(t), "DROP TABLE public.sales")
	ann.must(http.MethodPut, "/runs/"+id+"/viewers/eve", nil, nil)
	if code, body := eve.do(http.MethodGet, "/runs/"+id+"/rows", nil); code != http.StatusOK {
		t.Errorf("a named viewer: %d %s", code, body)
	}
	out, _ := command(t, "audit", "search", "--kind", "result_read", "--json", h.state)
	if n := countLines(out); n < 1 {
		t.Errorf("%d looks in the record", n)
	}
	h.verify()
	h.stop()
}

// A program runs SQL by the command line from elsewhere, with a token.
func TestOfficeQueryCommand(t *testing.T) {
	t.Parallel()
	h := serveOffice(t)
	ann := h.welcome(t, "ann", "reader", "--admin")
	var made struct{ Token string }
	ann.must(http.MethodPost, "/tokens", map[string]any{"name": "cron", "scopes": []string{"runs:write", "runs:read"}, "expires_in_days": 1}, &made)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(made.Token), 0o600); err != nil {
		t.Fatal(err)
	}
	server := strings.TrimSuffix(h.web, "/api/v1")
	out, code := command(t, "query", "--server", server, "--token-file", file, "SELECT id FROM public.sales WHERE id <= :top ORDER BY 1", "-p", "top:int4=3")
	if code != 0 || !strings.Contains(strings.ReplaceAll(out, "\r", ""), "id\n1\n2\n3\n") || !strings.Contains(out, server+"/r/") {
		t.Errorf("code %d: %q", code, out)
	}
	for _, c := range []struct {
		name, flags, sql, want string
		code                   int
	}{
		{"passes its limit", "--max-rows 10", "SELECT id FROM public.sales", "passes its limit of 10 rows", 1},
		{"is cut by wish", "--max-rows 2 --cut", "SELECT id FROM public.sales ORDER BY id", "id\n1\n2\n", 0},
		{"says that it is cut", "--max-rows 2 --cut", "SELECT id FROM public.sales", "cut by max_rows", 0},
		{"has no such format", "--format pdf", "SELECT 1", "want one of csv", 2},
		{"takes too long", "--timeout 2s", "SELECT pg_sleep(99.25)", "was canceled", 1},
	} {
		args := append([]string{"query", "--server", server, "--token-file", file, c.sql}, strings.Fields(c.flags)...)
		if out, code := command(t, args...); code != c.code || !strings.Contains(strings.ReplaceAll(out, "\r", ""), c.want) {
			t.Errorf("one that %s: code %d: %q", c.name, code, out)
		}
	}
	super := h.pg.Super(t)
	eventually(t, "what took too long is gone", func() bool {
		var n int
		err := super.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%99.25%' AND pid <> pg_backend_pid() AND state = 'active'").Scan(&n)
		return err == nil && n == 0
	})
	out, code = command(t, "query", "--server", server, "--token-file", file, "DELETE FROM public.sales")
	if code == 0 || !strings.Contains(out, "read-only") {
		t.Errorf("a write: code %d: %q", code, out)
	}
	out, code = command(t, "runs", "list", "--server", server, "--token-file", file)
	if code != 0 || !strings.Contains(out, "succeeded") || !strings.Contains(out, "failed") {
		t.Errorf("runs: code %d: %q", code, out)
	}
	h.stop()
}
