package sqllex

import (
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"
)

// Names says what Mask does with names in double quotes.
type Names uint8

// The ways to treat quoted names.
const (
	// PlainNames keeps those that look like names ("Orders", "order_id") and blanks
	// the rest: people put values in double quotes by mistake.
	PlainNames Names = iota
	// NoNames blanks them all: for text that could not be read.
	NoNames
)

// Mask appends src to dst without its literals and comments: each literal becomes
// a question mark, a list of them "?, ...", white space one blank. No byte of a
// literal, of a number, of an open quote or of what sticks to a number comes
// through. At most limit bytes are appended; cut says that there was more.
func Mask(dst []byte, src string, mode Mode, names Names, limit int) (out []byte, cut bool) {
	start := len(dst)
	mask(src, mode, names, func(piece string) bool {
		if len(dst)-start+len(piece) > limit {
			room := limit - (len(dst) - start)
			for room > 0 && !utf8.RuneStart(piece[room]) {
				room--
			}
			dst, cut = append(dst, piece[:max(0, room)]...), true
			return false
		}
		dst = append(dst, piece...)
		return true
	})
	return dst, cut
}

// Hash is a fingerprint of the masked text: 16 hex digits, equal for texts that
// differ in literals, comments and white space only.
func Hash(src string, mode Mode) string {
	h := sha256.New()
	buf := make([]byte, 0, 512)
	mask(src, mode, NoNames, func(piece string) bool {
		if len(buf)+len(piece) > cap(buf) {
			h.Write(buf)
			buf = buf[:0]
		}
		buf = append(buf, piece...)
		return true
	})
	h.Write(buf)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// masker remembers enough of what was put out to join and to collapse.
type masker struct {
	put  func(string) bool
	ok   bool
	any  bool // something was put out
	gap  bool // white space or a comment since
	last byte // what was put out last: 'v'alue, 'c'omma behind a value, 'l'ist of values, 0 other
	held bool // a comma that waits whether a value follows
	end  int  // where the last value ended in the source
}

func mask(src string, mode Mode, names Names, put func(string) bool) {
	m := masker{put: put, ok: true, end: -1}
	l := New(src, mode)
	for m.ok {
		t, ok := l.Next()
		if !ok {
			break
		}
		text := src[t.Start:t.End]
		switch {
		case t.Kind.Insignificant():
			m.gap = true
		case t.Kind.Literal(), t.Kind == Word && t.Start == m.end, hidden(t.Kind, text, names):
			m.value(t)
		case text == "," && (m.last == 'v' || m.last == 'l'):
			m.held, m.gap = true, false
		default:
			m.other(text)
		}
	}
	m.flush()
}

// hidden reports whether a quoted name must go.
func hidden(k Kind, text string, names Names) bool {
	if k == UQuoted {
		return true
	}
	return k == Quoted && (names == NoNames || !plainName(text[1:len(text)-1]))
}

func plainName(s string) bool {
	if s == "" || len(s) > 63 || !isNameStart(s[0]) && s[0] != '#' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !isNameByte(s[i]) {
			return false
		}
	}
	return true
}

// value puts out a question mark, or makes the one before it a list.
func (m *masker) value(t Token) {
	switch {
	case t.Start == m.end && !m.held: // sticks to the value before it
	case m.held:
		if m.last == 'v' {
			m.write(", ...")
		}
		m.held, m.last, m.gap = false, 'l', false
	default:
		m.space()
		m.write("?")
		m.last = 'v'
	}
	m.end = t.End
}

func (m *masker) other(text string) {
	m.flush()
	m.space()
	m.write(text)
	m.last = 0
}

// flush puts out a comma that no value followed.
func (m *masker) flush() {
	if m.held {
		m.held = false
		m.write(",")
	}
}

func (m *masker) space() {
	if m.gap && m.any {
		m.write(" ")
	}
	m.gap = false
}

func (m *masker) write(s string) {
	m.any = true
	m.ok = m.ok && m.put(s)
}
