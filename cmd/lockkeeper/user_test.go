package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReplaceFileFollowsLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "users.txt"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("; old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	err := editUsers(link, false, func(data []byte) ([]byte, error) { return append(data, "; new\n"...), nil })
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := "; old\n; new\n"; string(got) != want {
		t.Errorf("behind the link: %q, want %q", got, want)
	}
	info, err := os.Lstat(link)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link became a file")
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o, want 600", info.Mode().Perm())
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".users-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
