package proxytest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// startTimeout bounds initdb and the start of the server, on a busy machine.
const startTimeout = 90 * time.Second

// Superuser is the name of the bootstrap superuser.
const Superuser = "postgres"

// deathLine is the server's last word in its log.
const deathLine = "database system is shut down"

// supervise runs the server until its standard input ends, which happens at
// the latest when the test process dies, however it dies. A line "keep" before
// the end keeps the directory for another start.
const supervise = `
"$1" -D "$2/data" -c config_file="$2/data/postgresql.conf" >>"$2/log" 2>&1 &
pid=$!
read -r last
kill -QUIT $pid 2>/dev/null
wait $pid
[ "$last" = keep ] || rm -rf "$2"
`

// Postgres is a running PostgreSQL server that belongs to this test process.
type Postgres struct {
	dir   string
	bin   string
	port  int
	certs *CertSet
	names atomic.Int64

	mu   sync.Mutex // guards what follows
	hba  []string   // lines before the default ones
	stop io.WriteCloser
	cmd  *exec.Cmd
}

// StartPostgres returns the server that all tests of this process share; it
// starts with the first call. Tests that stop it, or change what others see,
// use StartPrivate. Without server binaries the test is skipped with a loud
// word, and fails where the environment variable CI is set.
func StartPostgres(tb testing.TB) *Postgres {
	tb.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.pg == nil && shared.err == nil {
		shared.pg, shared.err = start()
	}
	return usable(tb, shared.pg, shared.err)
}

// StartPrivate starts a server of the test's own and stops it with the test.
// Settings are lines for postgresql.conf.
func StartPrivate(tb testing.TB, settings ...string) *Postgres {
	tb.Helper()
	pg, err := start(settings...)
	pg = usable(tb, pg, err)
	tb.Cleanup(pg.Stop)
	return pg
}

func usable(tb testing.TB, pg *Postgres, err error) *Postgres {
	tb.Helper()
	if errors.Is(err, errNoBinaries) && os.Getenv("CI") == "" {
		tb.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
	if err != nil {
		tb.Fatalf("start PostgreSQL: %v", err)
	}
	return pg
}

// Addr returns host:port of the TCP listener on loopback.
func (p *Postgres) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

// Port returns the TCP port, which also names the unix socket.
func (p *Postgres) Port() int { return p.port }

// SocketDir returns the directory of the unix socket.
func (p *Postgres) SocketDir() string { return p.dir }

// SocketPath returns the path of the unix socket itself.
func (p *Postgres) SocketPath() string {
	return filepath.Join(p.dir, ".s.PGSQL."+strconv.Itoa(p.port))
}

// DataDir returns the server's data directory.
func (p *Postgres) DataDir() string { return filepath.Join(p.dir, "data") }

// BinDir returns the directory of the server's programs (pgbench, pg_dump …).
func (p *Postgres) BinDir() string { return p.bin }

// Certs returns the certificates: the server's own, and a client certificate
// it trusts.
func (p *Postgres) Certs() *CertSet { return p.certs }

// URL returns a connection string over TCP without TLS. Trust lets every role
// in until Auth says otherwise.
func (p *Postgres) URL(user, db string) string {
	u := url.URL{Scheme: "postgres", User: url.User(user), Host: p.Addr(), Path: "/" + db, RawQuery: "sslmode=disable"}
	return u.String()
}

// Connect opens a connection that closes with the test.
func (p *Postgres) Connect(tb testing.TB, user, db string) *pgx.Conn {
	tb.Helper()
	return Connect(tb, p.URL(user, db))
}

// Super opens a superuser's connection to database postgres that closes with
// the test.
func (p *Postgres) Super(tb testing.TB) *pgx.Conn {
	tb.Helper()
	return p.Connect(tb, Superuser, "postgres")
}

// Log returns what the server has logged.
func (p *Postgres) Log() string {
	b, _ := os.ReadFile(filepath.Join(p.dir, "log"))
	return string(b)
}

// PID returns the process id of the postmaster, 0 if it does not run.
func (p *Postgres) PID() int {
	b, _ := os.ReadFile(filepath.Join(p.DataDir(), "postmaster.pid"))
	line, _, _ := strings.Cut(string(b), "\n")
	pid, _ := strconv.Atoi(line)
	return pid
}

// Stop ends the server at once, cutting all connections, and removes its
// directory.
func (p *Postgres) Stop() { p.halt("") }

// Restart cuts all connections at once, as a crash does, and starts again on
// the same port.
func (p *Postgres) Restart(tb testing.TB) {
	tb.Helper()
	p.halt("keep\n")
	if err := p.launch(); err != nil {
		tb.Fatalf("restart PostgreSQL: %v", err)
	}
}

// Halt is the first half of Restart: the server is gone, its data stay.
func (p *Postgres) Halt() { p.halt("keep\n") }

func (p *Postgres) halt(last string) {
	p.mu.Lock()
	stop, cmd := p.stop, p.cmd
	p.stop, p.cmd = nil, nil
	p.mu.Unlock()
	if cmd == nil {
		return
	}
	_, _ = io.WriteString(stop, last)
	_ = stop.Close()
	_ = cmd.Wait()
}

// launch starts the supervisor and waits until the server answers.
func (p *Postgres) launch() error {
	//nolint:gosec,noctx // a fixed script; it ends with its standard input
	cmd := exec.Command("/bin/sh", "-c", supervise, "sh", filepath.Join(p.bin, "postgres"), p.dir)
	cmd.SysProcAttr = credentials()
	cmd.SysProcAttr.Setpgid = true // a Ctrl-C at the terminal must not kill the supervisor before it cleans up
	cmd.Dir = p.dir
	cmd.Env = serverEnv()
	deaths := strings.Count(p.Log(), deathLine)
	in, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("pipe to the supervisor: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	p.mu.Lock()
	p.stop, p.cmd = in, cmd
	p.mu.Unlock()
	if err := p.await(deaths); err != nil {
		log := p.Log()
		p.Stop()
		return fmt.Errorf("%w; the server's log:\n%s", err, log)
	}
	return nil
}

// await polls the server: it has no signal to give but its first answer.
func (p *Postgres) await(deaths int) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, p.URL(Superuser, "postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		if strings.Count(p.Log(), deathLine) > deaths {
			return errors.New("server shut down while starting")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("server did not answer in %v: %w", startTimeout, err)
		case <-time.After(25 * time.Millisecond):
		}
	}
}

// credentials makes root's child run as an ordinary user, for the server
// refuses root.
func credentials() *syscall.SysProcAttr {
	uid, gid, ok := serverUser()
	if !ok {
		return &syscall.SysProcAttr{}
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
}

// KillProcess ends a process the hard way, as the kernel does when memory is
// short: a backend, by the pid it gives itself.
func KillProcess(tb testing.TB, pid string) {
	tb.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil || n <= 1 {
		tb.Fatalf("no process id: %q", pid)
	}
	if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
		tb.Fatalf("kill %d: %v", n, err)
	}
}
