package proxytest

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) {
	if os.Getenv("LK_ORPHAN") != "" {
		orphan()
		return
	}
	Main(m)
}

func TestPostgresServes(t *testing.T) {
	t.Parallel()
	pg := StartPostgres(t)
	if again := StartPostgres(t); again != pg {
		t.Error("a second call started a second server")
	}
	role := pg.CreateRole(t, "PASSWORD 'pw'")
	db := pg.CreateDatabase(t)
	conn := pg.Connect(t, role, db)
	var user string
	if err := conn.QueryRow(t.Context(), "select current_user").Scan(&user); err != nil || user != role {
		t.Errorf("current_user = %q, %v; want %q", user, err, role)
	}
}

func TestAuthAsksForPassword(t *testing.T) {
	t.Parallel()
	pg := StartPostgres(t)
	for method, want := range map[string]bool{"scram-sha-256": true, "password": true, "reject": false, "cert": false} {
		role := pg.CreateRole(t, "PASSWORD 'pw'")
		pg.Auth(t, role, method)
		if conn, err := pgx.Connect(t.Context(), pg.URL(role, "postgres")); err == nil {
			_ = conn.Close(t.Context())
			t.Errorf("%s: let in without a password", method)
		}
		cfg, err := pgx.ParseConfig(pg.URL(role, "postgres"))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Password = "pw"
		conn, err := pgx.ConnectConfig(t.Context(), cfg)
		if (err == nil) != want {
			t.Errorf("%s with the password: %v", method, err)
		}
		if err == nil {
			_ = conn.Close(t.Context())
		}
	}
}

func TestTLSWithClientCertificate(t *testing.T) {
	t.Parallel()
	pg := StartPostgres(t)
	role := pg.CreateRole(t, "")
	pg.Auth(t, role, "cert")
	cfg, err := pgx.ParseConfig(pg.URL(role, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	cfg.TLSConfig = pg.Certs().ClientTLS(false)
	cfg.TLSConfig.Certificates = append(cfg.TLSConfig.Certificates, pg.Certs().IssueClient(t, role))
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(t.Context())
}

func TestRestartKeepsDataAndPort(t *testing.T) {
	t.Parallel()
	pg := StartPrivate(t, "work_mem = '5MB'")
	Exec(t, pg.Super(t), "create table kept (i int)", "checkpoint")
	pg.Restart(t)
	Exec(t, pg.Super(t), "insert into kept values (1)")
	var mem string
	if err := pg.Super(t).QueryRow(t.Context(), "show work_mem").Scan(&mem); err != nil || mem != "5MB" {
		t.Errorf("work_mem = %q, %v", mem, err)
	}
}

// orphan is the child of the next test: it starts a server, says where, and
// waits to be killed.
func orphan() {
	pg, err := start()
	if err != nil {
		os.Stdout.WriteString("error " + err.Error() + "\n")
		return
	}
	os.Stdout.WriteString(pg.dir + "\n")
	select {}
}

func TestServerDiesWithItsTestProcess(t *testing.T) {
	t.Parallel()
	StartPostgres(t) // skips if there is none
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "LK_ORPHAN=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, _ := out.Read(buf)
	dir := strings.TrimSpace(string(buf[:n]))
	if _, err := os.Stat(dir + "/data/postmaster.pid"); err != nil {
		t.Fatalf("child: %s: %v", dir, err)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for ctx.Err() == nil {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			return
		}
		time.Sleep(20 * time.Millisecond) // nobody is left to signal
	}
	t.Errorf("%s is still there", dir)
}
