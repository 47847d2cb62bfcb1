package api_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/api"
	"github.com/lockkeeper/lockkeeper/admin/blob/dir"
	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/admin/secret"
	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqlparse"
)

// The use cases meet the ports.
var (
	_ api.Runs      = (*query.Runs)(nil)
	_ api.Library   = (*query.Library)(nil)
	_ api.Catalog   = (*query.Catalog)(nil)
	_ api.Explainer = (*query.Explainer)(nil)
)

var targets = []query.Target{{Name: "warehouse", Title: "Warehouse", Dialect: "postgres", Database: "dwh"}}

// backroom is the use cases of runs and saved queries, in the same store, with a
// warehouse that always gives the same three rows. SQL that holds "slow" goes on
// until the test says finish; "endless" gives more than any client's buffers
// hold; "syntax" is wrong.
type backroom struct {
	runs    *query.Runs
	library *query.Library

	mu    sync.Mutex // guards what follows
	ends  map[string]chan struct{}
	begun int
}

func newBackroom(t *testing.T, h *house, db *sqldb.DB, vault *secret.Vault, folder string) *backroom {
	t.Helper()
	b := &backroom{ends: map[string]chan struct{}{}}
	blobs, err := dir.New(dir.Config{Dir: filepath.Join(folder, "blobs")})
	if err != nil {
		t.Fatal(err)
	}
	parser, err := sqlparse.New(sqlparse.Config{})
	if err != nil {
		t.Fatal(err)
	}
	store := sqldb.NewQueries(db)
	if b.runs, err = query.New(query.Config{
		Targets: targets, Store: store, Door: b, Facts: facts{parser}, Blobs: blobs, Vault: vault, Journal: h.journal, People: people{h}, Hub: h.hub, Now: time.Now,
		Intents: open{}, Rights: open{}, Privileges: open{},
		Bounds: query.Bounds{LiveEach: 500, Patience: time.Minute},
	}); err != nil {
		t.Fatal(err)
	}
	if b.library, err = query.NewLibrary(query.LibraryConfig{Store: store, Journal: h.journal, Services: people{h}, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { defer close(done); done <- b.runs.Run(ctx) }() // until the test ends, which waits for it
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
	select {
	case <-b.runs.Ready(): // before it is, runs are held a while and then refused
	case err := <-done:
		t.Fatalf("Run: %v", err)
	}
	return b
}

// finish lets a slow run come to its end.
func (b *backroom) finish(id string) { close(b.end(id)) }

func (b *backroom) end(id string) chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ends[id] == nil {
		b.ends[id] = make(chan struct{})
	}
	return b.ends[id]
}

func (b *backroom) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.begun
}

// Open meets query.Door.
func (b *backroom) Open(_ context.Context, p query.Principal, _ query.Target) (query.Conn, error) {
	b.mu.Lock()
	b.begun++
	b.mu.Unlock()
	return &conn{b: b, run: p.RunID}, nil
}

type conn struct {
	b   *backroom
	run string
}

func (c *conn) Query(ctx context.Context, sql string, _ []uint32, _ []*string, sink query.Sink) (string, error) {
	lower := strings.ToLower(sql)
	if strings.HasPrefix(lower, "set ") || strings.HasPrefix(lower, "begin") {
		return "SET", nil
	}
	if strings.Contains(lower, "slow") {
		select {
		case <-c.b.end(c.run):
		case <-ctx.Done():
			return "", failure{"57014", "canceling statement due to user request"}
		}
	}
	if strings.Contains(lower, "wrong") {
		return "", failure{"42601", "syntax error"}
	}
	if err := sink.Columns([]string{"n", "big", "t"}, []uint32{23, 20, 25}, []int32{-1, -1, -1}); err != nil {
		return "", err
	}
	for _, row := range [][][]byte{{[]byte("1"), []byte("9223372036854775807"), []byte("SECRETCELL")}, {[]byte("2"), nil, {}}, {[]byte("3"), []byte("0"), nil}} {
		if err := sink.Row(row); err != nil {
			return "", err
		}
	}
	if strings.Contains(lower, "endless") {
		wide := []byte(strings.Repeat("x", 4<<10))
		for range 8000 {
			if err := sink.Row([][]byte{[]byte("4"), nil, wide}); err != nil {
				return "", err
			}
		}
	}
	return "SELECT 3", nil
}

func (c *conn) Describe(context.Context, string, []uint32) ([]uint32, error) { return nil, nil }

func (c *conn) InTransaction() bool { return false }

func (c *conn) Cancel(context.Context) error { return nil }

func (c *conn) Close(context.Context) error { return nil }

// failure meets query.Failure.
type failure struct{ sqlstate, message string }

func (f failure) Error() string { return f.message }

func (f failure) Report() (sqlstate, message, detail, hint, routine string, position int) {
	return f.sqlstate, f.message, "", "", "scanner", 8
}

// facts meets query.Facts.
type facts struct{ *sqlparse.Parser }

func (f facts) Parse(_ query.Target, sql string) *policy.Batch {
	return f.Parser.Parse([]byte(sql), sqlparse.Env{StdStrings: sqlparse.On})
}

// people meets query.People and query.Services.
type people struct{ h *house }

func (p people) PersonByLogin(ctx context.Context, login string) (query.Person, error) {
	all, err := p.h.office.People(ctx, admin.Operator(), admin.Page{Search: login})
	for _, one := range all {
		if one.Login == login {
			return query.Person{ID: one.ID, Login: one.Login, Name: one.Name, Teams: one.Teams, Roles: one.Roles}, nil
		}
	}
	return query.Person{}, errors.Join(err, admin.ErrAbsent)
}

func (p people) Holds(ctx context.Context, c *admin.Caller, service string) (bool, error) {
	return true, p.h.office.Held(ctx, c, service)
}

// catalog knows one table: the real one asks the warehouse's own catalog.
type catalog struct{}

func (catalog) Tables(context.Context, *admin.Caller, string, string, string, int) (query.TablePage, error) {
	return query.TablePage{Items: []query.Table{{Schema: "public", Name: "fact", Kind: "table"}}}, nil
}

func (catalog) Table(_ context.Context, _ *admin.Caller, _, schema, name string) (query.TableDetail, error) {
	if schema != "public" || name != "fact" {
		return query.TableDetail{}, admin.Missing()
	}
	return query.TableDetail{Table: query.Table{Schema: schema, Name: name}}, nil
}

func (catalog) Completions(context.Context, *admin.Caller, string) (query.Completions, error) {
	return query.Completions{Version: "abc", Schemas: []query.CompletionSchema{{Name: "public"}}}, nil
}

// open lets ana and vera read what runs read, and mia as far as policy goes.
type open struct{}

func (open) Intents(_ context.Context, run string, _ time.Time) ([]audit.Event, error) {
	return []audit.Event{{
		Kind: audit.KindIntent, Run: run, Database: "dwh", Verbs: []string{"select"}, Reads: []string{"public.fact"},
		ResolvedReads: []string{"public.fact"}, Expanded: true,
	}}, nil
}

func (open) MayRead(_ context.Context, who policy.Subject, _ query.Target, _ []policy.Relation, _ []policy.Function) (bool, error) {
	return slices.Contains([]string{"ana", "vera", "mia"}, who.User), nil
}

func (open) CanSelect(_ context.Context, login string, _ query.Target, _ []policy.Relation) (bool, error) {
	return slices.Contains([]string{"ana", "vera"}, login), nil
}
