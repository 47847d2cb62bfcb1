package sqlparse

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/policy"
)

// bypass is an entry of testdata/bypass.txt, whose head describes the format.
type bypass struct {
	name, sql      string
	env            string
	setup          string // run first by the oracle, on the same connection
	run            string // how the oracle runs it: yes, refused, count, no
	statements     int
	reads, writes  []string
	verbs, unknown []string
	features       string
}

func readBypass(tb testing.TB) []bypass {
	tb.Helper()
	text, err := os.ReadFile("testdata/bypass.txt")
	if err != nil {
		tb.Fatal(err)
	}
	var out []bypass
	for block := range strings.SplitSeq(string(text), "\n\n") {
		c := bypass{env: "postgres", run: "yes", statements: 1}
		for line := range strings.Lines(block) {
			line = strings.TrimRight(line, "\n")
			if line == "" || line[0] == '#' {
				continue
			}
			key, value, ok := strings.Cut(line, ": ")
			if !ok {
				tb.Fatalf("line %q", line)
			}
			switch key {
			case "name":
				c.name = value
			case "sql":
				c.sql = expand(unwrite(value))
			case "env":
				c.env = value
			case "setup":
				c.setup = value
			case "run":
				c.run = value
			case "statements":
				c.statements = int(value[0] - '0')
			case "reads":
				c.reads = strings.Fields(value)
			case "writes":
				c.writes = strings.Fields(value)
			case "verbs":
				c.verbs = strings.Fields(value)
			case "unknown":
				c.unknown = strings.Fields(value)
			case "features":
				c.features = value
			default:
				tb.Fatalf("key %q", key)
			}
		}
		if c.name != "" {
			out = append(out, c)
		}
	}
	return out
}

// expand writes out <<text*n>>, n times the text.
func expand(s string) string {
	before, rest, ok := strings.Cut(s, "<<")
	if !ok {
		return s
	}
	inner, after, _ := strings.Cut(rest, ">>")
	i := strings.LastIndexByte(inner, '*')
	n := 0
	for _, c := range inner[i+1:] {
		n = n*10 + int(c-'0')
	}
	return before + strings.Repeat(inner[:i], n) + expand(after)
}

// TestBypass: each known trick to hide something from us is seen. The facts listed
// are the least that must be found.
func TestBypass(t *testing.T) {
	t.Parallel()
	cases := readBypass(t)
	if len(cases) < 60 {
		t.Fatalf("%d entries", len(cases))
	}
	p := newParser(t, Config{})
	seen := map[string]bool{}
	for _, c := range cases {
		if seen[c.name] {
			t.Errorf("%s stands there twice", c.name)
		}
		seen[c.name] = true
		b := p.Parse([]byte(c.sql), envOf(t, c.env))
		if b.Unknown != policy.UnknownAll && len(b.Statements) < c.statements {
			t.Errorf("%s: %d statements, want at least %d", c.name, len(b.Statements), c.statements)
		}
		contains(t, c.name, "reads", b.ReadNames, c.reads)
		contains(t, c.name, "writes", b.WriteNames, c.writes)
		contains(t, c.name, "verbs", b.VerbNames, c.verbs)
		contains(t, c.name, "features", strings.Fields(bits(uint32(b.Features), featureNames[:])), strings.Fields(c.features))
		unknown := strings.Fields(bits(uint32(b.Unknown), unknownNames[:]))
		if slices.Equal(c.unknown, []string{"all"}) {
			c.unknown = unknownNames[:]
		}
		contains(t, c.name, "unknown", unknown, c.unknown)
	}
}

func contains(t *testing.T, name, what string, got, want []string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%s: %s %v lacks %s", name, what, got, w)
		}
	}
}
