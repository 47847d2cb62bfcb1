package query

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// budget is memory that requests share. Whoever finds none waits, and those who
// wait are served in turn by who they are, so that nobody's many requests keep
// another's waiting. It is safe for concurrent use.
type budget struct {
	most, each int64 // bytes of all, and of one owner unless they hold nothing else

	mu      sync.Mutex // guards what follows
	used    int64
	held    map[string]int64
	waiting []*waiter
	turn    uint64
	served  map[string]uint64 // the last turn of an owner who holds or waits
}

type waiter struct {
	owner string
	bytes int64
	ready chan struct{} // closed when it is served
}

// share is what one request holds. The nil share holds nothing.
type share struct {
	of    *budget
	owner string
	bytes int64
}

func newBudget(most, each int64) *budget {
	return &budget{most: most, each: each, held: map[string]int64{}, served: map[string]uint64{}}
}

// errBusy: others hold what is asked for, and did not let go in time.
var errBusy = errors.New("others hold the memory")

// take takes bytes for an owner, and waits for them if need be, at most for so
// long. More than there is counts as all of it. The caller closes the share.
func (b *budget) take(ctx context.Context, owner string, bytes int64, patience time.Duration) (*share, error) {
	w := &waiter{owner: owner, bytes: min(bytes, b.most), ready: make(chan struct{})}
	s := &share{of: b, owner: owner, bytes: w.bytes}
	b.mu.Lock()
	b.waiting = append(b.waiting, w)
	b.serveLocked()
	b.mu.Unlock()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	err := errBusy
	select {
	case <-w.ready:
		return s, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-timeout.C:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	at := slices.Index(b.waiting, w)
	if at < 0 { // served meanwhile
		return s, nil
	}
	b.waiting = slices.Delete(b.waiting, at, at+1)
	b.forgetLocked(owner)
	b.serveLocked() // it may have stood before others
	return nil, err
}

// serveLocked serves who waits, as long as there is something for whoever is
// next: a small request does not overtake a large one of another.
func (b *budget) serveLocked() {
	for {
		next := -1
		for i, w := range b.waiting {
			if b.held[w.owner] > 0 && b.held[w.owner]+w.bytes > b.each {
				continue
			}
			if next < 0 || b.served[w.owner] < b.served[b.waiting[next].owner] {
				next = i
			}
		}
		if next < 0 || b.used+b.waiting[next].bytes > b.most {
			return
		}
		w := b.waiting[next]
		b.waiting = slices.Delete(b.waiting, next, next+1)
		b.turn++
		b.served[w.owner] = b.turn
		b.used += w.bytes
		b.held[w.owner] += w.bytes
		close(w.ready)
	}
}

// forgetLocked forgets an owner who neither holds nor waits.
func (b *budget) forgetLocked(owner string) {
	if b.held[owner] == 0 && !slices.ContainsFunc(b.waiting, func(w *waiter) bool { return w.owner == owner }) {
		delete(b.held, owner)
		delete(b.served, owner)
	}
}

// shrink gives back all but so many bytes.
func (s *share) shrink(bytes int64) {
	if s == nil || bytes >= s.bytes {
		return
	}
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.of.used -= s.bytes - bytes
	s.of.held[s.owner] -= s.bytes - bytes
	s.bytes = bytes
	s.of.forgetLocked(s.owner)
	s.of.serveLocked()
}

// close gives all back; a second time does nothing.
func (s *share) close() { s.shrink(0) }
