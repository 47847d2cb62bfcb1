// Package blobtest holds what every place for blobs must do. A store is
// finished when Run passes.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/admin/blob"
)

// Options says how to get stores.
type Options struct {
	// New returns a store on an empty place, bounded to maxBytes (0: not).
	New func(t *testing.T, maxBytes int64) blob.Store
	// Large is a size in bytes that the store writes in several pieces, if it
	// has such a size.
	Large int
}

// Run checks a store.
func Run(t *testing.T, o Options) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, blob.Store){
		"round trip":     func(t *testing.T, s blob.Store) { testRoundTrip(t, s, o.Large) },
		"commit":         testCommit,
		"abort":          testAbort,
		"replace":        testReplace,
		"replace open":   testReplaceOpen,
		"delete":         testDelete,
		"delete open":    testDeleteOpen,
		"list":           testList,
		"names":          testNames,
		"names and more": testNameAndFolder,
		"usage":          testUsage,
		"context":        testContext,
		"at once":        testAtOnce,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, o.New(t, 0))
		})
	}
	t.Run("bound", func(t *testing.T) {
		t.Parallel()
		testBound(t, o.New(t, 1000))
	})
}

func create(t *testing.T, s blob.Store, name string) blob.Writer {
	t.Helper()
	w, err := s.Create(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func put(t *testing.T, s blob.Store, name string, data []byte) {
	t.Helper()
	if err := tryPut(t.Context(), s, name, data); err != nil {
		t.Fatalf("put %s: %v", name, err)
	}
}

func tryPut(ctx context.Context, s blob.Store, name string, data []byte) error {
	w, err := s.Create(ctx, name)
	if err != nil {
		return err
	}
	if n, err := w.Write(data); err != nil || n != len(data) {
		return fmt.Errorf("write %d: %w", n, err)
	}
	return w.Commit()
}

func open(t *testing.T, s blob.Store, name string) blob.Object {
	t.Helper()
	o, err := s.Open(t.Context(), name)
	if err != nil {
		t.Fatalf("open %s: %v", name, err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Errorf("close %s: %v", name, err)
		}
	})
	return o
}

func readAll(o blob.Object) ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
}

func wantContent(t *testing.T, s blob.Store, name string, want []byte) {
	t.Helper()
	got, err := readAll(open(t, s, name))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(want))
	}
}

func wantMissing(t *testing.T, s blob.Store, name string) {
	t.Helper()
	if _, err := s.Open(t.Context(), name); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("open %s: %v; want not found", name, err)
	}
}

func names(t *testing.T, s blob.Store, prefix, after string, limit int) []string {
	t.Helper()
	list, err := s.List(t.Context(), prefix, after, limit)
	if err != nil {
		t.Fatalf("list %q after %q: %v", prefix, after, err)
	}
	names := []string{}
	for _, i := range list {
		names = append(names, i.Name)
	}
	return names
}

func random(n int) []byte {
	data := make([]byte, n)
	source := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)})
	_, _ = source.Read(data)
	return data
}

func testRoundTrip(t *testing.T, s blob.Store, large int) {
	for _, size := range []int{0, 1, 4096, 100_001, large} {
		name := fmt.Sprintf("size/%d", size)
		data := random(size)
		w := create(t, s, name)
		for rest := data; len(rest) > 0; { // odd pieces, from a buffer that is used again
			piece := bytes.Clone(rest[:min(len(rest), 77_777)])
			if n, err := w.Write(piece); n != len(piece) || err != nil {
				t.Fatalf("write: %d, %v", n, err)
			}
			rest = rest[len(piece):]
			clear(piece)
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		wantContent(t, s, name, data)
		wantReadAt(t, open(t, s, name), data)
	}
}

// wantReadAt compares reads at many places with those of a bytes.Reader.
func wantReadAt(t *testing.T, o blob.Object, data []byte) {
	t.Helper()
	if o.Size() != int64(len(data)) {
		t.Errorf("size %d, want %d", o.Size(), len(data))
	}
	model := bytes.NewReader(data)
	size := int64(len(data))
	for _, off := range []int64{0, 1, size / 2, size - 1, size, size + 1} {
		for _, n := range []int{0, 1, 1000, min(len(data), 1<<20)} {
			if off < 0 || n == 0 && off >= size { // readers differ on nothing at the end
				continue
			}
			got, want := make([]byte, n), make([]byte, n)
			gotN, gotErr := o.ReadAt(got, off)
			wantN, wantErr := model.ReadAt(want, off)
			end := off+int64(n) == size && (gotErr == nil || errors.Is(gotErr, io.EOF))
			if gotN != wantN || !bytes.Equal(got, want) || !end && !errors.Is(gotErr, wantErr) {
				t.Errorf("ReadAt(%d bytes, %d) of %d: %d, %v; want %d, %v", n, off, size, gotN, gotErr, wantN, wantErr)
			}
		}
	}
	if _, err := o.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("read before the beginning")
	}
}

