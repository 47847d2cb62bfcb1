package ui_test

import (
	"encoding/json"
	"flag"
	"os"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

var rewrite = flag.Bool("rewrite", false, "write what Go's lexer says into the corpus")

// corpus is read by the page's tests too: the statement the editor marks must be
// the statement the server runs, and both must find the same parameters.
const corpus = "web/src/sql/testdata/split.json"

type splitCase struct {
	Name       string   `json:"name"`
	Dialect    string   `json:"dialect"`
	Backslash  bool     `json:"backslash,omitempty"`
	SQL        string   `json:"sql"`
	Statements [][2]int `json:"statements"` // code points of sql, as the API speaks
	Binds      []string `json:"binds"`
}

func TestPageAndServerSplitAlike(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(corpus)
	if err != nil {
		t.Fatal(err)
	}
	var want []splitCase
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if len(want) < 30 {
		t.Fatalf("the corpus has %d cases: too few to mean agreement", len(want))
	}
	got := make([]splitCase, len(want))
	for i, c := range want {
		got[i] = lexed(c)
	}
	if *rewrite {
		writeCorpus(t, got)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Go's lexer and the corpus differ (-corpus +Go); -rewrite if Go is right:\n%s", diff)
	}
}

func lexed(c splitCase) splitCase {
	mode := sqllex.Mode{Backslash: c.Backslash, Binds: true}
	if c.Dialect == sqllex.Redshift.String() {
		mode.Dialect = sqllex.Redshift
	}
	c.Statements, c.Binds = [][2]int{}, []string{}
	for _, s := range sqllex.Split(c.SQL, mode, 0) {
		from := utf8.RuneCountInString(c.SQL[:s.Start])
		c.Statements = append(c.Statements, [2]int{from, from + utf8.RuneCountInString(c.SQL[s.Start:s.End])})
	}
	seen := map[string]bool{}
	for _, b := range sqllex.Binds(c.SQL, mode) {
		if !seen[b.Name] {
			seen[b.Name] = true
			c.Binds = append(c.Binds, b.Name)
		}
	}
	return c
}

func writeCorpus(t *testing.T, cases []splitCase) {
	t.Helper()
	text, err := json.MarshalIndent(cases, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(corpus, append(text, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}
