package policy

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// QuotaUnit is what a quota counts.
type QuotaUnit uint8

// The units. Those of time are counted in nanoseconds and spoken of in
// seconds.
const (
	UnitStatements QuotaUnit = iota
	UnitExecSeconds
	UnitQueueSeconds
	UnitRowsReturned
	UnitRowsWritten
	UnitBytesOut
	UnitBytesIn
	UnitIdleTxSeconds
)

var unitNames = [...]string{
	"statements", "exec_seconds", "queue_seconds", "rows_returned", "rows_written", "bytes_out", "bytes_in", "idle_tx_seconds",
}

// String returns the word of policies.
func (u QuotaUnit) String() string { return unitNames[u] }

// ParseQuotaUnit is the inverse of QuotaUnit.String.
func ParseQuotaUnit(s string) (QuotaUnit, bool) {
	i := slices.Index(unitNames[:], s)
	return QuotaUnit(max(i, 0)), i >= 0
}

// QuotaUnits returns the words of all units.
func QuotaUnits() []string { return slices.Clone(unitNames[:]) }

// seconds tells whether the unit is one of time.
func (u QuotaUnit) seconds() bool {
	return u == UnitExecSeconds || u == UnitQueueSeconds || u == UnitIdleTxSeconds
}

// of returns the part of a usage that the unit counts.
func (u QuotaUnit) of(use *Usage) int64 {
	switch u {
	case UnitStatements: // taken before, not as it passes
	case UnitExecSeconds:
		return int64(use.Exec)
	case UnitQueueSeconds:
		return int64(use.Queued)
	case UnitRowsReturned:
		return use.RowsReturned
	case UnitRowsWritten:
		return use.RowsWritten
	case UnitBytesOut:
		return use.BytesOut
	case UnitBytesIn:
		return use.BytesIn
	case UnitIdleTxSeconds:
		return int64(use.IdleTx)
	}
	return 0
}

// QuotaKeys are the names a quota's key may hold beside table:GLOB.
var quotaKeys = []string{"user", "auth_user", "team", "tool", "database", "role", "environment", "via", "client_ip", "class", "fingerprint"}

// QuotaKeyNames returns what a quota's key may hold beside table:GLOB.
func QuotaKeyNames() []string { return slices.Clone(quotaKeys) }

// quota is a compiled QuotaSource.
type quota struct {
	src      QuotaSource
	mode     Mode
	zone     *time.Location
	sig      string // counters of another signature do not fit
	limit    int64  // in base units
	bucket   bool
	rate     float64 // of a bucket, base units a nanosecond
	capacity int64   // of a bucket
	refuseAt int64   // no new statement from here on; -1: never
	cancelAt int64   // running ones end above this; -1: never
	notify   []threshold
	observed []string // ready for Decision.Observed
}

type threshold struct {
	percent int
	at      int64
}

func compileQuota(src *QuotaSource) (*quota, error) {
	q := &quota{src: *src, zone: src.Zone, refuseAt: -1, cancelAt: -1, observed: []string{src.ID}}
	if q.zone == nil {
		q.zone = time.UTC
	}
	if err := q.checkKey(); err != nil {
		return nil, err
	}
	if src.Limit <= 0 {
		return nil, errors.New("limit must be above zero")
	}
	q.limit = src.Limit
	if src.Unit.seconds() {
		if src.Limit > math.MaxInt64/int64(time.Second)/4 {
			return nil, fmt.Errorf("limit of %d seconds is too large", src.Limit)
		}
		q.limit *= int64(time.Second)
	}
	if err := q.setPeriod(); err != nil {
		return nil, err
	}
	if err := q.setLadder(); err != nil {
		return nil, err
	}
	keys := make([]string, len(src.Key))
	for i, k := range src.Key {
		keys[i] = k.String()
	}
	q.sig = fmt.Sprintf("%s/%s/%s/%s/%t", src.Unit, src.Per, q.zone, strings.Join(keys, ","), q.bucket)
	return q, nil
}