func testCommit(t *testing.T, s blob.Store) {
	w := create(t, s, "a/b")
	if _, err := w.Write([]byte("text")); err != nil {
		t.Fatal(err)
	}
	wantMissing(t, s, "a/b")
	if got := names(t, s, "", "", 0); len(got) != 0 {
		t.Errorf("listed before the commit: %v", got)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	wantContent(t, s, "a/b", []byte("text"))
	if _, err := w.Write([]byte("more")); !errors.Is(err, blob.ErrDone) {
		t.Errorf("write after commit: %v", err)
	}
	if err := w.Commit(); !errors.Is(err, blob.ErrDone) {
		t.Errorf("second commit: %v", err)
	}
	if err := w.Abort(); err != nil {
		t.Errorf("abort after commit: %v", err)
	}
	wantContent(t, s, "a/b", []byte("text"))
}

func testAbort(t *testing.T, s blob.Store) {
	w := create(t, s, "a/b")
	if _, err := w.Write([]byte("text")); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Errorf("second abort: %v", err)
	}
	if err := w.Commit(); !errors.Is(err, blob.ErrDone) {
		t.Errorf("commit after abort: %v", err)
	}
	wantMissing(t, s, "a/b")
}

func testReplace(t *testing.T, s blob.Store) {
	put(t, s, "a", []byte("first"))
	w := create(t, s, "a")
	if _, err := w.Write([]byte("the second")); err != nil {
		t.Fatal(err)
	}
	wantContent(t, s, "a", []byte("first"))
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	wantContent(t, s, "a", []byte("the second"))
	if got := names(t, s, "", "", 0); !slices.Equal(got, []string{"a"}) {
		t.Errorf("listed %v", got)
	}
}

// wantOldOrGone: an open blob reads as it was, or says that it cannot.
func wantOldOrGone(t *testing.T, o blob.Object, old []byte) {
	t.Helper()
	got, err := readAll(o)
	if !errors.Is(err, blob.ErrGone) && (err != nil || !bytes.Equal(got, old)) {
		t.Errorf("an open blob reads %q, %v", got, err)
	}
}

func testReplaceOpen(t *testing.T, s blob.Store) {
	put(t, s, "a", []byte("first"))
	o := open(t, s, "a")
	put(t, s, "a", []byte("other"))
	wantOldOrGone(t, o, []byte("first"))
}

func testDeleteOpen(t *testing.T, s blob.Store) {
	put(t, s, "a/b", []byte("first"))
	o := open(t, s, "a/b")
	if err := s.Delete(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	wantOldOrGone(t, o, []byte("first"))
}

func testDelete(t *testing.T, s blob.Store) {
	if err := s.Delete(t.Context(), "never/was"); err != nil {
		t.Errorf("delete of nothing: %v", err)
	}
	put(t, s, "a/b/c", []byte("x"))
	put(t, s, "a/d", []byte("y"))
	for range 2 {
		if err := s.Delete(t.Context(), "a/b/c"); err != nil {
			t.Fatal(err)
		}
		wantMissing(t, s, "a/b/c")
	}
	wantContent(t, s, "a/d", []byte("y"))
	put(t, s, "a/b/c", []byte("again"))
	wantContent(t, s, "a/b/c", []byte("again"))
}

func testList(t *testing.T, s blob.Store) {
	all := []string{"a", "a-b", "a.b", "a/b", "a/b/c", "a/b-c", "a/bc", "a0", "b/1", "b/10", "b/2", "c_d/e", "run/r_01/rows", "run/r_02/rows"}
	for _, name := range all {
		put(t, s, name, []byte(name))
	}
	slices.Sort(all)
	for _, prefix := range []string{"", "a", "a/", "a/b", "b/1", "run/r_01/", "run/r_01/rows", "z", "z/"} {
		for _, after := range append([]string{"", "0", "a/", "a/b0", "zz"}, all...) {
			for _, limit := range []int{0, 1, 3, 5000} {
				want := []string{}
				for _, name := range all {
					if strings.HasPrefix(name, prefix) && name > after && (limit == 0 || len(want) < limit) {
						want = append(want, name)
					}
				}
				if diff := cmp.Diff(want, names(t, s, prefix, after, limit)); diff != "" {
					t.Errorf("list %q after %q, %d (-want +got):\n%s", prefix, after, limit, diff)
				}
			}
		}
	}
	list, err := s.List(t.Context(), "a0", "", 1)
	if err != nil || len(list) != 1 || list[0].Size != 2 || list[0].Time.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
}

func testNames(t *testing.T, s blob.Store) {
	for _, name := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "a..b", ".tmp/a", "a/.b", "-a", "_a", "A", "a b", "a\x00", "a\nb",
		`a\b`, "é", "a=", "a%2f", "a:b", strings.Repeat("a", 101), strings.Repeat("a/", 127) + "aa",
	} {
		_, err := s.Create(t.Context(), name)
		_, err2 := s.Open(t.Context(), name)
		for _, err := range []error{err, err2, s.Delete(t.Context(), name)} {
			if !errors.Is(err, blob.ErrName) {
				t.Errorf("%q: %v; want it refused as a name", name, err)
			}
		}
	}
	for _, prefix := range []string{"../", "/", "a//", "A", ".tmp"} {
		if _, err := s.List(t.Context(), prefix, "", 0); !errors.Is(err, blob.ErrName) {
			t.Errorf("list %q: %v", prefix, err)
		}
	}
	long := strings.Repeat("a/", 127) + "a"
	put(t, s, long, []byte("deep"))
	wantContent(t, s, long, []byte("deep"))
}

