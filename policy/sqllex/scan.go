package sqllex

import "strings"

const (
	classSpace = 1 << iota
	classStart // first byte of a name
	className  // later bytes of a name
	classDigit
	classOperator
)

var classes = func() (t [256]uint8) {
	for _, c := range []byte(" \t\n\r\f\v") {
		t[c] |= classSpace
	}
	for c := range 256 {
		b := byte(c)
		if b|0x20 >= 'a' && b|0x20 <= 'z' || b == '_' || b >= 0x80 {
			t[c] |= classStart | className
		}
		if b >= '0' && b <= '9' {
			t[c] |= classDigit | className
		}
	}
	t['$'] |= className
	for _, c := range []byte("~!@#^&|`?+-*/%<>=") {
		t[c] |= classOperator
	}
	return t
}()

func isSpace(c byte) bool     { return classes[c]&classSpace != 0 }
func isNameStart(c byte) bool { return classes[c]&classStart != 0 }
func isNameByte(c byte) bool  { return classes[c]&className != 0 }
func isDigit(c byte) bool     { return classes[c]&classDigit != 0 }
func isOperator(c byte) bool  { return classes[c]&classOperator != 0 }

func spaceEnd(s string, i int) int {
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	return i
}

func nameEnd(s string, i int) int {
	for i < len(s) && isNameByte(s[i]) {
		i++
	}
	return i
}

// lineEnd is where a -- comment ends: before \n or \r, either of them.
func lineEnd(s string, i int) int {
	if n := strings.IndexAny(s[i:], "\n\r"); n >= 0 {
		return i + n
	}
	return len(s)
}

// blockComment scans a comment and those inside it.
func blockComment(s string, i int) (kind Kind, end int) {
	depth := 1
	for i += 2; i < len(s); {
		switch {
		case s[i] == '*' && at(s, i+1) == '/':
			i += 2
			if depth--; depth == 0 {
				return BlockComment, i
			}
		case s[i] == '/' && at(s, i+1) == '*':
			depth++
			i += 2
		default:
			i++
		}
	}
	return Bad, len(s)
}

// name scans a quoted name; two quotes stand for one.
func name(s string, i int, kind Kind) (k Kind, end int) {
	for i++; i < len(s); i++ {
		if s[i] != '"' {
			continue
		}
		if at(s, i+1) != '"' {
			return kind, i + 1
		}
		i++
	}
	return Bad, len(s)
}

// quoted scans a literal whose opening quote is at i, and the literals that
// continue it on later lines: they belong to the same value, and in E'…' a
// backslash escapes in them too.
func quoted(s string, i int, kind Kind, escapes bool) (k Kind, end int) {
	for {
		i = quoteEnd(s, i+1, escapes)
		if i < 0 {
			return Bad, len(s)
		}
		next := continuation(s, i)
		if next < 0 {
			return kind, i
		}
		i = next
	}
}

// bits scans B'…' and X'…': no escapes, and two quotes do not stand for one there.
func bits(s string, i int) (k Kind, end int) {
	for {
		n := strings.IndexByte(s[i+1:], '\'')
		if n < 0 {
			return Bad, len(s)
		}
		end = i + n + 2
		if i = continuation(s, end); i < 0 {
			return BitString, end
		}
	}
}

// quoteEnd is the offset behind the closing quote, or -1.
func quoteEnd(s string, i int, escapes bool) int {
	for ; i < len(s); i++ {
		switch {
		case s[i] == '\\' && escapes:
			i++
		case s[i] != '\'':
		case at(s, i+1) == '\'':
			i++
		default:
			return i + 1
		}
	}
	return -1
}

// continuation is the offset of the quote that continues a literal ended before
// i, or -1: only white space with a line break, and -- comments, may stand between.
// It looks no further than one gap, so that scanning stays linear.
func continuation(s string, i int) int {
	broken := false
	for i < len(s) {
		switch c := s[i]; {
		case c == '\n' || c == '\r':
			broken = true
			i++
		case isSpace(c):
			i++
		case c == '-' && at(s, i+1) == '-':
			i = lineEnd(s, i)
		case c == '\'' && broken:
			return i
		default:
			return -1
		}
	}
	return -1
}

// dollar scans $1, $tag$…$tag$, or a lone dollar sign.
func dollar(s string, i int) (kind Kind, end int) {
	if isDigit(at(s, i+1)) {
		for i++; i < len(s) && isDigit(s[i]); i++ {
		}
		return Param, i
	}
	j := i + 1
	if j < len(s) && isNameStart(s[j]) {
		for j++; j < len(s) && isNameByte(s[j]) && s[j] != '$'; j++ {
		}
	}
	if at(s, j) != '$' {
		return Bad, i + 1
	}
	tag := s[i : j+1]
	n := strings.Index(s[j+1:], tag)
	if n < 0 {
		return Bad, len(s)
	}
	return Dollar, j + 1 + n + len(tag)
}

// numberEnd takes digits, a fraction, an exponent, 0x and underscores.
func numberEnd(s string, i int) int {
	if s[i] == '0' && i+2 < len(s) && strings.IndexByte("xXoObB", s[i+1]) >= 0 && isHex(s[i+2]) {
		for i += 2; i < len(s) && (isHex(s[i]) || s[i] == '_'); i++ {
		}
		return i
	}
	i = digitsEnd(s, i)
	if at(s, i) == '.' && at(s, i+1) != '.' {
		i = digitsEnd(s, i+1)
	}
	if at(s, i)|0x20 == 'e' {
		j := i + 1
		if c := at(s, j); c == '+' || c == '-' {
			j++
		}
		if isDigit(at(s, j)) {
			i = digitsEnd(s, j)
		}
	}
	return i
}

func digitsEnd(s string, i int) int {
	for i < len(s) && (isDigit(s[i]) || s[i] == '_' && isDigit(at(s, i+1))) {
		i++
	}
	return i
}

func isHex(c byte) bool {
	return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// operatorEnd takes operator characters up to a comment, or on Redshift a #name,
// that begins among them.
func operatorEnd(s string, i int, d Dialect) int {
	for i++; i < len(s) && isOperator(s[i]); i++ {
		next := at(s, i+1)
		switch {
		case s[i] == '-' && next == '-', s[i] == '/' && next == '*':
			return i
		case s[i] == '#' && d == Redshift && isNameStart(next):
			return i
		}
	}
	return i
}
