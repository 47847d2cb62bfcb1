package jsonl

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
)

// matcher applies a filter to lines, and decodes only those that can match: a
// value that is looked for stands in the line as it was encoded.
type matcher struct {
	filter       audit.Filter
	since, until []byte // as stored times
	sinceID      string // the time part of the ids of since
	needles      [][]byte
}

func newMatcher(f audit.Filter) *matcher {
	m := &matcher{filter: f}
	if !f.Since.IsZero() {
		m.since = audit.AppendTime(nil, f.Since)
		m.sinceID = idTime(f.Since)
	}
	if !f.Until.IsZero() {
		// A stored time is cut to the microsecond, so it may be equal to the cut
		// end and still before it: Filter.Match decides.
		m.until = audit.AppendTime(nil, f.Until.Add(time.Microsecond))
	}
	for _, value := range []string{f.User, f.Session, f.Run, f.Fingerprint, f.SQLState, f.Class} {
		if value != "" {
			m.needles = append(m.needles, append([]byte{':'}, quoted(value)...))
		}
	}
	if f.Table != "" {
		m.needles = append(m.needles, quoted(f.Table)[1:]) // a schema may stand before it
	}
	return m
}

// quoted returns s as it stands in a line.
func quoted(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(strings.ToValidUTF8(s, "\uFFFD")) // a string always encodes
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// line decodes a line that matches. readable is false when it is no event.
func (m *matcher) line(p audit.Prefix, line []byte) (e audit.Event, match, readable bool) {
	if m.since != nil && bytes.Compare(p.Time, m.since) < 0 || m.until != nil && bytes.Compare(p.Time, m.until) > 0 {
		return e, false, true
	}
	if len(m.filter.Kinds) > 0 && !slices.Contains(m.filter.Kinds, audit.Kind(p.Kind)) {
		return e, false, true
	}
	for _, needle := range m.needles {
		if !bytes.Contains(line, needle) {
			return e, false, true
		}
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return e, false, false
	}
	return e, m.filter.Match(&e), true
}

// past reports whether p and all lines before it are older than the filter
// wants. Times are not in order, events are stamped before they are queued; but
// ids are, and the time of an id is that of the newest event up to it.
func (m *matcher) past(p audit.Prefix) bool {
	return m.sinceID != "" && string(p.ID[:len(m.sinceID)]) < m.sinceID
}

// idTime returns how an id of the time t begins; empty when no id has it.
func idTime(t time.Time) string {
	ms := t.UnixMilli()
	if ms < 0 {
		return ""
	}
	var id audit.ULID
	binary.BigEndian.PutUint64(id[:], uint64(ms)<<16)
	return id.String()[:10]
}
