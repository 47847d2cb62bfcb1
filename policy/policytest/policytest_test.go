package policytest

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/policy"
)

// parse knows two statements.
func parse(sql, dialect string) (*policy.Batch, error) {
	st := policy.Statement{Kind: policy.KindRead, Verbs: policy.VerbRead, Reads: []policy.Relation{{Schema: "s", Name: "t"}}}
	switch {
	case sql == "DELETE":
		st = policy.Statement{Kind: policy.KindWrite, Verbs: policy.VerbDelete}
	case sql == "bad":
		return nil, errors.New("no such SQL")
	case dialect == "view":
		st.Reads = []policy.Relation{{Schema: "s", Name: "v"}}
	}
	return &policy.Batch{Statements: []policy.Statement{st}}, nil
}

func rules(t *testing.T) *policy.Ruleset {
	t.Helper()
	rs, err := policy.Compile(policy.Source{
		Classify: []policy.ClassifyLine{{Class: "c"}},
		Classes:  []policy.ClassSource{{Name: "c", Hard: 1}},
		Rules: []policy.RuleSource{
			{ID: "d", When: policy.Condition{Verb: policy.VerbDelete}, Deny: "no"},
			{ID: "p", When: policy.Condition{Reads: []string{"pii.*"}}, Warn: "pii"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

const good = `# A story.
set user=bob tool="a tool" client_ip=10.0.0.1 role=r database=wh team=x,y via=web environment=e auth_user=b path=- tx=active held=no unit=no dialect=x now=2026-11-25T12:00:00Z

decide as=a
SELECT 1
----
allow
class c

decide as=b
SELECT 1
----
queue
class c
queue place 1 in c: 1 of 1 running, at most 1m0s

charge a rows=5 exec=1s
----
goes on

settle a rows=1 written=1 out=1 in=1 queued=1s idle=1s
----
over
woken b

again b
----
allow
class c

leave b
----
over

wait 10s

observe on

decide
DELETE
----
allow
class c
observed d

observe off

decide
DELETE
----
deny 42501 no
detail Refused by rule "d".
class c
rules d

catalog
table s.t
view s.v: pii.p
opaque view s.w
function s.f: s.t
opaque function s.g

decide dialect=view
SELECT 1
----
warn
class c
rules p
warn p: pii
`

func TestRun(t *testing.T) {
	t.Parallel()
	got, failures, err := Run(good, Config{Ruleset: rules(t), Parse: parse})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range failures {
		t.Errorf("line %d: got\n%s\nwant\n%s", f.Line, f.Got, f.Want)
	}
	if diff := cmp.Diff(good, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRunFails(t *testing.T) {
	t.Parallel()
	wrong := strings.Replace(good, "deny 42501 no", "allow", 1)
	got, failures, err := Run(wrong, Config{Ruleset: rules(t), Parse: parse})
	if err != nil || len(failures) != 1 {
		t.Fatalf("got %d failures, %v; want one", len(failures), err)
	}
	if want := strings.Count(wrong[:strings.LastIndex(wrong, "decide\nDELETE")], "\n") + 1; failures[0].Line != want {
		t.Errorf("at line %d, want %d", failures[0].Line, want)
	}
	if got != good {
		t.Errorf("the text is not put right:\n%s", cmp.Diff(good, got))
	}
	// what has no expectation yet gets one
	got, _, err = Run("decide\nSELECT 1", Config{Ruleset: rules(t), Parse: parse})
	if want := "decide\nSELECT 1\n----\nallow\nclass c\n"; err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestRunRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"dance", "wait", "wait long", "decide\nbad", "set shoe=1", "set tx=open", "set now=noon", "set client_ip=x", "again a", "decide as=a\nSELECT 1\n\nsettle a rows=x",
		"decide as=a\nSELECT 1\n\nsettle a shoes=1", "catalog\nshoe s.t", "catalog\ntable t", "catalog\nview s.v: t", "catalog\ntable", "idle c", "idle c x", "policy\nversion: 1", "explain shoe=1\nx", "decide shoe=1\nx",
	} {
		if _, _, err := Run(text, Config{Ruleset: rules(t), Parse: parse}); err == nil || !strings.HasPrefix(err.Error(), "line ") {
			t.Errorf("%q: got %v, want an error with its line", text, err)
		}
	}
}
