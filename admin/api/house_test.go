package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/api"
	"github.com/lockkeeper/lockkeeper/admin/notify"
	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/admin/secret"
	"github.com/lockkeeper/lockkeeper/admin/signin"
	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
	"github.com/lockkeeper/lockkeeper/admin/store/sqlite"
	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy/sqlparse"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is an API over a real office in a real store, served by a real server.
type house struct {
	*testing.T

	api     *api.API
	office  *admin.Office
	door    *backroom
	journal *journal
	hub     *notify.Hub
	revoked *notify.Revocations
	log     *buffer
	server  *httptest.Server
	root    *browser // an admin
	file    string   // of the store
	tokens  map[string]*browser
}

// revoker ends streams, downloads and runs, as cmd wires it.
type revoker struct{ h *house }

func (r revoker) Revoke(ids ...string) {
	r.h.revoked.Revoke(ids...)
	if r.h.door != nil {
		r.h.door.runs.Revoke(ids...)
	}
}

// saved knows the saved queries.
type saved struct{ h *house }

func (s saved) Bindable(ctx context.Context, c *admin.Caller, queries map[string]int) error {
	return s.h.door.library.Bindable(ctx, c, queries)
}

func newHouse(t *testing.T, change ...func(*api.Config)) *house {
	t.Helper()
	h := &house{T: t, journal: &journal{}, revoked: &notify.Revocations{}, log: &buffer{}}
	var err error
	if h.hub, err = notify.NewHub(notify.Config{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.hub.Close)
	log := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	dir := t.TempDir()
	h.file = filepath.Join(dir, "office.db")
	db, err := sqlite.Open(t.Context(), sqlite.Config{Path: h.file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	vault, err := secret.New(secret.Config{Path: filepath.Join(dir, "key"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	passwords, err := signin.NewPassword(signin.PasswordConfig{Memory: 8 * 1024, Passes: 1, Lanes: 1, AtOnce: 4})
	if err != nil {
		t.Fatal(err)
	}
	h.office, err = admin.New(t.Context(), admin.Config{
		Store: sqldb.NewPeople(db), Journal: h.journal, Vault: vault, Passwords: passwords, Verifiers: verifiers{}, Revoker: revoker{h}, Queries: saved{h}, Log: log, Provision: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.door = newBackroom(t, h, db, vault, dir)
	explainer, err := query.NewExplainer(query.ExplainerConfig{Targets: targets, Door: h.door, Facts: facts{parser(t)}})
	if err != nil {
		t.Fatal(err)
	}
	limiter, err := signin.NewLimiter(signin.LimiterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	h.server = httptest.NewUnstartedServer(mux)
	h.server.Start()
	cfg := api.Config{
		Office: h.office, Runs: h.door.runs, Library: h.door.library, Catalog: catalog{}, Explainer: explainer,
		Targets: targets, Hub: h.hub, Revocations: h.revoked, Passwords: true, Machines: machines{}, Limiter: limiter, ExternalURL: h.server.URL,
		Connect: api.Connect{Host: "lk.example.com", Port: 5432, SSLMode: "require"},
		Files:   pageFiles(), Page: func(nonce, base string) ([]byte, error) {
			return []byte("<html>" + base + " " + nonce + "</html>"), nil
		},
		Rate: api.Rate{PerSecond: 1e6, Burst: 1e6}, OpenRate: api.Rate{PerSecond: 1e6, Burst: 1e6}, Log: log,
	}
	for _, f := range change {
		f(&cfg)
	}
	if h.api, err = api.New(cfg); err != nil {
		t.Fatal(err)
	}
	mux.Handle("/", h.api.Handler())
	t.Cleanup(h.server.Close)
	t.Cleanup(h.api.Close)
	link, err := h.office.FirstAdmin(t.Context(), "root")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Title == deafTitle {
		return h
	}
	h.root = h.enter(link)
	return h
}

// deafTitle marks a house whose address is not that of its server: nobody signs in.
const deafTitle = "Lockkeeper"

func deaf(c *api.Config) { c.Title = deafTitle }

func parser(t *testing.T) *sqlparse.Parser {
	t.Helper()
	p, err := sqlparse.New(sqlparse.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func pageFiles() fstest.MapFS {
	return fstest.MapFS{
		"index.html":            {Data: []byte("<html></html>")},
		"assets/app-1a2b.js":    {Data: []byte("let plain")},
		"assets/app-1a2b.js.gz": {Data: []byte("let gzip")},
		"assets/app-1a2b.js.br": {Data: []byte("let brotli")},
		"assets/app-1a2b.css":   {Data: []byte("a{}")},
		"robots.txt":            {Data: []byte("User-agent: *")},
	}
}

// browser is somebody's page, or their program.
type browser struct {
	h      *house
	id     string // of the principal
	login  string
	cookie *http.Cookie
	token  string
}

// enter signs in by a link, as a page does.
func (h *house) enter(link admin.Secret) *browser {
	h.Helper()
	b := &browser{h: h}
	a := b.call("POST", "/session/link", map[string]any{"token": link.Reveal()})
	a.want(200)
	for _, c := range a.res.Cookies() {
		if c.Name == "lksid" {
			b.cookie = c
		}
	}
	me := a.object()
	b.id, b.login = me["id"].(string), me["login"].(string)
	return b
}

// person adds somebody and signs them in.
func (h *house) person(login, role string, teams ...string) *browser {
	h.Helper()
	a := h.root.call("POST", "/people", map[string]any{"login": login, "role": role, "teams": teams})
	if role == "" {
		a = h.root.call("POST", "/people", map[string]any{"login": login, "teams": teams})
	}
	a.want(201)
	_, token, _ := strings.Cut(a.object()["link"].(string), "#link=")
	return h.enter(admin.NewSecret(token))
}

// program makes a token of somebody's.
func (b *browser) program(scopes ...string) *browser { return b.programFor("", scopes...) }

func (b *browser) programFor(service string, scopes ...string) *browser {
	b.h.Helper()
	body := map[string]any{"name": "test", "scopes": scopes, "expires_in_days": 30}
	if service != "" {
		body["service"] = service
	}
	a := b.call("POST", "/tokens", body)
	a.want(201)
	return &browser{h: b.h, id: b.id, login: b.login, token: a.object()["token"].(string)}
}

func allScopes() []string {
	var out []string
	for _, s := range admin.AllScopes() {
		out = append(out, string(s))
	}
	return out
}

// header of a request; "" removes it.
type header map[string]string

// answer is what came back, read whole.
type answer struct {
	h    *house
	what string
	res  *http.Response
	body []byte
}

// call asks, as JSON if there is a body.
func (b *browser) call(method, path string, body any, headers ...header) *answer {
	b.h.Helper()
	req := b.request(method, path, body, headers...)
	res, err := b.h.server.Client().Transport.RoundTrip(req)
	if err != nil {
		b.h.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	in := io.Reader(res.Body)
	if res.Header.Get("Content-Type") == "text/event-stream" {
		in = io.LimitReader(in, 1) // it does not end by itself
	}
	all, err := io.ReadAll(in)
	if err != nil {
		b.h.Fatalf("%s %s: read: %v", method, path, err)
	}
	return &answer{h: b.h, what: method + " " + path, res: res, body: all}
}

func (b *browser) request(method, path string, body any, headers ...header) *http.Request {
	b.h.Helper()
	var in io.Reader
	switch v := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(v)
	default:
		raw, err := json.Marshal(v)
		if err != nil {
			b.h.Fatal(err)
		}
		in = bytes.NewReader(raw)
	}
	if !strings.HasPrefix(path, "!") {
		path = "/api/v1" + path
	}
	req, err := http.NewRequestWithContext(b.h.Context(), method, b.h.server.URL+strings.TrimPrefix(path, "!"), in)
	if err != nil {
		b.h.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if b.cookie != nil {
		req.AddCookie(&http.Cookie{Name: b.cookie.Name, Value: b.cookie.Value})
	}
	if b.token != "" {
		req.Header.Set("Authorization", "Bearer "+b.token)
	}
	for _, hs := range headers {
		for name, value := range hs {
			req.Header.Set(name, value)
			if name == "Host" {
				req.Host = value
			}
		}
	}
	return req
}

// want fails unless the answer has one of the statuses.
func (a *answer) want(status ...int) *answer {
	a.h.Helper()
	if !slices.Contains(status, a.res.StatusCode) {
		a.h.Fatalf("%s: %d %s, want %v", a.what, a.res.StatusCode, a.body, status)
	}
	return a
}

// code fails unless the answer is a problem of this kind.
func (a *answer) code(status int, code string) *answer {
	a.h.Helper()
	a.want(status)
	if got := a.object()["code"]; got != code || a.res.Header.Get("Content-Type") != "application/problem+json" {
		a.h.Fatalf("%s: %v (%s), want %s: %s", a.what, got, a.res.Header.Get("Content-Type"), code, a.body)
	}
	return a
}

func (a *answer) object() map[string]any {
	a.h.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.body, &m); err != nil {
		a.h.Fatalf("%s: %d %q: %v", a.what, a.res.StatusCode, a.body, err)
	}
	return m
}

func (a *answer) id() string { return a.object()["id"].(string) }

// journal keeps what is recorded, and may fail.
type journal struct {
	mu     sync.Mutex // guards what follows
	events []audit.Event
	broken bool
}

func (j *journal) Record(_ context.Context, e *audit.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken {
		return errors.New("disk full")
	}
	j.events = append(j.events, *e)
	return nil
}

func (j *journal) breaks(b bool) {
	j.mu.Lock()
	j.broken = b
	j.mu.Unlock()
}

func (j *journal) count(kinds ...audit.Kind) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, e := range j.events {
		if slices.Contains(kinds, e.Kind) {
			n++
		}
	}
	return n
}

// buffer is a log that many write.
type buffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// verifiers looks like SCRAM.
type verifiers struct{}

func (verifiers) New(password string, salt []byte) (string, error) {
	b64 := base64.StdEncoding.EncodeToString
	sum := sha256.Sum256(append(slices.Clone(salt), password...))
	return "SCRAM-SHA-256$4096:" + b64(salt) + "$" + b64(sum[:]) + ":" + b64(sum[:]), nil
}

// soon is longer than anything that should happen takes.
const soon = 10 * time.Second
