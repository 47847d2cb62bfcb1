package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/admin/backup"
	"github.com/lockkeeper/lockkeeper/admin/blob"
	"github.com/lockkeeper/lockkeeper/admin/secret"
	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
)

// slow is a store and its blobs that wait for a write of others between all that
// a backup does.
type slow struct {
	backup.Tables
	blob.Store

	wait func()
}

func (s slow) Read(ctx context.Context, fn func(backup.Reading) error) error {
	return s.Tables.Read(ctx, func(r backup.Reading) error { return fn(slowReading{r, s.wait}) })
}

func (s slow) Open(ctx context.Context, name string) (blob.Object, error) {
	s.wait()
	return s.Store.Open(ctx, name)
}

type slowReading struct {
	backup.Reading

	wait func()
}

func (s slowReading) Rows(ctx context.Context, t backup.Table, each func([]any) error) error {
	s.wait()
	return s.Reading.Rows(ctx, t, func(row []any) error {
		s.wait()
		return each(row)
	})
}

// While others write, a backup is one moment: rows that were committed together
// are there together, and each with its blob unless that was deleted.
func TestWhileWriting(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			src, dst, blobs := newOffice(t, engine), newOffice(t, engine), &memory{}
			w := writer{office: src, blobs: blobs, deleted: map[string]bool{}}
			for range 20 {
				w.step(t)
			}
			next, done := make(chan struct{}), make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				defer close(done)
				for range next {
					w.step(t)
					done <- struct{}{}
				}
			})
			wait := func() { next <- struct{}{}; <-done }
			source := src.source()
			source.Tables = slow{Tables: source.Tables, wait: wait}
			source.Blobs = slow{Store: blobs, wait: wait}
			var file bytes.Buffer
			m, err := backup.Write(t.Context(), &file, source)
			close(next)
			wg.Wait()
			if err != nil {
				t.Fatal(err)
			}
			restored := &memory{}
			if _, err := backup.Restore(t.Context(), &file, backup.Destination{Tables: sqldb.NewTables(dst.db), Blobs: restored}); err != nil {
				t.Fatal(err)
			}
			rows := dst.rows(t)
			if len(rows["animals"]) != 20 || len(rows["select"]) != 20 || w.n < 60 {
				t.Errorf("%d rows and %d that were committed with them, of the 20 at its moment and %d in the end", len(rows["animals"]), len(rows["select"]), w.n)
			}
			lost := int64(0)
			for i := range 20 {
				id := w.id(i)
				if restored.blobs[id] == nil {
					lost++
				}
				if restored.blobs[id] == nil && !w.deleted[id] {
					t.Errorf("%s has no blob", id)
				}
			}
			if lost == 0 || m.Vanished.Count < lost-3 { // three were deleted before it began
				t.Errorf("%d blobs are lost, %d noted", lost, m.Vanished.Count)
			}
		})
	}
}

// writer adds a row to each table and a blob, and deletes old blobs.
type writer struct {
	office

	blobs   *memory
	n       int
	deleted map[string]bool
}

func (w *writer) id(i int) string { return fmt.Sprintf("run/%07d", i) }

func (w *writer) step(t *testing.T) {
	t.Helper()
	id := w.id(w.n)
	w.blobs.keep(id, []byte(id))
	err := w.db.Tx(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.Exec(t.Context(), "INSERT INTO animals (id, n) VALUES ($1, $2)", id, w.n)
		_, second := tx.Exec(t.Context(), `INSERT INTO "select" (id) VALUES ($1)`, w.n)
		return errors.Join(err, second)
	})
	if err != nil {
		t.Error(err)
	}
	if old := w.id(w.n - 9); w.n%3 == 0 && w.n > 9 {
		w.deleted[old] = true
		_ = w.blobs.Delete(t.Context(), old) // never fails
	}
	w.n++
}

// fading is a place where blobs vanish: one before it is opened, one while it
// is read.
type fading struct{ blob.Store }

func (f fading) Open(ctx context.Context, name string) (blob.Object, error) {
	if strings.HasSuffix(name, "deleted") {
		return nil, fmt.Errorf("%w: %s", blob.ErrNotFound, name)
	}
	o, err := f.Store.Open(ctx, name)
	if strings.HasSuffix(name, "gone") {
		return half{o}, err
	}
	return o, err
}

type half struct{ blob.Object }

func (h half) ReadAt(p []byte, off int64) (int, error) {
	if off >= 1<<20 {
		return 0, blob.ErrGone
	}
	return h.Object.ReadAt(p, off)
}

