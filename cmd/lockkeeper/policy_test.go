package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/policy/config"
	"github.com/lockkeeper/lockkeeper/policy/policytest"
)

var rewritePolicy = flag.Bool("rewrite-policy", false, "write testdata/policy anew")

// TestDemoPolicy tells the demo's policy with real SQL: parser and policy
// together.
func TestDemoPolicy(t *testing.T) {
	t.Parallel()
	rs, err := readPolicy(filepath.Join("demo", "policy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	parse, err := policyParser()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "policy", "demo.txt")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, failures, err := policytest.Run(string(text), policytest.Config{Ruleset: rs, Parse: parse})
	if err != nil {
		t.Fatal(err)
	}
	if *rewritePolicy {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, f := range failures {
		t.Errorf("%s:%d: got\n%s\nwant\n%s", path, f.Line, f.Got, f.Want)
	}
}

// policyCommand runs lockkeeper policy … in process.
func policyCommand(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := newPolicyCommand()
	var out, errOut bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err = cmd.ExecuteContext(t.Context())
	return out.String(), errOut.String(), err
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPolicyCheck(t *testing.T) {
	t.Parallel()
	demo := filepath.Join("demo", "policy.yaml")
	out, notes, err := policyCommand(t, "", "check", demo)
	if err != nil || out != demo+": good: 5 lines of classify, 4 classes, 3 rules, 2 quotas\n" || notes != "" {
		t.Errorf("got %q, %q, %v", out, notes, err)
	}
	out, _, err = policyCommand(t, "", "check", "--resolved", demo)
	if err != nil || !strings.Contains(out, "from: [jwt.groups, cert.ou, role_map]") {
		t.Errorf("got %v\n%s", err, out)
	}
	again := writeFile(t, "resolved.yaml", out)
	if _, _, err := policyCommand(t, "", "check", again); err != nil {
		t.Errorf("the resolved policy is not good: %v", err)
	}
	odd := writeFile(t, "odd.yaml", "version: 1\nclassify:\n  - {class: a}\n  - {class: b}\nclasses: {c: {}}\n")
	if _, notes, err = policyCommand(t, "", "check", odd); err != nil || strings.Count(notes, "note:") != 3 {
		t.Errorf("got %v, %s", err, notes)
	}
	bad := writeFile(t, "bad.yaml", "version: 1\nclasses:\n  etl: {weight: 60}\n")
	if _, _, err = policyCommand(t, "", "check", bad); err == nil || !strings.Contains(err.Error(), "bad.yaml:3: classes.etl.weight is not enforced yet") {
		t.Errorf("got %v", err)
	}
	if _, _, err = policyCommand(t, "", "check", "no-such-file"); err == nil {
		t.Error("no error for a file that is not there")
	}
}

func TestPolicyExplain(t *testing.T) {
	t.Parallel()
	demo := filepath.Join("demo", "policy.yaml")
	base := []string{"explain", "--policy", demo, "--user", "analyst", "--tool", "psql", "--client-ip", "10.0.0.1", "--at", "2026-11-25T12:00:00Z", "--search-path", "school,public"}
	out, _, err := policyCommand(t, "DELETE FROM school.stage_lesson", append(base, "--sql", "-")...)
	if err != nil || !strings.Contains(out, "verdict  deny") || !strings.Contains(out, "yes      no-unbounded-dml: deny  (verb: update, delete; has_where: false)") {
		t.Errorf("got %v\n%s", err, out)
	}
	out, _, err = policyCommand(t, "", append(base, "--team", "x", "--in-transaction", "--dialect", "redshift", "--sql", "SELECT * FROM school.dim_student")...)
	if err != nil || !strings.Contains(out, "verdict  allow") || !strings.Contains(out, "queue    never waits") {
		t.Errorf("got %v\n%s", err, out)
	}
	for _, more := range [][]string{{"--dialect", "mysql"}, {"--at", "noon"}, {"--client-ip", "here"}, {"--policy", "no-such-file"}} {
		if _, _, err := policyCommand(t, "", append(append([]string{}, base...), append(more, "--sql", "SELECT 1")...)...); err == nil {
			t.Errorf("%v: want an error", more)
		}
	}
	if _, _, err := policyCommand(t, "", "explain", "--policy", demo); err == nil {
		t.Error("explain without SQL: want an error")
	}
}

func TestPolicyTest(t *testing.T) {
	t.Parallel()
	demo := filepath.Join("demo", "policy.yaml")
	story := writeFile(t, "story.txt", "decide user=loader\nTRUNCATE school.stage_lesson\n----\ndeny\n")
	out, _, err := policyCommand(t, "", "test", "--policy", demo, story)
	if err == nil || !strings.Contains(out, "story.txt:1: got\n  allow\n  class etl\nwant\n  deny\n") {
		t.Errorf("got %v\n%s", err, out)
	}
	if out, _, err = policyCommand(t, "", "test", "--policy", demo, "--rewrite", story); err != nil || !strings.Contains(out, "1 written anew") {
		t.Errorf("got %v\n%s", err, out)
	}
	if out, _, err = policyCommand(t, "", "test", "--policy", demo, story); err != nil || !strings.Contains(out, "story.txt: ok") {
		t.Errorf("got %v\n%s", err, out)
	}
	if _, _, err = policyCommand(t, "", "test", "--policy", demo, writeFile(t, "x.txt", "dance\n")); err == nil {
		t.Error("a story that is none: want an error")
	}
	if _, _, err = policyCommand(t, "", "test", "--policy", demo, "no-such-file"); err == nil {
		t.Error("a file that is not there: want an error")
	}
	if out, _, err = policyCommand(t, ""); err != nil || !strings.Contains(out, "explain") {
		t.Errorf("got %v\n%s", err, out)
	}
}

// The policy that the guide shows is a good one.
func TestGuidePolicy(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "policy.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, part := range strings.Split(string(guide), "```yaml\n")[1:] {
		text, _, _ := strings.Cut(part, "```")
		if !strings.HasPrefix(text, "version: 1") {
			text = "version: 1\n" + text
		}
		if strings.Contains(text, "\nrelease:") { // a part of a class
			text = "version: 1\nclasses:\n  c:\n    " + strings.ReplaceAll(strings.TrimPrefix(text, "version: 1\n"), "\n", "\n    ")
		}
		if _, err := config.Load([]byte(text), config.Options{Name: "guide"}); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
		found++
	}
	if found < 5 {
		t.Errorf("only %d policies in the guide", found)
	}
}
