package sqlparse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockkeeper/lockkeeper/policy"
)

// TestOracle asks a live Postgres about the bypass corpus: it never runs more
// statements and never locks more tables than our facts say.
func TestOracle(t *testing.T) {
	server := startPostgres(t)
	p := newParser(t, Config{})
	ran := 0
	for _, c := range readBypass(t) {
		if c.run == "no" {
			continue
		}
		ran++
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			o := server.connect(t)
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

// livePostgres is a private server in a directory of its own.
type livePostgres struct{ dsn string }

func (s *livePostgres) connect(t *testing.T) *oracle {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), s.dsn)
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

// startPostgres starts a server that ends with the test. It skips, and says so, only
// if there is no Postgres on the machine.
func startPostgres(t *testing.T) *livePostgres {
	t.Helper()
	bin := postgresBin()
	if bin == "" {
		t.Log("NO POSTGRES FOUND: the bypass corpus was not checked against a server. Install postgresql or set PGBIN.")
		t.Skip("no postgres binaries in $PGBIN, /usr/lib/postgresql or $PATH")
	}
	dir, err := os.MkdirTemp("", "lkoracle") //nolint:usetesting // t.TempDir lets no other user through
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	as := serverUser(t, dir)
	data := filepath.Join(dir, "data")
	run(t, as, filepath.Join(bin, "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N")
	port := freePort(t)
	cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=20", "-c", "log_min_messages=panic")
	cmd.SysProcAttr = as
	if err := cmd.Start(); err != nil {
		t.Fatalf("start postgres: %v", err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Logf("stop postgres: %v", err)
		}
		_ = cmd.Wait()
	})
	s := &livePostgres{dsn: fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=disable connect_timeout=10", port)}
	s.ready(t)
	return s
}

// ready waits until the server takes connections; each refused one is the signal
// to try again.
func (s *livePostgres) ready(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgconn.Connect(ctx, s.dsn)
		if err == nil {
			_ = conn.Close(ctx)
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("postgres does not start: %v", errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

func postgresBin() string {
	if dir := os.Getenv("PGBIN"); dir != "" {
		return dir
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) > 0 {
		slices.Sort(found)
		return filepath.Dir(found[len(found)-1])
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	return ""
}

// serverUser gives dir to the user postgres when the test runs as root, who may not
// run a server.
func serverUser(t *testing.T, dir string) *syscall.SysProcAttr {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatalf("the tests run as root and there is no user postgres: %v", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

func run(t *testing.T, as *syscall.SysProcAttr, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.SysProcAttr = as
	cmd.Dir = "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(name), err, out)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