func TestVanished(t *testing.T) {
	t.Parallel()
	src, dst := newOffice(t, "sqlite"), newOffice(t, "sqlite")
	src.put(t, "a", []byte("here"))
	src.put(t, "b-deleted", []byte("x"))
	src.put(t, "c-gone", bytes.Repeat([]byte("x"), 3<<20))
	src.put(t, "d", nil)
	source := src.source()
	source.Blobs = fading{src.blobs}
	var file bytes.Buffer
	m, err := backup.Write(t.Context(), &file, source)
	if err != nil {
		t.Fatal(err)
	}
	want := backup.Vanished{Count: 2, Names: []string{"b-deleted", "c-gone"}}
	if d := cmp.Diff(want, m.Vanished); d != "" || m.Blobs != (backup.BlobCount{Count: 2, Bytes: 4}) {
		t.Errorf("%s %+v", d, m.Blobs)
	}
	again, err := dst.restore(t.Context(), &file)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, "manifest", again, m)
	if d := cmp.Diff(map[string]string{"a": digest([]byte("here")), "d": digest(nil)}, dst.content(t)); d != "" {
		t.Error(d)
	}
}

// More members than a sheet of sums holds.
func TestSheets(t *testing.T) {
	t.Parallel()
	src, dst := newOffice(t, "sqlite"), newOffice(t, "sqlite")
	from, to := &memory{}, &memory{}
	for i := range 2100 {
		from.keep(fmt.Sprintf("n/%d", i), []byte{byte(i)})
	}
	var file bytes.Buffer
	source := src.source()
	source.Blobs = from
	m, err := backup.Write(t.Context(), &file, source)
	if err != nil || m.Sums.Count != 3 {
		t.Errorf("%d sheets, %v", m.Sums.Count, err)
	}
	if _, err = backup.Restore(t.Context(), &file, backup.Destination{Tables: sqldb.NewTables(dst.db), Blobs: to}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(from.blobs, to.blobs); d != "" {
		t.Error(d)
	}
}

func vault(t *testing.T) (path string, v *secret.Vault) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "keys")
	v, err := secret.New(secret.Config{Path: path, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	return path, v
}

// The keys that sealed something must be there, the others need not.
func TestKeys(t *testing.T) {
	t.Parallel()
	src, dst := newOffice(t, "sqlite"), newOffice(t, "sqlite")
	path, old := vault(t)
	sealed, err := old.Seal("login:1", []byte("password"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := secret.Rotate(path); err != nil {
		t.Fatal(err)
	}
	v, err := secret.New(secret.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	src.exec(t, "INSERT INTO animals (id, raw) VALUES ('sealed', $1), ('looks so', $2)", sealed, append([]byte{1}, bytes.Repeat([]byte{7}, 60)...))
	file, m := src.backUp(t, v.KeyIDs()...)
	if d := cmp.Diff(old.KeyIDs(), m.Keys); d != "" {
		t.Error(d)
	}
	_, other := vault(t)
	for _, keys := range [][]string{nil, other.KeyIDs(), v.KeyIDs()[:1]} {
		_, err := dst.restore(t.Context(), bytes.NewReader(file), keys...)
		missing := &backup.MissingKeysError{}
		if !errors.As(err, &missing) || !cmp.Equal(missing.IDs, old.KeyIDs()) || !strings.Contains(err.Error(), old.KeyIDs()[0]) {
			t.Errorf("with keys %v: %v", keys, err)
		}
		dst.wantEmpty(t)
	}
	if bytes.Contains(file, []byte("password")) {
		t.Error("the password is in the file")
	}
	if _, err := dst.restore(t.Context(), bytes.NewReader(file), v.KeyIDs()...); err != nil {
		t.Error(err)
	}
}

// An end of the context ends both, and leaves nothing.
func TestCanceled(t *testing.T) {
	t.Parallel()
	src, dst := newOffice(t, "sqlite"), newOffice(t, "sqlite")
	src.put(t, "a", bytes.Repeat([]byte("x"), 3<<20))
	file, _ := src.backUp(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := backup.Write(ctx, &bytes.Buffer{}, src.source()); !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	if _, err := dst.restore(ctx, &stopping{Reader: bytes.NewReader(file), after: len(file) / 2, stop: cancel}); !errors.Is(err, context.Canceled) {
		t.Errorf("restore: %v", err)
	}
	dst.wantEmpty(t)
}

// stopping ends a context in the middle.
type stopping struct {
	*bytes.Reader

	after int
	stop  func()
}

func (s *stopping) Read(p []byte) (int, error) {
	if s.after -= len(p); s.after < 0 {
		s.stop()
	}
	return s.Reader.Read(p)
}

// A place without room fails the restore and keeps nothing.
func TestFull(t *testing.T) {
	t.Parallel()
	src, dst := newOffice(t, "sqlite"), newOffice(t, "sqlite")
	src.put(t, "a", []byte("x"))
	src.put(t, "b", []byte("y"))
	file, _ := src.backUp(t)
	_, err := backup.Restore(t.Context(), bytes.NewReader(file), backup.Destination{Tables: sqldb.NewTables(dst.db), Blobs: full{dst.blobs}})
	if !errors.Is(err, blob.ErrFull) {
		t.Errorf("%v", err)
	}
	dst.wantEmpty(t)
}

type full struct{ blob.Store }

func (f full) Create(ctx context.Context, name string) (blob.Writer, error) {
	if name == "b" {
		return nil, blob.ErrFull
	}
	return f.Store.Create(ctx, name)
}
