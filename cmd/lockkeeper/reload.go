package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a folder must be quiet before its files are read again:
// editors and deployments write in several steps.
const settle = 150 * time.Millisecond

// reloadable is something of the server that lives in files: the policy, the
// user file, the certificates.
type reloadable struct {
	what   string
	files  []string
	reload func(context.Context) error // keeps the last good one on an error

	seen [sha256.Size]byte // of the files when they were last read
}

// reloader reads files again: all of them on SIGHUP or RELOAD, those that
// changed when their folder says so.
type reloader struct {
	log      *slog.Logger
	watching func() // called when changes are seen from now on; nil: nobody asks
	taken    atomic.Uint64
	refused  atomic.Uint64

	mu    sync.Mutex // guards items and serialises reloads
	items []*reloadable
}

func newReloader(log *slog.Logger, items ...*reloadable) *reloader {
	for _, item := range items {
		item.seen = item.sum()
	}
	return &reloader{log: log, items: items}
}

// all reads everything again, whether or not it changed.
func (r *reloader) all(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, item := range r.items {
		errs = append(errs, r.readLocked(ctx, item))
	}
	return errors.Join(errs...)
}

// changed reads again what has other content than before.
func (r *reloader) changed(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, item := range r.items {
		if item.sum() != item.seen {
			_ = r.readLocked(ctx, item) // logged there
		}
	}
}

func (r *reloader) readLocked(ctx context.Context, item *reloadable) error {
	item.seen = item.sum()
	if err := item.reload(ctx); err != nil {
		r.refused.Add(1)
		r.log.ErrorContext(ctx, "reload refused, the last good one stays", slog.String("what", item.what), slog.Any("error", err))
		return fmt.Errorf("%s: %w", item.what, err)
	}
	r.taken.Add(1)
	r.log.InfoContext(ctx, "reloaded", slog.String("what", item.what))
	return nil
}

// run watches the folders, not the files: a file that is replaced by another
// of its name, or a link that is turned, is seen only there.
func (r *reloader) run(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch files: %w", err)
	}
	defer watcher.Close()
	for _, dir := range r.folders() {
		if err := watcher.Add(dir); err != nil {
			return fmt.Errorf("watch %s: %w", dir, err)
		}
	}
	if r.watching != nil {
		r.watching()
	}
	r.changed(ctx) // what changed since the files were first read
	quiet := time.NewTimer(settle)
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, open := <-watcher.Events:
			if !open {
				return nil
			}
			quiet.Reset(settle)
		case err := <-watcher.Errors:
			r.log.WarnContext(ctx, "watch files", slog.Any("error", err))
			quiet.Reset(settle) // events may be lost: look
		case <-quiet.C:
			r.changed(ctx)
		}
	}
}

func (r *reloader) folders() []string {
	var dirs []string
	for _, item := range r.items {
		for _, file := range item.files {
			dirs = append(dirs, filepath.Dir(file))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// sum tells one content of the files from another; a file that cannot be read
// is content too.
func (item *reloadable) sum() [sha256.Size]byte {
	hash := sha256.New()
	for _, name := range item.files {
		raw, err := os.ReadFile(name)
		_, _ = fmt.Fprintf(hash, "%s %d %t\n%s", name, len(raw), err == nil, raw)
	}
	return [sha256.Size]byte(hash.Sum(nil))
}
