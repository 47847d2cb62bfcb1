package sqlparse

import (
	"strings"
	"unicode/utf8"
)

// charset is how a client encoding writes what is not ASCII.
type charset uint8

const (
	utf8Text charset = iota
	latin1
	latin9
	win1252
	opaqueBytes // single bytes, or multi-byte without ASCII among the later bytes
	mule2       // two bytes, the second of which may be ASCII: BIG5, GBK, UHC, JOHAB
	sjis        // as mule2, but A1-DF are single bytes
	gb18030     // two or four bytes
)

// charsetOf knows the encodings by the names Postgres gives and takes: without
// regard to case and punctuation. It is on the way of every message and allocates
// nothing.
func charsetOf(encoding string) charset {
	var buf [16]byte // the longest name of interest is shorter
	name := buf[:0]
	for i := 0; i < len(encoding) && len(name) < len(buf); i++ {
		switch c := encoding[i]; {
		case c >= 'A' && c <= 'Z':
			name = append(name, c|0x20)
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			name = append(name, c)
		}
	}
	switch string(name) {
	case "utf8", "unicode", "":
		return utf8Text
	case "latin1", "iso88591":
		return latin1
	case "latin9", "iso885915":
		return latin9
	case "win1252", "windows1252":
		return win1252
	case "sjis", "shiftjis", "mskanji", "win932", "windows932", "shiftjis2004":
		return sjis
	case "big5", "win950", "windows950", "gbk", "win936", "windows936", "uhc", "win949", "windows949", "johab":
		return mule2
	case "gb18030":
		return gb18030
	}
	return opaqueBytes
}

// decoded is a text as UTF-8 and the way back to the offsets of the original.
type decoded struct {
	text string
	// exact: every character is what the client meant. Otherwise the strange ones
	// stand as the replacement character, and names that hold one are unknown.
	exact bool

	source string // as the client sent it; empty if it is the text
	set    charset
	at, by int // an offset in the text and the same place in the source
}

// original is the offset in the client's bytes of an offset in the text. It is
// asked in ascending order: it walks along rather than keep a table.
func (d *decoded) original(i int) int {
	if d.source == "" {
		return i
	}
	for d.at < i && d.by < len(d.source) {
		if d.source[d.by] < utf8.RuneSelf {
			d.at++
			d.by++
			continue
		}
		r, n := character(d.source[d.by:], d.set)
		d.at += utf8.RuneLen(r)
		d.by += n
	}
	return d.by
}

// decode reads sql in the client's encoding.
func decode(sql string, c charset) decoded {
	if c == utf8Text && utf8.ValidString(sql) || ascii(sql) {
		return decoded{text: sql, exact: true}
	}
	d := decoded{exact: true, source: sql, set: c}
	var b strings.Builder
	b.Grow(len(sql) + len(sql)/8)
	for i := 0; i < len(sql); {
		if sql[i] < utf8.RuneSelf {
			b.WriteByte(sql[i])
			i++
			continue
		}
		r, n := character(sql[i:], c)
		if r == utf8.RuneError {
			d.exact = false
		}
		b.WriteRune(r)
		i += n
	}
	d.text = b.String()
	return d
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// character reads the character at the start of s, whose first byte is not ASCII.
func character(s string, c charset) (r rune, n int) {
	switch c {
	case utf8Text:
		return utf8.DecodeRuneInString(s)
	case latin1:
		return rune(s[0]), 1
	case latin9:
		if r, ok := latin9Only[s[0]]; ok {
			return r, 1
		}
		return rune(s[0]), 1
	case win1252:
		if s[0] < 0xA0 {
			return win1252Only[s[0]-0x80], 1
		}
		return rune(s[0]), 1
	case opaqueBytes:
		return utf8.RuneError, 1
	case sjis:
		if s[0] >= 0xA1 && s[0] <= 0xDF {
			return utf8.RuneError, 1
		}
	case gb18030:
		if len(s) > 1 && s[1] >= '0' && s[1] <= '9' {
			return utf8.RuneError, min(4, len(s))
		}
	case mule2:
	}
	return utf8.RuneError, min(2, len(s))
}

// latin9Only are the characters in which LATIN9 differs from LATIN1.
var latin9Only = map[byte]rune{0xA4: '€', 0xA6: 'Š', 0xA8: 'š', 0xB4: 'Ž', 0xB8: 'ž', 0xBC: 'Œ', 0xBD: 'œ', 0xBE: 'Ÿ'}

// win1252Only are the characters 80 to 9F of Windows 1252.
var win1252Only = [32]rune{
	'€', utf8.RuneError, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', utf8.RuneError, 'Ž', utf8.RuneError,
	utf8.RuneError, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', utf8.RuneError, 'ž', 'Ÿ',
}

// strange reports whether a name holds a character that could not be read.
func strange(parts ...string) bool {
	for _, p := range parts {
		if strings.ContainsRune(p, utf8.RuneError) {
			return true
		}
	}
	return false
}
