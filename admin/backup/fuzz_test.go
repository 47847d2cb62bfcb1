package backup_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/admin/backup"
	"github.com/lockkeeper/lockkeeper/admin/blob"
)

// memory keeps blobs, and fails the rules of none.
type memory struct {
	blob.Store // no method that is not here is called

	mu    sync.Mutex // guards blobs
	blobs map[string][]byte
}

func (m *memory) keep(name string, content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.blobs == nil {
		m.blobs = map[string][]byte{}
	}
	m.blobs[name] = content
}

func (m *memory) Create(_ context.Context, name string) (blob.Writer, error) {
	return &memoryWriter{of: m, name: name}, blob.CheckName(name)
}

func (m *memory) Open(_ context.Context, name string) (blob.Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	content, found := m.blobs[name]
	if !found {
		return nil, blob.ErrNotFound
	}
	return memoryObject{bytes.NewReader(content)}, nil
}

func (m *memory) Delete(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, name)
	return nil
}

func (m *memory) List(_ context.Context, _, after string, limit int) ([]blob.Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []blob.Info
	for _, name := range slices.Sorted(maps.Keys(m.blobs)) {
		if name > after && (limit < 1 || len(list) < limit) {
			list = append(list, blob.Info{Name: name, Size: int64(len(m.blobs[name]))})
		}
	}
	return list, nil
}

type memoryWriter struct {
	bytes.Buffer

	of   *memory
	name string
}

func (w *memoryWriter) Commit() error { w.of.keep(w.name, slices.Clone(w.Bytes())); return nil }
func (w *memoryWriter) Abort() error  { return nil }

type memoryObject struct{ *bytes.Reader }

func (o memoryObject) Size() int64 { return o.Reader.Size() }
func (memoryObject) Close() error  { return nil }

// table is a store of one table.
type table struct{ rows [][]any }

var animals = backup.Table{Name: "animals", Columns: []backup.Column{{Name: "id", Kind: backup.Text}, {Name: "n", Kind: backup.Int}, {Name: "raw", Kind: backup.Bytes}}}

func (s *table) Read(_ context.Context, fn func(backup.Reading) error) error { return fn(s) }

func (s *table) Write(_ context.Context, fn func(backup.Writing) error) error {
	err := fn(s)
	if err != nil {
		s.rows = nil
	}
	return err
}

func (s *table) Schema(context.Context) (int64, error) { return 1, nil }

func (s *table) Tables(context.Context) ([]backup.Table, error) {
	return []backup.Table{animals}, nil
}

func (s *table) Rows(_ context.Context, _ backup.Table, each func([]any) error) error {
	for _, row := range s.rows {
		if err := each(row); err != nil {
			return err
		}
	}
	return nil
}

func (s *table) Fill(_ context.Context, _ backup.Table, rows [][]any) error {
	s.rows = append(s.rows, slices.Clone(rows)...)
	return nil
}

// file writes a small backup, and returns the tar in it.
func (s *table) file(tb testing.TB, blobs *memory) []byte {
	tb.Helper()
	var out bytes.Buffer
	if _, err := backup.Write(tb.Context(), &out, backup.Source{Tables: s, Blobs: blobs, By: "test", Time: noon}); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// FuzzRestore: whatever stands in the tar, a restore fails and leaves nothing,
// or what it restored is what a backup of it holds again; and no blob has a name
// that is none.
func FuzzRestore(f *testing.F) {
	full := &table{rows: [][]any{{"a", int64(1), []byte{1}}, {"", nil, nil}, {"\xff", int64(-1), []byte{}}}}
	blobs := &memory{}
	blobs.keep("run/1", []byte("rows"))
	blobs.keep("run/2", nil)
	for _, file := range [][]byte{full.file(f, blobs), (&table{}).file(f, &memory{})} {
		var plain bytes.Buffer
		w := tar.NewWriter(&plain)
		for _, m := range unpack(f, file) {
			if err := errors.Join(w.WriteHeader(&m.Header), second(w.Write(m.content))); err != nil {
				f.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(plain.Bytes(), false)
		f.Add(file, true)
	}
	f.Fuzz(func(t *testing.T, file []byte, packed bool) {
		if !packed {
			file = compress(t, file)
		}
		to, blobs := &table{}, &memory{}
		m, err := backup.Restore(t.Context(), bytes.NewReader(file), backup.Destination{Tables: to, Blobs: blobs})
		if err != nil {
			if len(to.rows) > 0 || len(blobs.blobs) > 0 {
				t.Fatalf("%v, and left %d rows, %d blobs", err, len(to.rows), len(blobs.blobs))
			}
			return
		}
		if int64(len(blobs.blobs)) != m.Blobs.Count || int64(len(to.rows)) != m.Tables[0].Rows {
			t.Fatalf("%d rows and %d blobs, and said %+v", len(to.rows), len(blobs.blobs), m)
		}
		again, others := &table{}, &memory{}
		if _, err := backup.Restore(t.Context(), bytes.NewReader(to.file(t, blobs)), backup.Destination{Tables: again, Blobs: others}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(to.rows, again.rows); d != "" {
			t.Fatal(d)
		}
		for name, content := range blobs.blobs {
			if blob.CheckName(name) != nil || !bytes.Equal(content, others.blobs[name]) {
				t.Fatalf("blob %q", name)
			}
		}
	})
}

func second(_ int, err error) error { return err }

// A file that unpacks to more than memory holds meets a bound, not the memory.
func TestBomb(t *testing.T) {
	t.Parallel()
	head := unpack(t, (&table{}).file(t, &memory{}))[0]
	for _, name := range []string{"backup.json", "tables/animals/000001.jsonl", "manifest.json", "sums/000001.jsonl", "blobs/a"} {
		r, w := io.Pipe()
		var wg sync.WaitGroup
		wg.Go(func() {
			z := compressor(t, w)
			out := tar.NewWriter(z)
			if name != head.Name {
				_ = errors.Join(out.WriteHeader(&head.Header), second(out.Write(head.content)))
			}
			_ = out.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: 1 << 40})
			zeros := make([]byte, 1<<20)
			for { // until the reader has seen enough
				if _, err := out.Write(zeros); err != nil {
					return
				}
			}
		})
		_, err := backup.Restore(t.Context(), r, backup.Destination{Tables: &table{}, Blobs: limited{&memory{}}})
		_ = r.Close()
		wg.Wait()
		if err == nil || strings.HasPrefix(name, "blobs/") != errors.Is(err, blob.ErrFull) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// limited has room for ten MiB in a blob.
type limited struct{ *memory }

func (l limited) Create(ctx context.Context, name string) (blob.Writer, error) {
	w, err := l.memory.Create(ctx, name)
	return &limitedWriter{w, 10 << 20}, err
}

type limitedWriter struct {
	blob.Writer

	left int
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, blob.ErrFull
	}
	return l.Writer.Write(p)
}
