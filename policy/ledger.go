package policy

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ledger holds the counters of all quotas. A counter is a cell: one quota and
// one value for each part of its key. It has no clock and no goroutine.
//
// ledger.mu guards the cells and the charges of tickets; it is taken after
// admission.mu, and nothing else is called under it.
type ledger struct {
	mu    sync.Mutex
	max   int
	cells map[string]*cell
	rest  int // new cells until it is worth to look for spent ones again
	dirty atomic.Uint64
}

// cell is one counter.
type cell struct {
	q      *quota // nil: taken back in, and not used since
	id     string
	sig    string
	values []string

	used       int64 // in a calendar window
	start, end int64 // of the window, unix nanoseconds

	level float64 // of a bucket: what has not drained yet
	at    int64   // when level was true

	told uint32 // which steps have been notified, by bit
}

// charge is what a ticket has to do with a cell.
type charge struct {
	cell  *cell
	q     *quota
	taken int64 // statements taken at once
	start int64 // of the window they were taken in
}

func newLedger(maxCells int) *ledger {
	return &ledger{max: maxCells, cells: map[string]*cell{}}
}

// rollLocked brings the cell to now: a window that is over is empty again, a
// bucket drains. A clock that goes back changes nothing.
func (c *cell) rollLocked(now time.Time) {
	n := now.UnixNano()
	if !c.q.bucket {
		if n >= c.end {
			start, end := calendarWindow(now, c.q.src.Per, c.q.zone)
			c.start, c.end = start.UnixNano(), end.UnixNano()
			c.used, c.told = 0, 0
		}
		return
	}
	if c.at == 0 {
		c.at = n
	}
	if n > c.at {
		c.level = math.Max(0, c.level-c.q.rate*float64(n-c.at))
		c.at = n
	}
	for i, t := range c.q.notify {
		if c.level < float64(t.at) {
			c.told &^= 1 << i
		}
	}
}

// amountLocked is what is used up now.
func (c *cell) amountLocked() int64 {
	if c.q.bucket {
		return int64(math.Ceil(c.level - 1e-6))
	}
	return c.used
}

func (c *cell) addLocked(n int64) {
	if c.q.bucket {
		c.level = math.Max(0, c.level+float64(n))
		return
	}
	if c.used > math.MaxInt64-max(n, 0) {
		n = math.MaxInt64 - c.used
	}
	c.used = max(0, c.used+n)
}

// refusesLocked tells whether a new statement must not begin.
func (c *cell) refusesLocked(take int64) bool {
	at := c.q.refuseAt
	switch {
	case at < 0:
		return false
	case take == 0:
		return c.amountLocked() >= at
	case c.q.bucket:
		return c.level+float64(take) > float64(at)+1e-6
	}
	return c.used+take > at
}

// reset is when something will be free again.
func (c *cell) resetLocked() time.Time {
	if !c.q.bucket {
		return time.Unix(0, c.end)
	}
	over := c.level + 1 - float64(max(c.q.refuseAt, 1))
	return time.Unix(0, c.at+int64(math.Max(0, over)/c.q.rate))
}

// cellLocked finds or makes the cell of a key.
func (l *ledger) cellLocked(now time.Time, q *quota, key []byte) *cell {
	c := l.cells[string(key)]
	if c == nil {
		if len(l.cells) >= l.max {
			l.evictLocked(now)
		}
		parts := strings.Split(string(key), "\x00")
		c = &cell{id: parts[0], values: parts[1:], sig: q.sig, q: q}
		l.cells[string(key)] = c
	}
	if c.q != q {
		if c.sig != q.sig {
			*c = cell{id: c.id, values: c.values, sig: q.sig}
		}
		c.q = q
	}
	c.rollLocked(now)
	return c
}

// evictLocked makes room: spent windows and drained buckets first. If all are
// in use, the one that is emptiest of a handful goes: it loses the least.
func (l *ledger) evictLocked(now time.Time) {
	if l.rest--; l.rest < 0 {
		l.sweepLocked(now)
		l.rest = l.max / 8
	}
	for len(l.cells) >= l.max {
		victim, least, looked := "", math.Inf(1), 0
		for k, c := range l.cells {
			share := 0.0
			if c.q != nil {
				share = float64(c.amountLocked()) / float64(c.q.whole())
			}
			if share < least {
				victim, least = k, share
			}
			if looked++; looked == 32 {
				break
			}
		}
		delete(l.cells, victim)
	}
}

func (l *ledger) sweepLocked(now time.Time) {
	n := now.UnixNano()
	for k, c := range l.cells {
		if c.q == nil {
			continue
		}
		if c.q.bucket {
			c.rollLocked(now)
			if c.level == 0 {
				delete(l.cells, k)
			}
		} else if n >= c.end {
			delete(l.cells, k)
		}
	}
}

