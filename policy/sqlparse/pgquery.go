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

// tree parses one statement with libpg_query. sql is what forGrammar made of ts.
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

// maxGrammarTokens bounds what the grammar is asked to read: about a microsecond
// and a hundred bytes a token.
const maxGrammarTokens = 1 << 15

// maxLiteral bounds the literals that the grammar gets to see whole: what is longer
// is a document or a picture, not a fact.
const maxLiteral = 16 << 10

// forGrammar writes a statement so that libpg_query, which reads literals with
// standard_conforming_strings on, sees what the server sees: literals with live
// backslashes become E'…', and #names of Redshift get quotes. Comments become a
// blank, since the scanner of Postgres takes quadratic time over /*/*/*… as it does
// over endless operators. ok is false where no faithful spelling exists, where the
// server's scanner refuses the text, or where more than limit bytes are left of it.
func forGrammar(ts *tokens, limit int) (sql string, ok bool) {
	if len(ts.list) > maxGrammarTokens || len(ts.list) == 0 {
		return "", false
	}
	redshift := ts.mode.Dialect == sqllex.Redshift
	escapes := ts.mode.Backslash || redshift
	var b strings.Builder
	b.Grow(min(limit, ts.list[len(ts.list)-1].End-ts.list[0].Start+16))
	for i, t := range ts.list {
		if b.Len()+len(t.text) > limit && len(t.text) <= maxLiteral {
			return "", false
		}
		if t.gap && i > 0 {
			b.WriteByte(' ')
		}
		switch t.Kind {
		case sqllex.String, sqllex.EString, sqllex.Dollar:
			if len(t.text) > maxLiteral {
				b.WriteString("''")
				ts.shortened = true
				continue
			}
			if t.Kind == sqllex.String && escapes && strings.IndexByte(t.text, '\\') >= 0 {
				b.WriteString(" E")
			}
		case sqllex.Bad:
			return "", false // an open quote, or a byte no statement holds
		case sqllex.Operator:
			if len(t.text) > maxNamePostgres {
				return "", false // operator too long
			}
		case sqllex.UString:
			if escapes {
				return "", false // the server refuses it, or does not know it
			}
		case sqllex.BitString:
			if redshift && strings.IndexByte(t.text, '\\') >= 0 {
				return "", false
			}
		case sqllex.Word, sqllex.Quoted:
			if redshift && len(t.text) > maxNamePostgres {
				return "", false // the grammar would cut the name
			}
			if t.text[0] == '#' {
				b.WriteByte('"')
				b.WriteString(t.word)
				b.WriteByte('"')
				continue
			}
		default:
		}
		b.WriteString(t.text)
	}
	return b.String(), true
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
