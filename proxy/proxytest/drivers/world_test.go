package drivers

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

const password = "matrix pass'word"

// policyText is in force while the clients work: the users slow_* get two
// seconds for a statement, and nobody reads the table forbidden.
const policyText = `version: 1
classify:
  - {when: {user: "slow_*"}, class: slow}
  - {class: everyone}
classes:
  everyone: {}
  slow: {limits: {query_execution_time: 2s}}
rules:
  - {id: no-forbidden, when: {reads: ["*.forbidden"]}, deny: "forbidden is closed here"}
`

// world is a Postgres, the doors to it, and who may come in.
type world struct {
	pg     *proxytest.Postgres
	direct bool
	ca     string
	doors  map[string]string // auth → host:port
}

// newWorld starts what the clients talk to. Direct means Postgres itself,
// which then governs by its own means.
func newWorld(t *testing.T, direct bool) *world {
	t.Helper()
	w := &world{pg: proxytest.StartPostgres(t), direct: direct, doors: map[string]string{}}
	dir := t.TempDir()
	files := w.pg.Certs().Write(t, dir)
	w.ca = files.CA
	w.people(t)
	if direct {
		w.doors["trust"], w.doors["scram"] = w.pg.Addr(), w.pg.Addr()
		return w
	}
	bin := *binFlag
	if bin == "" {
		bin = filepath.Join(dir, "lockkeeper")
		goBuild(t, bin, "../../../cmd/lockkeeper")
	}
	for _, auth := range []string{"trust", "scram"} {
		w.doors[auth] = w.openDoor(t, bin, auth, files)
	}
	return w
}

// people makes the roles of both ways of authentication and the database that
// each client gets a copy of.
func (w *world) people(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	statements := []string{"create database matrix_template"}
	for _, auth := range []string{"trust", "scram"} {
		for _, role := range []string{"matrix_" + auth, "slow_" + auth} {
			statements = append(statements, "create role "+role+" login createdb password 'matrix pass''word'")
			if auth == "scram" {
				w.pg.Auth(t, "matrix_scram,slow_scram", "scram-sha-256")
			}
			if w.direct && role == "slow_"+auth {
				statements = append(statements, "alter role "+role+" set statement_timeout = '2s'")
			}
		}
	}
	if err := w.super(ctx, statements...); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, w.pg.URL(proxytest.Superuser, "matrix_template"))
	if err != nil {
		t.Fatal(err)
	}
	proxytest.Exec(t, conn,
		"create table scratch (i int, t text)", "grant all on scratch to public", "grant all on schema public to public",
		"create table forbidden (i int)", "insert into forbidden values (1)")
	if !w.direct {
		proxytest.Exec(t, conn, "grant all on forbidden to public")
	}
	if err := conn.Close(ctx); err != nil { // CREATE DATABASE wants nobody in its template
		t.Fatal(err)
	}
}

// super runs statements as the superuser, each on its own.
func (w *world) super(ctx context.Context, statements ...string) error {
	conn, err := pgx.Connect(ctx, w.pg.URL(proxytest.Superuser, "postgres"))
	if err != nil {
		return fmt.Errorf("connect as superuser: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// clientEnv is all that a client knows of the world.
func (w *world) clientEnv(m mode, db, checks string) []string {
	_, port, _ := net.SplitHostPort(w.doors[m.auth])
	governed, sslmode := "1", "disable"
	if w.direct {
		governed = "0"
	}
	if m.tls {
		sslmode = "verify-full"
	}
	env := []string{
		"LK_HOST=localhost", "LK_PORT=" + port, "LK_DB=" + db, "LK_CHECKS=" + checks,
		"LK_USER=matrix_" + m.auth, "LK_SLOW_USER=slow_" + m.auth,
		"LK_SSLMODE=" + sslmode, "LK_CA=" + w.ca, "LK_GOVERNED=" + governed,
		"LK_KILL=" + w.pg.URL(proxytest.Superuser, "postgres"),
	}
	if m.auth == "scram" {
		env = append(env, "LK_PASSWORD="+password)
	}
	return env
}

// freeAddr returns an address on loopback that nobody listens on just now.
func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := ln.Addr().(*net.TCPAddr)
	_ = ln.Close()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(addr.Port))
}

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
