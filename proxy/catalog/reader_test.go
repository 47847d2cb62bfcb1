package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

func TestMain(m *testing.M) { proxytest.Main(m) }

// ground is a database and a Reader that logs in without any right.
type ground struct {
	t         *testing.T
	db        *pgx.Conn
	r         *Reader
	published []*policy.Catalog
}

func prepare(t *testing.T, change func(*Config)) *ground {
	t.Helper()
	pg := proxytest.StartPostgres(t)
	name := pg.CreateDatabase(t)
	g := &ground{t: t, db: pg.Connect(t, proxytest.Superuser, name)}
	cfg := Config{
		ConnString: pg.URL(pg.CreateRole(t, ""), name),
		Publish:    func(c *policy.Catalog) { g.published = append(g.published, c) },
	}
	if change != nil {
		change(&cfg)
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	g.r = r
	return g
}

func (g *ground) exec(statements ...string) {
	g.t.Helper()
	proxytest.Exec(g.t, g.db, statements...)
}

// read returns the catalog as it is now.
func (g *ground) read() *policy.Catalog {
	g.t.Helper()
	if err := g.r.Read(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
	if len(g.published) == 0 {
		g.t.Fatal("nothing was published")
	}
	return g.published[len(g.published)-1]
}

func relation(s string) policy.Relation {
	schema, name, _ := strings.Cut(s, ".")
	return policy.Relation{Schema: schema, Name: name}
}

func words[T fmt.Stringer](list []T) string {
	var out []string
	for _, x := range list {
		out = append(out, x.String())
	}
	return strings.Join(out, " ")
}

func TestViewsStandOnTheirBases(t *testing.T) {
	t.Parallel()
	g := prepare(t, nil)
	g.exec("create schema pii", "create table pii.people (id int, name text)", "create table public.orders (id int, person int)",
		"create view public.v1 as select o.id, p.name from orders o join pii.people p on p.id = o.person",
		"create view public.v2 as with x as (select * from v1) select count(*) from x where exists (select 1 from orders)",
		"create materialized view public.m as select name from pii.people",
		"create view public.sub as select (select max(name) from pii.people) as n, 1 as one",
		"create view public.who as select rolname from pg_authid", // pinned: in no pg_depend
		"create view public.plain as select ':relid 1260'::text as \":relid 1260\", 1 as x",
		"create recursive view public.rec(n) as select 1 union all select n + 1 from rec where n < 5 and exists (select 1 from orders)",
		"create table public.parted (d date) partition by range (d)",
		"create table public.parted_2026 partition of parted for values from ('2026-01-01') to ('2027-01-01')",
		"create table public.child () inherits (orders)",
		`create schema "We.ird"`, `create view "We.ird"."V" as select * from pii.people`,
		"create temp table passing (x int)")
	c := g.read()
	for name, want := range map[string]string{
		"public.v1":     "pii.people public.orders public.child",
		"public.v2":     "public.v1 pii.people public.orders public.child",
		"public.m":      "pii.people",
		"public.sub":    "pii.people",
		"public.who":    "pg_catalog.pg_authid",
		"public.plain":  "",
		"public.rec":    "public.orders public.child",
		"public.parted": "public.parted_2026",
		"public.orders": "public.child",
		"pii.people":    "",
	} {
		reads, _, complete := c.Expand(relation(name))
		got := map[string]bool{}
		for _, r := range reads {
			got[r.String()] = true
		}
		wanted := map[string]bool{}
		for w := range strings.FieldsSeq(want) {
			wanted[w] = true
		}
		if diff := cmp.Diff(wanted, got); diff != "" || !complete {
			t.Errorf("%s: complete %v, -want +got\n%s", name, complete, diff)
		}
	}
	if reads, _, _ := c.Expand(policy.Relation{Schema: "We.ird", Name: "V"}); words(reads) != "pii.people" {
		t.Errorf("quoted names: %s", words(reads))
	}
	got, certain := c.Resolve(policy.Relation{Name: "people"}, []string{"public", "pii"}, true)
	if words(got) != "pii.people" || !certain {
		t.Errorf("people resolves to %s, certain %v", words(got), certain)
	}
	if got, certain := c.Resolve(policy.Relation{Name: "passing"}, []string{"public"}, true); certain {
		t.Errorf("a temporary table resolves to %s", words(got))
	}
}

// TestHiddenEffects: what a view or a row policy does beside reading.
func TestHiddenEffects(t *testing.T) {
	t.Parallel()
	g := prepare(t, nil)
	g.exec("create table public.t (x int)", "create table public.guarded (x int)", "create table public.tenants (x int)",
		"create function public.mine() returns int language sql stable as 'select 1'",
		"create view public.quiet as select x, now(), random(), upper('a') from t order by 1",
		"create view public.notifies as select pg_notify('ch', 'x') is null as n, x from t",
		"create view public.sets as select set_config('a.b', 'c', false)",
		"create view public.tries as select pg_try_advisory_lock(1)",
		"create view public.deep as select * from notifies",
		"create materialized view public.frozen as select set_config('a.b', 'c', false)",
		"create view public.calls as select mine()",
		"create view public.runs as select query_to_xml('select 1', true, true, '')",
		"create domain public.odd as int check (mine() = 1)", "create view public.casts as select x::odd from t",
		"create policy p on public.guarded using (x = mine())", "alter table public.guarded enable row level security",
		"create policy p on public.tenants using (x = current_setting('app.tenant')::int)")
	c := g.read()
	for name, want := range map[string]bool{
		"t": true, "quiet": true, "frozen": true, "tenants": true,
		"notifies": false, "sets": false, "tries": false, "deep": false, "calls": false, "runs": false, "casts": false, "guarded": false,
	} {
		s := &policy.Statement{Reads: []policy.Relation{{Schema: "public", Name: name}}}
		if got := c.Transparent(s, nil, true); got != want {
			t.Errorf("%s: transparent %v, want %v", name, got, want)
		}
	}
	for name, want := range map[string]bool{"notifies": true, "calls": false, "runs": false, "guarded": true} {
		if _, calls, complete := c.Expand(relation("public." + name)); complete != want {
			t.Errorf("%s: complete %v, want %v; calls %s", name, complete, want, words(calls))
		}
	}
}

func TestFunctionTrust(t *testing.T) {
	t.Parallel()
	g := prepare(t, nil)
	g.exec("create schema app", "create table app.secrets (x int)", "create table app.log (x int)",
		"create function app.body(i int) returns bigint language sql stable begin atomic select count(*) from app.secrets where x > i; end",
		"create function app.expr(i int) returns int language sql immutable return i + 1",
		"create function app.nested(i int) returns bigint language sql stable return app.body(i) + app.expr(1)",
		"create function app.writes() returns void language sql begin atomic insert into app.log values (1); end",
		"create function app.cte() returns bigint language sql begin atomic with w as (delete from app.log returning 1) select count(*) from w; end",
		"create function app.tells() returns text language sql return set_config('a.b', 'c', false)",
		"create function app.str() returns bigint language sql stable as 'select count(*) from app.secrets'",
		"create function app.pl() returns int language plpgsql immutable as $$begin return 1; end$$",
		"create function app.over(int) returns int language sql immutable return 1",
		"create function app.over(text) returns int language sql as 'select 1'",
		"create function app.trig() returns trigger language plpgsql as $$begin return new; end$$",
		"create function app.step(int, int) returns int language plpgsql as $$begin return 1; end$$",
		"create aggregate app.agg(int) (sfunc = int4pl, stype = int)",
		"create aggregate app.spy(int) (sfunc = app.step, stype = int)",
		"create procedure app.proc() language sql begin atomic select 1; end",
		"create operator app.<~> (leftarg = int, rightarg = int, function = app.step)",
		"create view app.viaop as select 1 operator(app.<~>) 2")
	c := g.read()
	for name, want := range map[string]policy.FunctionTrust{
		"body":   {Found: true, Trusted: true},
		"expr":   {Found: true, Trusted: true},
		"nested": {Found: true, Trusted: true},
		"writes": {Found: true, Volatile: true},
		"cte":    {Found: true, Volatile: true},
		"tells":  {Found: true, Volatile: true},
		"str":    {Found: true},
		"pl":     {Found: true},
		"over":   {Found: true, Volatile: true},
		"agg":    {Found: true, Trusted: true},
		"spy":    {Found: true},
		"proc":   {Found: true, Volatile: true},
		"none":   {Trusted: true},
	} {
		if got := c.Trust(policy.Function{Schema: "app", Name: name}, nil, true); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	if _, calls, complete := c.Expand(relation("app.viaop")); complete || words(calls) != "app.step" {
		t.Errorf("behind an operator: complete %v, calls %s", complete, words(calls))
	}
	if n := g.r.Status().Functions; n != 14 {
		t.Errorf("%d functions, want 14: trigger functions cannot be called", n)
	}
}

// TestExtensionsInC: immutable ones are trusted, those that run SQL are not.
func TestExtensionsInC(t *testing.T) {
	t.Parallel()
	g := prepare(t, nil)
	for _, ext := range []string{"tablefunc", "pg_trgm", "dblink"} {
		var there bool
		if err := g.db.QueryRow(t.Context(), "select exists (select from pg_available_extensions where name = $1)", ext).Scan(&there); err != nil {
			t.Fatal(err)
		}
		if !there {
			t.Skipf("SKIPPED, NOT TESTED: extension %s is not installed", ext)
		}
		g.exec("create extension " + ext)
	}
	c := g.read()
	for name, want := range map[string]bool{"similarity": true, "crosstab": false, "dblink": false, "dblink_exec": false} {
		if got := c.Trust(policy.Function{Schema: "public", Name: name}, nil, true); got.Trusted != want || !got.Found {
			t.Errorf("%s: %+v, want trusted %v", name, got, want)
		}
	}
}

func TestOnlyChangesArePublished(t *testing.T) {
	t.Parallel()
	g := prepare(t, nil)
	g.exec("create table public.t (x int)")
	if v := g.read().Version(); v != 1 {
		t.Errorf("first version %d", v)
	}
	stamp := g.r.stamp
	g.exec("insert into t values (1)", "analyze t", "vacuum t", "create temp table passing (x int)")
	g.read()
	if len(g.published) != 1 || g.r.stamp != stamp {
		t.Errorf("published %d times without a change, stamp %s, before %s", len(g.published), g.r.stamp, stamp)
	}
	g.exec("grant select on t to public")
	g.read()
	if len(g.published) != 1 || g.r.stamp == stamp {
		t.Errorf("published %d times after a GRANT, stamp %s", len(g.published), g.r.stamp)
	}
	for i, ddl := range []string{
		"create view public.v as select x from t", "create or replace view public.v as select 2 as x",
		"create function public.f() returns int language sql return 1",
		"create or replace function public.f() returns int language sql as 'select 1'", "drop view public.v",
	} {
		g.exec(ddl)
		if c := g.read(); c.Version() != uint64(i+2) {
			t.Errorf("after %q: version %d", ddl, c.Version())
		}
	}
	if st := g.r.Status(); st.Err != nil || st.Version != 6 || st.Relations != 1 || st.Functions != 1 || st.ReadAt.IsZero() {
		t.Errorf("status %+v", st)
	}
}

func TestTooLargeIsNotPublished(t *testing.T) {
	t.Parallel()
	g := prepare(t, func(cfg *Config) { cfg.MaxObjects = 3 })
	g.exec("create table a (x int)", "create table b (x int)", "create view v as select 1")
	g.read()
	g.exec("create function f() returns int language sql return 1")
	if err := g.r.Read(t.Context()); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if st := g.r.Status(); len(g.published) != 1 || !errors.Is(st.Err, ErrTooLarge) || st.Version != 1 {
		t.Errorf("published %d, status %+v", len(g.published), st)
	}
}

// TestFailures has a warehouse that hangs, and one that is gone.
func TestFailures(t *testing.T) {
	t.Parallel()
	f := proxytest.StartFake(t, proxytest.Script{proxytest.Hang()})
	for name, url := range map[string]string{"hangs": f.URL("u", "d"), "nobody": "host=" + t.TempDir() + " user=u dbname=d"} {
		r, err := New(Config{ConnString: url, Timeout: 100 * time.Millisecond, Publish: func(*policy.Catalog) { t.Error("published") }})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Read(t.Context()); err == nil || r.Status().Err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g := prepare(t, nil)
	if err := g.r.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestNewRefusesNonsense(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	publish := func(*policy.Catalog) {}
	for _, cfg := range []Config{
		{ConnString: "host=h"},
		{ConnString: "host=h", Publish: publish, Every: -1},
		{ConnString: "host=h", Publish: publish, MaxObjects: -1},
		{ConnString: "postgres://u:" + secret + "@h:notaport/d", Publish: publish},
	} {
		if _, err := New(cfg); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("got %v", err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	pg := proxytest.StartPostgres(b)
	name := pg.CreateDatabase(b)
	db := pg.Connect(b, proxytest.Superuser, name)
	proxytest.Exec(b, db, `do $$ begin
 for i in 1..2000 loop
  execute format('create table t%s (a int, b text, c numeric, d timestamptz)', i);
  execute format('create view v%s as select t.a, upper(t.b) as b, sum(t.c) over (partition by t.d) from t%s t join t%s u using (a) where t.d > now()', i, i, 1 + mod(i - 1, 7));
  if mod(i, 200) = 0 then commit; end if;
 end loop; end $$`)
	r, err := New(Config{ConnString: pg.URL(pg.CreateRole(b, ""), name), Publish: func(*policy.Catalog) {}})
	if err != nil {
		b.Fatal(err)
	}
	for _, bc := range []struct {
		name  string
		stamp string // of the read before
	}{{"changed", "other"}, {"unchanged", ""}} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if bc.stamp != "" {
					r.stamp = bc.stamp
				}
				if err := r.Read(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
