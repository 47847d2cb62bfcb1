package sqlparse

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
)

// TestReadOnlyPrincipal: what testdata/readonly.txt says of each statement, of
// the same behind another one, and of the same read without certainty.
func TestReadOnlyPrincipal(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/readonly.txt")
	if err != nil {
		t.Fatal(err)
	}
	p := newParser(t, Config{})
	conn := func(e *policy.Engine) *policy.Conn {
		return e.NewConnFor(&policy.Principal{Subject: policy.Subject{User: "ann"}, Via: "web", ReadOnly: true})
	}
	e := policy.NewEngine(policy.EngineConfig{})
	ask := func(sql, env string) string {
		d := e.Decide(time.Time{}, conn(e), p.Parse([]byte(sql), envOf(t, env)), nil, nil)
		switch {
		case d.Refusal == nil:
			return "yes"
		case strings.Contains(d.Refusal.Message, "could change its mode"):
			return "mode"
		case strings.Contains(d.Refusal.Message, "cannot be read"):
			return "unread"
		}
		return "writes"
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		want, sql, ok := strings.Cut(strings.TrimSpace(line), " | ")
		if !ok {
			continue
		}
		n++
		want = strings.TrimSpace(want)
		if got := ask(sql, "postgres"); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
		if want == "yes" {
			continue
		}
		for _, other := range []string{"SELECT 1; " + sql, "/* a */ " + sql + " -- b\n; SHOW ALL"} {
			if ask(other, "postgres") == "yes" {
				t.Errorf("%s is let through", other)
			}
		}
		for _, env := range []string{"postgres std=unknown", "redshift"} {
			if ask(sql, env) == "yes" {
				t.Errorf("%s is let through as %s", sql, env)
			}
		}
	}
	if n < 80 {
		t.Errorf("%d statements", n)
	}
}
