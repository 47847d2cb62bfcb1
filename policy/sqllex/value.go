package sqllex

import (
	"strings"
	"unicode/utf8"
)

// Fold returns the name a Word token stands for: ASCII letters in lower case, as
// the servers fold them.
func Fold(word string) string {
	for i := 0; i < len(word); i++ {
		if c := word[i]; c >= 'A' && c <= 'Z' {
			return lowerASCII(word)
		}
	}
	return word
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

// Unquote returns the name inside a Quoted token.
func Unquote(text string) string {
	if len(text) < 2 {
		return ""
	}
	return strings.ReplaceAll(text[1:len(text)-1], `""`, `"`)
}

// Value returns what a literal token stands for: the text without quotes, the
// escapes resolved, continuation lines joined. It returns false for literals that
// are not text (bits, U&, numbers) and for escapes it does not know.
func Value(text string, kind Kind, mode Mode) (string, bool) {
	switch kind {
	case Dollar:
		n := strings.IndexByte(text[1:], '$') + 2
		return text[n : len(text)-n], true
	case String:
		return literal(text, mode.backslash())
	case EString:
		return literal(text[1:], true)
	default:
		return "", false
	}
}

// literal joins the parts of a literal; text begins with the first quote.
func literal(text string, escapes bool) (string, bool) {
	if !escapes && strings.Count(text, "'") == 2 {
		return text[1 : len(text)-1], true
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		end := quoteEnd(text, i+1, escapes)
		if end < 0 || !unescape(&b, text[i+1:end-1], escapes) {
			return "", false
		}
		i = continuation(text, end)
		if i < 0 {
			break
		}
	}
	return b.String(), true
}

func unescape(b *strings.Builder, s string, escapes bool) bool {
	for i := 0; i < len(s); {
		switch {
		case s[i] == '\'':
			b.WriteByte('\'')
			i += 2
		case s[i] == '\\' && escapes:
			n := escape(b, s[i:])
			if n == 0 {
				return false
			}
			i += n
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	return true
}

// escape resolves the backslash sequence at the start of s and returns its length.
func escape(b *strings.Builder, s string) int {
	if len(s) < 2 {
		return 0
	}
	switch c := s[1]; c {
	case 'b':
		b.WriteByte('\b')
	case 'f':
		b.WriteByte('\f')
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 't':
		b.WriteByte('\t')
	case '0', '1', '2', '3', '4', '5', '6', '7':
		return number(b, s, 1, 3, 8, false)
	case 'x':
		if n := number(b, s, 2, 2, 16, false); n > 0 {
			return n
		}
		b.WriteByte('x')
	case 'u':
		return fixed(b, s, 4)
	case 'U':
		return fixed(b, s, 8)
	default:
		b.WriteByte(c)
	}
	return 2
}

// number takes up to n digits of the base from offset i and writes a byte, or with
// asRune a rune. It returns the length of the sequence, 0 without digits.
func number(b *strings.Builder, s string, i, n, base int, asRune bool) int {
	v, start := 0, i
	for ; i < len(s) && i < start+n; i++ {
		d := digit(s[i])
		if d >= base {
			break
		}
		v = v*base + d
	}
	if i == start {
		return 0
	}
	if asRune {
		if !utf8.ValidRune(rune(v)) {
			return 0
		}
		b.WriteRune(rune(v))
		return i
	}
	b.WriteByte(byte(v))
	return i
}

// fixed takes exactly n hex digits.
func fixed(b *strings.Builder, s string, n int) int {
	if len(s) < 2+n {
		return 0
	}
	for _, c := range []byte(s[2 : 2+n]) {
		if digit(c) > 15 {
			return 0
		}
	}
	return number(b, s, 2, n, 16, true)
}

func digit(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return 255
}
