//go:build browser

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/admin/signin/signintest"
	"github.com/lockkeeper/lockkeeper/admin/ui"
	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/audit/jsonl"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// browserPolicy lets one statement of quin run at a time; the others wait.
const browserPolicy = `version: 1
defaults:
  mode: enforce
  audit: {text: normalized, params: none, on_failure: closed_for_writes}
classify:
  - {when: {user: quin}, class: narrow}
  - {class: wide}
classes:
  wide: {}
  narrow:
    concurrency: {hard: 1}
    queue: {max: 20, max_wait: 10m}
`

// browserWarehouse is what people ask: three logins, of which one may read
// nothing of the shop.
var browserWarehouse = []string{
	"CREATE ROLE shop_rw LOGIN PASSWORD 'shop_rw'",
	"CREATE ROLE shop_ro LOGIN PASSWORD 'shop_ro'",
	"CREATE ROLE outsider LOGIN PASSWORD 'outsider'",
	"CREATE ROLE watcher LOGIN PASSWORD 'watcher' IN ROLE pg_monitor, pg_signal_backend",
	"CREATE SCHEMA shop",
	"CREATE TABLE shop.orders (id int PRIMARY KEY, buyer text, amount numeric(10,2), paid_at timestamptz, note text)",
	`INSERT INTO shop.orders SELECT i, 'buyer ' || i, i * 12.5, timestamptz '2026-09-01 10:00+00' + i * interval '7 hours',
		CASE WHEN i % 3 = 0 THEN NULL ELSE '<b>note</b> ' || i END FROM generate_series(1, 12) i`,
	"CREATE TABLE shop.big AS SELECT i AS id, 0 AS n FROM generate_series(1, 5000) i",
	`CREATE TABLE shop.sales AS SELECT date '2026-08-15' + i % 40 AS day, (ARRAY['shop', 'web', 'phone', 'partner'])[1 + i / 40 % 4] AS channel,
		round((4 + 3 * sin(i % 40 / 4.0 + i / 40 % 4) + i % 7 / 9.0 + 3 * (i / 40 % 4))::numeric, 2) AS price FROM generate_series(1, 20000) i`,
	"CREATE TABLE shop.refunds AS SELECT i AS id, date '2026-09-01' + i AS day, i * 3.5 AS amount FROM generate_series(1, 9) i",
	"GRANT USAGE ON SCHEMA shop TO shop_rw, shop_ro",
	"GRANT ALL ON ALL TABLES IN SCHEMA shop TO shop_rw",
	"GRANT SELECT ON ALL TABLES IN SCHEMA shop TO shop_ro",
}

// browserPeople are let in by the command line, as on a first day.
var browserPeople = []struct{ login, name, team, warehouse string }{
	{"ada", "Ada Admin", "shop", "shop_rw"},
	{"olga", "Olga Owner", "shop", "shop_rw"},
	{"vera", "Vera Reader", "shop", "shop_ro"},
	{"pete", "Pete Partner", "shop", "shop_ro"},
	{"quin", "Quin Queued", "shop", "shop_ro"},
	{"nora", "Nora Newcomer", "guests", "outsider"},
	{"ines", "Ines Identified", "guests", "shop_ro"}, // comes by the identity provider
}

// The page in a real Chromium against the real server: the scripts of
// admin/ui/web/e2e/real act by roles and labels alone, as people do.
func TestBrowser(t *testing.T) {
	chromium := browserTools(t)
	pg := browserPostgres(t)
	web := freeAddress(t)
	p := serve(t, pg, browserPolicy, browserFlags(pg, web)...)
	browserWelcome(t, p)
	stage := httptest.NewServer(browserStage(pg, p.state))
	t.Cleanup(stage.Close)
	for _, script := range []string{"sessions", "answers", "queries", "runs", "keyboard", "pages", "hostile"} {
		t.Run(script, func(t *testing.T) {
			browserScript(t, p, script, "LK_WEB=http://"+web, "LK_STAGE="+stage.URL, "CHROMIUM="+chromium)
		})
	}
}

// Coming in by an identity provider, which stands at another site than the page.
func TestBrowserProvider(t *testing.T) {
	chromium := browserTools(t)
	pg := browserPostgres(t)
	web := freeAddress(t)
	provider, flags := officeProviderFlags(t, web, "localhost", "")
	p := serve(t, pg, browserPolicy, append(browserFlags(pg, web), flags...)...)
	browserWelcome(t, p)
	if err := provider.Know("ines", signintest.Person("ines", "lk")); err != nil {
		t.Fatal(err)
	}
	mux := browserStage(pg, p.state)
	browserHandle(mux, "/groups", func(_ context.Context, body []byte) (string, error) {
		var in struct {
			Login  string
			Groups []string
		}
		if err := json.Unmarshal(body, &in); err != nil {
			return "", err
		}
		return "", provider.Know(in.Login, signintest.Person(in.Login, in.Groups...))
	})
	stage := httptest.NewServer(mux)
	t.Cleanup(stage.Close)
	browserScript(t, p, "provider", "LK_WEB=http://"+web, "LK_STAGE="+stage.URL, "CHROMIUM="+chromium, "LK_PROVIDER="+provider.Issuer)
}

