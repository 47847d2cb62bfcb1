package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

var errStopping = errors.New("the server is stopping")

// streams are the answers that last: event streams, long waits, pages of rows
// and downloads. They are bounded for each caller, and all end when the API is
// closed.
type streams struct {
	most   int // event streams of one caller
	others int // other lasting answers of one caller

	mu     sync.Mutex // guards all below
	closed bool
	counts map[counted]int
	ends   map[*stream]struct{}
}

// counted is whose answers of one sort are counted together.
type counted struct {
	owner  string
	events bool
}

// stream is one of them.
type stream struct {
	as  counted
	end context.CancelCauseFunc
}

func newStreams(most, others int) *streams {
	return &streams{most: most, others: others, counts: map[counted]int{}, ends: map[*stream]struct{}{}}
}

// begin returns a context that ends when the API is closed, unless the owner has
// too many already. The caller calls done.
func (s *streams) begin(ctx context.Context, owner string, events bool) (_ context.Context, done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, fail("interrupted", "The server is stopping. Ask again.")
	}
	as := counted{owner, events}
	if events && s.counts[as] >= s.most {
		e := fail("too-many-streams", "You have as many open streams as one may have. Close some.")
		e.Extra = map[string]any{"limit": s.most}
		return nil, nil, e
	}
	if !events && s.counts[as] >= s.others {
		e := fail("too-many-waiting", "You have as many requests that have not ended as one may have. Wait for some of them.")
		e.Extra, e.RetryAfter = map[string]any{"limit": s.others}, time.Second
		return nil, nil, e
	}
	ctx, cancel := context.WithCancelCause(ctx)
	one := &stream{as: as, end: cancel}
	s.ends[one] = struct{}{}
	s.counts[as]++
	return ctx, func() { s.done(one) }, nil
}

func (s *streams) done(one *stream) {
	one.end(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ends, one)
	if s.counts[one.as]--; s.counts[one.as] == 0 {
		delete(s.counts, one.as)
	}
}

// close ends all, and all that would begin.
func (s *streams) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for one := range s.ends {
		one.end(errStopping)
	}
}

// ownerOf names whose streams are counted together.
func ownerOf(c *admin.Caller) string {
	if c.Actor != nil {
		return c.Actor.ID
	}
	return c.ID
}
