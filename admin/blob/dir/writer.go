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
	blob.Draft

	store *Store
	tmp   string
	file  *os.File
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
	return &writer{Draft: blob.Draft{Ctx: ctx, Name: name, Budget: &s.budget}, store: s, tmp: tmp, file: file}, nil
}

func (w *writer) Write(p []byte) (int, error) {
	if err := w.Reserve(len(p)); err != nil {
		return 0, err
	}
	n, err := w.file.Write(p)
	if err != nil {
		w.Err = fmt.Errorf("write blob: %w", full(err))
	}
	return n, w.Err
}

func (w *writer) Commit() error {
	return w.Finish(func() error { return full(w.commit()) })
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
	w.Done = true
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
	folder := path.Dir(w.Name)
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
	replaced, err := s.sizeLocked(w.Name)
	if err != nil && !missing(err) {
		return nil, err
	}
	if err := s.root.Rename(w.tmp, w.Name+mark); err != nil {
		return nil, err
	}
	s.budget.Keep(w.Size, replaced)
	return changed, nil
}

func (w *writer) Abort() error {
	if !w.Drop() {
		return nil
	}
	_ = w.file.Close() // closed already when Commit failed
	if err := w.store.root.Remove(w.tmp); err != nil {
		return fmt.Errorf("remove unfinished blob: %w", err)
	}
	return nil
}
