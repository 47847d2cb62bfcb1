package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// watched is a file and a reloader that follows it.
type watched struct {
	*reloader
	file  string
	reads chan string
	log   *lockedBuffer
}

func watch(t *testing.T) *watched {
	t.Helper()
	w := &watched{file: filepath.Join(t.TempDir(), "policy.yaml"), reads: make(chan string, 10), log: &lockedBuffer{}}
	w.write(t, "first")
	w.reloader = newReloader(slog.New(slog.NewTextHandler(w.log, nil)), &reloadable{
		what: "policy", files: []string{w.file},
		reload: func(context.Context) error {
			raw, err := os.ReadFile(w.file)
			if err == nil && strings.Contains(string(raw), "bad") {
				err = errors.New("policy.yaml:1: bad")
			}
			w.reads <- string(raw)
			return err
		},
	})
	return w
}

func (w *watched) write(t *testing.T, text string) {
	t.Helper()
	if err := writeAtomic(w.file, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// follow runs the watch for the time of the test.
func (w *watched) follow(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	started := make(chan struct{})
	w.watching = func() { close(started) }
	group.Go(func() {
		if err := w.run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); group.Wait() })
	<-started
}

func TestReloadOnChange(t *testing.T) {
	t.Parallel()
	w := watch(t)
	w.follow(t)
	w.write(t, "second")
	if got := <-w.reads; got != "second" {
		t.Errorf("read %q", got)
	}
	w.write(t, "bad")
	<-w.reads
	w.write(t, "third")
	if got := <-w.reads; got != "third" {
		t.Errorf("read %q", got)
	}
	if log := w.log.String(); !strings.Contains(log, "last good one stays") || !strings.Contains(log, "policy.yaml:1: bad") {
		t.Errorf("the log does not say which line: %s", log)
	}
}

// What was not changed is not read again when a neighbour in its folder is.
func TestReloadOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	w := watch(t)
	w.changed(t.Context())
	if len(w.reads) != 0 {
		t.Error("read a file that did not change")
	}
	if err := w.all(t.Context()); err != nil || len(w.reads) != 1 {
		t.Errorf("SIGHUP reads everything: %v, %d", err, len(w.reads))
	}
	w.write(t, "bad")
	if err := w.all(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "policy: policy.yaml:1") {
		t.Errorf("got %v", err)
	}
}

// lockedBuffer is a buffer that a log may write to from anywhere.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
