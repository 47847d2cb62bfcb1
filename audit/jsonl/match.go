package jsonl

import (
	"bytes"
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
	needles      [][]byte
}

// clockSlack is by how much the times of neighbouring lines may be out of
// order: events are stamped before they are queued.
const clockSlack = time.Minute

func newMatcher(f audit.Filter) *matcher {
	m := &matcher{filter: f}
	if !f.Since.IsZero() {
		m.since = audit.AppendTime(nil, f.Since)
	}
	if !f.Until.IsZero() {
		// A stored time is cut to the microsecond, so it may be equal to the cut
		// end and still before it: Filter.Match decides.
		m.until = audit.AppendTime(nil, f.Until.Add(time.Microsecond))
	}
	for _, value := range []string{f.User, f.Session, f.Fingerprint, f.SQLState, f.Class} {
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

// past reports whether lines before p are all older than the filter wants.
func (m *matcher) past(p audit.Prefix) bool {
	if m.since == nil {
		return false
	}
	floor := audit.AppendTime(nil, m.filter.Since.Add(-clockSlack))
	return bytes.Compare(p.Time, floor) < 0
}
