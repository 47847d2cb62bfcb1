package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"unicode/utf8"
)

// Truncate cuts s to at most limit bytes, at the start of a rune, and reports
// whether it did.
func Truncate(s string, limit int) (string, bool) {
	if len(s) <= limit {
		return s, false
	}
	cut := max(limit, 0)
	for back := 0; cut > 0 && back < utf8.UTFMax && !utf8.RuneStart(s[cut]); back++ {
		cut--
	}
	return s[:cut], true
}

// minHashKey is the shortest key that a Hasher takes.
const minHashKey = 16

// Hasher hides a parameter and keeps equality: the same value under the same
// name gives the same word, and without the key a value can be neither read
// nor guessed and tried. It is safe for concurrent use.
type Hasher struct {
	key []byte
}

// NewHasher returns a Hasher with a key of at least 16 bytes. The caller keeps
// the key in a file that only the house can read; a new key breaks joins with
// older records.
func NewHasher(key []byte) (*Hasher, error) {
	if len(key) < minHashKey {
		return nil, errors.New("parameter hash key is shorter than 16 bytes")
	}
	return &Hasher{key: append([]byte(nil), key...)}, nil
}

// Hash returns a word for value. name separates values that must not be
// compared with each other (a column, a parameter's place); it may be empty.
// A nil value, SQL's null, has the word "null".
func (h *Hasher) Hash(name string, value []byte) string {
	if value == nil {
		return "null"
	}
	mac := hmac.New(sha256.New, h.key)
	mac.Write([]byte(name))
	mac.Write([]byte{0})
	mac.Write(value)
	var sum [sha256.Size]byte
	return "hmac:" + base64.RawURLEncoding.EncodeToString(mac.Sum(sum[:0])[:16])
}

// What an event is cut to when it is too long to store. Escaped, a byte takes
// at most six; all together stays below MaxRecord.
const (
	shortText   = 8 << 10
	shortField  = 1 << 10
	shortList   = 64
	shortMember = 128
)

// lists are the lists of an event.
func (e *Event) lists() [10]*[]string {
	return [...]*[]string{
		&e.Rules, &e.Verbs, &e.Reads, &e.Writes, &e.Functions, &e.ResolvedReads, &e.ResolvedWrites, &e.ResolvedFunctions, &e.Params, &e.Relations,
	}
}

// bulk returns the bytes of what can be long, to know without writing it that
// an event is too long.
func (e *Event) bulk() int {
	n := len(e.Text) + len(e.Message) + len(e.ApplicationName)
	for _, list := range e.lists() {
		for _, s := range *list {
			n += len(s)
		}
	}
	for _, t := range e.Tags {
		n += len(t.Key) + len(t.Value)
	}
	return n
}

// shortened returns e cut to what always fits into MaxRecord.
func (e *Event) shortened() Event {
	s := *e
	s.TextTruncated = true
	s.Text, _ = Truncate(s.Text, shortText)
	s.Message, _ = Truncate(s.Message, shortText)
	for _, f := range []*string{
		(*string)(&s.Kind), &s.Node, &s.Session, &s.User, &s.AuthUser, &s.Team, &s.Tool, &s.Job, &s.Workspace, &s.Actor,
		&s.Via, &s.Run, &s.Token, &s.ClientAddr, &s.TLS, &s.Database, &s.Role, &s.ApplicationName, &s.Class, &s.Verdict,
		&s.Protocol, &s.Fingerprint, &s.Tag, &s.SQLState, &s.Stop, &s.Tx, &s.Waiter, &s.Holder, &s.Mode, &s.Reason,
		&s.What, &s.Hash, &s.Target, &s.Grantee,
	} {
		*f, _ = Truncate(*f, shortField)
	}
	// what was resolved and is cut must not look complete
	s.Unread = s.Unread || len(s.ResolvedReads)+len(s.ResolvedWrites)+len(s.ResolvedFunctions) > 0
	for _, l := range s.lists() {
		*l = shortenList(*l)
	}
	tags := s.Tags[:min(len(s.Tags), shortList)]
	s.Tags = make([]Tag, len(tags))
	for i, t := range tags {
		s.Tags[i].Key, _ = Truncate(t.Key, shortMember)
		s.Tags[i].Value, _ = Truncate(t.Value, shortMember)
	}
	return s
}

func shortenList(list []string) []string {
	short := make([]string, min(len(list), shortList))
	for i := range short {
		short[i], _ = Truncate(list[i], shortMember)
	}
	return short
}
