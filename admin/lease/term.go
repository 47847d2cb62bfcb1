package lease

import (
	"sync"
	"time"
)

// Term is the time that the lease is held under one epoch.
type Term struct {
	epoch uint64
	lost  chan struct{}
	now   func() time.Time

	mu    sync.Mutex // guards the rest
	from  time.Time  // when the call was made that gave or renewed the grant
	ttl   time.Duration
	timer *time.Timer // ends the term, even while a renewal hangs
	over  bool
}

func newTerm(g Grant, from time.Time, now func() time.Time) *Term {
	t := &Term{epoch: g.Epoch, lost: make(chan struct{}), now: now, from: from, ttl: g.TTL}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = time.AfterFunc(t.leftLocked(), t.check)
	return t
}

// Epoch returns the fencing token of the term.
func (t *Term) Epoch() uint64 { return t.epoch }

// Lost is closed when the term is over, for whatever reason.
func (t *Term) Lost() <-chan struct{} { return t.lost }

// Valid tells whether the lease is surely held at this moment. It sees the end
// of a sleep of the machine that no timer has noticed yet.
func (t *Term) Valid() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.over && t.leftLocked() > 0
}

// left is how long the grant still holds.
func (t *Term) left() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.leftLocked()
}

// leftLocked trusts the slower of two clocks that say how much time has passed:
// the monotonic one stands still while the machine sleeps, the wall can be set
// back.
func (t *Term) leftLocked() time.Duration {
	now := t.now()
	return t.ttl - max(now.Sub(t.from), now.Round(0).Sub(t.from.Round(0)))
}

// prolong returns false when the term ended before the answer came.
func (t *Term) prolong(g Grant, from time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over || g.Epoch != t.epoch || t.leftLocked() <= 0 {
		return false
	}
	t.from, t.ttl = from, g.TTL
	t.timer.Reset(t.leftLocked())
	return true
}

// check runs when the timer fires, which may be just before it was reset.
func (t *Term) check() {
	t.mu.Lock()
	left := t.leftLocked()
	if left > 0 && !t.over {
		t.timer.Reset(left)
		t.mu.Unlock()
		return
	}
	t.mu.Unlock()
	t.end()
}

func (t *Term) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		t.over = true
		t.timer.Stop()
		close(t.lost)
	}
}
