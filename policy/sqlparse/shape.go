package sqlparse

import (
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// A dashboard or a service sends the same statement with another number each
// time. Its facts do not depend on the number: so a text that is not known is
// looked up once more with the digits of such numbers made ones, which keeps every
// byte in its place, and the facts of that shape are what it has.
//
// A number counts only where nothing can hang on its value: a plain integer that
// fits the grammar's, in one statement that selects or changes rows, and not among
// the arguments of a function or a type. All else of the text is compared byte by
// byte as ever: strings, names and comments hold facts.

const (
	maxShape       = 16 << 10 // a longer text is rarely sent twice
	maxShapeDepth  = 64
	maxShapeDigits = 9 // ten may not fit the grammar's integer, which makes another token of it
)

// shapeOf returns the shape of a text, nil where it has none or is its own.
func shapeOf(sql []byte, env Env, set charset) []byte {
	if len(sql) > maxShape || !plainBytes(sql, set) {
		return nil
	}
	s := shaper{src: view(sql)}
	lex := sqllex.New(s.src, sqllex.Mode{Dialect: env.Dialect})
	for {
		t, ok := lex.Next()
		if !ok {
			return s.out
		}
		if !t.Kind.Insignificant() && !s.token(t, sql) {
			return nil
		}
	}
}

// plainBytes reports whether the lexer's reading of a text is the only one: no
// backslash, and no character that another encoding could read differently.
func plainBytes(sql []byte, set charset) bool {
	for _, c := range sql {
		if c == '\\' || c == 0 || c >= 0x80 && set != utf8Text {
			return false
		}
	}
	return true
}

type shaper struct {
	src   string
	out   []byte // nil until a digit changes
	first bool   // the first word was seen
	ended bool   // a semicolon was seen
	name  bool   // the token before can be the name of a function or a type
	depth int
	calls uint64 // a bit for each open bracket: arguments, or within some
}

// token looks at one token; false: the text has no shape.
func (s *shaper) token(t sqllex.Token, sql []byte) bool {
	text := s.src[t.Start:t.End]
	if s.ended || t.Kind == sqllex.Bad {
		return false
	}
	named := s.name
	s.name = false
	switch t.Kind {
	case sqllex.Word:
		if !s.first {
			s.first = true
			return shapeWord(text, shapeHeads)
		}
		s.name = !shapeWord(text, shapeKeywords)
	case sqllex.Quoted, sqllex.UQuoted:
		s.name = true
	case sqllex.Punct:
		return s.punct(text, named)
	case sqllex.Number:
		if s.calls&(1<<s.depth) == 0 && s.integer(t) {
			s.ones(t, sql)
		}
	case sqllex.Space, sqllex.LineComment, sqllex.BlockComment, sqllex.String, sqllex.EString, sqllex.UString,
		sqllex.BitString, sqllex.Dollar, sqllex.Param, sqllex.Bind, sqllex.Operator, sqllex.Bad:
	}
	return s.first
}

func (s *shaper) punct(text string, named bool) bool {
	switch text {
	case "(", "[":
		inside := s.calls & (1 << s.depth)
		s.depth++
		if s.depth == maxShapeDepth {
			return false
		}
		s.calls &^= 1 << s.depth
		if inside != 0 || named && text == "(" {
			s.calls |= 1 << s.depth
		}
	case ")", "]":
		s.depth--
		return s.depth >= 0
	case ";":
		s.ended = true
	}
	return s.first || text == "("
}

// integer reports whether a number is a plain one that stands by itself.
func (s *shaper) integer(t sqllex.Token) bool {
	n := t.End - t.Start
	if n > maxShapeDigits || n > 1 && s.src[t.Start] == '0' {
		return false
	}
	for i := t.Start; i < t.End; i++ {
		if s.src[i] < '0' || s.src[i] > '9' {
			return false
		}
	}
	return (t.Start == 0 || alone(s.src[t.Start-1]) && s.src[t.Start-1] != ':') && (t.End == len(s.src) || alone(s.src[t.End]))
}

// alone reports whether a number beside c is a token of its own to every scanner.
func alone(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c >= 0x80:
		return false
	}
	switch c {
	case '_', '$', '.', '\'', '"', '#', '@':
		return false
	}
	return true
}

func (s *shaper) ones(t sqllex.Token, sql []byte) {
	for i := t.Start; i < t.End; i++ {
		if s.src[i] == '1' {
			continue
		}
		if s.out == nil {
			s.out = append(make([]byte, 0, len(sql)), sql...)
		}
		s.out[i] = '1'
	}
}

// shapeHeads begin the statements that have a shape: without options, in which a
// number can be a yes or no.
var shapeHeads = map[string]bool{"select": true, "insert": true, "update": true, "delete": true, "with": true, "values": true}

// shapeKeywords may stand before a bracket that holds no arguments.
var shapeKeywords = map[string]bool{
	"all": true, "and": true, "any": true, "as": true, "between": true, "by": true, "else": true, "except": true, "exists": true,
	"from": true, "having": true, "in": true, "intersect": true, "limit": true, "materialized": true, "not": true, "offset": true,
	"on": true, "or": true, "returning": true, "select": true, "set": true, "some": true, "then": true, "top": true, "union": true,
	"values": true, "when": true, "where": true,
}

// shapeWord looks a word up without regard to case.
func shapeWord(word string, in map[string]bool) bool {
	var low [16]byte
	if len(word) > len(low) {
		return false
	}
	for i := range len(word) {
		c := word[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		low[i] = c
	}
	return in[string(low[:len(word)])]
}
