package audit

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"
)

// Filter chooses events. Empty fields choose all.
type Filter struct {
	Since, Until time.Time // Since ≤ time < Until
	Kinds        []Kind
	User         string // User or AuthUser
	Session      string
	Run          string // all that belongs to a run of the office
	Table        string // read, written or released, by name or resolved: the full name, or the name without its schema
	Fingerprint  string
	SQLState     string
	Class        string
	Text         string // part of Text or Message, upper and lower case alike
}

// Match reports whether e is chosen.
func (f Filter) Match(e *Event) bool {
	return (f.Since.IsZero() || !e.Time.Before(f.Since)) &&
		(f.Until.IsZero() || e.Time.Before(f.Until)) &&
		(len(f.Kinds) == 0 || slices.Contains(f.Kinds, e.Kind)) &&
		(f.User == "" || f.User == e.User || f.User == e.AuthUser) &&
		(f.Session == "" || f.Session == e.Session) &&
		(f.Run == "" || f.Run == e.Run) &&
		(f.Fingerprint == "" || f.Fingerprint == e.Fingerprint) &&
		(f.SQLState == "" || f.SQLState == e.SQLState) &&
		(f.Class == "" || f.Class == e.Class) &&
		(f.Table == "" || f.touches(e)) &&
		(f.Text == "" || containsFold(e.Text, f.Text) || containsFold(e.Message, f.Text))
}

func (f Filter) touches(e *Event) bool {
	named := func(relation string) bool {
		rest, ok := strings.CutSuffix(relation, f.Table)
		return ok && (rest == "" || rest == "?" || strings.HasSuffix(rest, "."))
	}
	for _, list := range [...][]string{e.Reads, e.Writes, e.Relations, e.ResolvedReads, e.ResolvedWrites} {
		if slices.ContainsFunc(list, named) {
			return true
		}
	}
	return false
}

func containsFold(s, part string) bool {
	return len(s) >= len(part) && strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// Query asks for one page of events.
type Query struct {
	Filter
	Before uint64 // only events with a smaller seq; 0 for the newest
	Limit  int    // at most so many; 0 means 100
}

// Page holds the newest events that a Query chose, the newest last.
type Page struct {
	Events     []Event
	Before     uint64 // Query.Before of the next older page; 0 when there is none
	Unreadable int    // lines that were passed over because they are no events
}

// Reader reads what a Sink stored, also while the sink is in use.
type Reader interface {
	// Search returns one page.
	Search(ctx context.Context, q Query) (Page, error)

	// Tail yields events with a seq greater than after in order, first those
	// that are stored and then each new one soon after it is stored. It ends
	// with ctx, or after it has yielded an error. The event is the caller's.
	Tail(ctx context.Context, after uint64, f Filter) iter.Seq2[Event, error]
}
