package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/audit/jsonl"
)

// auditCLI runs "lockkeeper audit …" and returns what it prints.
func auditCLI(ctx context.Context, stdin string, args ...string) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	cmd := newAuditCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(ctx)
	return out.String(), errs.String(), err
}

// auditState returns a state directory with three records.
func auditState(t *testing.T) string {
	t.Helper()
	state := t.TempDir()
	l, err := jsonl.Open(jsonl.Config{Dir: filepath.Join(state, "audit")})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	_, err = l.Append([]audit.Event{
		{Kind: audit.KindSessionStart, Time: at, User: "anna", Session: "s1", ClientAddr: "10.0.0.1:5", ApplicationName: "psql\x1b[31m"},
		{Kind: audit.KindIntent, Time: at.Add(time.Second), User: "anna", Session: "s1", Class: "bi", Verdict: "allow", Text: "SELECT\n\t1 <> 2", Reads: []string{"public.orders"}},
		{Kind: audit.KindOutcome, Time: at.Add(2 * time.Second), User: "otto", Exec: 1500 * time.Millisecond, Rows: 3, SQLState: "57014", Stop: "timeout"},
	})
	if err := errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	return state
}

func TestAuditVerify(t *testing.T) {
	t.Parallel()
	state := auditState(t)
	head, _, err := auditCLI(t.Context(), "", "head", state)
	if err != nil {
		t.Fatal(err)
	}
	var parsed audit.Head
	if err := json.Unmarshal([]byte(head), &parsed); err != nil || parsed.Seq != 3 || parsed.Segment != 1 || parsed.Time.IsZero() {
		t.Errorf("head %s, %v", head, err)
	}
	file := filepath.Join(t.TempDir(), "heads")
	if err := os.WriteFile(file, []byte(head+head), 0o600); err != nil {
		t.Fatal(err)
	}

	out, _, err := auditCLI(t.Context(), "", "verify", filepath.Join(state, "audit"))
	if err != nil || !strings.Contains(out, "3 records (seq 1 to 3) in 1 segments") || !strings.Contains(out, "unproven  no exported head was given") {
		t.Errorf("without a head: %v\n%s", err, out)
	}
	out, _, err = auditCLI(t.Context(), "", "verify", "--head", file, state)
	if err != nil || strings.Contains(out, "unproven") || !strings.Contains(out, "ok        every line holds") {
		t.Errorf("with heads: %v\n%s", err, out)
	}
	out, _, err = auditCLI(t.Context(), head, "verify", "--json", "--head", "-", state)
	var res audit.Result
	if err != nil || json.Unmarshal([]byte(out), &res) != nil || res.Records != 3 || res.Head.Chain != parsed.Chain {
		t.Errorf("as JSON: %v\n%s", err, out)
	}

	segment := filepath.Join(state, "audit", "00000001.jsonl")
	text, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	cut := text[:bytes.LastIndexByte(text[:len(text)-1], '\n')+1]
	if err := os.WriteFile(segment, cut, 0o600); err != nil {
		t.Fatal(err)
	}
	out, _, err = auditCLI(t.Context(), head, "verify", "--head", "-", state)
	if _, told := errors.AsType[quietError](err); !told || !strings.Contains(out, "BROKEN    segment 1: log ends at seq 2, before the exported head at seq 3") || strings.Contains(out, "ok ") {
		t.Errorf("cut: %v\n%s", err, out)
	}
	for _, args := range [][]string{
		{"verify", state + "/none"},
		{"head", state + "/none"},
		{"verify", segment},
		{"verify", "--head", "/dev/null", state},
		{"verify", "--head", segment + "x", state},
		{"verify"},
		{"search", "--since", "soon", state},
	} {
		if out, _, err := auditCLI(t.Context(), "", args...); err == nil {
			t.Errorf("%q: no error\n%s", args, out)
		}
	}
}

