package sqlparse

import (
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// token is a significant token of a statement.
type token struct {
	sqllex.Token
	text string // as written
	word string // folded, for Word tokens; else empty
	gap  bool   // something stood between it and the token before
}

// tokens is a statement as its significant tokens.
type tokens struct {
	list  []token
	mode  sqllex.Mode
	match []int32 // for each parenthesis the index of its partner, else -1
	// whole: nothing was left out and all parentheses have partners.
	whole bool
	// shortened: forGrammar left out the inside of a long literal.
	shortened bool
}

const (
	// maxTokens bounds the tokens looked at in one statement.
	maxTokens = 1 << 17
	// maxValues and maxRows bound the plain values of a list (in (1, 2, …)) and the
	// rows of plain values (values (1, 'a'), (2, 'b'), …) that are kept: there is no
	// fact in them, and bulk loads send tens of thousands.
	maxValues = 64
	maxRows   = 64
)

// newTokens reads the significant tokens of a statement.
func newTokens(sql string, mode sqllex.Mode) *tokens {
	ts := &tokens{mode: mode, whole: true, list: make([]token, 0, min(64, len(sql)/3+1))}
	c := compactor{lastRow: -1}
	l := sqllex.New(sql, mode)
	end := 0
	for {
		t, ok := l.Next()
		if !ok {
			break
		}
		if t.Kind.Insignificant() {
			continue
		}
		if len(ts.list) >= maxTokens {
			ts.whole = false
			break
		}
		tok := token{Token: t, text: sql[t.Start:t.End], gap: t.Start != end}
		end = t.End
		switch t.Kind {
		case sqllex.Word:
			tok.word = sqllex.Fold(tok.text)
		case sqllex.Bad:
			ts.whole = false
		}
		ts.list = c.add(ts.list, tok)
	}
	ts.pair()
	return ts
}

// compactor leaves out what comes too often in lists of plain values.
type compactor struct {
	values  int         // plain values in the list that ends here
	open    []openGroup // parentheses that are open
	rows    int         // rows of plain values that follow each other up to here
	lastRow int         // where the last of them ended, or -1
}

type openGroup struct {
	at    int  // index of the parenthesis
	plain bool // only plain values so far
}

func (c *compactor) add(list []token, t token) []token {
	n := len(list)
	switch {
	case t.Kind == sqllex.Punct && t.text == "(":
		c.open = append(c.open, openGroup{at: n, plain: true})
	case t.Kind == sqllex.Punct && t.text == ")":
		return c.closed(append(list, t))
	case plainValue(t):
		if n < 2 || list[n-1].text != "," || !plainValue(list[n-2]) {
			c.values = 0
		}
		if c.values++; c.values > maxValues {
			return list[:n-1] // with the comma
		}
	case t.text != "," && !plainWord(t) && len(c.open) > 0:
		c.open[len(c.open)-1].plain = false
	}
	return append(list, t)
}

// closed looks at the group that the last token closes.
func (c *compactor) closed(list []token) []token {
	if len(c.open) == 0 {
		return list
	}
	g := c.open[len(c.open)-1]
	c.open = c.open[:len(c.open)-1]
	if len(c.open) > 0 {
		c.open[len(c.open)-1].plain = false
	}
	if !g.plain {
		return list
	}
	if g.at < 2 || list[g.at-1].text != "," || c.lastRow != g.at-2 {
		c.rows = 0
	}
	if c.rows++; c.rows > maxRows {
		return list[:g.at-1]
	}
	c.lastRow = len(list) - 1
	return list
}

// plainValue reports whether a token is a value by itself.
func plainValue(t token) bool {
	return t.Kind.Literal() && t.Kind != sqllex.Bad || t.Kind == sqllex.Param
}

// plainWord reports whether a token may stand in a row of plain values beside them.
func plainWord(t token) bool {
	switch t.word {
	case "null", "true", "false", "default":
		return true
	}
	return t.text == "-" || t.text == "+"
}

// pair finds the partner of each parenthesis and bracket.
func (ts *tokens) pair() {
	ts.match = make([]int32, len(ts.list))
	var open []int
	for i, t := range ts.list {
		ts.match[i] = -1
		switch {
		case t.Kind != sqllex.Punct:
		case t.text == "(", t.text == "[":
			open = append(open, i)
		case t.text == ")", t.text == "]":
			if len(open) == 0 || (ts.list[open[len(open)-1]].text == "(") != (t.text == ")") {
				ts.whole = false
				continue
			}
			j := open[len(open)-1]
			open = open[:len(open)-1]
			ts.match[i], ts.match[j] = int32(j), int32(i)
		case t.text == ";":
			ts.whole = false // only a grammar can tell what it is doing here
		}
	}
	if len(open) > 0 {
		ts.whole = false
	}
}

// at is the token at i, or an empty one.
func (ts *tokens) at(i int) token {
	if i >= 0 && i < len(ts.list) {
		return ts.list[i]
	}
	return token{}
}

// is reports whether the words stand at i.
func (ts *tokens) is(i int, words ...string) bool {
	for k, w := range words {
		if t := ts.at(i + k); t.word != w && (t.Kind != sqllex.Punct && t.Kind != sqllex.Operator || t.text != w) {
			return false
		}
	}
	return true
}

// skip is i behind the first of the phrases that stands there, else i.
func (ts *tokens) skip(i int, phrases ...string) int {
	for _, p := range phrases {
		if words := strings.Fields(p); ts.is(i, words...) {
			return i + len(words)
		}
	}
	return i
}

// find is the index of the first of the words in [i, end) outside parentheses, or -1.
func (ts *tokens) find(i, end int, words ...string) int {
	for ; i < end && i < len(ts.list); i++ {
		if slices.Contains(words, ts.list[i].word) {
			return i
		}
		if m := int(ts.match[i]); m > i {
			i = m
		}
	}
	return -1
}

// name reads a dotted name at i and returns its parts and the index behind it.
func (ts *tokens) name(i int) (parts []string, next int) {
	for {
		part, ok := ts.part(i)
		if !ok {
			return nil, i
		}
		parts = append(parts, part)
		if i++; !ts.is(i, ".") {
			return parts, i
		}
		i++
	}
}

// part is one part of a name. A U&"name" has its escapes only if it has none.
func (ts *tokens) part(i int) (string, bool) {
	switch t := ts.at(i); t.Kind {
	case sqllex.Word:
		return ts.truncate(t.word), true
	case sqllex.Quoted:
		return ts.truncate(sqllex.Unquote(t.text)), true
	case sqllex.UQuoted:
		s := sqllex.Unquote(t.text[2:])
		return ts.truncate(s), !strings.Contains(s, `\`) && ts.at(i+1).word != "uescape"
	}
	return "", false
}

// truncate cuts a name as the server does.
func (ts *tokens) truncate(s string) string {
	limit := maxNamePostgres
	if ts.mode.Dialect == sqllex.Redshift {
		limit = maxNameRedshift
	}
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xC0 == 0x80 {
		limit--
	}
	return s[:limit]
}

// The longest names the servers keep, in bytes.
const (
	maxNamePostgres = 63
	maxNameRedshift = 127
)

// relation reads a relation's name at i; ok is false if none stands there or it
// has too many parts.
func (ts *tokens) relation(i int) (r policy.Relation, next int, ok bool) {
	parts, next := ts.name(i)
	r, ok = relationOf(parts)
	return r, next, ok
}

func relationOf(parts []string) (policy.Relation, bool) {
	switch len(parts) {
	case 1:
		return policy.Relation{Name: parts[0]}, true
	case 2:
		return policy.Relation{Schema: parts[0], Name: parts[1]}, true
	case 3:
		return policy.Relation{Database: parts[0], Schema: parts[1], Name: parts[2]}, true
	}
	return policy.Relation{}, false
}

// literal is the text a literal token at i stands for.
func (ts *tokens) literal(i int) (string, bool) {
	t := ts.at(i)
	if !t.Kind.Text() {
		return "", false
	}
	return sqllex.Value(t.text, t.Kind, ts.mode)
}
