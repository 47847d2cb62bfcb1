package sqllex

// Lexer walks over a text. It is a small value; it allocates nothing.
type Lexer struct {
	src      string
	pos      int
	mode     Mode
	brackets int // depth of [ ]: a colon after a value is an array slice there
}

// New returns a lexer at the start of src.
func New(src string, mode Mode) Lexer {
	return Lexer{src: src, mode: mode}
}

// Next returns the next token, or false at the end. Tokens tile the text: each
// starts where the one before ended, none is empty.
func (l *Lexer) Next() (Token, bool) {
	if l.pos >= len(l.src) {
		return Token{}, false
	}
	start := l.pos
	kind, end := l.scan(start)
	l.pos = end
	return Token{Kind: kind, Start: start, End: end}, true
}

// scan finds the token at i; the order of the cases is that of the server's
// scanner: the longest match wins there, and the prefixes are disjoint but for
// letters before a quote.
func (l *Lexer) scan(i int) (kind Kind, end int) {
	s, c := l.src, l.src[i]
	switch {
	case isSpace(c):
		return Space, spaceEnd(s, i)
	case c == '-' && at(s, i+1) == '-':
		return LineComment, lineEnd(s, i)
	case c == '/' && at(s, i+1) == '*':
		return blockComment(s, i)
	case isNameStart(c):
		return l.word(i)
	case c == '\'':
		return quoted(s, i, String, l.mode.backslash())
	case c == '"':
		return name(s, i, Quoted)
	case c == '$':
		return dollar(s, i)
	case isDigit(c), c == '.' && isDigit(at(s, i+1)):
		return Number, numberEnd(s, i)
	case c == '#' && l.mode.Dialect == Redshift && isNameStart(at(s, i+1)):
		return Word, nameEnd(s, i+1)
	case c == ':':
		return l.colon(i)
	case c == '.' && at(s, i+1) == '.':
		return Punct, i + 2
	case c == '[':
		l.brackets++
		return Punct, i + 1
	case c == ']':
		l.brackets = max(0, l.brackets-1)
		return Punct, i + 1
	case c == ';':
		l.brackets = 0
		return Punct, i + 1
	case c == '(' || c == ')' || c == ',' || c == '.':
		return Punct, i + 1
	case isOperator(c):
		return Operator, operatorEnd(s, i, l.mode.Dialect)
	}
	return Bad, i + 1
}

// word scans a name or keyword, or the literal that its letter announces.
func (l *Lexer) word(i int) (kind Kind, end int) {
	s := l.src
	switch s[i] | 0x20 {
	case 'e':
		if at(s, i+1) == '\'' {
			return quoted(s, i+1, EString, true)
		}
	case 'b', 'x':
		if at(s, i+1) == '\'' {
			return bits(s, i+1)
		}
	case 'u':
		if at(s, i+1) != '&' {
			break
		}
		// Redshift has no U&: there it is a name, an operator and a plain literal
		// with its escapes, which ends at the same quote as read here.
		switch at(s, i+2) {
		case '\'':
			return quoted(s, i+2, UString, l.mode.backslash())
		case '"':
			return name(s, i+2, UQuoted)
		}
	}
	return Word, nameEnd(s, i+1)
}

// colon scans what begins with a colon: a cast, an assignment, a bound name.
func (l *Lexer) colon(i int) (kind Kind, end int) {
	s := l.src
	next := at(s, i+1)
	if next == ':' || next == '=' {
		return Punct, i + 2
	}
	if !l.mode.Binds || !isNameStart(next) || next == '$' {
		return Punct, i + 1
	}
	if i > 0 && l.brackets > 0 && endsValue(s[i-1]) {
		return Punct, i + 1 // a[lo:hi]
	}
	if i > 0 && (isNameByte(s[i-1]) || s[i-1] == ':') {
		return Punct, i + 1 // key:value, as in a URL without quotes
	}
	return Bind, nameEnd(s, i+1)
}

// endsValue reports whether a byte can end a value: behind it a colon in
// brackets is a slice.
func endsValue(c byte) bool {
	return isNameByte(c) || c == ')' || c == ']' || c == '"' || c == '\''
}

// at is s[i], or 0 behind the end.
func at(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}
