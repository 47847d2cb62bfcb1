package drivers

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// clientTimeout bounds one run of one client.
const clientTimeout = 5 * time.Minute

// cell is one client in one mode, and what came of it.
type cell struct {
	client client
	mode   mode
	lines  []line
	took   time.Duration
	cpu    time.Duration // of the client alone
	stderr string
}

// line is what a client said of one check.
type line struct{ verdict, check, word string }

// runAll runs the cells, a few at a time.
func (w *world) runAll(t *testing.T, cells []cell, jobs int, checks string) []cell {
	t.Helper()
	var wg sync.WaitGroup
	slots := make(chan struct{}, jobs)
	for i := range cells {
		slots <- struct{}{}
		wg.Go(func() { // ends with its client, which has a time limit; waited for below
			defer func() { <-slots }()
			w.run(t.Context(), &cells[i], i, checks)
		})
	}
	wg.Wait()
	return cells
}

// run gives a client a database of its own and lets it work.
func (w *world) run(ctx context.Context, c *cell, n int, checks string) {
	if c.client.missing != "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	db := fmt.Sprintf("matrix_%d", n)
	if err := w.super(ctx, "create database "+db+" template matrix_template"); err != nil {
		c.lines = append(c.lines, line{"FAIL", "database", err.Error()})
		return
	}
	start := time.Now()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, c.client.command[0], c.client.command[1:]...) //nolint:gosec // our own scripts
	cmd.Env = slices.Concat(cleanEnv(), w.clientEnv(c.mode, db, checks), c.client.env)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a script that is late goes with all it started
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	c.took, c.stderr = time.Since(start), stderr.String()
	if state := cmd.ProcessState; state != nil {
		c.cpu = state.UserTime() + state.SystemTime()
	}
	c.lines = parse(stdout.String())
	c.lines = append(c.lines, unsaid(c.lines, checks, err)...)
	if err := w.super(ctx, "drop database "+db+" with (force)"); err != nil {
		c.lines = append(c.lines, line{"FAIL", "database", err.Error()})
	}
}

// cleanEnv keeps what a driver might read of the caller's settings away from it.
func cleanEnv() []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "PG") || strings.HasPrefix(kv, "LK_") && !strings.HasPrefix(kv, "LK_TRACE=")
	})
	// Debian's psql is a script that looks for clusters and then starts psql.
	if dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin"); len(dirs) > 0 {
		env = append(env, "PATH="+dirs[len(dirs)-1]+":"+os.Getenv("PATH"))
	}
	return env
}

func parse(stdout string) []line {
	var lines []line
	for text := range strings.Lines(stdout) {
		verdict, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
		check, word, _ := strings.Cut(rest, " ")
		if verdict == "ok" || verdict == "skip" || verdict == "FAIL" {
			lines = append(lines, line{verdict, check, word})
		}
	}
	return lines
}

// unsaid finds the checks a client should have spoken of and did not: it died.
func unsaid(lines []line, checks string, err error) []line {
	wanted := order()
	if checks != "" {
		wanted = strings.Split(checks, ",")
	}
	var more []line
	failed := false
	for _, l := range lines {
		failed = failed || l.verdict == "FAIL"
	}
	for _, name := range wanted {
		if !slices.ContainsFunc(lines, func(l line) bool { return l.check == name }) {
			more = append(more, line{"FAIL", name, fmt.Sprintf("not a word (%v)", err)})
		}
	}
	if err != nil && !failed && len(more) == 0 {
		more = append(more, line{"FAIL", "exit", err.Error()})
	}
	return more
}
