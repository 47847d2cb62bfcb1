package drivers

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// openDoor starts a lockkeeper and waits until it is ready. Behind trust the
// client's own user goes up, in the clear; behind scram a login of the
// proxy's, by scram over TLS.
func (w *world) openDoor(t *testing.T, bin, auth string, certs proxytest.CertFiles) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), auth)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	warehouse := url.URL{Scheme: "postgres", Host: w.pg.Addr(), Path: "/postgres", RawQuery: "sslmode=disable"}
	users := ""
	if auth == "scram" {
		warehouse.User = url.UserPassword("matrix_scram", password)
		warehouse.RawQuery = url.Values{"sslmode": {"verify-full"}, "sslrootcert": {w.ca}}.Encode()
		users = fmt.Sprintf("users: {file: %q}\n", writeFile(t, filepath.Join(dir, "users"),
			fmt.Sprintf("\"matrix_scram\" \"%s\"\n\"slow_scram\" \"%s\"\n", password, password)))
	}
	addr, admin := freeAddr(t), freeAddr(t)
	config := fmt.Sprintf(`listen: [%q]
tls: {mode: allow, cert: %q, key: %q}
auth: {rules: [{method: %s}]}
%swarehouse: {url: %q}
operator: {url: %q}
state: %q
policy: %q
admin: {listen: %q}
`, addr, certs.Server, certs.ServerKey, auth, users, warehouse.String(), w.pg.URL(proxytest.Superuser, "postgres"),
		filepath.Join(dir, "state"), writeFile(t, filepath.Join(dir, "policy.yaml"), policyText), admin)
	w.start(t, bin, auth, writeFile(t, filepath.Join(dir, "lockkeeper.yaml"), config), "http://"+admin+"/readyz")
	return addr
}

// start runs lockkeeper until the test ends, and then wants it to stop when
// asked to, with nothing unsaid.
func (w *world) start(t *testing.T, bin, auth, config, ready string) {
	t.Helper()
	log := &safeBuffer{}
	cmd := exec.Command(bin, "serve", "--config", config) //nolint:gosec,noctx // stopped by hand below
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }() // ends with the process; the cleanup waits for it
	t.Cleanup(func() {
		t.Logf("lockkeeper (%s): %s", auth, peakMemory(cmd.Process.Pid))
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-gone:
			if err != nil {
				t.Errorf("lockkeeper (%s): %v", auth, err)
			}
		case <-time.After(40 * time.Second):
			_ = cmd.Process.Kill()
			t.Logf("killed: %v", <-gone)
			t.Errorf("lockkeeper (%s) did not stop when asked to", auth)
		}
		if t.Failed() {
			t.Logf("lockkeeper (%s) said:\n%s", auth, log.tail(100))
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !isReady(ctx, ready) {
		select {
		case err := <-gone:
			gone <- err
			t.Fatalf("lockkeeper (%s) ended: %v\n%s", auth, err, log.tail(100))
		case <-ctx.Done():
			t.Fatalf("lockkeeper (%s) is not ready\n%s", auth, log.tail(100))
		case <-time.After(50 * time.Millisecond): // it has no other way to tell us
		}
	}
}

func isReady(ctx context.Context, at string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return false
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req) //nolint:gosec // an address of our own
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// peakMemory says how much memory a process has ever held.
func peakMemory(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return "peak memory " + strings.TrimSpace(rest)
		}
	}
	return "gone"
}

// safeBuffer is written by the process's output and read by the test.
type safeBuffer struct {
	mu  sync.Mutex // guards what follows
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) tail(lines int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := strings.Split(b.buf.String(), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