func (q *quota) checkKey() error {
	if len(q.src.Key) == 0 {
		return errors.New("it needs a key, such as [user]")
	}
	for i, k := range q.src.Key {
		if k.Name != "table" && !slices.Contains(quotaKeys, k.Name) {
			return fmt.Errorf("key %q is not known; known are %s and table:GLOB", k.Name, strings.Join(quotaKeys, ", "))
		}
		if slices.Contains(q.src.Key[:i], k) {
			return fmt.Errorf("key %q stands twice", k)
		}
		if q.src.Unit == UnitIdleTxSeconds && (k.Name == "table" || k.Name == "fingerprint") {
			return fmt.Errorf("key %q does not go with idle_tx_seconds: a session is idle, not a statement", k)
		}
	}
	return nil
}

func (q *quota) setPeriod() error {
	per := q.src.Per
	if per <= 0 {
		return errors.New("per must be above zero")
	}
	if q.src.Burst > 0 || per < time.Minute {
		q.bucket = true
		q.capacity = q.limit
		if b := q.src.Burst; b > 0 {
			q.capacity = b
			if q.src.Unit.seconds() {
				if b > math.MaxInt64/int64(time.Second)/4 {
					return fmt.Errorf("burst of %d seconds is too large", b)
				}
				q.capacity *= int64(time.Second)
			}
		}
		q.rate = float64(q.limit) / float64(per)
		return nil
	}
	if q.src.Burst < 0 {
		return errors.New("burst is below zero")
	}
	const day = 24 * time.Hour
	if (per <= day && day%per != 0) || (per > day && per%day != 0) {
		return fmt.Errorf("per %s neither divides a day nor is whole days", spell(per))
	}
	return nil
}

// setLadder turns percents into amounts. Of a bucket they count against what
// it holds.
func (q *quota) setLadder() error {
	whole := q.whole()
	steps := q.src.Ladder
	if len(steps) == 0 {
		steps = []QuotaStep{{Percent: 100, Act: QuotaRefuseNew}}
	}
	for i, s := range steps {
		if s.Percent < 1 || s.Percent > 200 {
			return fmt.Errorf("ladder: %d is not a percentage from 1 to 200", s.Percent)
		}
		if len(steps) > 16 {
			return errors.New("ladder: more than 16 steps")
		}
		for _, o := range steps[:i] {
			if o.Percent == s.Percent {
				return fmt.Errorf("ladder: %d stands twice", s.Percent)
			}
		}
		amount := whole/100*int64(s.Percent) + whole%100*int64(s.Percent)/100
		switch s.Act {
		case QuotaNotify:
			q.notify = append(q.notify, threshold{s.Percent, amount})
		case QuotaCancel:
			if q.src.Unit == UnitIdleTxSeconds {
				return errors.New("ladder: cancel finds nothing to cancel in idle_tx_seconds; use refuse_new, or a class's release")
			}
			if q.cancelAt < 0 || amount < q.cancelAt {
				q.cancelAt = amount
			}
			fallthrough // what would be cancelled is not begun
		case QuotaRefuseNew:
			if q.refuseAt < 0 || amount < q.refuseAt {
				q.refuseAt = amount
			}
		}
	}
	slices.SortFunc(q.notify, func(a, b threshold) int { return a.percent - b.percent })
	return nil
}

// title names the quota by its window: daily quota, or quota of 20 statements
// per 1s.
func (q *quota) title() string {
	if q.bucket {
		return fmt.Sprintf("quota of %s %s per %s", q.amount(q.limit), q.src.Unit, spell(q.src.Per))
	}
	switch q.src.Per {
	case time.Minute:
		return "per-minute quota"
	case time.Hour:
		return "hourly quota"
	case 24 * time.Hour:
		return "daily quota"
	case 7 * 24 * time.Hour:
		return "weekly quota"
	}
	return spell(q.src.Per) + " quota"
}

// whole is what can be used at once: the limit, or what a bucket holds.
func (q *quota) whole() int64 {
	if q.bucket {
		return q.capacity
	}
	return q.limit
}

// spell writes a duration without idle zeros: 1h30m, 7d.
func spell(d time.Duration) string {
	if d >= 24*time.Hour && d%(24*time.Hour) == 0 {
		return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// amount writes a count in the unit.
func (q *quota) amount(n int64) string {
	if q.src.Unit.seconds() {
		return strconv.FormatFloat(float64(n)/float64(time.Second), 'f', -1, 64) + " s"
	}
	return strconv.FormatInt(n, 10)
}
