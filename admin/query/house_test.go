package query_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/blob"
	"github.com/lockkeeper/lockkeeper/admin/blob/dir"
	"github.com/lockkeeper/lockkeeper/admin/door"
	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/admin/secret"
	"github.com/lockkeeper/lockkeeper/admin/store/postgres"
	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
	"github.com/lockkeeper/lockkeeper/admin/store/sqlite"
	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqlparse"
	"github.com/lockkeeper/lockkeeper/proxy"
	"github.com/lockkeeper/lockkeeper/proxy/backend"
	"github.com/lockkeeper/lockkeeper/proxy/catalog"
	"github.com/lockkeeper/lockkeeper/proxy/directory"
	"github.com/lockkeeper/lockkeeper/proxy/lockwatch"
	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

func TestMain(m *testing.M) { proxytest.Main(m) }

// This file builds the house as cmd does: the real door in front of a real
// Postgres, the real store, and the ports that join them.

// doorPort meets query.Door.
type doorPort struct{ *door.Door }

func (d doorPort) Open(ctx context.Context, p query.Principal, t query.Target) (query.Conn, error) {
	c, err := d.Door.Open(ctx, p, t.Database)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// factsPort meets query.Facts, and the door's own parser port.
type factsPort struct{ *sqlparse.Parser }

func (f factsPort) Parse(_ query.Target, sql string) *policy.Batch {
	return f.Parser.Parse([]byte(sql), sqlparse.Env{StdStrings: sqlparse.On})
}

type parserPort struct{ *sqlparse.Parser }

func (p parserPort) Parse(sql []byte, env proxy.ParseEnv) *policy.Batch {
	return p.Parser.Parse(sql, sqlparse.Env{Encoding: env.Encoding, StdStrings: sqlparse.On})
}

// statusPort meets query.Statuses.
type statusPort struct{ srv *proxy.Server }

func (s statusPort) RunStatus(run string) (query.Status, bool) {
	r, ok := s.srv.RunStatus(run)
	st, out := r.Statement, query.Status{}
	if b := r.Blocker; b != nil {
		out.Blocked = &query.Holder{User: b.User, Tool: b.Tool}
	}
	switch {
	case !ok || st.Session == "":
		return out, ok
	case !st.Started.IsZero():
		out.Running, out.Class = true, st.Class
		return out, true
	}
	return query.Status{Queued: true, Class: st.Class, Wait: query.Wait{Reason: "slot", Position: &st.Position, Ahead: &st.Ahead, Class: st.Queue, Detail: st.Why}}, true
}

// rightsPort meets query.Rights.
type rightsPort struct{ engine *policy.Engine }

func (r rightsPort) MayRead(_ context.Context, who policy.Subject, t query.Target, rel []policy.Relation, fn []policy.Function) (bool, error) {
	return r.engine.MayRead(time.Now(), who, t.Database, rel, fn).Verdict != policy.Deny, nil
}

// meterPort meets query.Meter.
type meterPort struct{ engine *policy.Engine }

func (m meterPort) ChargeRows(_ context.Context, who query.Principal, t query.Target, rel []policy.Relation, rows int64) error {
	if refusal := m.engine.ChargeRead(time.Now(), &who, t.Database, rel, rows); refusal != nil {
		return errors.New(refusal.Message)
	}
	return nil
}

// privilegesPort meets query.Privileges.
type privilegesPort struct{ *door.Privileges }

func (p privilegesPort) CanSelect(ctx context.Context, login string, t query.Target, rel []policy.Relation) (bool, error) {
	return p.Privileges.CanSelect(ctx, login, t.Database, rel)
}

// journal keeps what door and office record.
type journal struct {
	mu     sync.Mutex
	events []audit.Event
	fail   error
	shown  int
}

func (j *journal) Record(_ context.Context, e *audit.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fail != nil {
		return j.fail
	}
	j.events = append(j.events, *e)
	return nil
}

// broken makes the record fail from now on; nil mends it.
func (j *journal) broken(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fail = err
}

func (j *journal) of(kind audit.Kind, run string) []audit.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []audit.Event
	for _, e := range j.events {
		if e.Kind == kind && (run == "" || e.Run == run) {
			out = append(out, e)
		}
	}
	return out
}

func (j *journal) Intents(_ context.Context, run string, _ time.Time) ([]audit.Event, error) {
	events := j.of(audit.KindIntent, run)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.shown > 0 && len(events) > j.shown {
		events = events[:j.shown]
	}
	return events, nil
}

// show makes the record tell of so many statements of a run and no more, as if
// the rest were still on its way; 0: of all.
func (j *journal) show(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.shown = n
}

// peoplePort meets query.People and query.Services.
type peoplePort struct{ all []*admin.Caller }

