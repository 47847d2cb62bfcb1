package proxy

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// requeueEvery is how often a queued statement is decided again without being
// woken: rules that depend on the time of day change without an event.
const requeueEvery = time.Second

// decide asks the policy about one statement and writes its record. It returns
// an execution to send up, or the refusal, or an error if the session ended.
// It may wait: in the class's queue, and for the record to be on disk.
func (s *session) decide(ctx context.Context, b *policy.Batch, protocol string, body []byte) (*exec, *pgwire.Notice, error) {
	e := s.srv.newExec(s)
	e.batch = b
	s.statement++ // one number for all that the record says of it
	e.id = s.statement
	s.mu.Lock()
	st := &s.deciding
	*st = s.st
	st.UnitOpen = s.holding || s.scan.admitted()
	if s.moved == s.unit+1 || (len(b.Statements) > 1 && movesSettings(b.Features, b.Unknown)) {
		st.PathKnown = false // names are read when the SET before them has run
	}
	s.mu.Unlock()
	facts := s.executed(b)

	e.judged = facts
	entered := s.srv.cfg.Now()
	e.asked = entered
	s.chargeIdle(entered)
	now, waited := entered, false
	for ; ; waited = true {
		e.dec = s.srv.cfg.Engine.Decide(now, s.conn, facts, st, &e.ticket)
		if e.dec.Verdict != policy.Queue {
			break
		}
		if !waited {
			s.enterRoom(e)
			s.tellQueued(&e.dec)
			s.recordDecision(ctx, e, protocol)
		}
		refusal, err := s.waitTurn(e, entered)
		if refusal != nil || err != nil {
			s.leaveRoom()
			s.turnAway(ctx, e, protocol, refusal, err)
			return nil, refusal, err
		}
		now = s.srv.cfg.Now()
	}
	if waited {
		if by := s.leaveRoom(); by != "" && e.dec.Verdict != policy.Deny { // cancelled while it was decided again
			n := cancelledNotice()
			e.stop = by
			s.turnAway(ctx, e, protocol, n, nil)
			return nil, n, nil
		}
	}
	e.queued = now.Sub(entered)
	if movesSettings(b.Features, b.Unknown) {
		s.mu.Lock()
		s.moved = s.unit + 1
		s.mu.Unlock()
	}
	if len(e.dec.Observed) > 0 || e.dec.Verdict == policy.Warn {
		s.recordDecision(ctx, e, protocol)
	}
	for i := range e.dec.Warnings {
		s.notify(warningNotice(&e.dec.Warnings[i]))
	}
	if e.dec.Verdict == policy.Deny {
		n := refusalNotice(e.dec.Refusal)
		s.recordRefused(ctx, e, protocol, n, nil)
		s.srv.metrics.refused(e.dec.Refusal.SQLState)
		s.srv.freeExec(e)
		return nil, n, nil
	}
	if err := s.recordIntent(ctx, e, protocol, body, now); err != nil {
		s.srv.cfg.Engine.Leave(s.srv.cfg.Now(), &e.ticket) // it never ran
		s.srv.freeExec(e)
		s.srv.metrics.refused(stateAuditDown)
		return nil, auditUnavailable(), nil //nolint:nilerr // the client is told; why, the recorder has logged
	}
	return e, nil, nil
}

// turnAway ends the wait of a statement that will not run.
func (s *session) turnAway(ctx context.Context, e *exec, protocol string, n *pgwire.Notice, err error) {
	s.srv.cfg.Engine.Leave(s.srv.cfg.Now(), &e.ticket)
	s.recordRefused(ctx, e, protocol, n, err)
	s.srv.freeExec(e)
}

// executed gives SQL EXECUTE the facts of what it executes: of a Parse that is
// to go up with it, too.
func (s *session) executed(b *policy.Batch) *policy.Batch {
	if len(b.Statements) != 1 || b.Statements[0].Prepare != policy.SQLExecute {
		return b
	}
	if inner := s.factsOf([]byte(b.Statements[0].Prepared)); inner != unknownBatch {
		return inner
	}
	return b
}

// waiting is a statement in the waiting room, as others may see it: its
// execution is clientPump's alone until it goes up.
type waiting struct {
	id       uint64
	batch    *policy.Batch
	asked    time.Time
	class    string
	queue    string
	why      string
	byRule   bool
	running  int
	position int
	maxWait  time.Duration
	text     bool // its text may be shown
}

// enterRoom: from the notice that it is queued to the decision that lets it go
// a statement can be cancelled as one that waits.
func (s *session) enterRoom(e *exec) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inRoom, s.unqueue = true, ""
	s.waitsLocked(e)
}

