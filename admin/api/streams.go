package api

import (
	"context"
	"errors"
	"sync"

	"github.com/lockkeeper/lockkeeper/admin"
)

var errStopping = errors.New("the server is stopping")

// streams are the answers that last: event streams, long waits and downloads.
// They are bounded for each caller, and all end when the API is closed.
type streams struct {
	most int

	mu     sync.Mutex // guards all below
	closed bool
	owners map[string]int
	ends   map[*stream]struct{}
}

// stream is one of them.
type stream struct {
	owner string // empty: not counted
	end   context.CancelCauseFunc
}

func newStreams(most int) *streams {
	return &streams{most: most, owners: map[string]int{}, ends: map[*stream]struct{}{}}
}

// begin returns a context that ends when the API is closed, unless the owner has
// too many already; an empty owner is not counted. The caller calls done.
func (s *streams) begin(ctx context.Context, owner string) (_ context.Context, done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, fail("interrupted", "The server is stopping. Ask again.")
	}
	if owner != "" && s.owners[owner] >= s.most {
		e := fail("too-many-streams", "You have as many open streams as one may have. Close some.")
		e.Extra = map[string]any{"limit": s.most}
		return nil, nil, e
	}
	ctx, cancel := context.WithCancelCause(ctx)
	one := &stream{owner: owner, end: cancel}
	s.ends[one] = struct{}{}
	if owner != "" {
		s.owners[owner]++
	}
	return ctx, func() { s.done(one) }, nil
}

func (s *streams) done(one *stream) {
	one.end(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ends, one)
	if one.owner == "" {
		return
	}
	if s.owners[one.owner]--; s.owners[one.owner] == 0 {
		delete(s.owners, one.owner)
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
