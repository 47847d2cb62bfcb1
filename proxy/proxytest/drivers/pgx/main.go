// Command pgx is the matrix's client for jackc/pgx: statements cached by name,
// batches as pipelines, COPY, and a cancel that comes with a context.
//
// It prints one line for each check (ok NAME MILLISECONDS, FAIL NAME reason,
// skip NAME reason) and takes its server from the environment, like the
// clients in other languages beside it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	limit     = 2 * time.Second // how long a statement of the slow user may run
	slack     = 3 * time.Second // a busy machine may add it: less than the grace before a cancel is repeated
	largeSQL  = "repeat('abcdefgh', 8388608)"
	largeUnit = "abcdefgh"
	largeSize = 64 << 20
	oversize  = 17 << 20 // more than max_statement_bytes
)

// errSkip says that the driver has no such thing.
var errSkip = errors.New("skip")

type check struct {
	name string
	run  func(context.Context) error
}

func main() {
	m := newMatrix()
	wanted := strings.FieldsFunc(os.Getenv("LK_CHECKS"), func(r rune) bool { return r == ',' })
	failed := false
	for _, c := range m.checks() {
		if len(wanted) > 0 && !slices.Contains(wanted, c.name) {
			continue
		}
		failed = !report(c) || failed
	}
	if failed {
		os.Exit(1)
	}
}

// report runs one check and says how it went.
func report(c check) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	start := time.Now()
	err := c.run(ctx)
	switch {
	case errors.Is(err, errSkip):
		fmt.Println("skip", c.name, err)
	case err != nil:
		fmt.Println("FAIL", c.name, strings.Join(strings.Fields(err.Error()), " "))
		return false
	default:
		fmt.Println("ok", c.name, time.Since(start).Milliseconds())
	}
	return true
}

// matrix is where the server is and what governs it.
type matrix struct {
	url, slowURL string
	kill         string // a superuser's URL past the proxy
	governed     bool
	tls          bool
}

func newMatrix() *matrix {
	url := func(user string) string {
		password := strings.ReplaceAll(os.Getenv("LK_PASSWORD"), "'", `\'`)
		return fmt.Sprintf("host=%s port=%s user=%s password='%s' dbname=%s sslmode=%s sslrootcert='%s'",
			os.Getenv("LK_HOST"), os.Getenv("LK_PORT"), user, password, os.Getenv("LK_DB"),
			os.Getenv("LK_SSLMODE"), os.Getenv("LK_CA"))
	}
	return &matrix{
		url: url(os.Getenv("LK_USER")), slowURL: url(os.Getenv("LK_SLOW_USER")), kill: os.Getenv("LK_KILL"),
		governed: os.Getenv("LK_GOVERNED") == "1", tls: os.Getenv("LK_SSLMODE") != "disable",
	}
}

// with gives act a connection for its time.
func (m *matrix) with(act func(context.Context, *pgx.Conn) error) func(context.Context) error {
	return func(ctx context.Context) error { return connected(ctx, m.url, act) }
}

func connected(ctx context.Context, url string, act func(context.Context, *pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	if err := act(ctx, conn); err != nil {
		return err
	}
	return conn.Close(ctx)
}

// refusal is what a refusal must say: the rule's words, or the server's own.
func (m *matrix) refusal() string {
	if m.governed {
		return "forbidden is closed here"
	}
	return "permission denied"
}

func (m *matrix) killBackend(ctx context.Context, pid uint32) error {
	//nolint:gosec // the URL is the runner's own
	return exec.CommandContext(ctx, "psql", "-XqAt", m.kill, "-c",
		fmt.Sprintf("select pg_terminate_backend(%d, 5000)", pid)).Run()
}

func expect[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s: got %.200q, want %.200q", what, fmt.Sprint(got), fmt.Sprint(want))
	}
	return nil
}

// raises wants err to carry a SQLSTATE, and text among its words.
func raises(err error, code, text string) error {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return fmt.Errorf("got %w, want SQLSTATE %s", errOr(err), code)
	}
	if pgErr.Code != code || !strings.Contains(pgErr.Message, text) {
		return fmt.Errorf("got %w, want SQLSTATE %s %q", err, code, text)
	}
	return nil
}

func errOr(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

// lasts wants act to take about that long.
func lasts(want time.Duration, act func() error) error {
	start := time.Now()
	if err := act(); err != nil {
		return err
	}
	if took := time.Since(start); took < want-100*time.Millisecond || took > want+slack {
		return fmt.Errorf("took %v, want %v", took, want)
	}
	return nil
}

func one[T comparable](ctx context.Context, conn *pgx.Conn, want T, sql string, args ...any) error {
	var got T
	if err := conn.QueryRow(ctx, sql, args...).Scan(&got); err != nil {
		return fmt.Errorf("%.60s: %w", sql, err)
	}
	return expect(fmt.Sprintf("%.60s", sql), got, want)
}

func alive(ctx context.Context, conn *pgx.Conn) error {
	return one(ctx, conn, 42, "select 40 + $1::int", 2)
}

func do(ctx context.Context, conn *pgx.Conn, sql string, args ...any) error {
	_, err := conn.Exec(ctx, sql, args...)
	return err
}

// all runs steps until one fails.
func all(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
