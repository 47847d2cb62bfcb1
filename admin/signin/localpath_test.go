package signin

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestLocalPath(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"/", "/r/abc", "/query/", "/r/abc?offset=10&sort=a,b#row-7", "/tables/a%20b/c%2525d", "/x?to=https://evil.example//x", "/100%25", "/a;b=c", "/@x",
	} {
		if got := LocalPath(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	for _, s := range []string{
		"", "x", "//evil.example", "///evil.example", `/\evil.example`, `\/evil.example`, `\\evil.example`, "/\t/evil.example", "/\n/evil.example",
		"\t//evil.example", " //evil.example", "https://evil.example", "javascript:alert(1)", "//evil.example/%2f..", "/%2f/evil.example",
		"/%2f", "/a/%2f", "/%2Fevil.example", "/%5cevil.example", "/%5C%5cevil.example", "/%252fevil.example", "/%25252fevil.example", "/./evil", "/.//evil.example", "/../evil",
		"/a/..//evil.example", "/%2e%2e/evil", "/a//b", "/a\x00b", "/a\r\nSet-Cookie: x=y", "/%0d%0aSet-Cookie:x", "/a b", "/é", "/\u2215evil.example",
		"/\uff0fevil.example", "/%zz", "/%25252525252525", "/x:y@evil.example//", "/" + strings.Repeat("a", maxPath),
	} {
		if got := LocalPath(s); got != "/" {
			t.Errorf("%q became %q", s, got)
		}
	}
}

// Whatever goes in, what comes out stays on this host: for Go's URL, for a
// browser that mends URLs as the WHATWG says, for a redirect of net/http, and
// for each of them behind proxies that undo percent-encoding.
func FuzzLocalPath(f *testing.F) {
	for _, s := range []string{
		"/", "/r/abc?x#y", "//evil.example", `/\evil.example`, "/\t/evil.example", "/%2f/evil", "/%255c%255cevil", "/.//evil", "/a/..//evil", "https://evil.example",
		"/%09/evil.example", "/a?b=//c", "/%", "/%25%32%66evil",
	} {
		f.Add(s)
	}
	base := must(url.Parse("https://office.example/auth/callback"))
	f.Fuzz(func(t *testing.T, s string) {
		got := LocalPath(s)
		if got != s && got != "/" || LocalPath(got) != got {
			t.Fatalf("%q became %q", s, got)
		}
		for once := got; ; {
			if mended := mend(once); !strings.HasPrefix(mended, "/") || strings.HasPrefix(mended, "//") {
				t.Fatalf("%q leads a browser to %q", s, mended)
			}
			path, _, _ := strings.Cut(once, "?")
			next, err := url.PathUnescape(path)
			if err != nil || next == path {
				break
			}
			once = next
		}
		to, err := base.Parse(got)
		if err != nil || to.Scheme != "https" || to.Host != base.Host || to.User != nil {
			t.Fatalf("%q leads to %v, %v", s, to, err)
		}
		w := httptest.NewRecorder()
		http.Redirect(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/auth/callback", http.NoBody), got, http.StatusSeeOther)
		if loc := w.Header().Get("Location"); !strings.HasPrefix(loc, "/") || strings.HasPrefix(loc, "//") {
			t.Fatalf("%q redirects to %q", s, loc)
		}
	})
}

// mend is what browsers do to a URL before they read it.
func mend(s string) string {
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	return strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(s)
}
