package backend

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// Every way to log in, over every transport, on a real server: the right
// password, a wrong one and none.
func TestLogin(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPostgres(t)
	const right = "se'cr\u00e9t"
	for _, c := range []struct{ method, encryption string }{
		{"scram-sha-256", "scram-sha-256"},
		{"md5", "md5"},
		{"md5", "scram-sha-256"},
		{"password", "scram-sha-256"},
		{"trust", "scram-sha-256"},
	} {
		role := pg.CreateRole(t, "")
		setPassword(t, pg, role, right, c.encryption)
		pg.Auth(t, role, c.method)
		for name, cfg := range map[string]Config{
			"tls":   {Address: pg.Addr(), TLSMode: TLSVerifyFull, RootCAs: pg.Certs().CA, Host: "localhost"},
			"plain": {Address: pg.Addr(), TLSMode: TLSDisable},
			"unix":  {Network: "unix", Address: pg.SocketPath()},
		} {
			t.Run(fmt.Sprintf("%s with %s over %s", c.method, c.encryption, name), func(t *testing.T) {
				t.Parallel()
				d := dialer(t, cfg)
				for range 2 { // the second login finds the derived key
					conn, err := d.Dial(t.Context(), pgauth.Login{User: role, Password: pgauth.NewSecret(right)}, params("database", "postgres"))
					if err != nil {
						t.Fatal(err)
					}
					finish(t, conn)
					if got := ask(t, conn, "SELECT current_user || ' ' || ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"); got != fmt.Sprintf("%s %v", role, name == "tls") {
						t.Errorf("session of %q", got)
					}
				}
				if c.method == "trust" {
					return
				}
				_, err := d.Dial(t.Context(), pgauth.Login{User: role, Password: pgauth.NewSecret("wrong")}, params("database", "postgres"))
				refused, ok := errors.AsType[*ServerError](err)
				if !ok || refused.SQLState != "28P01" || !strings.Contains(refused.Message, role) || !strings.Contains(string(refused.Frame), "28P01") {
					t.Errorf("wrong password: %v, want the server's 28P01", err)
				}
				if _, err := d.Dial(t.Context(), pgauth.Login{User: role}, params("database", "postgres")); !errors.Is(err, ErrNoPassword) {
					t.Errorf("no password: %v, want ErrNoPassword", err)
				}
			})
		}
	}
}

func setPassword(t *testing.T, pg *proxytest.Postgres, role, password, encryption string) {
	t.Helper()
	super := pg.Super(t)
	proxytest.Exec(t, super, "SET password_encryption = '"+encryption+"'",
		fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", role, strings.ReplaceAll(password, "'", "''")))
}

// The server is the oracle of how a password is prepared: it made the verifier.
func TestPasswordsAreTheServers(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPostgres(t)
	d := dialer(t, Config{Address: pg.Addr(), TLSMode: TLSDisable})
	role := pg.CreateRole(t, "")
	pg.Auth(t, role, "scram-sha-256")
	for _, password := range []string{
		"plain", "I\u00adX", "\u00aa", "\u2168", "a\u00a0b", "e\u0301", "\u00e9", "\u0627\u0031", "\u0627e\u0301", "\u0627\u0628",
		"\u200b\u200d", "\u200d", "\U0001f600e\u0301", "\ue000e\u0301", "pa\u017f\ufb01", "\u0627\u0628\ufb01\u0628", "\u1e9ee\u0301", "\u0221e\u0301",
		"=,\"\\", " lead and trail ", strings.Repeat("x\u0301", 200),
	} {
		setPassword(t, pg, role, password, "scram-sha-256")
		conn, err := d.Dial(t.Context(), pgauth.Login{User: role, Password: pgauth.NewSecret(password)}, params("database", "postgres"))
		if err != nil {
			t.Errorf("password %+q: %v", password, err)
			continue
		}
		_ = conn.Close()
		conn.Reader.Close()
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPostgres(t)
	role := pg.CreateRole(t, "")
	d := dialer(t, Config{Address: pg.Addr(), ApplicationSuffix: " via lockkeeper"})
	conn, err := d.Dial(t.Context(), pgauth.Login{User: role}, params(
		"user", "ann", "database", "postgres", "application_name", strings.Repeat("\u00e4", 40), "DateStyle", "German", "lockkeeper.tags", "x", "_pq_.compression", "lz4",
	))
	if err != nil {
		t.Fatal(err)
	}
	finish(t, conn)
	if got := ask(t, conn, "SELECT pg_backend_pid()"); got != fmt.Sprint(conn.PID) || len(conn.Key) != 4 {
		t.Errorf("pid %d, the server's is %s; key of %d bytes", conn.PID, got, len(conn.Key))
	}
	if name, _ := conn.Param("application_name"); name != strings.Repeat("?", 48)+" via lockkeeper" {
		t.Errorf("application_name %q: the server cleans it to ASCII, and the suffix must be there", name)
	}
	if style, _ := conn.Param("DateStyle"); style != "German, DMY" {
		t.Errorf("DateStyle %q", style)
	}
	if conn.Status != 'I' || conn.User != role || conn.Redshift || conn.VersionNum/10000 < 10 || conn.NoticesHangup {
		t.Errorf("status %c, user %s, redshift %v, version %d, looks for hangup %v", conn.Status, conn.User, conn.Redshift, conn.VersionNum, conn.NoticesHangup)
	}
	if len(conn.Params) < 10 {
		t.Errorf("parameters %v", conn.Params)
	}
	// From the second session on, the server is known.
	again, err := d.Dial(t.Context(), pgauth.Login{User: role}, params("database", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	finish(t, again)
	if got := ask(t, again, "SHOW client_connection_check_interval"); got != "1s" || !again.NoticesHangup {
		t.Errorf("check interval %q, known %v", got, again.NoticesHangup)
	}
	own, err := d.Dial(t.Context(), pgauth.Login{User: role}, params("database", "postgres", "options", "-c client_connection_check_interval=7s"))
	if err != nil {
		t.Fatal(err)
	}
	finish(t, own)
	if got := ask(t, own, "SHOW client_connection_check_interval"); got != "7s" {
		t.Errorf("check interval %q, the client's is 7s", got)
	}
}

func TestRefusalsOfTheServer(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPostgres(t)
	role := pg.CreateRole(t, "")
	d := dialer(t, Config{Address: pg.Addr()})
	for name, c := range map[string]struct {
		params []string
		state  string
	}{
		"no such database":  {[]string{"database", "nowhere"}, "3D000"},
		"no such parameter": {[]string{"database", "postgres", "no_such", "1"}, "42704"},
		"a bad value":       {[]string{"database", "postgres", "extra_float_digits", "99"}, "22023"},
	} {
		for range 2 { // before and after the server is known
			_, err := d.Dial(t.Context(), pgauth.Login{User: role}, params(c.params...))
			if refused, ok := errors.AsType[*ServerError](err); !ok || refused.SQLState != c.state {
				t.Errorf("%s: %v, want %s", name, err, c.state)
			}
		}
		conn, err := d.Dial(t.Context(), pgauth.Login{User: role}, params("database", "postgres"))
		if err != nil {
			t.Fatal(err)
		}
		finish(t, conn)
	}
	conn, err := d.Dial(t.Context(), pgauth.Login{User: role}, params("database", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	finish(t, conn)
	if !conn.NoticesHangup {
		t.Error("a client's own bad parameter was blamed on ours")
	}
}
