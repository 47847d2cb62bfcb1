package proxytest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// cleanupTimeout bounds what a test does after its end.
const cleanupTimeout = 20 * time.Second

// Connect opens a connection with pgx that closes with the test.
func Connect(tb testing.TB, url string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatalf("connect: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := afterwards()
		defer cancel()
		_ = conn.Close(ctx)
	})
	return conn
}

// Exec runs statements one after the other and fails the test on an error.
func Exec(tb testing.TB, conn *pgx.Conn, statements ...string) {
	tb.Helper()
	for _, sql := range statements {
		if _, err := conn.Exec(tb.Context(), sql); err != nil {
			tb.Fatalf("%s: %v", sql, err)
		}
	}
}

// CreateRole makes a login role that nobody else uses and drops it, with all
// it owns in database postgres, after the test. Options are those of CREATE
// ROLE, such as "PASSWORD 'x'" or "IN ROLE pg_monitor".
func (p *Postgres) CreateRole(tb testing.TB, options string) string {
	tb.Helper()
	name := p.unique("role")
	p.super(tb, "CREATE ROLE "+name+" LOGIN "+options)
	tb.Cleanup(func() {
		p.super(tb, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '"+name+"'",
			"DROP OWNED BY "+name+" CASCADE", "DROP ROLE "+name)
	})
	return name
}

// CreateDatabase makes a database of the test's own and drops it afterwards.
func (p *Postgres) CreateDatabase(tb testing.TB) string {
	tb.Helper()
	name := p.unique("db")
	p.super(tb, "CREATE DATABASE "+name)
	tb.Cleanup(func() { p.super(tb, "DROP DATABASE "+name+" WITH (FORCE)") })
	return name
}

// Auth makes the server ask this role for a method of pg_hba.conf
// ("scram-sha-256", "md5", "password", "cert", "reject") on TCP, and on the
// unix socket too, where cert becomes reject. It lasts for the test.
func (p *Postgres) Auth(tb testing.TB, role, method string) {
	tb.Helper()
	local, host := method, "host"
	if method == "cert" {
		local, host = "reject", "hostssl"
	}
	p.AddHBA(tb, fmt.Sprintf("%s all %s all %s", host, role, method), fmt.Sprintf("local all %s %s", role, local))
	if host == "hostssl" {
		p.AddHBA(tb, fmt.Sprintf("hostnossl all %s all reject", role))
	}
}

// AddHBA puts lines before all others into pg_hba.conf for the time of the
// test, and waits until the server has read them. Lines that name a role of
// the test's own disturb nobody.
func (p *Postgres) AddHBA(tb testing.TB, lines ...string) {
	tb.Helper()
	p.mu.Lock()
	p.hba = append(slices.Clone(lines), p.hba...)
	p.mu.Unlock()
	p.reload(tb)
	tb.Cleanup(func() {
		p.mu.Lock()
		p.hba = slices.DeleteFunc(p.hba, func(l string) bool { return slices.Contains(lines, l) })
		running := p.cmd != nil
		p.mu.Unlock()
		if running {
			p.reload(tb)
		}
	})
}

func (p *Postgres) writeHBA() error {
	return p.put("pg_hba.conf", []byte(strings.Join(slices.Concat(p.hba, defaultHBA), "\n")+"\n"))
}

// reload rewrites pg_hba.conf and waits until the postmaster has taken it: new
// connections inherit its load time.
func (p *Postgres) reload(tb testing.TB) {
	tb.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.writeHBA(); err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := afterwards()
	defer cancel()
	var before, now time.Time
	p.oneSuper(ctx, tb, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, "SELECT pg_conf_load_time(), pg_reload_conf()").Scan(&before, nil)
	})
	for now = before; !now.After(before); {
		p.oneSuper(ctx, tb, func(c *pgx.Conn) error {
			return c.QueryRow(ctx, "SELECT pg_conf_load_time()").Scan(&now)
		})
	}
}

// super runs statements on a superuser's connection of their own, also after
// the test's context has ended.
func (p *Postgres) super(tb testing.TB, statements ...string) {
	tb.Helper()
	ctx, cancel := afterwards()
	defer cancel()
	p.oneSuper(ctx, tb, func(c *pgx.Conn) error {
		for _, sql := range statements {
			if _, err := c.Exec(ctx, sql); err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
		}
		return nil
	})
}

func (p *Postgres) oneSuper(ctx context.Context, tb testing.TB, do func(*pgx.Conn) error) {
	tb.Helper()
	conn, err := pgx.Connect(ctx, p.URL(Superuser, "postgres"))
	if err != nil {
		tb.Fatalf("connect as superuser: %v", err)
	}
	err = do(conn)
	_ = conn.Close(ctx)
	if err != nil {
		tb.Fatalf("superuser: %v", err)
	}
}

func (p *Postgres) unique(kind string) string {
	return fmt.Sprintf("lk_%s_%d_%d", kind, os.Getpid(), p.names.Add(1))
}

func afterwards() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), cleanupTimeout)
}