func (p peoplePort) PersonByLogin(_ context.Context, login string) (query.Person, error) {
	for _, c := range p.all {
		if c.Login == login {
			return query.Person{ID: c.ID, Login: c.Login, Name: c.Name, Teams: c.Teams, Roles: c.Roles}, nil
		}
	}
	return query.Person{}, admin.ErrAbsent
}

func (p peoplePort) Holds(_ context.Context, c *admin.Caller, service string) (bool, error) {
	return c.Login == "ann" && strings.HasPrefix(service, admin.PrefixService), nil
}

// clock is a time that a test can move.
type clock struct {
	mu   sync.Mutex
	plus time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.plus)
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plus += d
}

// house is all of it.
type house struct {
	t       testing.TB
	pg      *proxytest.Postgres
	srv     *proxy.Server
	engine  *policy.Engine
	role    string // of the warehouse; also a schema it owns
	folder  string // of the store, the results and the key
	journal *journal
	clock   *clock
	store   query.Store
	blobs   blob.Store
	cfg     query.Config
	runs    *query.Runs
	library *query.Library
	stop    func()

	ann, bob, eve, ops *admin.Caller
	names              *catalog.Reader
}

func person(login string, role admin.Role, teams ...string) *admin.Caller {
	return &admin.Caller{
		Kind: admin.KindPerson, ID: admin.NewID(admin.PrefixPerson), Login: login, Name: strings.ToUpper(login), Teams: teams,
		Roles: map[string]admin.Role{admin.AllTargets: role}, Via: "web", Scopes: admin.AllScopes(),
	}
}

func service(login string) *admin.Caller {
	return &admin.Caller{
		Kind: admin.KindService, ID: admin.NewID(admin.PrefixService), Login: login, Via: "api", Scopes: admin.AllScopes(),
		Roles: map[string]admin.Role{admin.AllTargets: admin.RoleMember},
	}
}

// buildOnPostgres is build with the store on Postgres.
func buildOnPostgres(t testing.TB, change ...func(*query.Config)) *house {
	t.Helper()
	pg := proxytest.StartPostgres(t)
	name := "store_" + pg.CreateRole(t, "")
	proxytest.Exec(t, pg.Super(t), "CREATE DATABASE "+name)
	db := must1(postgres.Open(t.Context(), postgres.Config{URL: pg.URL(proxytest.Superuser, name)}))
	t.Cleanup(func() { _ = db.Close() })
	return build(t, policy.Source{}, append(change, func(c *query.Config) { c.Store = sqldb.NewQueries(db) })...)
}

// build makes a house; change touches the configuration of runs before they
// begin.
func build(t testing.TB, src policy.Source, change ...func(*query.Config)) *house {
	t.Helper()
	h := &house{t: t, pg: proxytest.StartPostgres(t), journal: &journal{}, clock: &clock{}}
	h.ann, h.bob = person("ann", admin.RoleMember, "growth"), person("bob", admin.RoleMember, "sales")
	h.eve, h.ops = person("eve", admin.RoleNone), person("ops", admin.RoleOperator)
	h.role = h.pg.CreateRole(t, "")
	proxytest.Exec(t, h.pg.Super(t), "CREATE SCHEMA "+h.role+" AUTHORIZATION "+h.role, "CREATE ROLE "+h.role+"_other LOGIN")
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), h.pg.URL(proxytest.Superuser, "postgres"))
		if err == nil {
			_, _ = conn.Exec(context.Background(), "DROP ROLE IF EXISTS "+h.role+"_other")
			_ = conn.Close(context.Background())
		}
	})
	h.openDoor(src)
	h.openStore()
	h.configure()
	for _, f := range change {
		f(&h.cfg)
	}
	h.store = h.cfg.Store
	h.library = must1(query.NewLibrary(query.LibraryConfig{Store: h.store, Journal: h.journal, Services: peoplePort{}, Now: h.clock.now}))
	h.start()
	return h
}

