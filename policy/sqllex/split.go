package sqllex

import "strings"

// Span is a range of bytes.
type Span struct{ Start, End int }

// Split returns the statements of src: from the first token that means something
// to the last, without the semicolon. Pieces of only white space and comments are
// left out. With max > 0 at most max pieces come back, the last one holding all
// the rest, semicolons and all.
//
// A semicolon separates outside parentheses and outside the BEGIN ATOMIC body of
// an SQL function. Whoever reads a piece that still holds a semicolon and cannot
// parse it must treat it as unreadable: text with unbalanced parentheses looks so.
func Split(src string, mode Mode, limit int) []Span {
	var out []Span
	s := NewSplitter(src, mode)
	for {
		span, ok := s.Next()
		if !ok {
			return out
		}
		if limit > 0 && len(out) == limit-1 {
			for {
				next, more := s.Next()
				if !more {
					break
				}
				span.End = next.End
			}
		}
		out = append(out, span)
	}
}

// Splitter yields the statements of a text one by one.
type Splitter struct {
	lex   Lexer
	each  func(Token) // sees the significant tokens of the statement to come
	depth int
	body  atomicBody
}

// NewSplitter returns a splitter at the start of src.
func NewSplitter(src string, mode Mode) *Splitter {
	return &Splitter{lex: New(src, mode)}
}

// Each makes the splitter call f for every token that is no white space and no
// comment, of the statements but not of the semicolons between them.
func (s *Splitter) Each(f func(Token)) { s.each = f }

// Next returns the next statement, or false at the end.
func (s *Splitter) Next() (Span, bool) {
	span := Span{Start: -1}
	s.depth, s.body = 0, atomicBody{}
	for {
		t, ok := s.lex.Next()
		if !ok {
			return span, span.Start >= 0
		}
		if t.Kind.Insignificant() {
			continue
		}
		if s.separates(t) {
			if span.Start < 0 {
				continue
			}
			return span, true
		}
		if span.Start < 0 {
			span.Start = t.Start
		}
		span.End = t.End
		if s.each != nil {
			s.each(t)
		}
	}
}

// separates follows the depth and says whether the token ends a statement.
func (s *Splitter) separates(t Token) bool {
	switch t.Kind {
	case Punct:
		switch s.lex.src[t.Start] {
		case '(':
			s.depth++
		case ')':
			s.depth = max(0, s.depth-1)
		case ';':
			return s.depth == 0 && s.body.depth == 0
		}
		s.body.other()
	case Word:
		if s.lex.mode.Dialect == Postgres && s.depth == 0 {
			s.body.word(s.lex.src[t.Start:t.End])
		}
	default:
		s.body.other()
	}
	return false
}

// atomicBody recognises CREATE [OR REPLACE] FUNCTION|PROCEDURE … BEGIN ATOMIC …
// END, the one place where a semicolon stands inside a statement without
// parentheses. CASE … END nests in it.
type atomicBody struct {
	stage int // words of the head seen; routine: it is a routine's head
	begin bool
	depth int
}

const routine = 100

func (b *atomicBody) other() {
	if b.stage < routine {
		b.stage = -1
	}
	b.begin = false
}

func (b *atomicBody) word(w string) {
	begin := b.begin
	b.begin = false
	switch {
	case b.depth > 0:
		switch {
		case strings.EqualFold(w, "case"):
			b.depth++
		case strings.EqualFold(w, "end"):
			b.depth--
		}
	case b.stage == routine:
		if begin && strings.EqualFold(w, "atomic") {
			b.depth = 1
		}
		b.begin = strings.EqualFold(w, "begin")
	case b.stage == 0 && strings.EqualFold(w, "create"),
		b.stage == 1 && strings.EqualFold(w, "or"),
		b.stage == 2 && strings.EqualFold(w, "replace"):
		b.stage++
	case (b.stage == 1 || b.stage == 3) && (strings.EqualFold(w, "function") || strings.EqualFold(w, "procedure")):
		b.stage = routine
	default:
		b.stage = -1
	}
}

// Comments returns the comments of src in order, at most limit of them.
func Comments(src string, mode Mode, limit int) []Span {
	var out []Span
	l := New(src, mode)
	for len(out) < limit {
		t, ok := l.Next()
		if !ok {
			break
		}
		if t.Kind == LineComment || t.Kind == BlockComment {
			out = append(out, Span{t.Start, t.End})
		}
	}
	return out
}

// Ambiguous reports whether it matters for src what a backslash means in plain
// literals: only if one stands in a literal, or in what looks like one.
func Ambiguous(src string) bool {
	if strings.IndexByte(src, '\\') < 0 {
		return false
	}
	l := New(src, Mode{Dialect: Postgres})
	for {
		t, ok := l.Next()
		if !ok {
			return false
		}
		if (t.Kind == String || t.Kind == UString || t.Kind == Bad) && strings.IndexByte(src[t.Start:t.End], '\\') >= 0 {
			return true
		}
	}
}