// browserPostgres is the warehouse that the scripts ask.
func browserPostgres(t *testing.T) *proxytest.Postgres {
	t.Helper()
	pg := proxytest.StartPrivate(t)
	proxytest.Exec(t, pg.Super(t), "CREATE DATABASE shop")
	proxytest.Exec(t, pg.Connect(t, proxytest.Superuser, "shop"), browserWarehouse...)
	for _, role := range []string{"shop_rw", "shop_ro", "outsider", "watcher"} {
		pg.Auth(t, role, "scram-sha-256") // a login that is not the granted one gets nowhere
	}
	return pg
}

func browserFlags(pg *proxytest.Postgres, web string) []string {
	return []string{
		"--web-listen", web, "--warehouse", "postgres://" + pg.Addr() + "/shop?sslmode=disable",
		"--operator", "postgres://watcher:watcher@" + pg.Addr() + "/shop?sslmode=disable",
	}
}

// browserScript runs one of the scripts of admin/ui/web/e2e/real.
func browserScript(t *testing.T, p *process, script string, env ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "e2e/real/"+script+".mjs")
	cmd.Dir = browserPage
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // node then ends Chromium
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s.mjs: %v, %v\n%s\nthe server said:\n%s", script, err, context.Cause(ctx), out, p.log)
	}
	t.Logf("%s", out)
}

const browserPage = "../../admin/ui/web"

// browserTools fails where something is missing: a test that was not run proves nothing.
func browserTools(t *testing.T) (chromium string) {
	t.Helper()
	chromium = os.Getenv("CHROMIUM")
	if chromium == "" {
		chromium = "/usr/bin/chromium"
	}
	if _, err := exec.LookPath(chromium); err != nil {
		t.Fatalf("no Chromium at %s: install the Debian package chromium (apt-get install chromium), or name one in CHROMIUM", chromium)
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatal("no node in PATH: install the Debian packages nodejs and npm (20.19 or newer)")
	}
	if _, err := os.Stat(filepath.Join(browserPage, "node_modules", "playwright-core")); err != nil {
		t.Fatal("the page's tools are not installed: run make ui")
	}
	if !ui.Built() {
		t.Fatal("this test was built without the page: run make ui, then the test again")
	}
	return chromium
}

func browserWelcome(t *testing.T, p *process) {
	t.Helper()
	for _, team := range []string{"shop", "guests"} {
		p.console("team", "add", team)
	}
	for _, one := range browserPeople {
		args := []string{"user", "add", one.login, "--name", one.name, "--team", one.team}
		if one.login == "ada" {
			args = append(args, "--admin")
		}
		p.console(args...)
		secret := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(secret, []byte(one.warehouse+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		p.console("grant", "add", "--to", one.login, "--warehouse-login", one.warehouse, "--password-file", secret)
	}
}

// browserStage lets the scripts change the warehouse behind the server's back,
// and use the command line.
func browserStage(pg *proxytest.Postgres, state string) *http.ServeMux {
	mux := http.NewServeMux()
	browserHandle(mux, "/sql", func(ctx context.Context, body []byte) (string, error) {
		conn, err := pgx.Connect(ctx, pg.URL(proxytest.Superuser, "shop"))
		if err != nil {
			return "", err
		}
		defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
		var first any
		err = conn.QueryRow(ctx, string(body)).Scan(&first)
		if errors.Is(err, pgx.ErrNoRows) {
			return "", nil
		}
		return fmt.Sprint(first), err
	})
	browserHandle(mux, "/reads", func(ctx context.Context, body []byte) (string, error) {
		dir, err := auditDir(state)
		if err != nil {
			return "", err
		}
		page, err := jsonl.NewReader(dir).Search(ctx, audit.Query{Filter: audit.Filter{Run: string(body), Kinds: []audit.Kind{audit.KindResultRead}}, Limit: 1000})
		return fmt.Sprint(len(page.Events)), err
	})
	browserHandle(mux, "/cli", func(ctx context.Context, body []byte) (string, error) {
		var args []string
		if err := json.Unmarshal(body, &args); err != nil {
			return "", err
		}
		out, err := exec.CommandContext(ctx, "lockkeeper", append(args, "--state", state)...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("lockkeeper %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return string(out), nil
	})
	return mux
}

// browserHandle lets the scripts do something, by a POST to a path.
func browserHandle(mux *http.ServeMux, path string, act func(ctx context.Context, body []byte) (string, error)) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		out := ""
		if err == nil {
			out, err = act(r.Context(), body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, out)
	})
}
