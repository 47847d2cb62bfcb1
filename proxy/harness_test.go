package proxy_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy"
	"github.com/lockkeeper/lockkeeper/proxy/backend"
	"github.com/lockkeeper/lockkeeper/proxy/directory"
	"github.com/lockkeeper/lockkeeper/proxy/lockwatch"
	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

func TestMain(m *testing.M) { proxytest.Main(m) }

// memory keeps the record in memory.
type memory struct {
	mu     sync.Mutex
	events []audit.Event
	fail   error
}

func (m *memory) Record(_ context.Context, e *audit.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil && e.OnFailure != audit.Open {
		return m.fail
	}
	m.events = append(m.events, *e)
	return nil
}

func (m *memory) of(kind audit.Kind) []audit.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []audit.Event
	for _, e := range m.events {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// words is a parser for tests: the first word decides, no cgo needed. A table
// named forbidden is read when its name occurs.
type words struct{}

func (words) Parse(sql []byte, _ proxy.ParseEnv) *policy.Batch {
	b := &policy.Batch{Bytes: len(sql), Masked: string(sql)}
	start, end := 0, 0
	for part := range strings.SplitSeq(string(sql), ";") {
		start, end = end, end+len(part)+len(";")
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		st := word(part)
		st.Start, st.End = start, end-len(";")
		b.Verbs |= st.Verbs
		b.Features |= st.Features
		b.Unknown |= st.Unknown
		b.Statements = append(b.Statements, st)
	}
	b.Empty = len(b.Statements) == 0
	b.VerbNames = b.Verbs.Names()
	return b
}

func word(sql string) policy.Statement {
	low := strings.ToLower(sql)
	first, _, _ := strings.Cut(low, " ")
	st := policy.Statement{Kind: policy.KindRead, Verbs: policy.VerbRead}
	if strings.Contains(low, "forbidden") {
		st.Reads = []policy.Relation{{Name: "forbidden"}}
	}
	for _, view := range []string{"plain", "sly"} {
		if strings.Contains(low, "public_"+view) {
			st.Reads = []policy.Relation{{Schema: "public", Name: view}}
		}
	}
	tx := func(c policy.TxControl) {
		st = policy.Statement{Kind: policy.KindTransaction, Verbs: policy.VerbTransaction, Tx: c, TxChain: strings.Contains(low, "and chain")}
	}
	switch first {
	case "begin", "start":
		tx(policy.TxBegin)
		_, st.TxModes, _ = strings.Cut(strings.ToUpper(sql), " ")
	case "commit", "end":
		tx(policy.TxCommit)
	case "rollback", "abort":
		tx(policy.TxRollback)
		if strings.Contains(low, " to ") {
			st.Tx = policy.TxRollbackTo
		}
	case "savepoint":
		tx(policy.TxSavepoint)
	case "release":
		tx(policy.TxRelease)
	case "insert", "update", "delete", "create", "drop", "truncate", "do", "call":
		st.Kind, st.Verbs = policy.KindWrite, policy.VerbInsert
	case "set", "reset":
		st.Kind, st.Verbs, st.Features = policy.KindSession, policy.VerbSession, policy.FeatSet
		if f := strings.FieldsFunc(low, func(r rune) bool { return r == ' ' || r == '=' }); len(f) > 1 {
			st.Setting = f[1]
		}
	case "show":
		st.Kind, st.Verbs, st.Setting = policy.KindUtility, policy.VerbUtility, "x"
	case "copy":
		st.Kind, st.Verbs = policy.KindCopyOut, policy.VerbCopyOut
		if strings.Contains(low, "from") {
			st.Kind, st.Verbs = policy.KindCopyIn, policy.VerbCopyIn
		}
	}
	return st
}

// door is a server in front of a real warehouse.
type door struct {
	*proxy.Server
	t      testing.TB
	pg     *proxytest.Postgres
	addr   string
	record *memory
	engine *policy.Engine
}

func open(t testing.TB, src policy.Source, change ...func(*proxy.Config)) *door {
	t.Helper()
	pg := proxytest.StartPostgres(t)
	return openTo(t, pg, backendOf(t, pg.Addr()), src, change...)
}

func backendOf(t testing.TB, addr string) *backend.Dialer {
	t.Helper()
	d, err := backend.New(backend.Config{Network: "tcp", Address: addr, TLSMode: backend.TLSDisable})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func openTo(t testing.TB, pg *proxytest.Postgres, dialer *backend.Dialer, src policy.Source, change ...func(*proxy.Config)) *door {
	t.Helper()
	rs, err := policy.Compile(src)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{t: t, pg: pg, record: &memory{}, engine: policy.NewEngine(policy.EngineConfig{})}
	d.engine.Publish(rs)
	d.engine.PublishCatalog(policy.NewCatalog(policy.CatalogData{})) // names it does not know are tables
	dir, err := directory.New(directory.Config{Map: directory.Mapping{}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := proxy.Config{
		Dialer: dialer, Engine: d.engine, Parser: words{}, Recorder: d.record, Directory: dir,
		Auth: pgauth.Rules{{Method: pgauth.Trust}}, Salts: pgauth.RandomSaltKey(),
	}
	if pg != nil {
		w, err := lockwatch.New(lockwatch.Config{ConnString: pg.URL(proxytest.Superuser, "postgres")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Close() })
		cfg.Watcher = w
	}
	for _, f := range change {
		f(&cfg)
	}
	if d.Server, err = proxy.New(cfg); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- d.Serve(context.Background(), ln) }()
	t.Cleanup(func() {
		_ = d.Close()
		if err := <-served; !errors.Is(err, proxy.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return d
}

// client logs a raw client in.
func (d *door) client(params ...string) *proxytest.Client {
	d.t.Helper()
	c := proxytest.Dial(d.t, "tcp", d.addr)
	c.Login(proxytest.Superuser, "postgres", "", params...)
	return c
}

func want(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func within(t testing.TB, began time.Time, from, to time.Duration) {
	t.Helper()
	if d := time.Since(began); d < from || d > to {
		t.Errorf("took %s, want between %s and %s", d, from, to)
	}
}

// waitFor polls until a query answers a text, for at most ten seconds.
func waitFor(t testing.TB, conn *pgx.Conn, sql, text string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		var got string
		err := conn.QueryRow(t.Context(), "SELECT ("+sql+")::text").Scan(&got)
		if err == nil && got == text {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: got %q (%v), want %q", sql, got, err, text)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