// takeLocked checks one quota for one statement and takes what is taken at
// once. A refusal takes nothing.
func (l *ledger) takeLocked(now time.Time, t *Ticket, q *quota, key []byte, observe bool) *Refusal {
	c := l.cellLocked(now, q, key)
	var take int64
	if q.src.Unit == UnitStatements {
		take = 1
	}
	if c.refusesLocked(take) {
		if !observe && q.mode == ModeEnforce {
			return c.usedUp(now)
		}
		t.ghosts = append(t.ghosts, q.src.ID)
	}
	c.addLocked(take)
	for i := range t.charges {
		if t.charges[i].cell == c {
			t.charges[i].taken += take
			return nil
		}
	}
	t.charges = append(t.charges, charge{cell: c, q: q, taken: take, start: c.start})
	t.metered = t.metered || take == 0
	c.noticeLocked(t, observe)
	return nil
}

// noticeLocked tells the client once a window about each step it has passed.
func (c *cell) noticeLocked(t *Ticket, observe bool) {
	used := c.amountLocked()
	for i, step := range slices.Backward(c.q.notify) {
		if used < step.at {
			continue
		}
		if c.told&(1<<i) != 0 {
			return
		}
		c.told |= 1<<(i+1) - 1
		if observe || c.q.mode == ModeObserve {
			t.ghosts = append(t.ghosts, c.q.src.ID)
			return
		}
		t.marks = append(t.marks, c.q.src.ID)
		t.notices = append(t.notices, Warning{
			Rule: c.q.src.ID,
			Text: fmt.Sprintf("%s for %s is past %d %%: used %s of %s %s", c.q.title(), c.who(), step.percent, c.q.amount(used), c.q.amount(c.q.whole()), c.q.src.Unit),
		})
		return
	}
}

// giveBackLocked undoes what a statement took that never ran.
func (l *ledger) giveBackLocked(now time.Time, t *Ticket) {
	for _, ch := range t.charges {
		if ch.taken == 0 || ch.cell.q.sig != ch.q.sig {
			continue
		}
		ch.cell.rollLocked(now)
		if ch.q.bucket || ch.cell.start == ch.start {
			ch.cell.addLocked(-ch.taken)
		}
	}
}

// chargeLocked adds what has passed; it returns the first quota that ends the
// statement.
func (l *ledger) chargeLocked(now time.Time, t *Ticket, u *Usage, observe bool) *Refusal {
	var stop *Refusal
	for _, ch := range t.charges {
		if ch.q.src.Unit == UnitStatements {
			continue
		}
		c := ch.cell
		if c.q.sig != ch.q.sig {
			continue // the ruleset was swapped for one that counts something else
		}
		c.rollLocked(now)
		c.addLocked(ch.q.src.Unit.of(u))
		if stop == nil && !observe && c.q.mode == ModeEnforce && c.q.cancelAt >= 0 && c.amountLocked() > c.q.cancelAt {
			stop = c.cancels(now)
		}
	}
	return stop
}

// who is the key in words: user "ann", table "pii.*".
func (c *cell) who() string {
	var b strings.Builder
	for i, k := range c.q.src.Key {
		if i >= len(c.values) {
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %q", k.Name, c.values[i])
	}
	return b.String()
}

func (c *cell) detail(now time.Time) string {
	reset := c.resetLocked()
	return fmt.Sprintf("Used %s of %s %s; resets at %s, in %s.",
		c.q.amount(c.amountLocked()), c.q.amount(c.q.whole()), c.q.src.Unit,
		reset.In(c.q.zone).Format("2006-01-02 15:04:05 MST"), spellWait(reset.Sub(now)))
}

// spellWait rounds up: nobody should come back too early.
func spellWait(d time.Duration) string {
	if d < time.Second {
		return "under 1s"
	}
	return spell((d + time.Second - 1).Truncate(time.Second))
}

func (c *cell) usedUp(now time.Time) *Refusal {
	return &Refusal{
		SQLState: "54000",
		Message:  fmt.Sprintf("%s for %s is used up", c.q.title(), c.who()),
		Detail:   c.detail(now),
		Hint:     "Try again after the reset, or ask whoever keeps the policy.",
		Reason:   "quota",
		Rule:     c.q.src.ID,
	}
}

func (c *cell) cancels(now time.Time) *Refusal {
	return &Refusal{
		SQLState: "57014",
		Message:  fmt.Sprintf("canceling statement due to quota: the %s for %s is used up", c.q.title(), c.who()),
		Detail:   c.detail(now),
		Hint:     "Ask for less, or try again after the reset.",
		Reason:   "quota",
		Rule:     c.q.src.ID,
	}
}
