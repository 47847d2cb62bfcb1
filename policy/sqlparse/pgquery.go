package sqlparse

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"

	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// maxChain bounds how deep a tree libpg_query is asked to build. Its own stack
// check covers nesting to the right; a long chain to the left (1+1+1…, a JOIN b
// JOIN c…) grows the tree without growing the parser's stack, and walking it
// overflows the C stack of the whole process: with 8 MiB it dies between ten and
// thirty thousand links.
const maxChain = 3000

// tree parses one statement with libpg_query. sql is what the tokens were made of.
func tree(sql string, ts *tokens) ([]*pg.RawStmt, bool) {
	if chain(ts) > maxChain {
		return nil, false
	}
	r, err := pg.Parse(sql)
	if err != nil {
		return nil, false
	}
	return r.GetStmts(), true
}

// chain is an upper bound of the depth of the tree: the links of all chains that
// can be open at the same time. AND, OR and commas make lists, not chains.
func chain(ts *tokens) int {
	type level struct{ links, joins int }
	levels := []level{{}}
	outer, worst := 0, 0 // outer: the links of all levels but the last
	for _, t := range ts.list {
		top := &levels[len(levels)-1]
		switch {
		case t.text == "(" || t.text == "[":
			outer += top.links + top.joins + 1
			levels = append(levels, level{})
			continue
		case t.text == ")" || t.text == "]":
			if len(levels) > 1 {
				levels = levels[:len(levels)-1]
				outer -= levels[len(levels)-1].links + levels[len(levels)-1].joins + 1
			}
			continue
		case t.text == "," || t.word == "and" || t.word == "or":
			top.links = 0
		case t.Kind == sqllex.Operator || t.text == "::" || linkWords[t.word]:
			top.links++
		case t.word == "join" || t.word == "union" || t.word == "intersect" || t.word == "except":
			top.joins++
		}
		worst = max(worst, outer+top.links+top.joins)
	}
	return worst
}

// linkWords make a chain of expressions as operators do.
var linkWords = map[string]bool{
	"collate": true, "at": true, "is": true, "isnull": true, "notnull": true, "not": true, "like": true, "ilike": true, "similar": true,
	"in": true, "between": true, "operator": true, "case": true, "when": true, "then": true, "else": true, "overlaps": true, "escape": true,
}

// forGrammar rewrites a statement so that libpg_query, which reads literals with
// standard_conforming_strings on, sees what the server sees: literals with live
// backslashes become E'…', and #names of Redshift get quotes. same tells that
// nothing had to be changed. ok is false where no faithful spelling exists.
func forGrammar(sql string, mode sqllex.Mode) (out string, ok bool) {
	escapes := mode.Backslash || mode.Dialect == sqllex.Redshift
	if !escapes || strings.IndexByte(sql, '\\') < 0 && (mode.Dialect != sqllex.Redshift || !needsRewrite(sql, mode)) {
		return sql, true
	}
	var b strings.Builder
	l := sqllex.New(sql, mode)
	for {
		t, more := l.Next()
		if !more {
			return b.String(), true
		}
		text := sql[t.Start:t.End]
		slash := strings.IndexByte(text, '\\') >= 0
		switch {
		case t.Kind == sqllex.String && slash:
			b.WriteString(" E")
		case t.Kind == sqllex.UString, t.Kind == sqllex.BitString && slash:
			return "", false // read differently by those who know the prefix and those who do not
		case t.Kind == sqllex.Word && text[0] == '#':
			text = `"` + sqllex.Fold(text) + `"`
		}
		if mode.Dialect == sqllex.Redshift && (t.Kind == sqllex.Word || t.Kind == sqllex.Quoted) && len(text) > maxNamePostgres {
			return "", false // the grammar would cut the name
		}
		b.WriteString(text)
	}
}

// needsRewrite reports whether a statement without a backslash holds a #name or a
// name too long for the grammar.
func needsRewrite(sql string, mode sqllex.Mode) bool {
	l := sqllex.New(sql, mode)
	for {
		t, more := l.Next()
		if !more {
			return false
		}
		if t.Kind == sqllex.Word && sql[t.Start] == '#' || (t.Kind == sqllex.Word || t.Kind == sqllex.Quoted) && t.End-t.Start > maxNamePostgres || t.Kind == sqllex.UString {
			return true
		}
	}
}

// fingerprint is libpg_query's, or a hash of the masked text.
func fingerprint(sql string, mode sqllex.Mode, read bool) string {
	if read && len(sql) <= maxFingerprint {
		if fp, err := pg.Fingerprint(sql); err == nil {
			return fp
		}
	}
	return "x" + sqllex.Hash(sql, mode)
}

// maxFingerprint bounds the text that is parsed a second time for its fingerprint.
const maxFingerprint = 64 << 10
