package secret

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestKeyFileIsMadeOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret.key")
	ids := make([]string, 16)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			v, err := New(Config{Path: path, Create: true})
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = v.KeyIDs()[0]
		})
	}
	wg.Wait()
	if slices.Sort(ids); len(slices.Compact(ids)) != 1 {
		t.Errorf("sixteen who made it at once hold different keys: %v", ids)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	wantAlone(t, path)
}

// wantAlone: no half-written file stays beside the key file.
func wantAlone(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left beside the key file: %v, %v", entries, err)
	}
}

func TestKeyFileIsNotMadeUnasked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret.key")
	if _, err := New(Config{Path: path}); !errors.Is(err, ErrKeyFile) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("no path was taken")
	}
}

func TestKeyFileOpenToOthers(t *testing.T) {
	t.Parallel()
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o660, 0o601, 0o644} {
		path := filepath.Join(t.TempDir(), "secret.key")
		if err := create(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := New(Config{Path: path, Create: true})
		if !errors.Is(err, ErrKeyFile) || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %v: %v", mode, err)
		}
		if _, err := Rotate(path); !errors.Is(err, ErrKeyFile) {
			t.Errorf("rotated with mode %v: %v", mode, err)
		}
	}
	if _, err := New(Config{Path: t.TempDir()}); !errors.Is(err, ErrKeyFile) {
		t.Errorf("a folder: %v", err)
	}
}

func TestKeyFileDamaged(t *testing.T) {
	t.Parallel()
	good := string(render([]Key{NewKey()}))
	line := strings.TrimSpace(strings.TrimPrefix(good, fileHead))
	for name, text := range map[string]string{
		"empty":         "",
		"comments only": fileHead,
		"zeros":         strings.Repeat("\x00", 100),
		"short key":     "lk1 0011223344556677 " + base64.RawURLEncoding.EncodeToString(make([]byte, 31)),
		"long key":      "lk1 0011223344556677 " + base64.RawURLEncoding.EncodeToString(make([]byte, 33)),
		"wrong id":      strings.Replace(line, line[4:20], "0011223344556677", 1),
		"cut":           line[:len(line)-1],
		"another kind":  "lk2" + line[3:],
		"twice":         line + "\n" + line,
		"too many":      string(render(slices.Repeat([]Key{NewKey()}, maxKeys+1))),
		"too long":      good + strings.Repeat("#", maxFileSize),
	} {
		path := filepath.Join(t.TempDir(), "secret.key")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := New(Config{Path: path, Create: true})
		if !errors.Is(err, ErrKeyFile) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), line[21:30]) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
		if after, _ := os.ReadFile(path); string(after) != text {
			t.Errorf("%s: the file was touched", name)
		}
	}
}

func TestRotateKeepsWhatWasThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret.key")
	if err := create(path); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	made := map[string]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			id, err := Rotate(path)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			made[id] = true
		})
	}
	wg.Wait()
	v, err := New(Config{Path: path})
	if err != nil || len(v.KeyIDs()) != 9 || len(made) != 8 {
		t.Fatalf("%d rotated, file holds %v, %v", len(made), v.KeyIDs(), err)
	}
	for _, id := range v.KeyIDs()[:8] {
		if !made[id] {
			t.Errorf("key %s came from nobody", id)
		}
	}
	for range maxKeys - 9 {
		if _, err := Rotate(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Rotate(path); !errors.Is(err, ErrKeyFile) {
		t.Errorf("one key too many: %v", err)
	}
	if _, err := New(Config{Path: path}); err != nil {
		t.Errorf("a full file does not open: %v", err)
	}
	wantAlone(t, path)
}

// FuzzParse: what parses is written back and parses to the same keys.
func FuzzParse(f *testing.F) {
	f.Add(render([]Key{NewKey(), NewKey()}))
	f.Add([]byte("lk1 0011223344556677 AAAA"))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := parse(data)
		if err != nil {
			return
		}
		again, err := parse(render(keys))
		if err != nil || !slices.EqualFunc(keys, again, Key.Equal) {
			t.Errorf("written back: %v", err)
		}
		if bytes.Count(render(keys), []byte("lk1 ")) != len(keys) {
			t.Error("not a line a key")
		}
	})
}