func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// openDoor starts the real door.
func (h *house) openDoor(src policy.Source) {
	t := h.t
	rs, err := policy.Compile(src)
	if err != nil {
		t.Fatal(err)
	}
	h.engine = policy.NewEngine(policy.EngineConfig{})
	h.engine.Publish(rs)
	h.names, err = catalog.New(catalog.Config{ConnString: h.pg.URL(proxytest.Superuser, "postgres"), Publish: h.engine.PublishCatalog})
	if err != nil {
		t.Fatal(err)
	}
	h.learn()
	dialer, err := backend.New(backend.Config{Network: "tcp", Address: h.pg.Addr(), TLSMode: backend.TLSDisable})
	if err != nil {
		t.Fatal(err)
	}
	users, err := directory.New(directory.Config{Map: directory.Mapping{
		Users: map[string]pgauth.Login{"bob": {User: h.role + "_other"}}, Default: pgauth.Login{User: h.role},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w, err := lockwatch.New(lockwatch.Config{ConnString: h.pg.URL(proxytest.Superuser, "postgres")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	h.srv, err = proxy.New(proxy.Config{
		Dialer: dialer, Engine: h.engine, Parser: parserPort{must1(sqlparse.New(sqlparse.Config{}))}, Recorder: h.journal, Directory: users, Watcher: w,
		Auth: pgauth.Rules{{Method: pgauth.Trust}}, Salts: pgauth.RandomSaltKey(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- h.srv.Serve(context.Background(), ln) }()
	t.Cleanup(func() {
		_ = h.srv.Close()
		if err := <-served; !errors.Is(err, proxy.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
}

func must1[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// learn reads the warehouse's catalog, as the door does each minute.
func (h *house) learn() {
	h.t.Helper()
	if err := h.names.Read(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) openStore() {
	t := h.t
	folder := t.TempDir()
	h.folder = folder
	db := must(t, must1(sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(folder, "office.db"), Now: h.clock.now})), nil)
	t.Cleanup(func() { _ = db.Close() })
	h.store = sqldb.NewQueries(db)
	places := must1(dir.New(dir.Config{Dir: filepath.Join(folder, "blobs")}))
	if c, ok := any(places).(io.Closer); ok {
		t.Cleanup(func() { _ = c.Close() })
	}
	h.blobs = places
	h.cfg.Vault = must1(secret.New(secret.Config{Path: filepath.Join(folder, "key"), Create: true}))
}

func (h *house) configure() {
	parser := factsPort{must1(sqlparse.New(sqlparse.Config{}))}
	client := must1(door.New(door.Config{Dial: h.srv.Dial}))
	privileges := must1(door.NewPrivileges(door.PrivilegesConfig{Door: client, Groups: func(string) []string { return nil }}))
	people := peoplePort{[]*admin.Caller{h.ann, h.bob, h.eve, h.ops}}
	h.cfg.Targets = []query.Target{{Name: "warehouse", Dialect: "postgres", Database: "postgres"}}
	h.cfg.Store, h.cfg.Blobs, h.cfg.Journal, h.cfg.People, h.cfg.Facts = h.store, h.blobs, h.journal, people, parser
	h.cfg.Door = doorPort{client}
	h.cfg.Intents, h.cfg.Rights, h.cfg.Privileges, h.cfg.Statuses = h.journal, rightsPort{h.engine}, privilegesPort{privileges}, statusPort{h.srv}
	h.cfg.Meter, h.cfg.Now = meterPort{h.engine}, h.clock.now
}

// start runs the service until stop, or the end of the test.
func (h *house) start() {
	h.t.Helper()
	h.runs = must(h.t, must1(query.New(h.cfg)), nil)
	h.serve()
}

// serve runs the service that start makes.
func (h *house) serve() {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(h.t.Context()))
	done := make(chan error, 1)
	go func() { defer close(done); done <- h.runs.Run(ctx) }()
	var once sync.Once
	h.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				h.t.Errorf("Run: %v", err)
			}
		})
	}
	h.t.Cleanup(h.stop)
	select {
	case <-h.runs.Ready():
	case err := <-done:
		h.t.Fatalf("Run: %v", err)
	}
}

// submit begins a run that must be taken.
func (h *house) submit(c *admin.Caller, req query.Request) query.Run {
	h.t.Helper()
	out, err := h.runs.Submit(h.t.Context(), c, req)
	if err != nil {
		h.t.Fatalf("submit %.80q: %v", req.SQL, err)
	}
	return out.Run
}

// end waits until a run has ended.
func (h *house) end(c *admin.Caller, id string) query.Run {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	run, err := h.runs.Get(ctx, c, id)
	for err == nil && !run.State.Terminal() && ctx.Err() == nil {
		run, err = h.runs.Wait(ctx, c, id, run.Version)
	}
	if err != nil || !run.State.Terminal() {
		h.t.Fatalf("run %s is %s: %v", id, run.State, err)
	}
	return run
}

// run runs SQL to its end.
func (h *house) run(c *admin.Caller, req query.Request) query.Run {
	h.t.Helper()
	return h.end(c, h.submit(c, req).ID)
}

func (h *house) rows(c *admin.Caller, id string, statement int) [][]string {
	h.t.Helper()
	page, err := h.runs.Rows(h.t.Context(), c, id, query.RowsRequest{Statement: statement, Limit: query.MaxPage})
	if err != nil {
		h.t.Fatal(err)
	}
	out := [][]string{}
	for _, row := range page.Rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = "NULL"
			if cell != nil {
				cells[i] = "=" + *cell
			}
		}
		out = append(out, cells)
	}
	return out
}

// slug is the kind of an answer.
func slug(err error) string {
	if e, ok := errors.AsType[*admin.Error](err); ok {
		return e.Slug
	}
	if err != nil {
		return "not an answer: " + err.Error()
	}
	return ""
}