func TestAuditSearch(t *testing.T) {
	t.Parallel()
	state := auditState(t)
	out, hint, err := auditCLI(t.Context(), "", "search", state, "--limit", "2")
	if err != nil || strings.Count(out, "\n") != 3 || !strings.Contains(out, "57014 timeout") || !strings.Contains(hint, "--before 2") {
		t.Errorf("newest two: %v\n%s%s", err, out, hint)
	}
	out, _, err = auditCLI(t.Context(), "", "search", state, "--before", "2")
	if err != nil || strings.Count(out, "\n") != 2 || !strings.Contains(out, "10.0.0.1:5 psql [31m") || strings.Contains(out, "\x1b") {
		t.Errorf("older, and safe for a terminal: %v\n%q", err, out)
	}
	out, _, err = auditCLI(t.Context(), "", "search", state, "--table", "orders", "--user", "anna", "--kind", "intent,outcome", "--class", "bi", "--session", "s1",
		"--text", "select", "--since", "2026-11-22T12:00:01Z", "--until", "2026-11-22T12:00:02Z", "--json")
	if err != nil || strings.Count(out, "\n") != 1 || !strings.Contains(out, `"text":"SELECT\n\t1 <> 2"`) {
		t.Errorf("filtered, as JSON: %v\n%s", err, out)
	}
	if out, _, err := auditCLI(t.Context(), "", "search", state, "--sqlstate", "00000"); err != nil || out != "" {
		t.Errorf("nothing: %v\n%s", err, out)
	}
}

func TestAuditTail(t *testing.T) {
	t.Parallel()
	state := auditState(t)
	out, _, err := auditCLI(t.Context(), "", "tail", "-n", "1", state)
	if err != nil || strings.Count(out, "\n") != 2 || !strings.Contains(out, "otto") {
		t.Errorf("the newest: %v\n%s", err, out)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	in, pipe := io.Pipe()
	ended := make(chan error, 1)
	go func() { // ends with ctx, joined below
		err := tailAudit(ctx, filepath.Join(state, "audit"), audit.Query{Limit: 1, Filter: audit.Filter{User: "otto"}}, true, newEventPrinter(pipe, true))
		ended <- errors.Join(err, pipe.Close())
	}()
	dec := json.NewDecoder(in)
	var e audit.Event
	if err := dec.Decode(&e); err != nil || e.Seq != 3 {
		t.Errorf("begins with seq %d, %v", e.Seq, err)
	}
	l, err := jsonl.Open(jsonl.Config{Dir: filepath.Join(state, "audit")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append([]audit.Event{{User: "anna"}, {User: "otto", Text: "new"}}); err != nil {
		t.Error(err)
	}
	if err := dec.Decode(&e); err != nil || e.Seq != 5 || e.Text != "new" {
		t.Errorf("goes on with seq %d, %v", e.Seq, err)
	}
	cancel()
	if err := errors.Join(<-ended, l.Close()); err != nil {
		t.Error(err)
	}
}

func TestParseMoment(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.FixedZone("", 3600))
	for s, want := range map[string]string{
		"":                     "0001-01-01T00:00:00Z",
		"2026-11-01":           "2026-11-01T00:00:00+01:00",
		"2026-11-01 10:11":     "2026-11-01T10:11:00+01:00",
		"2026-11-01 10:11:12":  "2026-11-01T10:11:12+01:00",
		"2026-11-01T10:11:12Z": "2026-11-01T10:11:12Z",
		"90m":                  "2026-11-22T10:30:00+01:00",
		"7d":                   "2026-11-15T12:00:00+01:00",
	} {
		got, err := parseMoment(s, now)
		if err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if diff := cmp.Diff(want, got.Format(time.RFC3339)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", s, diff)
		}
	}
	for _, s := range []string{"soon", "-1h", "-1d", "d", "2026-13-01"} {
		if got, err := parseMoment(s, now); err == nil {
			t.Errorf("%q was read as %s", s, got)
		}
	}
}
