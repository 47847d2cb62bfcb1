package main

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// doorCerts returns a folder with server.crt and server.key.
func doorCerts(t *testing.T) (folder string) {
	t.Helper()
	certs := proxytest.Certs(t)
	folder = t.TempDir()
	for name, pem := range map[string][]byte{"crt": certs.ServerPEM, "key": certs.ServerKeyPEM} {
		if err := os.WriteFile(filepath.Join(folder, "server."+name), pem, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// An API token comes in at the door as a password, over TLS only, and as far as
// its scopes and bindings let it; its end is the end of its sessions.
func TestOfficeTokensAtTheDoor(t *testing.T) {
	t.Parallel()
	file := configFlags(t, fmt.Sprintf("tls: {cert: %s/server.crt, key: %[1]s/server.key}\n", doorCerts(t)))
	h := serveOffice(t, append(file, "--auth", "password")...)
	h.welcome(t, "ada", "reader", "--admin")
	ann := h.welcome(t, "ann", "reader")
	h.welcome(t, "bob", "reader")
	conn := func(login, password, sslmode string) (*pgx.Conn, error) {
		return pgx.Connect(t.Context(), fmt.Sprintf("postgres://%s:%s@%s/postgres?sslmode=%s", login, password, h.door, sslmode))
	}
	token := func(scopes []string, more map[string]any) (secret, id string) {
		t.Helper()
		var made struct {
			Token string
			Item  struct{ ID string }
		}
		body := map[string]any{"name": "tool", "scopes": scopes, "expires_in_days": 1}
		maps.Copy(body, more)
		ann.must(http.MethodPost, "/tokens", body, &made)
		return made.Token, made.Item.ID
	}

	reads, id := token([]string{"runs:write", "runs:read"}, nil)
	writes, _ := token([]string{"runs:write", "runs:write_dml"}, nil)
	only, _ := token([]string{"runs:read"}, nil)
	far, _ := token([]string{"runs:write"}, map[string]any{"cidrs": []string{"10.9.9.0/24"}})
	near, _ := token([]string{"runs:write"}, map[string]any{"cidrs": []string{"127.0.0.0/8"}, "targets": []string{"warehouse"}})
	var saved struct{ ID string }
	ann.must(http.MethodPost, "/queries", map[string]any{"title": "one", "sql": "select 1"}, &saved)
	pinned, _ := token([]string{"queries:run"}, map[string]any{"queries": []map[string]any{{"id": saved.ID, "version": 1}}})
	for name, c := range map[string]struct{ login, password, sslmode string }{
		"in clear":             {"ann", reads, "disable"},
		"another's login":      {"bob", reads, "require"},
		"nobody's login":       {"nobody", reads, "require"},
		"no scope to run":      {"ann", only, "require"},
		"from another network": {"ann", far, "require"},
		"bound to a query":     {"ann", pinned, "require"},
		"of another checksum":  {"ann", reads[:len(reads)-1] + "0", "require"},
		"with more behind it":  {"ann", reads + "x", "require"},
	} {
		if c, err := conn(c.login, c.password, c.sslmode); sqlState(err) != "28P01" {
			t.Errorf("%s: %v", name, err)
			if c != nil {
				_ = c.Close(t.Context())
			}
		}
	}
	for name, password := range map[string]string{"bound to this network and warehouse": near, "may write": writes} {
		c, err := conn("ann", password, "require")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := c.Exec(t.Context(), "create temp table t (i int)"); (err == nil) != (name == "may write") {
			t.Errorf("%s writes: %v", name, err)
		}
		_ = c.Close(t.Context())
	}

	c, err := conn("ann", reads, "require")
	if err != nil {
		t.Fatal(err)
	}
	other, err := conn("ann", writes, "require")
	if err != nil {
		t.Fatal(err)
	}
	var role, readOnly string
	if err := c.QueryRow(t.Context(), "SELECT current_user, current_setting('transaction_read_only')").Scan(&role, &readOnly); err != nil {
		t.Fatal(err)
	}
	want(t, role+" "+readOnly, "reader on")
	ended, began := make(chan error, 1), time.Now()
	go func() { // ends with the session; joined below
		_, err := c.Exec(t.Context(), "SELECT pg_sleep(60)")
		ended <- err
	}()
	ann.must(http.MethodDelete, "/tokens/"+id, nil, nil)
	select {
	case err := <-ended:
		if d := time.Since(began); err == nil || d > 5*time.Second {
			t.Errorf("after %s: %v", d, err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the session of a revoked token goes on")
	}
	if _, err := conn("ann", reads, "require"); sqlState(err) != "28P01" {
		t.Errorf("a revoked token: %v", err)
	}
	if _, err := other.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Errorf("the session of another token ended with it: %v", err)
	}
	_ = other.Close(t.Context())
	h.stop()
	out, _ := command(t, "audit", "search", "--kind", "session_start", "--json", h.state)
	if !strings.Contains(out, id) {
		t.Errorf("the token's id is not in the record:\n%s", out)
	}
	everything, _ := command(t, "audit", "search", "--json", h.state)
	for _, secret := range []string{reads, writes, only, far, near, pinned} {
		if strings.Contains(everything+h.log.String(), secret) {
			t.Error("a token is in the record or the log")
		}
	}
}
