package query

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// live is a run that has not ended.
type live struct {
	rec        Record // as begun; changed by the run's goroutine alone
	src        string // the SQL
	target     Target
	who        Principal
	principals []string // whose revocation ends it
	plan       []planned
	ctx        context.Context //nolint:containedctx // of the run, from before it is known to anybody
	stop       context.CancelCauseFunc
	taken      atomic.Int64 // bytes of its results, those that are being written as well

	mu      sync.Mutex // guards what follows
	run     *Run       // a snapshot, never changed in place
	changed chan struct{}
	seen    time.Time   // when somebody last said that he looks
	keep    bool        // go on when nobody does
	waits   bool        // the door had it waiting once
	sent    time.Time   // when the statement that runs was sent
	timer   *time.Timer // of the run timeout
	class   string      // of the policy, once the door told it
}

// planned is a statement that will be run.
type planned struct {
	bound

	kind   string
	proven bool // it only reads, by proof: it may be cancelled at a limit
	commit bool // it is a COMMIT
}

// snapshot returns the run now, and the channel that closes with its next change.
func (l *live) snapshot() (*Run, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.run, l.changed
}

func (l *live) setClass(class string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.class = class
}

// waiting reports whether the door had it waiting when it was last asked.
func (l *live) waiting() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waits && l.run.State == StateQueued
}

func (l *live) classNow() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.class
}

// set makes a snapshot the newest and wakes who waits.
func (l *live) setLocked(r *Run) {
	l.run = r
	close(l.changed)
	l.changed = make(chan struct{})
}

// keepOn says whether the run goes on when nobody looks; the snapshot says so too.
func (l *live) keepOn(on bool) *Run {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.run.State.Terminal() {
		return l.run
	}
	l.keep = on
	next := *l.run
	next.Keep = on
	next.Version++
	l.setLocked(&next)
	return &next
}

// happen applies an event and tells of it. What has ended does not change.
func (s *Runs) happen(l *live, e event) {
	l.mu.Lock()
	next, err := step(l.run, e, s.now())
	if err == nil {
		l.setLocked(next)
	}
	l.mu.Unlock()
	if err == nil {
		s.publish(l, next)
	}
}

// publish tells the hub of a run as its owner sees it.
func (s *Runs) publish(l *live, r *Run) {
	if s.cfg.Hub == nil {
		return
	}
	s.cfg.Hub.Publish(RunTopic(r.ID), uint64(max(r.Version, 0)), ownersView(r))
	version := s.version.Add(1)
	s.cfg.Hub.Publish(OwnerTopic(l.rec.OwnerID), version, s.ownersLive(l.rec.OwnerID))
}

// ownersLive are the live runs of an owner, the newest first.
func (s *Runs) ownersLive(owner string) []Run {
	s.mu.Lock()
	var all []*live
	for _, l := range s.live {
		if l.rec.OwnerID == owner {
			all = append(all, l)
		}
	}
	s.mu.Unlock()
	out := make([]Run, 0, len(all))
	for _, l := range all {
		r, _ := l.snapshot()
		out = append(out, ownersView(r))
	}
	sortRuns(out)
	return out
}

// start marks the run as running, from when its statement was sent, or from now
// if the door had it waiting.
func (s *Runs) start(ctx context.Context, l *live) {
	l.mu.Lock()
	queued, at := l.run.State == StateQueued, l.sent
	if l.waits {
		at = time.Time{}
	}
	if queued && l.timer == nil {
		limit := time.Duration(l.rec.Limits.RunTimeoutMS) * time.Millisecond
		l.timer = time.AfterFunc(limit, func() { l.stop(errRunTimeout) })
		context.AfterFunc(ctx, func() { l.timer.Stop() })
	}
	l.mu.Unlock()
	if queued {
		s.happen(l, started{at: at})
	}
}
