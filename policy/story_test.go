package policy_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/config"
	"github.com/lockkeeper/lockkeeper/policy/policytest"
)

var rewrite = flag.Bool("rewrite", false, "write the stories anew")

// TestStories tells testdata/decide/*.txt. Their "SQL" is a tongue of its own,
// which says the facts of a statement outright, so that what is tested here is
// the policy and not a parser:
//
//	read a.b, c.d          also: insert, update, delete, truncate, merge, ddl, copy_in, copy_out
//	… where                …, limit, volatile, calls s.f, tag k=v, fp 0123
//	… unknown-reads        a fact that is not known; unknown alone: nothing is
//	begin commit rollback rollback-to rollback-chain set show catalog empty
func TestStories(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join("testdata", "decide", "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			story(t, path)
		})
	}
}

func story(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, failures, err := policytest.Run(string(text), policytest.Config{
		Parse: speak,
		Load:  func(y []byte) (*policy.Ruleset, error) { return config.Load(y, config.Options{Name: "story"}) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, f := range failures {
		t.Errorf("%s:%d: got\n%s\nwant\n%s", path, f.Line, f.Got, f.Want)
	}
	if len(failures) == 0 && got != string(text) {
		t.Errorf("%s is not written as -rewrite would", path)
	}
}

// speak reads the tongue of the stories.
func speak(text, _ string) (*policy.Batch, error) {
	b := &policy.Batch{Bytes: len(text)}
	for part := range strings.SplitSeq(text, ";") {
		part = strings.TrimSpace(part)
		if part == "empty" || part == "" {
			continue
		}
		st, tags, err := speakOne(part)
		if err != nil {
			return nil, err
		}
		b.Statements = append(b.Statements, st)
		b.Tags = append(b.Tags, tags...)
		b.Verbs |= st.Verbs
		b.Unknown |= st.Unknown
		b.Features |= st.Features
	}
	b.Empty = len(b.Statements) == 0
	return b, nil
}

var unknownWords = map[string]policy.Unknowns{
	"unknown": policy.UnknownAll, "unknown-reads": policy.UnknownReads, "unknown-writes": policy.UnknownWrites,
	"unknown-verbs": policy.UnknownVerbs, "unknown-where": policy.UnknownWhere, "unknown-limit": policy.UnknownLimit,
	"unknown-functions": policy.UnknownFunctions,
}

var controlWords = map[string]policy.Statement{
	"begin":          {Kind: policy.KindTransaction, Verbs: policy.VerbTransaction, Tx: policy.TxBegin},
	"commit":         {Kind: policy.KindTransaction, Verbs: policy.VerbTransaction, Tx: policy.TxCommit},
	"rollback":       {Kind: policy.KindTransaction, Verbs: policy.VerbTransaction, Tx: policy.TxRollback},
	"rollback-to":    {Kind: policy.KindTransaction, Verbs: policy.VerbTransaction, Tx: policy.TxRollbackTo},
	"rollback-chain": {Kind: policy.KindTransaction, Verbs: policy.VerbTransaction, Tx: policy.TxRollback, TxChain: true},
	"set":            {Kind: policy.KindSession, Verbs: policy.VerbSession, Setting: "work_mem"},
	"show":           {Kind: policy.KindUtility, Verbs: policy.VerbUtility, Masked: "SHOW search_path"},
	"catalog":        {Kind: policy.KindRead, Verbs: policy.VerbRead, Features: policy.FeatCatalogOnly, Reads: []policy.Relation{{Schema: "pg_catalog", Name: "pg_class"}}},
	"unknown":        {Kind: policy.KindUnknown, Verbs: policy.VerbUnknown, Unknown: policy.UnknownAll},
}

func speakOne(text string) (policy.Statement, []policy.Tag, error) {
	st := policy.Statement{Kind: policy.KindWrite, PgAudit: "WRITE", Fingerprint: "00000000000000ff", Masked: text}
	var tags []policy.Tag
	w := strings.Fields(strings.ReplaceAll(text, ",", " "))
	if c, ok := controlWords[w[0]]; ok {
		c.PgAudit, c.Fingerprint = "MISC", "00000000000000cc"
		return c, nil, nil
	}
	verb, ok := policy.ParseVerb(w[0])
	if !ok {
		return st, nil, fmt.Errorf("%q is no verb of the stories", w[0])
	}
	st.Verbs = verb
	list := &st.Writes
	switch w[0] {
	case "read", "copy_out":
		st.Kind, st.PgAudit, list = policy.KindRead, "READ", &st.Reads
		if w[0] == "copy_out" {
			st.Kind = policy.KindCopyOut
		}
	case "ddl":
		st.Kind, st.PgAudit = policy.KindDDL, "DDL"
	}
	for i := 1; i < len(w); i++ {
		next := ""
		if i+1 < len(w) {
			next = w[i+1]
		}
		switch {
		case w[i] == "where":
			st.Features |= policy.FeatWhere
		case w[i] == "limit":
			st.Features |= policy.FeatLimit
		case w[i] == "volatile":
			st.Features |= policy.FeatVolatileCall
		case w[i] == "from":
			list = &st.Reads
			st.Verbs |= policy.VerbRead
		case w[i] == "calls":
			f := relationOf(next)
			st.Functions = append(st.Functions, policy.Function{Schema: f.Schema, Name: f.Name})
			i++
		case w[i] == "fp":
			st.Fingerprint = next
			i++
		case w[i] == "tag":
			k, v, _ := strings.Cut(next, "=")
			tags = append(tags, policy.Tag{Key: k, Value: v})
			i++
		case unknownWords[w[i]] != 0:
			st.Unknown |= unknownWords[w[i]]
		default:
			*list = append(*list, relationOf(w[i]))
		}
	}
	return st, tags, nil
}

func relationOf(dotted string) policy.Relation {
	p := strings.Split(dotted, ".")
	switch len(p) {
	case 1:
		return policy.Relation{Name: p[0]}
	case 2:
		return policy.Relation{Schema: p[0], Name: p[1]}
	}
	return policy.Relation{Database: p[0], Schema: p[1], Name: p[2]}
}
