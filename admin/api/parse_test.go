package api_test

import (
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/admin/api"
)

func TestPrefer(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		seconds float64
		applied string
	}{
		"": {}, "wait=5": {5, "wait=5"}, "wait=900": {55, "wait=55"}, "respond-async": {0, "respond-async"}, "respond-async, wait=9": {0, "respond-async"},
		"foo; bar, WAIT = 7": {7, "wait=7"}, `wait="3"`: {3, "wait=3"}, "wait=-1": {}, "wait=1.5": {}, "wait=99999999999999999999": {}, "return=minimal": {}, "wait": {}, "wait=0": {0, "wait=0"},
	} {
		if s, applied := api.ShowPrefer(text); s != want.seconds || applied != want.applied {
			t.Errorf("%q: %v %q, want %v", text, s, applied, want)
		}
	}
}

// FuzzPrefer: no header makes anybody wait longer than allowed, and what is said
// to be applied is applied when it is sent back.
func FuzzPrefer(f *testing.F) {
	for _, s := range []string{"wait=5", "respond-async", "wait=1, respond-async", ";;,,=", "wait=\"\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		s, applied := api.ShowPrefer(header)
		if s < 0 || s > 55 {
			t.Errorf("waits %v", s)
		}
		if again, same := api.ShowPrefer(applied); again != s || same != applied {
			t.Errorf("%q applied %q, and that %q", header, applied, same)
		}
	})
}

// FuzzETag: any text can be a tag, and matches itself and nothing shorter.
func FuzzETag(f *testing.F) {
	for _, s := range []string{"r_1-2", `"x"`, `W/"x"`, "a,b", "*", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tag := api.Quoted(text)
		if strings.HasPrefix(text, `"`) || strings.HasPrefix(text, `W/`) {
			return // given as a tag already
		}
		if text != "" && !strings.Contains(text, ",") && !api.NoneMatch(`"a", `+tag, tag) {
			t.Errorf("%q does not match itself", tag)
		}
		if api.NoneMatch("", tag) {
			t.Errorf("%q matches nothing", tag)
		}
	})
}

// FuzzIfMatch: only what we give out is a revision.
func FuzzIfMatch(f *testing.F) {
	for _, s := range []string{`"v1"`, `W/"v2"`, "v3", `"v-1"`, `"v99999999999999999999"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		rev, err := api.Revision(header)
		if err == nil && header != "" && rev < 1 {
			t.Errorf("%q is %d", header, rev)
		}
	})
}

func TestPointer(t *testing.T) {
	t.Parallel()
	for place, want := range map[string]string{"body": "/", "body.sql": "/sql", "body.params[3].name": "/params/3/name", "query.limit": "limit", "path.id": "id"} {
		if got := api.JSONPointer(place); got != want {
			t.Errorf("%s: %s", place, got)
		}
	}
}
