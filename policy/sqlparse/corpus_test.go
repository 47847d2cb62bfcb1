package sqlparse

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// corpusRow is a line of testdata/redshift_statements.jsonl: statements from the
// manual of Redshift and the tests of tools that speak it.
type corpusRow struct {
	SQL            string   `json:"sql"`
	Kind           string   `json:"kind"`
	Reads          []string `json:"reads"`
	Writes         []string `json:"writes"`
	ImplicitCommit bool     `json:"implicit_commit"`
	Category       string   `json:"category"`
	Statements     int      `json:"statements"`
}

// corpusExceptions are the lines of which we say something else on purpose.
var corpusExceptions = map[string]struct {
	why  string
	want corpusRow
}{
	`select "a;b""c" from "S"."T;1"`: {
		why:  "Redshift folds quoted names too unless enable_case_sensitive_identifier is on, so both spellings count as read",
		want: corpusRow{Kind: "read", Reads: []string{"S.T;1", "s.t;1"}},
	},
}

// corpusKinds is the corpus' spelling of the kinds.
func corpusKind(b *policy.Batch) string {
	// The kind of a string of several statements is that of the heaviest one; a
	// string without any is a utility there.
	order := []policy.Kind{
		policy.KindUtility, policy.KindTransaction, policy.KindSession, policy.KindRead, policy.KindCopyOut, policy.KindCopyIn,
		policy.KindDDL, policy.KindWrite, policy.KindUnknown,
	}
	k := policy.KindUtility
	for i := range b.Statements {
		if slices.Index(order, b.Statements[i].Kind) > slices.Index(order, k) {
			k = b.Statements[i].Kind
		}
	}
	switch k {
	case policy.KindCopyIn:
		return "copy-in"
	case policy.KindCopyOut:
		return "copy-out"
	default:
		return k.String()
	}
}

func readCorpus(tb testing.TB) []corpusRow {
	tb.Helper()
	text, err := os.ReadFile("testdata/redshift_statements.jsonl")
	if err != nil {
		tb.Fatal(err)
	}
	var rows []corpusRow
	sc := bufio.NewScanner(bytes.NewReader(text))
	for sc.Scan() {
		var r corpusRow
		if err := json.Unmarshal(sc.Bytes(), &r); err != nil {
			tb.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

func newParser(tb testing.TB, cfg Config) *Parser {
	tb.Helper()
	p, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// TestCorpus: kind, tables and implicit commit of every statement of the corpus.
// What only Postgres has is read in its dialect.
func TestCorpus(t *testing.T) {
	t.Parallel()
	rows := readCorpus(t)
	if len(rows) != 361 {
		t.Fatalf("corpus has %d statements, want 361", len(rows))
	}
	p := newParser(t, Config{})
	used := 0
	for _, row := range rows {
		env := Env{Dialect: sqllex.Redshift}
		if row.Category == "pg-only" {
			env = Env{Dialect: sqllex.Postgres, StdStrings: On}
		}
		want := row
		if e, ok := corpusExceptions[row.SQL]; ok {
			want, used = e.want, used+1
		}
		slices.Sort(want.Reads)
		slices.Sort(want.Writes)
		b := p.Parse([]byte(row.SQL), env)
		got := corpusRow{
			Kind: corpusKind(b), Reads: b.ReadNames, Writes: b.WriteNames,
			ImplicitCommit: b.Features&policy.FeatImplicitCommit != 0,
		}
		want.SQL, want.Category, want.Statements = "", "", 0
		if diff := cmp.Diff(want, got, cmp.Transformer("list", func(l []string) []string { return append([]string{}, l...) })); diff != "" {
			t.Errorf("%s\n-want +got\n%s", row.SQL, diff)
		}
		if row.Statements > 0 && len(b.Statements) != row.Statements {
			t.Errorf("%s\n%d statements, want %d", row.SQL, len(b.Statements), row.Statements)
		}
	}
	if used != len(corpusExceptions) {
		t.Errorf("%d of %d exceptions met", used, len(corpusExceptions))
	}
}
