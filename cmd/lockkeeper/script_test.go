package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// TestScripts uses the binary as people do. Those in testdata/script need
// nothing, those in testdata/server a Postgres.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Cmds: scriptCommands()})
}

// TestDemo runs the demo as a person would; it takes a warehouse's load.
func TestDemo(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the demo loads two million rows; not with -short")
	}
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/demo",
		Cmds: scriptCommands(),
		Setup: func(env *testscript.Env) error {
			// Postgres may run as another user, who must come through.
			scratch, err := os.MkdirTemp("", "demo-test") //nolint:usetesting // t.TempDir lets no other user through
			if err != nil {
				return err
			}
			env.Defer(func() { _ = os.RemoveAll(scratch) })
			env.Vars = append(env.Vars, "TMPDIR="+scratch)
			return os.Chmod(scratch, 0o755)
		},
	})
}

func TestServerScripts(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	super := pg.Super(t)
	pg.Auth(t, "service", "scram-sha-256")
	proxytest.Exec(t, super,
		"CREATE ROLE ann LOGIN PASSWORD 'ann-secret'",
		"CREATE ROLE service LOGIN PASSWORD 'service-secret'",
		"CREATE ROLE operator LOGIN PASSWORD 'operator-secret'",
		"GRANT pg_monitor, pg_signal_backend TO operator",
		"CREATE TABLE lessons AS SELECT n, 'lesson ' || n AS title FROM generate_series(1, 1000) AS n",
		"CREATE TABLE books AS SELECT n FROM generate_series(1, 10) AS n",
		"CREATE TABLE visits (n int)",
		"GRANT ALL ON lessons, books, visits TO ann")
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/server",
		Cmds: scriptCommands(),
		Setup: func(env *testscript.Env) error {
			port, err := freePort(0)
			if err != nil {
				return err
			}
			admin, err := freePort(0)
			if err != nil {
				return err
			}
			certs := filepath.Join(env.WorkDir, "certs")
			if err := os.Mkdir(certs, 0o700); err != nil {
				return err
			}
			pg.Certs().Write(t, certs)
			env.Vars = append(env.Vars,
				"WAREHOUSE=postgres://"+pg.Addr()+"/postgres?sslmode=disable",
				"SUPER=postgres://postgres@"+pg.Addr()+"/postgres?sslmode=disable",
				"OPERATOR=postgres://operator:operator-secret@"+pg.Addr()+"/postgres?sslmode=disable",
				"DOOR="+net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
				"ADMIN="+net.JoinHostPort("127.0.0.1", strconv.Itoa(admin)),
				"PATH="+pg.BinDir()+":"+os.Getenv("PATH"),
				"PGCONNECT_TIMEOUT=10",
			)
			return nil
		},
	})
}

func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"ready":  scriptReady,
		"status": scriptStatus,
		"gone":   scriptGone,
		"term":   scriptTerm,
		"await":  scriptAwait,
	}
}

// scriptReady waits until the server on an admin address is ready.
func scriptReady(ts *testscript.TestScript, _ bool, args []string) {
	patience := time.Now().Add(30 * time.Second)
	for time.Now().Before(patience) {
		if code, _ := httpGet("http://" + args[0] + "/readyz"); code == http.StatusOK {
			return
		}
		time.Sleep(20 * time.Millisecond) // a starting process gives no other sign
	}
	ts.Fatalf("not ready: %s", args[0])
}

// scriptStatus URL CODE [TEXT]: what an address answers.
func scriptStatus(ts *testscript.TestScript, _ bool, args []string) {
	code, body := httpGet(args[0])
	if strconv.Itoa(code) != args[1] {
		ts.Fatalf("%s: %d, want %s", args[0], code, args[1])
	}
	if len(args) > 2 && !strings.Contains(body, args[2]) {
		ts.Fatalf("%s: no %q in\n%s", args[0], args[2], body)
	}
}

// scriptGone GLOB: nothing of that name is left.
func scriptGone(ts *testscript.TestScript, _ bool, args []string) {
	left, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(left) > 0 {
		ts.Fatalf("left behind: %v", left)
	}
}

// scriptTerm TEXT: sends SIGTERM to the background commands that have it in
// their command line.
func scriptTerm(ts *testscript.TestScript, _ bool, args []string) {
	for _, cmd := range ts.BackgroundCmds() {
		if !strings.Contains(strings.Join(cmd.Args, " "), args[0]) {
			continue
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
			ts.Check(err)
		}
	}
}

// scriptAwait FILE TEXT: waits until a file that a background command writes
// says it.
func scriptAwait(ts *testscript.TestScript, _ bool, args []string) {
	patience := time.Now().Add(90 * time.Second)
	for time.Now().Before(patience) {
		raw, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && strings.Contains(string(raw), args[1]) {
			return
		}
		time.Sleep(20 * time.Millisecond) // a file gives no other sign
	}
	ts.Fatalf("%s never said %q:\n%s", args[0], args[1], ts.ReadFile(args[0]))
}

func httpGet(url string) (code int, body string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err.Error()
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}
