package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/lockkeeper/lockkeeper/admin/blob"
)

const (
	dirMode  = 0o700
	fileMode = 0o600
	tmpDir   = ".tmp"
	mark     = "=" // at the end of a blob's file
)

// Store is a folder of blobs.
type Store struct {
	root   *os.Root
	budget blob.Budget

	// tree serialises changes of names: a folder must not vanish between its
	// making and a file's move into it, and what is replaced is counted once. It
	// is held over renames, never over a write or a sync of data.
	tree sync.Mutex
}

var _ blob.Store = (*Store)(nil)

// New opens the folder, makes it when it is not there, sweeps what dead writers
// left, and counts what there is.
func New(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := os.MkdirAll(filepath.Join(cfg.Dir, tmpDir), dirMode); err != nil {
		return nil, fmt.Errorf("create blob folder: %w", err)
	}
	// MkdirAll keeps the mode of a folder that was there.
	if err := os.Chmod(cfg.Dir, dirMode); err != nil { //nolint:gosec // a folder
		return nil, fmt.Errorf("close the blob folder to others: %w", err)
	}
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("open blob folder: %w", err)
	}
	s := &Store{root: root}
	s.budget.Max = cfg.MaxBytes
	if err := s.begin(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("open blob folder: %w", err), root.Close())
	}
	return s, nil
}

func (s *Store) begin(cfg Config) error {
	if err := s.sweep(cfg.Now().Add(-cfg.SweepAfter)); err != nil {
		return err
	}
	return s.count()
}

// Recount counts again what is there, after another wrote to it.
func (s *Store) Recount(ctx context.Context) error {
	if err := errors.Join(ctx.Err(), s.count()); err != nil {
		return fmt.Errorf("count blobs: %w", err)
	}
	return nil
}

func (s *Store) count() error {
	var kept int64
	err := s.walk("", "", "", func(i blob.Info) error {
		kept += i.Size
		return nil
	})
	if err == nil {
		s.budget.Start(kept)
	}
	return err
}

// Open opens a blob. The open file keeps its bytes after a Delete.
func (s *Store) Open(ctx context.Context, name string) (blob.Object, error) {
	if err := errors.Join(ctx.Err(), blob.CheckName(name)); err != nil {
		return nil, err
	}
	file, err := s.root.Open(name + mark)
	if missing(err) {
		return nil, fmt.Errorf("%w: %s", blob.ErrNotFound, name)
	}
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open blob: %w", err), file.Close())
	}
	return &object{ctx: ctx, file: file, size: info.Size()}, nil
}

// Delete removes a blob and the folders that it leaves empty.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := errors.Join(ctx.Err(), blob.CheckName(name)); err != nil {
		return err
	}
	folder, err := s.remove(name)
	if err != nil {
		return fmt.Errorf("delete blob: %w", err)
	}
	return s.sync(folder)
}

// remove returns the nearest folder that is still there, to be forced to disk.
func (s *Store) remove(name string) (folder string, err error) {
	s.tree.Lock()
	defer s.tree.Unlock()
	folder = path.Dir(name)
	size, err := s.sizeLocked(name)
	if err == nil {
		err = s.root.Remove(name + mark)
	}
	if missing(err) {
		return ".", nil
	}
	if err != nil {
		return "", err
	}
	s.budget.Drop(size)
	for folder != "." && s.root.Remove(folder) == nil { // fails on one that is not empty
		folder = path.Dir(folder)
	}
	return folder, nil
}

// Usage returns the bytes of all blobs.
func (s *Store) Usage(ctx context.Context) (int64, error) { return s.budget.Kept(), ctx.Err() }

// Close gives the folder back. Open blobs and writers stay usable until they
// are closed; a Commit fails.
func (s *Store) Close() error { return s.root.Close() }

func (s *Store) sizeLocked(name string) (int64, error) {
	info, err := s.root.Lstat(name + mark)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// sync forces a folder's names to disk. One that has gone meanwhile took them
// with it.
func (s *Store) sync(folder string) error {
	f, err := s.root.Open(folder)
	if missing(err) {
		return nil
	}
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("force folder to disk: %w", full(err))
	}
	return nil
}

// missing: ENOTDIR says that a folder on the way is a file, so nothing is there.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// full makes no room on the disk blob.ErrFull.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", blob.ErrFull, err)
	}
	return err
}
