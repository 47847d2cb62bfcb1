package proxy

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgstate"
)

// locks asks the warehouse who blocks whom, but only while a statement of ours
// runs for longer than it usually would: nothing is polled otherwise.
type locks struct {
	srv  *Server
	wake chan struct{}

	failing bool // run's alone: the warehouse cannot be asked, and that was said

	mu       sync.Mutex
	suspects map[*session]struct{}
	edges    []policy.LockEdge // of the last look, for SHOW LOCKS
	looked   time.Time
}

// lookEvery is the time between two looks while anybody waits.
const lookEvery = 250 * time.Millisecond

func newLocks(srv *Server) *locks {
	return &locks{srv: srv, wake: make(chan struct{}, 1), suspects: make(map[*session]struct{})}
}

// suspect notes that a session's statement may be waiting for a lock.
func (l *locks) suspect(s *session) {
	l.mu.Lock()
	l.suspects[s] = struct{}{}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run looks while there are suspects. It ends with ctx.
func (l *locks) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-timer.C:
		}
		if l.look(ctx) {
			timer.Reset(lookEvery)
		}
	}
}

// look asks once and acts; it reports whether anybody is left to ask about.
func (l *locks) look(ctx context.Context) bool {
	now := l.srv.cfg.Now()
	waiters, pids := l.waiters(now)
	if len(waiters) == 0 {
		return false
	}
	edges, err := l.srv.cfg.Watcher.Edges(ctx, pids)
	l.mu.Lock()
	l.edges, l.looked = edges, now
	l.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil && !l.failing {
			l.srv.cfg.Log.WarnContext(ctx, "lock watch cannot ask the warehouse", slog.Any("error", err))
		}
		l.failing = true
		return true
	}
	l.failing = false
	if len(edges) == 0 {
		return true
	}
	waiting := waiters[:0]
	for _, w := range waiters {
		for i := range edges {
			if edges[i].Waiter == w.PID {
				waiting = append(waiting, w)
				l.srv.noteLockWait(w.Session)
				break
			}
		}
	}
	orders := l.srv.cfg.Engine.Release(now, edges, waiting, l.holders(now, edges))
	for i := range orders {
		l.carryOut(ctx, &orders[i])
	}
	return true
}

// waiters returns the suspects that still run, and forgets the others.
func (l *locks) waiters(now time.Time) (ws []policy.Waiter, pids []uint32) {
	l.mu.Lock()
	suspects := make([]*session, 0, len(l.suspects))
	for s := range l.suspects {
		suspects = append(suspects, s)
	}
	l.mu.Unlock()
	for _, s := range suspects {
		w, ok := s.asWaiter(now)
		if !ok {
			l.mu.Lock()
			delete(l.suspects, s)
			l.mu.Unlock()
			continue
		}
		ws, pids = append(ws, w), append(pids, w.PID)
	}
	return ws, pids
}

func (l *locks) holders(now time.Time, edges []policy.LockEdge) []policy.Holder {
	var out []policy.Holder
	seen := make(map[uint32]bool, len(edges))
	for i := range edges {
		pid := edges[i].Holder
		if pid == 0 || seen[pid] {
			continue
		}
		seen[pid] = true
		if s := l.srv.sessions.byPID(pid); s != nil {
			if h, ok := s.asHolder(now); ok {
				out = append(out, h)
			}
		}
	}
	return out
}

// carryOut has one order carried out. A holder that is slow to answer, or whose
// connection is dead, must delay neither the others nor the next look.
func (l *locks) carryOut(ctx context.Context, o *policy.Order) {
	holder := l.srv.sessions.byID(o.Holder.Session)
	if holder == nil {
		return
	}
	if waiter := l.srv.sessions.byID(o.Waiter.Session); waiter != nil && !o.Observe && o.Mode == policy.ReleaseNotice {
		waiter.tellWaiter(o)
	}
	order := *o
	l.srv.wg.Go(func() { // ends within actTimeout; Close waits
		ctx, stop := context.WithTimeout(ctx, actTimeout)
		defer stop()
		holder.release(ctx, &order)
	})
}

func (s *session) asWaiter(now time.Time) (policy.Waiter, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.m.Phase() != pgstate.Running {
		return policy.Waiter{}, false
	}
	d := s.limitsOwnerLocked()
	w := policy.Waiter{Session: s.id, PID: s.up.PID, User: s.base.User, Class: d.Class, Waiting: now.Sub(s.clock)}
	if d.Limits.QueryExecutionTime > 0 {
		w.Remaining = max(d.Limits.QueryExecutionTime-w.Waiting, time.Nanosecond)
	}
	return w, true
}

func (s *session) asHolder(now time.Time) (policy.Holder, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return policy.Holder{}, false
	}
	return policy.Holder{
		Session: s.id, PID: s.up.PID, User: s.base.User, Class: s.standing.Class, Kind: s.idleKindLocked(),
		Idle: now.Sub(s.idleSinceLocked()), HeldFor: s.heldForLocked(now), Plan: s.standing.Release,
		CoolUntil: s.coolUntil, Noticed: s.noticed, Tried: s.tried,
	}, true
}

func (s *session) idleKindLocked() policy.IdleKind {
	if s.busy.Load() || s.holds > 0 || (s.rel != nil && s.m.Phase() == pgstate.Idle) {
		return policy.NotIdle
	}
	switch s.m.Phase() {
	case pgstate.CopyWait:
		return policy.IdleCopyIn
	case pgstate.IdleUnit:
		return policy.IdleUnit
	case pgstate.Idle:
		switch policy.TxState(s.m.Status()) {
		case policy.TxActive:
			return policy.IdleInTx
		case policy.TxFailed:
			return policy.IdleFailed
		case policy.TxIdle:
		}
	case pgstate.Running:
		if s.m.Unflushed() {
			return policy.IdleUnit
		}
	case pgstate.Skipping:
	}
	return policy.NotIdle
}

func (s *session) idleSinceLocked() time.Time {
	if s.clock.After(s.quiet) {
		return s.clock
	}
	return s.quiet
}

func (s *session) heldForLocked(now time.Time) time.Duration {
	if s.tx.open {
		return now.Sub(s.tx.since)
	}
	return now.Sub(s.clock)
}

func (s *session) tellWaiter(o *policy.Order) {
	s.mu.Lock()
	told := s.noticed
	s.noticed = true
	s.mu.Unlock()
	if !told {
		s.tell(waiterNotice(o))
	}
}
