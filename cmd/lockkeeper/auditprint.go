package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/pflag"

	"github.com/lockkeeper/lockkeeper/audit"
)

// filterFlags are the flags that choose records.
type filterFlags struct {
	since, until string
	kinds        []string
	audit.Filter
}

func (f *filterFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.since, "since", "", "from this `time` on: 2026-11-22, 2026-11-22T15:04:05Z, or 2h, 7d ago")
	flags.StringVar(&f.until, "until", "", "before this `time`")
	flags.StringSliceVar(&f.kinds, "kind", nil, "only this `kind`: intent, outcome, decision, release, … (repeats)")
	flags.StringVar(&f.User, "user", "", "only this `user` or login")
	flags.StringVar(&f.Session, "session", "", "only this `session`")
	flags.StringVar(&f.Table, "table", "", "only statements that touch this `table`, with or without its schema")
	flags.StringVar(&f.Fingerprint, "fingerprint", "", "only statements with this `fingerprint`")
	flags.StringVar(&f.SQLState, "sqlstate", "", "only this `code`, such as 57014")
	flags.StringVar(&f.Class, "class", "", "only this `class`")
	flags.StringVar(&f.Text, "text", "", "only records with this `text` in the statement or message")
}

func (f *filterFlags) filter() (audit.Filter, error) {
	filter := f.Filter
	for _, kind := range f.kinds {
		filter.Kinds = append(filter.Kinds, audit.Kind(kind))
	}
	now := time.Now()
	var err1, err2 error
	filter.Since, err1 = parseMoment(f.since, now)
	filter.Until, err2 = parseMoment(f.until, now)
	return filter, errors.Join(err1, err2)
}

// parseMoment reads a point in time, absolute or as a distance before now. A
// time without a zone is local.
func parseMoment(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", time.DateTime, "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("not a time: %q", s)
}

// eventPrinter prints records as rows for people or as lines of JSON. It keeps
// the first error.
type eventPrinter struct {
	printer
	json  *json.Encoder
	begun bool
}

func newEventPrinter(out io.Writer, asJSON bool) *eventPrinter {
	p := &eventPrinter{printer: printer{out: out}}
	if asJSON {
		p.json = json.NewEncoder(out)
		p.json.SetEscapeHTML(false)
	}
	return p
}

const eventRow = "%-23s  %-13s %-12s %-10s %-7s %10s %9s  %s\n"

func (p *eventPrinter) print(e *audit.Event) {
	if p.err != nil {
		return
	}
	if p.json != nil {
		p.err = p.json.Encode(e)
		return
	}
	if !p.begun {
		p.printf(eventRow, "TIME", "KIND", "USER", "CLASS", "VERDICT", "TIME TAKEN", "ROWS", "WHAT")
		p.begun = true
	}
	p.printf(eventRow, e.Time.Local().Format("2006-01-02 15:04:05.000"), // for the person at the terminal
		e.Kind, oneLine(cmp.Or(e.User, e.AuthUser)), oneLine(e.Class), e.Verdict, eventTaken(e), eventRows(e.Rows), eventWhat(e))
}

func eventTaken(e *audit.Event) string {
	switch d := cmp.Or(e.Exec, e.Held, e.Queue); {
	case d == 0:
		return ""
	case d < time.Second:
		return d.Round(10 * time.Microsecond).String()
	default:
		return d.Round(time.Millisecond).String()
	}
}

func eventRows(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// eventWhat tells in a line what is special about a record.
func eventWhat(e *audit.Event) string {
	parts := []string{e.SQLState, e.Stop, e.Tx, e.What, e.Mode, e.Reason}
	if e.Lost > 0 {
		parts = append(parts, fmt.Sprintf("%d lost", e.Lost))
	}
	if e.Waiter != "" || e.Holder != "" {
		parts = append(parts, e.Holder+" held "+strings.Join(e.Relations, ", ")+" that "+e.Waiter+" waited for")
	}
	if len(e.Rules) > 0 {
		parts = append(parts, "["+strings.Join(e.Rules, " ")+"]")
	}
	if e.Kind == audit.KindSessionStart || e.Kind == audit.KindLogin {
		parts = append(parts, e.ClientAddr, e.ApplicationName)
	}
	parts = append(parts, e.Message, cmp.Or(e.Text, e.Tag))
	return oneLine(strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " "))
}

// maxWhat keeps a row readable; --json has it all.
const maxWhat = 200

// oneLine makes a text that strangers wrote safe for a terminal: no control
// character gets through, and white space is a blank.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if short, cut := audit.Truncate(s, maxWhat); cut {
		return short + "…"
	}
	return s
}
