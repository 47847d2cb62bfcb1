package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// heavy reports whether the tests shall run in the size that is asked of a
// release; by default they are the same tests in a size for every change.
func heavy() bool { return os.Getenv("LOCKKEEPER_ACCEPTANCE") == "1" }

func scale(light, full int) int {
	if heavy() {
		return full
	}
	return light
}

// process is the binary at work, in a process of its own.
type process struct {
	t     testing.TB
	args  []string
	cmd   *exec.Cmd
	log   *lockedBuffer // standard error
	ready chan struct{} // closed when clients may come
	ended chan struct{} // closed when the process is gone

	door, admin, state string
}

// serve starts a server with trust, in front of a warehouse, and waits until
// it is ready. A policy may be empty; more flags follow.
func serve(t testing.TB, pg *proxytest.Postgres, policy string, flags ...string) *process {
	t.Helper()
	dir := t.TempDir()
	p := &process{t: t, door: freeAddress(t), admin: freeAddress(t), state: filepath.Join(dir, "state")}
	p.args = []string{
		"serve", "--auth", "trust", "--listen", p.door, "--admin-listen", p.admin, "--state", p.state,
		"--warehouse", "postgres://" + pg.Addr() + "/postgres?sslmode=disable",
	}
	if policy != "" {
		p.args = append(p.args, "--policy", p.policyFile())
		p.writePolicy(policy)
	}
	p.args = append(p.args, flags...)
	p.start()
	return p
}

// configFlags returns the flags of a configuration file with this text.
func configFlags(t testing.TB, text string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lockkeeper.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--config", file}
}

func (p *process) policyFile() string { return filepath.Join(filepath.Dir(p.state), "policy.yaml") }

func (p *process) writePolicy(text string) {
	p.t.Helper()
	if err := writeAtomic(p.policyFile(), []byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	port, err := freePort(0)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// start runs the process, again if need be, and waits until it is ready.
func (p *process) start() {
	p.t.Helper()
	p.log, p.ready, p.ended = &lockedBuffer{}, make(chan struct{}), make(chan struct{})
	p.cmd = exec.Command("lockkeeper", p.args...) //nolint:noctx // ended by stop or by the test's end
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	go p.follow(out) // ends with the process; Cleanup waits
	p.t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.ended })
	select {
	case <-p.ready:
	case <-p.ended:
		p.t.Fatalf("the server did not start:\n%s", p.log)
	case <-time.After(60 * time.Second):
		p.t.Fatalf("the server is not ready:\n%s", p.log)
	}
}

func (p *process) follow(out io.Reader) {
	lines := bufio.NewScanner(out)
	for open := true; lines.Scan(); {
		_, _ = p.log.Write(append(lines.Bytes(), '\n'))
		if open && bytes.Contains(lines.Bytes(), []byte("msg=ready ")) {
			close(p.ready)
			open = false
		}
	}
	_ = p.cmd.Wait()
	close(p.ended)
}

// signal sends a signal.
func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// kill ends the process as a power failure would, short of the disk.
func (p *process) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// exit waits for the process and returns its code.
func (p *process) exit(patience time.Duration) int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("still running after %s:\n%s", patience, p.log)
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop ends the process by SIGTERM and expects it to end well.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	if code := p.exit(60 * time.Second); code != 0 {
		p.t.Errorf("exit code %d:\n%s", code, p.log)
	}
}

// client logs a raw client in.
func (p *process) client(params ...string) *proxytest.Client {
	p.t.Helper()
	c := proxytest.Dial(p.t, "tcp", p.door)
	c.Login(proxytest.Superuser, "postgres", "", params...)
	return c
}

func (p *process) url(user string) string {
	return "postgres://" + user + "@" + p.door + "/postgres?sslmode=disable"
}

// memory returns the resident memory of the process at its highest, in MiB.
func (p *process) memory() int {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kib, _ := strconv.Atoi(f[1])
			return kib >> 10
		}
	}
	p.t.Fatal("no VmHWM")
	return 0
}

// maxMemory is what a server may need at its worst, in MiB.
const maxMemory = 256

func (p *process) checkMemory(when string) {
	p.t.Helper()
	got := p.memory()
	p.t.Logf("%s: %d MiB resident at the highest", when, got)
	if got > maxMemory && !raceEnabled {
		p.t.Errorf("%s: %d MiB, want at most %d", when, got, maxMemory)
	}
}

// metrics returns the text of /metrics.
func (p *process) metrics() string {
	p.t.Helper()
	code, body := httpGet("http://" + p.admin + "/metrics")
	if code != 200 {
		p.t.Fatalf("/metrics: %d %s", code, body)
	}
	return body
}

// metric returns one figure by its name with labels; 0 if it is not there.
func (p *process) metric(name string) float64 {
	p.t.Helper()
	for line := range strings.Lines(p.metrics()) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			f, _ := strconv.ParseFloat(value, 64)
			return f
		}
	}
	return 0
}

// command runs the binary's other commands and returns what they print.
func command(t testing.TB, args ...string) (out string, code int) {
	t.Helper()
	return run(t, exec.CommandContext(t.Context(), "lockkeeper", args...))
}

func run(t testing.TB, cmd *exec.Cmd) (out string, code int) {
	t.Helper()
	text, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(text), exit.ExitCode()
	}
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	return string(text), 0
}

// console runs a command that talks to the server, which must succeed.
func (p *process) console(args ...string) string {
	p.t.Helper()
	out, code := command(p.t, append(args, "--state", p.state)...)
	if code != 0 {
		p.t.Fatalf("lockkeeper %s: code %d: %s", strings.Join(args, " "), code, out)
	}
	return out
}

// verify runs audit verify, which must find nothing broken, and returns its words.
func (p *process) verify(args ...string) string {
	p.t.Helper()
	out, code := command(p.t, append([]string{"audit", "verify", p.state}, args...)...)
	if code != 0 {
		p.t.Fatalf("audit verify: code %d: %s", code, out)
	}
	return out
}

// eventually polls what gives no signal across processes.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	within(t, 20*time.Second, what, holds)
}

func within(t testing.TB, patience time.Duration, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func want(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