// testNameAndFolder: a blob may be named like the beginning of others.
func testNameAndFolder(t *testing.T, s blob.Store) {
	put(t, s, "a/b", []byte("below"))
	put(t, s, "a", []byte("above"))
	put(t, s, "a/b/c", []byte("deep"))
	wantContent(t, s, "a", []byte("above"))
	wantContent(t, s, "a/b", []byte("below"))
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	wantMissing(t, s, "a")
	wantMissing(t, s, "a/b/c/d")
	wantContent(t, s, "a/b/c", []byte("deep"))
}

func wantUsage(t *testing.T, s blob.Store, want int64) {
	t.Helper()
	if got, err := s.Usage(t.Context()); err != nil || got != want {
		t.Errorf("usage %d, %v; want %d", got, err, want)
	}
}

func testUsage(t *testing.T, s blob.Store) {
	wantUsage(t, s, 0)
	put(t, s, "a", make([]byte, 100))
	put(t, s, "b", make([]byte, 50))
	wantUsage(t, s, 150)
	put(t, s, "a", make([]byte, 10))
	wantUsage(t, s, 60)
	w := create(t, s, "c")
	if _, err := w.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	wantUsage(t, s, 60)
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Delete(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
	}
	wantUsage(t, s, 10)
}

func testBound(t *testing.T, s blob.Store) {
	put(t, s, "a", make([]byte, 600))
	w, w2 := create(t, s, "b"), create(t, s, "c")
	if _, err := w.Write(make([]byte, 300)); err != nil {
		t.Fatal(err)
	}
	if _, err := w2.Write(make([]byte, 101)); !errors.Is(err, blob.ErrFull) { // what w writes counts
		t.Errorf("write over the bound: %v", err)
	}
	if _, err := w2.Write(nil); !errors.Is(err, blob.ErrFull) {
		t.Errorf("write after one that failed: %v", err)
	}
	if err := w2.Commit(); !errors.Is(err, blob.ErrFull) {
		t.Errorf("commit of half a blob: %v", err)
	}
	if err := w2.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	wantMissing(t, s, "c")
	wantContent(t, s, "a", make([]byte, 600))
	wantUsage(t, s, 900)
	if err := s.Delete(t.Context(), "a"); err != nil { // makes room
		t.Fatal(err)
	}
	put(t, s, "c", make([]byte, 700))
	wantUsage(t, s, 1000)
}

func testContext(t *testing.T, s blob.Store) {
	put(t, s, "a", []byte("text"))
	ctx, cancel := context.WithCancel(t.Context())
	w, err := s.Create(ctx, "b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	o, err := s.Open(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	cancel()
	_, writeErr := w.Write([]byte("x"))
	_, readErr := o.ReadAt(make([]byte, 1), 0)
	_, createErr := s.Create(ctx, "c")
	_, openErr := s.Open(ctx, "a")
	_, listErr := s.List(ctx, "", "", 0)
	_, usageErr := s.Usage(ctx)
	for act, err := range map[string]error{
		"write": writeErr, "commit": w.Commit(), "read": readErr, "create": createErr, "open": openErr,
		"list": listErr, "usage": usageErr, "delete": s.Delete(ctx, "a"),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s after the end: %v", act, err)
		}
	}
	if err := w.Abort(); err != nil {
		t.Errorf("abort after the end: %v", err)
	}
	wantMissing(t, s, "b")
	wantContent(t, s, "a", []byte("text"))
}

// testAtOnce: many write, replace, read and delete the same few names. Whoever
// reads sees one whole blob, and the count is right in the end.
func testAtOnce(t *testing.T, s blob.Store) {
	const writers, rounds = 4, 15
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				name := fmt.Sprintf("d%d/x/n%d", i%2, i%3)
				if err := tryPut(t.Context(), s, name, bytes.Repeat([]byte{byte(w)}, 1000*(w+1))); err != nil {
					t.Errorf("put %s: %v", name, err)
					return
				}
				readWhole(t, s, name)
				if i%4 == 0 {
					if err := s.Delete(t.Context(), name); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	list, err := s.List(t.Context(), "", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, i := range list {
		sum += i.Size
	}
	wantUsage(t, s, sum)
}

func readWhole(t *testing.T, s blob.Store, name string) {
	t.Helper()
	o, err := s.Open(t.Context(), name)
	if errors.Is(err, blob.ErrNotFound) {
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	defer o.Close()
	data, err := readAll(o)
	if errors.Is(err, blob.ErrGone) {
		return
	}
	if err != nil || len(data) == 0 || len(data) != 1000*(int(data[0])+1) || bytes.Count(data, data[:1]) != len(data) {
		t.Errorf("read %d mixed bytes, %v", len(data), err)
	}
}
