package jsonl

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
)

func opened(t *testing.T, cfg Config) *Log {
	t.Helper()
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func events(n int) []audit.Event {
	list := make([]audit.Event, n)
	for i := range list {
		list[i] = audit.Event{Kind: audit.KindIntent, Time: time.Date(2026, 11, 22, 12, 0, i, 0, time.UTC), User: "anna", Text: fmt.Sprintf("statement %d", i)}
	}
	return list
}

func appended(t *testing.T, l *Log, list ...audit.Event) {
	t.Helper()
	if n, err := l.Append(list); err != nil || n != len(list) {
		t.Fatalf("append: %d of %d, %v", n, len(list), err)
	}
}

// written fills dir with n events, three in a segment, and closes it.
func written(t *testing.T, dir string, n int) audit.Head {
	t.Helper()
	l, err := Open(Config{Dir: dir, MaxBytes: 800})
	if err != nil {
		t.Fatal(err)
	}
	appended(t, l, events(n)...)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Head()
}

func verified(t *testing.T, dir string, heads ...audit.Head) audit.Result {
	t.Helper()
	res, err := Verify(t.Context(), dir, heads)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func wantOK(t *testing.T, dir string, heads ...audit.Head) audit.Result {
	t.Helper()
	res := verified(t, dir, heads...)
	if !res.OK() {
		t.Errorf("broken: %v", res.Broken)
	}
	return res
}

// wantBroken checks that something is found that says problem.
func wantBroken(t *testing.T, res audit.Result, problem string) {
	t.Helper()
	for _, f := range res.Broken {
		if strings.Contains(f.String(), problem) {
			return
		}
	}
	t.Errorf("found %v, nothing that says %q", res.Broken, problem)
}

func wantUnproven(t *testing.T, res audit.Result, words string) {
	t.Helper()
	if !strings.Contains(strings.Join(res.Unproven, "\n"), words) {
		t.Errorf("unproven %q, nothing that says %q", res.Unproven, words)
	}
}

func contents(t *testing.T, dir string, number uint64) []byte {
	t.Helper()
	text, err := os.ReadFile(segmentPath(dir, number))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func lines(t *testing.T, dir string, number uint64) [][]byte {
	t.Helper()
	split := bytes.SplitAfter(contents(t, dir, number), []byte("\n"))
	return split[:len(split)-1]
}

func overwrite(t *testing.T, dir string, number uint64, parts ...[]byte) {
	t.Helper()
	if err := os.WriteFile(segmentPath(dir, number), bytes.Join(parts, nil), fileMode); err != nil {
		t.Fatal(err)
	}
}

// reasons returns the losses that the log tells of.
func reasons(t *testing.T, dir string) []string {
	t.Helper()
	page, err := NewReader(dir).Search(t.Context(), audit.Query{Filter: audit.Filter{Kinds: []audit.Kind{audit.KindLoss}}})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range page.Events {
		list = append(list, e.Reason)
	}
	return list
}
