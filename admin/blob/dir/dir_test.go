package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lockkeeper/lockkeeper/admin/blob"
	"github.com/lockkeeper/lockkeeper/admin/blob/blobtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, cfg Config) *Store {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, blobtest.Options{Large: 1 << 20, New: func(t *testing.T, maxBytes int64) blob.Store {
		t.Helper()
		return open(t, Config{Dir: filepath.Join(t.TempDir(), "blobs"), MaxBytes: maxBytes})
	}})
}

func write(t *testing.T, s *Store, name string, size int) error {
	t.Helper()
	w, err := s.Create(t.Context(), name)
	if err != nil {
		return err
	}
	defer func() {
		if err := w.Abort(); err != nil {
			t.Errorf("abort: %v", err)
		}
	}()
	if _, err := w.Write(make([]byte, size)); err != nil {
		return err
	}
	return w.Commit()
}

// A full disk is a typed error, leaves nothing behind, and ends when something
// is deleted.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("SKIPPED, NOTHING WAS TESTED: a full disk needs the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	s, err := New(Config{Dir: filepath.Join(disk, "blobs")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	kept := 0
	for ; err == nil; kept++ {
		err = write(t, s, fmt.Sprintf("r/%d", kept), 100<<10)
	}
	kept--
	if !errors.Is(err, blob.ErrFull) || !errors.Is(err, syscall.ENOSPC) || kept < 5 {
		t.Fatalf("after %d blobs: %v", kept, err)
	}
	if used, err := s.Usage(t.Context()); used != int64(kept)*100<<10 || err != nil {
		t.Errorf("usage %d with %d blobs, %v", used, kept, err)
	}
	if left, err := fs.ReadDir(s.root.FS(), tmpDir); len(left) != 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := s.Delete(t.Context(), "r/0"); err != nil {
		t.Fatalf("delete on a full disk: %v", err)
	}
	if err := write(t, s, "r/again", 100<<10); err != nil {
		t.Errorf("after a delete: %v", err)
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "blobs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Dir: dir})
	if err := write(t, s, "a/b/c", 1); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{
		"": fs.ModeDir | 0o700, ".tmp": fs.ModeDir | 0o700, "a": fs.ModeDir | 0o700, "a/b": fs.ModeDir | 0o700, "a/b/c=": 0o600,
	} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != want {
			t.Errorf("%q: %v, %v; want %v", name, info, err, want)
		}
	}
	if err := s.Delete(t.Context(), "a/b/c"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder stays: %v", err)
	}
}

// A start sweeps what a dead writer left, leaves a living one's alone, and
// counts what is there.
func TestReopen(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "blobs")
	now := time.Now()
	s := open(t, Config{Dir: dir})
	if err := write(t, s, "a", 700); err != nil {
		t.Fatal(err)
	}
	dead, err := s.Create(t.Context(), "dead")
	if err != nil {
		t.Fatal(err)
	}
	tmp := dead.(*writer).tmp
	for _, at := range []struct {
		now  time.Time
		want error
	}{{now.Add(59 * time.Minute), nil}, {now.Add(2 * time.Hour), fs.ErrNotExist}} {
		s := open(t, Config{Dir: dir, MaxBytes: 1000, SweepAfter: time.Hour, Now: func() time.Time { return at.now }})
		if _, err := os.Stat(filepath.Join(dir, tmp)); !errors.Is(err, at.want) {
			t.Errorf("at %v: %v; want %v", at.now.Sub(now), err, at.want)
		}
		if err := write(t, s, "b", 301); !errors.Is(err, blob.ErrFull) {
			t.Errorf("the bound forgot what was there: %v", err)
		}
	}
	if err := dead.Commit(); err == nil {
		t.Error("a swept blob was committed")
	}
}

// What others put into the folder is no blob, and no link leads out of it.
func TestStrangers(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dir := filepath.Join(base, "blobs")
	s := open(t, Config{Dir: dir})
	for name, text := range map[string]string{"blobs/README": "x", "blobs/Upper=": "x", "outside=": "secret"} {
		if err := os.WriteFile(filepath.Join(base, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink(base, filepath.Join(dir, "out")), os.Symlink(filepath.Join(base, "outside="), filepath.Join(dir, "link="))); err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(t.Context(), "", "", 0); err != nil || len(list) != 0 {
		t.Errorf("listed %v, %v", list, err)
	}
	for _, name := range []string{"out/outside", "link"} {
		if o, err := s.Open(t.Context(), name); err == nil {
			t.Errorf("%s opens, %d bytes from outside", name, o.Size())
		}
	}
	if err := write(t, s, "out/new", 1); err == nil {
		t.Error("wrote outside")
	}
	if _, err := os.Stat(filepath.Join(base, "new=")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("outside: %v", err)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{{}, {Dir: "x", MaxBytes: -1}, {Dir: "x", SweepAfter: -1}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}

// The cause of a cancelled context comes through.
func TestCause(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: filepath.Join(t.TempDir(), "blobs")})
	ctx, cancel := context.WithCancelCause(t.Context())
	w, err := s.Create(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Abort(); err != nil {
			t.Error(err)
		}
	}()
	why := errors.New("revoked")
	cancel(why)
	if _, err := w.Write([]byte("x")); !errors.Is(err, why) {
		t.Errorf("write: %v", err)
	}
}

// What another wrote to the folder counts, once it was counted again.
func TestRecount(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "blobs")
	one, two := open(t, Config{Dir: dir, MaxBytes: 1000}), open(t, Config{Dir: dir})
	if err := write(t, two, "a", 700); err != nil {
		t.Fatal(err)
	}
	if err := one.Recount(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := write(t, one, "b", 301); !errors.Is(err, blob.ErrFull) {
		t.Errorf("the bound does not know what the other wrote: %v", err)
	}
}
