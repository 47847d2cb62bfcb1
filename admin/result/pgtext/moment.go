package pgtext

import (
	"bytes"
	"cmp"
	"strconv"
)

// Moment is a point on the proleptic Gregorian calendar, exact for all that
// Postgres can store. For a timestamp without time zone it counts as if in UTC.
type Moment struct {
	Inf    int8  // 1 or -1 for ±infinity, and the rest is zero
	Days   int64 // since 1970-01-01
	Micros int64 // of the day, 0 ≤ Micros < DayMicros
}

// DayMicros is the length of a day in microseconds.
const DayMicros = 24 * 60 * 60 * 1_000_000

// Compare orders moments; -infinity comes first.
func (m Moment) Compare(o Moment) int {
	return cmp.Or(cmp.Compare(m.Inf, o.Inf), cmp.Compare(m.Days, o.Days), cmp.Compare(m.Micros, o.Micros))
}

// UnixMicros returns microseconds since 1970-01-01, if 64 bits hold them.
func (m Moment) UnixMicros() (int64, bool) {
	const limit = 1 << 63 / DayMicros
	if m.Inf != 0 || m.Days >= limit || m.Days <= -limit {
		return 0, false
	}
	return m.Days*DayMicros + m.Micros, true
}

// ParseMoment reads a date, a timestamp or a timestamp with time zone in ISO
// style, with a year of any length and BC.
func ParseMoment(k Kind, b []byte) (Moment, bool) {
	switch string(b) {
	case "infinity":
		return Moment{Inf: 1}, true
	case "-infinity":
		return Moment{Inf: -1}, true
	}
	b, bc := bytes.CutSuffix(b, []byte(" BC"))
	day, clock, timed := bytes.Cut(b, []byte{' '})
	if timed != (k != Date) {
		return Moment{}, false
	}
	m, ok := parseDay(day, bc)
	if !ok || !timed {
		return m, ok
	}
	micros, rest, ok := parseClock(clock)
	if !ok {
		return m, false
	}
	if k == Timestamptz {
		var offset int64
		if offset, ok = parseZone(rest); !ok {
			return m, false
		}
		micros -= offset
	} else if len(rest) > 0 {
		return m, false
	}
	// The zone, and 24:00:00, may lead to a neighbouring day.
	m.Days += floorDiv(micros, DayMicros)
	m.Micros = micros - floorDiv(micros, DayMicros)*DayMicros
	return m, true
}

func parseDay(b []byte, bc bool) (Moment, bool) {
	n := len(b)
	if n < 10 || n > 13 || b[n-3] != '-' || b[n-6] != '-' {
		return Moment{}, false
	}
	year, ok1 := number(b[:n-6])
	month, ok2 := number(b[n-5 : n-3])
	day, ok3 := number(b[n-2:])
	if !ok1 || !ok2 || !ok3 || year < 1 || month < 1 || month > 12 || day < 1 || day > 31 {
		return Moment{}, false
	}
	if bc {
		year = 1 - year
	}
	m := Moment{Days: daysOf(year, month, day)}
	_, _, back := m.Date()
	return m, back == int(day)
}

// parseClock reads HH:MM:SS[.ffffff] and returns what follows.
func parseClock(b []byte) (micros int64, rest []byte, ok bool) {
	if len(b) < 8 || b[2] != ':' || b[5] != ':' {
		return 0, nil, false
	}
	h, ok1 := number(b[:2])
	m, ok2 := number(b[3:5])
	s, ok3 := number(b[6:8])
	if !ok1 || !ok2 || !ok3 || h > 24 || m > 59 || s > 60 {
		return 0, nil, false
	}
	micros = ((h*60+m)*60 + s) * 1_000_000
	rest = b[8:]
	if len(rest) == 0 || rest[0] != '.' {
		return micros, rest, true
	}
	rest = rest[1:]
	unit := int64(100_000)
	n := 0
	for ; n < len(rest) && rest[n] >= '0' && rest[n] <= '9'; n++ {
		micros += int64(rest[n]-'0') * unit
		unit /= 10
	}
	return micros, rest[n:], n > 0 && n <= 6
}

// parseZone reads ±HH[:MM[:SS]] into microseconds east of UTC.
func parseZone(b []byte) (int64, bool) {
	if len(b) < 3 || len(b)%3 != 0 || len(b) > 9 || b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	var seconds int64
	unit := int64(3600)
	for i := 0; i < len(b); i += 3 {
		v, ok := number(b[i+1 : i+3])
		if !ok || i > 0 && (b[i] != ':' || v > 59) {
			return 0, false
		}
		seconds += v * unit
		unit /= 60
	}
	if b[0] == '-' {
		seconds = -seconds
	}
	return seconds * 1_000_000, true
}

// number reads at most seven digits.
func number(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 7 || !digits(b) {
		return 0, false
	}
	var v int64
	for _, c := range b {
		v = v*10 + int64(c-'0')
	}
	return v, true
}

// daysOf counts the days from 1970-01-01 to a date; years are astronomical
// (1 BC is 0). A year begins in March here, so that the leap day is its last.
func daysOf(year, month, day int64) int64 {
	if month <= 2 {
		year--
	}
	era := floorDiv(year, 400)
	y := year - era*400
	m := (month + 9) % 12
	doy := (153*m+2)/5 + day - 1
	return era*146097 + y*365 + y/4 - y/100 + doy - 719468
}

// Date returns the calendar day; years are astronomical (1 BC is 0).
func (m Moment) Date() (year int64, month, day int) {
	z := m.Days + 719468
	era := floorDiv(z, 146097)
	doe := z - era*146097
	y := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*y + y/4 - y/100)
	mp := (5*doy + 2) / 153
	day = int(doy - (153*mp+2)/5 + 1)
	month = int(mp+2)%12 + 1
	year = y + era*400
	if month <= 2 {
		year++
	}
	return year, month, day
}

// FromDate is the first moment of a calendar day; years are astronomical.
func FromDate(year int64, month, day int) Moment {
	return Moment{Days: daysOf(year, int64(month), int64(day))}
}

// AppendDate writes the calendar day in ISO style.
func (m Moment) AppendDate(dst []byte) []byte {
	switch m.Inf {
	case 1:
		return append(dst, "infinity"...)
	case -1:
		return append(dst, "-infinity"...)
	}
	year, month, day := m.Date()
	bc := year < 1
	if bc {
		year = 1 - year
	}
	text := strconv.FormatInt(year, 10)
	for range 4 - len(text) {
		dst = append(dst, '0')
	}
	dst = append(dst, text...)
	dst = append(dst, '-', byte('0'+month/10), byte('0'+month%10), '-', byte('0'+day/10), byte('0'+day%10))
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}
