package proxytest

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
)

var errNoBinaries = errors.New("no PostgreSQL server programs (initdb, postgres) found; install postgresql or set LOCKKEEPER_PG_BIN")

// defaultHBA stands behind the lines of Auth.
var defaultHBA = []string{
	"local all all trust",
	"host all all 127.0.0.1/32 trust",
	"host all all ::1/128 trust",
}

// start makes a cluster and starts it.
func start(settings ...string) (*Postgres, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "lkpg")
	if err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	p := &Postgres{dir: dir, bin: bin}
	if err := p.build(settings); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	// Somebody else may take the free port between our look and the server's
	// bind.
	for range 5 {
		if err = p.choosePort(); err == nil {
			err = p.launch()
		}
		if err == nil || !strings.Contains(err.Error(), "could not bind") {
			break
		}
		if err := p.build(settings); err != nil { // launch has removed the directory
			return nil, err
		}
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return p, nil
}

// build writes everything but the port.
func (p *Postgres) build(settings []string) error {
	if err := os.MkdirAll(p.dir, 0o755); err != nil { //nolint:gosec // clients of other users use the socket
		return fmt.Errorf("make directory: %w", err)
	}
	if err := os.Chmod(p.dir, 0o755); err != nil { //nolint:gosec // as above
		return fmt.Errorf("open directory: %w", err)
	}
	if err := own(p.dir); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, "initdb"), //nolint:gosec // a program of the installation
		"--pgdata", p.DataDir(), "--username", Superuser, "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
	cmd.SysProcAttr, cmd.Dir, cmd.Env = credentials(), p.dir, serverEnv()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	if p.certs == nil {
		certs, err := newCerts()
		if err != nil {
			return err
		}
		p.certs = certs
	}
	for name, pem := range map[string][]byte{"server.crt": p.certs.ServerPEM, "server.key": p.certs.ServerKeyPEM, "root.crt": p.certs.CAPEM} {
		if err := p.put(name, pem); err != nil {
			return err
		}
	}
	if err := p.writeHBA(); err != nil {
		return err
	}
	return p.put("lockkeeper.conf", []byte(strings.Join(slices.Concat(p.settings(), settings), "\n")+"\n"))
}

func (p *Postgres) settings() []string {
	return []string{
		"listen_addresses = '127.0.0.1'",
		"unix_socket_directories = '" + p.dir + "'",
		"max_connections = 200",
		"fsync = off", "synchronous_commit = off", "full_page_writes = off",
		"wal_level = minimal", "max_wal_senders = 0",
		"max_prepared_transactions = 10",
		"autovacuum = off", // no lock and no activity that a test did not cause
		"shared_buffers = 64MB",
		"timezone = 'UTC'", "log_timezone = 'UTC'",
		"password_encryption = 'scram-sha-256'",
		"ssl = on", "ssl_cert_file = 'server.crt'", "ssl_key_file = 'server.key'", "ssl_ca_file = 'root.crt'",
	}
}

func (p *Postgres) choosePort() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		return fmt.Errorf("find a free port: %w", err)
	}
	addr, _ := ln.Addr().(*net.TCPAddr)
	p.port = addr.Port
	if err := ln.Close(); err != nil {
		return fmt.Errorf("find a free port: %w", err)
	}
	return p.put("postgresql.conf", []byte("include 'lockkeeper.conf'\nport = "+strconv.Itoa(p.port)+"\n"))
}

// put writes a file into the data directory, for the server's eyes only.
func (p *Postgres) put(name string, text []byte) error {
	path := filepath.Join(p.DataDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return own(path)
}

func own(path string) error {
	uid, gid, ok := serverUser()
	if !ok {
		return nil
	}
	if err := os.Chown(path, int(uid), int(gid)); err != nil {
		return fmt.Errorf("give %s to the server's user: %w", path, err)
	}
	return nil
}

// serverUser returns whom a server started by root runs as.
func serverUser() (uid, gid uint32, ok bool) {
	if os.Geteuid() != 0 {
		return 0, 0, false
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		n, err1 := strconv.ParseUint(u.Uid, 10, 32)
		g, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return uint32(n), uint32(g), true
		}
	}
	return 0, 0, false
}

// serverEnv keeps the caller's PG variables away from the server.
func serverEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
}

// findBinaries returns the directory of the newest server.
func findBinaries() (string, error) {
	dirs := []string{os.Getenv("LOCKKEEPER_PG_BIN")}
	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(installed, func(a, b string) int { return major(b) - major(a) })
	dirs = append(dirs, installed...)
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	for _, d := range dirs {
		if d != "" && executable(filepath.Join(d, "initdb")) && executable(filepath.Join(d, "postgres")) {
			return d, nil
		}
	}
	return "", errNoBinaries
}

func major(dir string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	return n
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
