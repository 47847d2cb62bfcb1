package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

//go:embed peers/pgbouncer.ini
var pgbouncerINI string

//go:embed peers/policy.yaml
var policyYAML string

// peer is one way to the warehouse.
type peer struct {
	name       string
	host, port string
	pid        int // of the process in between, 0 if there is none
}

// url returns a connection string that keeps TLS out.
func (p *peer) url() string {
	return "postgres://" + proxytest.Superuser + "@" + net.JoinHostPort(p.host, p.port) + "/" + database + "?sslmode=disable"
}

func direct(pg *proxytest.Postgres) *peer {
	host, port, _ := net.SplitHostPort(pg.Addr())
	return &peer{name: "direct", host: host, port: port}
}

// startPeers starts fresh processes. The returned function stops what runs,
// also after an error.
func (b *bench) startPeers(ctx context.Context) (peers []*peer, stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, f := range stops {
			f()
		}
	}
	for _, name := range b.peers {
		if name == "direct" {
			peers = append(peers, direct(b.pg))
			continue
		}
		cmd, p, err := b.command(name)
		if err != nil {
			return nil, stop, err
		}
		if err := cmd.Start(); err != nil {
			return nil, stop, fmt.Errorf("start %s: %w", name, err)
		}
		stops = append(stops, func() { end(cmd) })
		p.pid = cmd.Process.Pid
		if err := await(ctx, p); err != nil {
			return nil, stop, fmt.Errorf("%s does not answer (its log: %s): %w", name, logTail(cmd), err)
		}
		peers = append(peers, p)
	}
	return peers, stop, nil
}

// command returns the command line of a peer, with its files in a directory of
// its own.
func (b *bench) command(name string) (*exec.Cmd, *peer, error) {
	dir, err := os.MkdirTemp(b.scratch, name)
	if err != nil {
		return nil, nil, fmt.Errorf("make directory: %w", err)
	}
	port, err := freePort()
	if err != nil {
		return nil, nil, err
	}
	p := &peer{name: name, host: "127.0.0.1", port: port}
	var args []string
	switch name {
	case "lockkeeper":
		args, err = b.lockkeeperArgs(dir, p)
	case "pgbouncer":
		args, err = b.pgbouncerArgs(dir, p)
	default:
		err = fmt.Errorf("no peer %q", name)
	}
	if err != nil {
		return nil, nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, nil, fmt.Errorf("make log: %w", err)
	}
	cmd := exec.Command(args[0], args[1:]...) //nolint:noctx // ended by end, which lets it end by itself first
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	return cmd, p, nil
}

func (b *bench) lockkeeperArgs(dir string, p *peer) ([]string, error) {
	program, err := filepath.Abs(b.binary)
	if err != nil {
		return nil, fmt.Errorf("find lockkeeper: %w", err)
	}
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("find lockkeeper (make build): %w", err)
	}
	policy := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(policy, []byte(policyYAML), 0o600); err != nil {
		return nil, fmt.Errorf("write policy: %w", err)
	}
	admin, err := freePort()
	if err != nil {
		return nil, err
	}
	up := b.pg.URL(proxytest.Superuser, database)
	return []string{
		program, "serve", "--listen", net.JoinHostPort(p.host, p.port), "--warehouse", up, "--operator", up,
		"--auth", "trust", "--state", filepath.Join(dir, "state"), "--policy", policy,
		"--admin-listen", net.JoinHostPort("127.0.0.1", admin),
	}, nil
}

func (b *bench) pgbouncerArgs(dir string, p *peer) ([]string, error) {
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer" // Debian's place, not on everybody's PATH
	}
	host, port, _ := net.SplitHostPort(b.pg.Addr())
	users := filepath.Join(dir, "users.txt")
	ini := filepath.Join(dir, "pgbouncer.ini")
	text := strings.NewReplacer(
		"@HOST@", host, "@PORT@", port, "@LISTEN@", p.host, "@LISTEN_PORT@", p.port, "@USERS@", users,
	).Replace(pgbouncerINI)
	// PgBouncer refuses to stay root and reads its files as the other user.
	for _, d := range []string{b.scratch, dir} {
		if err := os.Chmod(d, 0o755); err != nil { //nolint:gosec // nothing secret in it
			return nil, fmt.Errorf("open directory: %w", err)
		}
	}
	for path, body := range map[string]string{users: `"` + proxytest.Superuser + `" ""` + "\n", ini: text} {
		if err := os.WriteFile(path, []byte(body), 0o644); err != nil { //nolint:gosec // as above
			return nil, fmt.Errorf("write %s: %w", filepath.Base(path), err)
		}
	}
	if os.Geteuid() == 0 {
		return []string{program, "-u", "postgres", ini}, nil
	}
	return []string{program, ini}, nil
}

// await polls until the peer takes a connection.
func await(ctx context.Context, p *peer) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		conn, err := pgconn.Connect(ctx, p.url())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// end stops a process: first politely, then not.
func end(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait()
	late.Stop()
	if log, ok := cmd.Stdout.(*os.File); ok {
		_ = log.Close()
	}
}

func logTail(cmd *exec.Cmd) string {
	text, _ := os.ReadFile(filepath.Join(cmd.Dir, "log"))
	return strings.TrimSpace(string(text[max(0, len(text)-2000):]))
}

func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	return port, errors.Join(err, ln.Close())
}