// waitsLocked notes how e waits now.
func (s *session) waitsLocked(e *exec) {
	d := &e.dec
	s.room = waiting{
		id: e.id, batch: e.batch, asked: e.asked, class: d.Class, queue: d.QueueName, why: d.QueueWhy, byRule: d.QueueRule, running: d.QueueRunning,
		position: d.Position, maxWait: d.MaxWait, text: d.Audit.Text != policy.TextNone,
	}
	s.srv.sessions.moved()
}

// leaveRoom returns who cancelled the statement, empty if nobody did.
func (s *session) leaveRoom() (by string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	by = s.unqueue
	s.inRoom, s.unqueue, s.room = false, "", waiting{}
	s.srv.sessions.moved()
	return by
}

func (s *session) tellQueued(d *policy.Decision) {
	s.notify(queuedNotice(d))
	s.srv.metrics.queued.Inc()
}

// waitTurn waits until the queued statement may be decided again. It returns a
// refusal if somebody cancelled it, an error if the session ended.
func (s *session) waitTurn(e *exec, entered time.Time) (*pgwire.Notice, error) {
	s.mu.Lock()
	s.waitsLocked(e)
	s.mu.Unlock()
	deadline := s.srv.cfg.Now().Add(requeueEvery)
	if last := entered.Add(e.dec.MaxWait); e.dec.MaxWait > 0 && last.Before(deadline) {
		deadline = last
	}
	pause := func() time.Duration { return max(min(hangUpPoll, deadline.Sub(s.srv.cfg.Now())), time.Millisecond) }
	timer := time.NewTimer(pause())
	defer timer.Stop()
	for {
		woken := false
		select {
		case <-s.wake:
			woken = true
		case <-s.done:
			return nil, s.cause
		case <-timer.C:
			timer.Reset(pause())
		}
		s.mu.Lock()
		by := s.unqueue
		s.mu.Unlock()
		switch {
		case by != "":
			e.stop = by
			return cancelledNotice(), nil
		case hungUp(s.client):
			return nil, errClientGone
		case woken || !s.srv.cfg.Now().Before(deadline):
			return nil, nil
		}
	}
}

// forwardedLocked notes that e is about to go up.
func (s *session) forwardedLocked(e *exec, now time.Time) {
	e.began = now
	s.newest = e.id
	s.srv.sessions.moved()
	e.stalled = s.out.Stalled()
	b := e.batch
	s.standing = e.dec
	s.rememberLocked(b)
	s.tx.features |= b.Features
	s.tx.unknown |= b.Unknown
	if !s.st.Held && holdsLocks(b) {
		s.st.Held = true
	}
	if movesSettings(b.Features, b.Unknown) {
		s.pathStale = true
		s.st.PathKnown = false
	}
}

// holdsLocks reports whether a batch is more than transaction control, SET and
// SHOW.
func holdsLocks(b *policy.Batch) bool {
	for i := range b.Statements {
		st := &b.Statements[i]
		switch st.Kind {
		case policy.KindTransaction, policy.KindSession:
			continue
		case policy.KindUtility:
			if st.Setting != "" {
				continue
			}
		case policy.KindUnknown, policy.KindRead, policy.KindWrite, policy.KindDDL, policy.KindCopyIn, policy.KindCopyOut:
		}
		return true
	}
	return false
}

// movesSettings reports whether what ran may have changed a setting, the
// search_path among them.
func movesSettings(f policy.Features, u policy.Unknowns) bool {
	return f&(policy.FeatSet|policy.FeatSetLocal|policy.FeatVolatileCall) != 0 || u&policy.UnknownEffects != 0
}

// rememberLocked keeps what runs in an explicit transaction, for the question
// what a release would lose. It costs a pointer; the answer is looked for only
// when a release comes.
func (s *session) rememberLocked(b *policy.Batch) {
	s.madeTemp = s.madeTemp || b.Features&policy.FeatTemp != 0
	if s.m.Status() == pgwire.TxIdle && b.Verbs&policy.VerbTransaction == 0 {
		return
	}
	if len(s.tx.batches) >= maxRemembered {
		s.tx.crowded = true
		return
	}
	s.tx.batches = append(s.tx.batches, b)
}

// maxRemembered bounds what is kept of one transaction.
const maxRemembered = 256

// chargeIdle charges the time a session idled in its transaction before it
// spoke again.
func (s *session) chargeIdle(now time.Time) {
	s.mu.Lock()
	idle := s.tx.open && s.m.Owed() == 0 && !s.m.UnitOpen()
	class, d := s.standing.Class, now.Sub(s.quiet)
	s.mu.Unlock()
	if idle && d > 0 {
		s.srv.cfg.Engine.IdleTx(now, s.conn, class, d)
	}
}
