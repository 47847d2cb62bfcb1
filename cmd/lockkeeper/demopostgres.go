package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// demoFiles are the sample warehouse and the policy that governs it.
//
//go:embed demo/warehouse.sql demo/roles.sql demo/policy.yaml
var demoFiles embed.FS

// demoSupervise runs Postgres until its standard input ends, which happens at
// the latest when the demo dies, however it dies: nothing is left running.
const demoSupervise = `
"$1" -D "$2/data" >>"$2/log" 2>&1 &
pid=$!
read -r last
kill -INT $pid 2>/dev/null
wait $pid
[ "$last" = keep ] || rm -rf "$2"
`

const demoSettings = `
listen_addresses = '127.0.0.1'
unix_socket_directories = '%s'
port = %d
max_connections = 100
shared_buffers = 256MB
max_wal_size = 2GB
wal_level = minimal
max_wal_senders = 0
fsync = off
synchronous_commit = off
full_page_writes = off
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
`

// demoHBA: the superuser only through the socket, whose folder nobody else
// may enter; everybody else only with a password.
const demoHBA = `local all postgres trust
host all all 127.0.0.1/32 scram-sha-256
`

// demoPostgres is a private server in a folder of its own.
type demoPostgres struct {
	dir, bin string
	port     int
	stdin    io.WriteCloser
	cmd      *exec.Cmd
}

// startDemoPostgres makes a cluster in dir and starts it. When root asks, it
// belongs to the user postgres, for the server refuses root.
func startDemoPostgres(ctx context.Context, dir string) (*demoPostgres, error) {
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	port, err := freePort(0)
	if err != nil {
		return nil, err
	}
	p := &demoPostgres{dir: dir, bin: bin, port: port}
	attr, err := p.owner()
	if err != nil {
		return nil, err
	}
	if err := p.initialize(ctx, attr); err != nil {
		return nil, err
	}
	if err := p.launch(attr); err != nil {
		return nil, err
	}
	if err := p.await(ctx); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		p.stop(false)
		return nil, fmt.Errorf("%w; its log says:\n%s", err, log)
	}
	return p, nil
}

func (p *demoPostgres) owner() (*syscall.SysProcAttr, error) {
	// A group of its own: Ctrl-C in the terminal must not reach it before us.
	attr := &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		account, err := user.Lookup("postgres")
		if err != nil {
			return nil, errors.New("the Postgres server refuses to run as root and there is no user postgres; run the demo as an ordinary user")
		}
		uid, _ := strconv.ParseUint(account.Uid, 10, 32)
		gid, _ := strconv.ParseUint(account.Gid, 10, 32)
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, err
	}
	return attr, p.give(p.dir, attr)
}

func (p *demoPostgres) give(path string, attr *syscall.SysProcAttr) error {
	if attr.Credential == nil {
		return nil
	}
	return os.Chown(path, int(attr.Credential.Uid), int(attr.Credential.Gid))
}

func (p *demoPostgres) initialize(ctx context.Context, attr *syscall.SysProcAttr) error {
	initdb := exec.CommandContext(ctx, filepath.Join(p.bin, "initdb"), "--pgdata", filepath.Join(p.dir, "data"),
		"--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
	initdb.SysProcAttr, initdb.Dir, initdb.Env = attr, p.dir, demoEnv()
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	for name, text := range map[string]string{
		"postgresql.conf": fmt.Sprintf(demoSettings, p.dir, p.port),
		"pg_hba.conf":     demoHBA,
	} {
		path := filepath.Join(p.dir, "data", name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
		if err := p.give(path, attr); err != nil {
			return err
		}
	}
	return nil
}

// launch outlives any context: stop ends it, and so does our own death.
func (p *demoPostgres) launch(attr *syscall.SysProcAttr) error {
	p.cmd = exec.Command("/bin/sh", "-c", demoSupervise, "sh", filepath.Join(p.bin, "postgres"), p.dir) //nolint:noctx // it ends with its standard input
	p.cmd.SysProcAttr, p.cmd.Dir, p.cmd.Env = attr, p.dir, demoEnv()
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start Postgres: %w", err)
	}
	return nil
}

// await asks until it answers: a starting server gives no other sign.
func (p *demoPostgres) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("the Postgres server did not answer within a minute"))
	defer cancel()
	for {
		conn, err := p.connect(ctx, "postgres")
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(30 * time.Millisecond):
		}
	}
}

// connect logs in as the superuser, through the socket.
func (p *demoPostgres) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	return pgx.Connect(ctx, fmt.Sprintf("host=%s port=%d user=postgres dbname=%s", p.dir, p.port, database))
}

// load makes the roles and the warehouse and returns the number of lessons.
func (p *demoPostgres) load(ctx context.Context) (lessons int64, err error) {
	first, err := p.connect(ctx, "postgres")
	if err != nil {
		return 0, err
	}
	_, err = first.Exec(ctx, "CREATE DATABASE school")
	_ = first.Close(ctx)
	if err != nil {
		return 0, fmt.Errorf("make the database: %w", err)
	}
	conn, err := p.connect(ctx, "school")
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, name := range []string{"warehouse.sql", "roles.sql"} {
		script, err := demoFiles.ReadFile("demo/" + name)
		if err != nil {
			return 0, err
		}
		if _, err := conn.PgConn().Exec(ctx, string(script)).ReadAll(); err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
	}
	if _, err := conn.Exec(ctx, "VACUUM ANALYZE"); err != nil {
		return 0, fmt.Errorf("analyze: %w", err)
	}
	err = conn.QueryRow(ctx, "SELECT count(*) FROM school.fact_lesson").Scan(&lessons)
	return lessons, err
}

// stop cuts all connections, ends the server and waits for it. Its folder goes
// with it unless keep.
func (p *demoPostgres) stop(keep bool) {
	if keep {
		_, _ = io.WriteString(p.stdin, "keep\n")
	}
	_ = p.stdin.Close()
	_ = p.cmd.Wait()
}

// findPostgres returns the folder of the newest server programs.
func findPostgres() (string, error) {
	var dirs []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(installed, func(a, b string) int { return postgresMajor(b) - postgresMajor(a) })
	for _, dir := range append(dirs, installed...) {
		if _, err := os.Stat(filepath.Join(dir, "postgres")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("no Postgres server found in PATH or /usr/lib/postgresql; install one (Debian: apt-get install postgresql) and try again")
}

func postgresMajor(bin string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	return n
}

// demoEnv keeps the caller's PG variables and language out.
func demoEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC", "TMPDIR=" + os.TempDir()}
}

// freePort returns the wanted port if nobody has it, else any free one.
func freePort(wanted int) (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(wanted)) //nolint:noctx // closed at once
	if err != nil && wanted != 0 {
		return freePort(0)
	}
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	_, port, _ := strings.Cut(ln.Addr().String(), ":")
	n, _ := strconv.Atoi(port)
	return n, ln.Close()
}
