package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/policy"
)

// maxDuration is what a policy may speak of: ten years.
const maxDuration = 10 * 366 * 24 * time.Hour

// ParseDuration reads a duration as Go writes it, with d for days in front.
func ParseDuration(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	if s == "" {
		return 0, errors.New("empty duration")
	}
	rest := s
	var days float64
	if before, after, found := strings.Cut(s, "d"); found {
		f, err := strconv.ParseFloat(before, 64)
		if err != nil || f < 0 || f > 4000 {
			return 0, fmt.Errorf("%q is not a duration", short(s))
		}
		days, rest = f, after
	}
	total := time.Duration(days * 24 * float64(time.Hour))
	if rest != "" {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 {
			return 0, fmt.Errorf("%q is not a duration", short(s))
		}
		total += d
	}
	if total < 0 || total > maxDuration {
		return 0, fmt.Errorf("%q is out of range", short(s))
	}
	return total, nil
}

// duration reads a duration of at least least.
func (r *reader) duration(n *yaml.Node, where string, least time.Duration) (time.Duration, bool) {
	s, ok := r.text(n, where)
	if !ok {
		return 0, false
	}
	d, err := ParseDuration(s)
	if err != nil {
		r.fail(n, "such as 90s, 15m, 2h or 7d", "%s: %v", where, err)
		return 0, false
	}
	if d < least {
		r.fail(n, "", "%s must be at least %s", where, least)
		return 0, false
	}
	return d, true
}

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"kB", 1e3},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"B", 1},
}

// ParseSize reads a number of bytes: 4GiB, 500MB, 1024.
func ParseSize(s string) (int64, error) {
	number, unit := s, 1.0
	for _, u := range sizeUnits {
		if before, found := strings.CutSuffix(s, u.suffix); found {
			number, unit = strings.TrimSpace(before), u.bytes
			break
		}
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(number, "_", ""), 64)
	if err != nil || math.IsNaN(f) || f < 0 || f*unit > 1<<60 || f*unit != math.Trunc(f*unit) {
		return 0, fmt.Errorf("%q is not a size", short(s))
	}
	return int64(f * unit), nil
}

func (r *reader) size(n *yaml.Node, where string) int64 {
	s, ok := r.text(n, where)
	if !ok {
		return 0
	}
	b, err := ParseSize(s)
	if err != nil || b < 1 {
		r.fail(n, "such as 500MB or 4GiB", "%s: %q is not a size", where, short(s))
		return 0
	}
	return b
}

var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseWindow reads a weekly stretch of time: days, hours and zone, each of
// which may be left out. Without days it is every day, without hours the whole
// day, without a zone UTC. Hours that end before they begin run past midnight.
//
//	Mon-Fri 09:00-18:00 Europe/Berlin
//	22:00-06:00
//	Sat,Sun
func ParseWindow(text string) (policy.Window, error) {
	w := policy.Window{Text: text, To: 24 * 60, Zone: time.UTC}
	words := strings.Fields(text)
	if len(words) == 0 {
		return w, errors.New("empty time")
	}
	if days, ok := parseDays(words[0]); ok {
		w.Days, words = days, words[1:]
	} else {
		w.Days = [7]bool{true, true, true, true, true, true, true}
	}
	if len(words) > 0 && strings.Contains(words[0], ":") {
		from, to, found := strings.Cut(words[0], "-")
		var errFrom, errTo error
		w.From, errFrom = parseClock(from)
		w.To, errTo = parseClock(to)
		if !found || errFrom != nil || errTo != nil || w.From == 24*60 {
			return w, fmt.Errorf("%q are not hours such as 09:00-18:00", short(words[0]))
		}
		if w.From == w.To {
			return w, fmt.Errorf("%q is empty; the whole day is 00:00-24:00", short(words[0]))
		}
		words = words[1:]
	}
	if len(words) > 0 {
		zone, err := parseZone(words[0])
		if err != nil {
			return w, err
		}
		w.Zone, words = zone, words[1:]
	}
	if len(words) > 0 {
		return w, fmt.Errorf("%q stands after the time zone", short(words[0]))
	}
	return w, nil
}

// parseZone finds a time zone by name. Local is refused: a policy must not
// mean another thing on another machine.
func parseZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is not a time zone", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time zone", short(name))
	}
	return zone, nil
}

func parseDays(text string) (days [7]bool, ok bool) {
	for part := range strings.SplitSeq(strings.ToLower(text), ",") {
		first, last, isRange := strings.Cut(part, "-")
		a := indexOf(dayNames, first)
		b := a
		if isRange {
			b = indexOf(dayNames, last)
		}
		if a < 0 || b < 0 {
			return days, false
		}
		for d := a; ; d = (d + 1) % 7 {
			days[d] = true
			if d == b {
				break
			}
		}
	}
	return days, true
}

func indexOf(list []string, s string) int {
	for i, have := range list {
		if have == s {
			return i
		}
	}
	return -1
}

// parseClock reads HH:MM into minutes; 24:00 is the end of the day.
func parseClock(s string) (int, error) {
	h, m, found := strings.Cut(s, ":")
	hour, errH := strconv.Atoi(h)
	minute, errM := strconv.Atoi(m)
	if !found || errH != nil || errM != nil || len(m) != 2 || hour < 0 || minute < 0 || minute > 59 || hour*60+minute > 24*60 {
		return 0, fmt.Errorf("%q is not a time of day", short(s))
	}
	return hour*60 + minute, nil
}
