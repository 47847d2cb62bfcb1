package pgtext

import (
	"bytes"
	"cmp"
)

// Span is an interval as Postgres orders it: a month counts 30 days, a day 24
// hours. Two spans of equal length are equal, however they are written.
type Span struct {
	days, micros int64 // 0 ≤ micros < DayMicros
}

// Compare orders spans by length.
func (s Span) Compare(o Span) int {
	return cmp.Or(cmp.Compare(s.days, o.days), cmp.Compare(s.micros, o.micros))
}

// ParseInterval reads an interval in the style "postgres":
// 1 year 2 mons -3 days 04:05:06.7.
func ParseInterval(b []byte) (Span, bool) {
	var s Span
	fields := bytes.Fields(b[:min(len(b), 128)])
	if len(fields) == 0 || len(b) > 128 {
		return s, false
	}
	for len(fields) > 0 {
		if bytes.IndexByte(fields[0], ':') >= 0 {
			micros, ok := parseHours(fields[0])
			s.days += floorDiv(micros, DayMicros)
			s.micros = micros - floorDiv(micros, DayMicros)*DayMicros
			return s, ok && len(fields) == 1
		}
		if len(fields) == 1 {
			return s, false
		}
		value, ok := signed(fields[0])
		days := daysPer(fields[1])
		if !ok || days == 0 {
			return s, false
		}
		s.days += value * days
		fields = fields[2:]
	}
	return s, true
}

func daysPer(unit []byte) int64 {
	switch string(unit) {
	case "year", "years":
		return 360
	case "mon", "mons":
		return 30
	case "day", "days":
		return 1
	default:
		return 0
	}
}

// parseHours reads [±]HH:MM:SS[.ffffff], with hours of up to ten digits.
func parseHours(b []byte) (int64, bool) {
	b, neg := sign(b)
	at := bytes.IndexByte(b, ':')
	if at < 0 || len(b) < at+1 {
		return 0, false
	}
	hours, ok := signed(b[:at])
	if !ok || hours < 0 || hours > 1<<31 {
		return 0, false
	}
	micros, rest, ok := parseClock(append([]byte("00"), b[at:]...))
	if !ok || len(rest) > 0 {
		return 0, false
	}
	micros += hours * 3_600_000_000
	if neg {
		micros = -micros
	}
	return micros, true
}

// signed reads a whole number of at most ten digits.
func signed(b []byte) (int64, bool) {
	b, neg := sign(b)
	if len(b) == 0 || len(b) > 10 || !digits(b) {
		return 0, false
	}
	var v int64
	for _, c := range b {
		v = v*10 + int64(c-'0')
	}
	if neg {
		v = -v
	}
	return v, true
}

func sign(b []byte) (rest []byte, neg bool) {
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		return b[1:], b[0] == '-'
	}
	return b, false
}
