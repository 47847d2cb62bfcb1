package sqlparse

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// TestOracle asks a live Postgres about the bypass corpus: it never runs more
// statements and never locks more tables than our facts say.
func TestOracle(t *testing.T) {
	server := proxytest.StartPrivate(t).URL(proxytest.Superuser, "postgres")
	p := newParser(t, Config{})
	ran := 0
	for _, c := range readBypass(t) {
		if c.run == "no" {
			continue
		}
		ran++
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			o := connectTo(t, server)
			o.must("drop schema if exists pii, public, s9 cascade; create schema public; create schema pii")
			o.must(oracleSchema)
			if c.setup != "" {
				o.must(c.setup)
			}
			o.check(c, p.Parse([]byte(c.sql), envOf(t, c.env)))
		})
	}
	if ran < 80 {
		t.Errorf("only %d entries ran", ran)
	}
}

const oracleSchema = `
create table t (id int, a text); create table u (id int, a text); create table v (id int, a text); create table log (id int, a text);
create table pii.x (id int);
insert into t select 1, 'x'; insert into u select 1, 'x'; insert into pii.x select 1;
create view pii_view as select * from pii.x;
create function purge() returns int language plpgsql as $$ begin delete from t; return 1; end $$;
create function peek() returns setof pii.x language sql as 'select * from pii.x';
create procedure wipe() language plpgsql as $$ begin delete from t; end $$;
`

// oracle is a connection to the live server.
type oracle struct {
	t    *testing.T
	conn *pgconn.PgConn
}

func (o *oracle) must(sql string) {
	o.t.Helper()
	if _, err := o.conn.Exec(o.t.Context(), sql).ReadAll(); err != nil {
		o.t.Fatalf("%s: %v", sql, err)
	}
}

// rows are the rows of a query of one column.
func (o *oracle) rows(sql string) []string {
	o.t.Helper()
	res, err := o.conn.Exec(o.t.Context(), sql).ReadAll()
	if err != nil {
		o.t.Fatalf("%s: %v", sql, err)
	}
	var out []string
	for _, row := range res[len(res)-1].Rows {
		out = append(out, string(row[0]))
	}
	return out
}

func (o *oracle) check(c bypass, b *policy.Batch) {
	o.t.Helper()
	if c.run == "yes" {
		o.must("begin")
	}
	count := 0
	m := o.conn.Exec(o.t.Context(), c.sql)
	for m.NextResult() {
		if _, err := m.ResultReader().Close(); err == nil {
			count++
		}
	}
	err := m.Close()
	if c.run == "refused" {
		if err == nil {
			o.t.Error("the server did not refuse it")
		}
		return
	}
	if err != nil {
		o.t.Fatalf("the server refused it: %v", err)
	}
	if count == 0 {
		o.t.Error("the server ran nothing")
	}
	if count > len(b.Statements) && b.Unknown != policy.UnknownAll {
		o.t.Errorf("the server ran %d statements, the facts know of %d", count, len(b.Statements))
	}
	if c.run == "yes" {
		o.must("set client_encoding = utf8")
		o.tables(b)
		o.must("rollback")
	}
}

// lockQuery lists the tables that this transaction has locked and how; a column of
// its own for what is held by a writer. Names that are gone by now are left out.
const lockQuery = `
select n.nspname || '.' || c.relname || case when max(case l.mode when 'AccessShareLock' then 0 when 'RowShareLock' then 0 else 1 end) = 1 then ' w' else ' r' end
from pg_catalog.pg_locks l join pg_catalog.pg_class c on c.oid = l.relation join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where l.pid = pg_catalog.pg_backend_pid() and l.locktype = 'relation' and l.granted and c.relkind in ('r', 'p', 'v', 'm', 'f')
and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') group by n.nspname, c.relname`

// hides are the facts that admit that a table may be touched that is not listed.
func hides(b *policy.Batch, over policy.Unknowns) bool {
	return b.Unknown&over != 0 || b.Features&policy.FeatVolatileCall != 0
}

func (o *oracle) tables(b *policy.Batch) {
	o.t.Helper()
	for _, row := range o.rows(lockQuery) {
		table, how, _ := strings.Cut(row, " ")
		writes := how == "w"
		switch {
		case covered(table, b.WriteNames):
		case !writes && (covered(table, b.ReadNames) || hides(b, policy.UnknownReads)):
		case hides(b, policy.UnknownWrites):
		default:
			o.t.Errorf("the server locked %s (%s); the facts: reads %v, writes %v, unknown %x", table, how, b.ReadNames, b.WriteNames, b.Unknown)
		}
	}
}

// covered reports whether a table is among the names, as the catalog would resolve
// them: an unqualified name is one of any schema, a view stands for its tables.
func covered(table string, names []string) bool {
	if slices.Contains(names, "pii_view") {
		names = append(slices.Clone(names), "pii.x")
	}
	_, bare, _ := strings.Cut(table, ".")
	return slices.ContainsFunc(names, func(n string) bool {
		return n == table || n == bare || n == "postgres."+table
	})
}

// connectTo opens a connection that ends with the test.
func connectTo(t *testing.T, dsn string) *oracle {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := conn.Close(ctx); err != nil {
			t.Logf("close: %v", err)
		}
	})
	return &oracle{t, conn}
}
