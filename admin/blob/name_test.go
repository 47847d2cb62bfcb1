package blob

import (
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzCheckName: a name that passes is local, clean, in lower case, and every
// beginning of it that ends at a part passes as a prefix.
func FuzzCheckName(f *testing.F) {
	for _, s := range []string{"run/r_01/rows", "a..b", "../a", ".tmp/x", "a//b", "é", "A", "a/", strings.Repeat("a/", 127) + "a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if CheckName(name) != nil {
			return
		}
		if path.Clean(name) != name || !filepath.IsLocal(name) || strings.ToLower(name) != name || len(name) > MaxName || strings.ContainsAny(name, "=\\ \x00") {
			t.Errorf("%q passes", name)
		}
		for i, c := range name {
			if c == '/' && (CheckPrefix(name[:i]) != nil || CheckPrefix(name[:i+1]) != nil) {
				t.Errorf("%q is no prefix", name[:i+1])
			}
		}
		if CheckPrefix(name) != nil || CheckPrefix("") != nil {
			t.Errorf("%q is no prefix", name)
		}
	})
}
