package policy

import "time"

// calendarWindow returns the stretch of local calendar time that now lies in:
// part of a day counted from local midnight, or days counted from a Monday. A
// day of 23 or 25 hours is one day.
func calendarWindow(now time.Time, per time.Duration, zone *time.Location) (start, end time.Time) {
	t := now.In(zone)
	y, m, d := t.Date()
	midnight := time.Date(y, m, d, 0, 0, 0, 0, zone)
	const day = 24 * time.Hour
	if per > day {
		n := int(per / day)
		// 1970-01-05 was a Monday
		days := int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Sub(time.Date(1970, 1, 5, 0, 0, 0, 0, time.UTC)) / day)
		back := ((days % n) + n) % n
		return time.Date(y, m, d-back, 0, 0, 0, 0, zone), time.Date(y, m, d-back+n, 0, 0, 0, 0, zone)
	}
	next := time.Date(y, m, d+1, 0, 0, 0, 0, zone)
	if per == day {
		return midnight, next
	}
	start = midnight.Add(t.Sub(midnight).Truncate(per))
	end = start.Add(per)
	if end.After(next) {
		end = next
	}
	return start, end
}
