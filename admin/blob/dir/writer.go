package dir

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path"

	"github.com/lockkeeper/lockkeeper/admin/blob"
)

// writer is a file below .tmp on its way to a name.
type writer struct {
	ctx   context.Context // of Create, by the contract of the port
	store *Store
	name  string
	tmp   string
	file  *os.File
	size  int64 // reserved of the budget
	err   error // the first failure; a blob with a hole is never committed
	done  bool
}

// Create begins a blob.
func (s *Store) Create(ctx context.Context, name string) (blob.Writer, error) {
	if err := errors.Join(ctx.Err(), blob.CheckName(name)); err != nil {
		return nil, err
	}
	tmp := path.Join(tmpDir, rand.Text())
	file, err := s.root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	if err != nil {
		return nil, fmt.Errorf("create blob: %w", full(err))
	}
	return &writer{ctx: ctx, store: s, name: name, tmp: tmp, file: file}, nil
}

func (w *writer) Write(p []byte) (int, error) {
	if err := w.usable(); err != nil {
		return 0, err
	}
	if err := w.store.budget.Reserve(int64(len(p))); err != nil {
		w.err = err
		return 0, err
	}
	w.size += int64(len(p))
	n, err := w.file.Write(p)
	if err != nil {
		w.err = fmt.Errorf("write blob: %w", full(err))
	}
	return n, w.err
}

func (w *writer) Commit() error {
	if err := w.usable(); err != nil {
		return err
	}
	if w.err = w.commit(); w.err != nil {
		return fmt.Errorf("commit blob: %w", full(w.err))
	}
	return nil
}

// commit forces the bytes to disk before the name, or a crash between the two
// would leave a name with nothing behind it.
func (w *writer) commit() error {
	if err := errors.Join(w.file.Sync(), w.file.Close()); err != nil {
		return err
	}
	made, err := w.store.move(w)
	if err != nil {
		return err
	}
	w.done = true
	for _, folder := range made {
		if err := w.store.sync(folder); err != nil {
			return err
		}
	}
	return nil
}

// move gives a written file its name and returns the folders that changed.
func (s *Store) move(w *writer) (changed []string, err error) {
	s.tree.Lock()
	defer s.tree.Unlock()
	folder := path.Dir(w.name)
	changed = append(changed, folder)
	for f := folder; f != "."; f = path.Dir(f) {
		if _, err := s.root.Stat(f); err == nil {
			break
		}
		changed = append(changed, path.Dir(f))
	}
	if err := s.root.MkdirAll(folder, dirMode); err != nil {
		return nil, err
	}
	replaced, err := s.sizeLocked(w.name)
	if err != nil && !missing(err) {
		return nil, err
	}
	if err := s.root.Rename(w.tmp, w.name+mark); err != nil {
		return nil, err
	}
	s.budget.Keep(w.size, replaced)
	return changed, nil
}

func (w *writer) Abort() error {
	if w.done {
		return nil
	}
	w.done = true
	_ = w.file.Close() // closed already when Commit failed
	w.store.budget.Return(w.size)
	if err := w.store.root.Remove(w.tmp); err != nil {
		return fmt.Errorf("remove unfinished blob: %w", err)
	}
	return nil
}

func (w *writer) usable() error {
	if w.done {
		return blob.ErrDone
	}
	if w.err != nil {
		return w.err
	}
	return context.Cause(w.ctx)
}
