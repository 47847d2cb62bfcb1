package signintest

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

//go:embed all:testdata/provider
var source embed.FS

const sourceFolder = "testdata/provider"

// install returns a folder that holds the provider and what it needs. It is
// made once for each lock file.
func install(t testing.TB) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is missing: install Node 20.19 or newer, or run with -short: %v", tool, err)
		}
	}
	files := read(t)
	sum := sha256.New()
	for _, f := range files {
		_, _ = sum.Write(f.body)
	}
	cache := filepath.Join(root(t), ".cache")
	done := filepath.Join(cache, "signin-provider-"+hex.EncodeToString(sum.Sum(nil)[:8]))
	if _, err := os.Stat(done); err == nil {
		return done
	}
	if err := os.MkdirAll(cache, 0o750); err != nil {
		t.Fatal(err)
	}
	making, err := os.MkdirTemp(cache, "signin-provider-making-") //nolint:usetesting // beside the cache, so that a rename can finish it
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(making)
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(making, f.name), f.body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts")
	cmd.Dir = making
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci (it needs a registry once; -short leaves this test out): %v\n%s", err, out)
	}
	if err := os.Rename(making, done); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, twin := os.Stat(done); twin != nil { // another test may have been faster
			t.Fatal(err)
		}
	}
	return done
}

type file struct {
	name string
	body []byte
}

func read(t testing.TB) []file {
	t.Helper()
	entries, err := source.ReadDir(sourceFolder)
	if err != nil {
		t.Fatal(err)
	}
	var files []file
	for _, e := range entries {
		body, err := source.ReadFile(sourceFolder + "/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{e.Name(), body})
	}
	return files
}

// root is the folder of the module: above that of whichever package is tested.
func root(t testing.TB) string {
	t.Helper()
	at, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at
		}
		if filepath.Dir(at) == at {
			t.Fatal("no go.mod above the test")
		}
		at = filepath.Dir(at)
	}
}
