package proxy

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgstate"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// One timer a session. It is never moved to a later time: it fires, finds out
// that nothing is due, and is set again. So a statement costs no timer.

// retry is when a remedy that could not be carried out, because the client has
// just spoken or was released a moment ago, is tried again.
const retry = time.Second

// startClockLocked starts the clock of the next statement.
func (s *session) startClockLocked(now time.Time) {
	s.clock, s.clockStall = now, s.out.Stalled()
}

// armLocked makes sure that tick runs at at or before it.
func (s *session) armLocked(at time.Time) {
	if s.timer == nil || s.ended || (!s.armed.IsZero() && !at.Before(s.armed)) {
		return
	}
	s.armed = at
	s.timer.Reset(max(at.Sub(s.srv.cfg.Now()), 0))
}

// rearmLocked sets the timer for what can happen next.
func (s *session) rearmLocked(now time.Time) {
	d, st, at, r := s.nextLimitLocked(now)
	if r != policy.RemedyNone {
		s.armLocked(at)
	}
	if s.srv.cfg.Watcher != nil && st.Activity == policy.ActRunning {
		s.armLocked(s.clock.Add(s.srv.cfg.ProbeAfter))
	}
	if d.Metered && st.Activity != policy.ActIdle {
		s.armLocked(now.Add(time.Second))
	}
}

// nextLimitLocked returns whose limits hold, what the session is doing, and
// which limit passes next.
func (s *session) nextLimitLocked(now time.Time) (d *policy.Decision, st policy.WatchState, at time.Time, r policy.Remedy) {
	d, st = s.limitsOwnerLocked(), s.watchLocked(now)
	at, r = d.Limits.Next(&st, d.Release, s.srv.cfg.CancelGrace)
	return d, st, at, r
}

// watchLocked says what the session is doing as far as limits care.
func (s *session) watchLocked(now time.Time) policy.WatchState {
	st := policy.WatchState{
		Activity: phaseActivity(s.m.Phase()),
		Tx:       policy.TxState(s.m.Status()),
		TxSince:  s.tx.since,
		Steps:    s.cancel.steps,
		LastStep: s.cancel.last,
		Released: s.rel != nil,
		Since:    s.quiet,
	}
	switch st.Activity {
	case policy.ActRunning, policy.ActCopyWait, policy.ActStalled:
		// Time in which the client did not take what the server had is not the statement's.
		st.Since = s.clock.Add(s.out.Stalled() - s.clockStall)
		if at, ok := s.out.BlockedSince(); ok && now.Sub(at) > stallMin {
			st.Activity, st.Since = policy.ActStalled, at
		}
	case policy.ActIdle, policy.ActUnit:
		if s.clock.After(st.Since) {
			st.Since = s.clock
		}
	}
	return st
}

// stallMin: a write that takes less is not a stall.
const stallMin = 100 * time.Millisecond

// tick runs when the timer fires.
func (s *session) tick() {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ticks.Add(1)
	defer s.ticks.Done()
	s.armed = time.Time{}
	now := s.srv.cfg.Now()
	if s.gated {
		s.armLocked(now.Add(hangUpPoll))
	}
	gated := s.gated
	d, st, at, remedy := s.nextLimitLocked(now)
	due := remedy != policy.RemedyNone && !at.After(now)
	switch {
	case remedy != policy.RemedyNone && !due:
		s.armLocked(at)
	case s.holds > 0:
		due = false // who holds the session sets the timer when done
	}
	if st.Activity == policy.ActRunning && s.srv.cfg.Watcher != nil {
		s.suspectLocked(now)
	}
	if e := s.currentLocked(); e != nil && e.dec.Metered {
		s.chargeLocked(now)
		s.armLocked(now.Add(time.Second))
	}
	unit, dec := s.unit, *d
	s.mu.Unlock()

	if gated && hungUp(s.client) {
		_ = s.client.SetReadDeadline(past())
		s.vanished()
		return
	}
	if due {
		s.apply(remedy, unit, &dec, &st, now)
		s.mu.Lock()
		s.rearmAppliedLocked(s.srv.cfg.Now())
		s.mu.Unlock()
	}
}

// rearmAppliedLocked is rearmLocked behind a remedy: one that had no effect is
// due at once, and again, and would keep a processor busy.
func (s *session) rearmAppliedLocked(now time.Time) {
	if _, _, at, r := s.nextLimitLocked(now); r != policy.RemedyNone && !at.After(now) {
		s.armLocked(now.Add(retry))
		return
	}
	s.rearmLocked(now)
}

// suspectLocked hands a statement that runs for a while to the lock watch.
func (s *session) suspectLocked(now time.Time) {
	if at := s.clock.Add(s.srv.cfg.ProbeAfter); at.After(now) {
		s.armLocked(at)
		return
	}
	s.srv.locks.suspect(s)
	s.armLocked(now.Add(time.Second))
}

// vanished: the client hung up while clientPump waits for its turn.
func (s *session) vanished() {
	s.mu.Lock()
	gone := s.limitsOwnerLocked().OnClientGone
	running := s.m.Owed() > 0
	s.mu.Unlock()
	if running && gone == policy.GoneFinish {
		return
	}
	if running {
		ctx, done := s.context()
		s.cancelUnit(ctx, anyUnit, nil, audit.StopClientGone)
		done()
	}
	s.end(errClientGone)
}

// apply carries out a remedy.
func (s *session) apply(r policy.Remedy, unit uint64, d *policy.Decision, st *policy.WatchState, now time.Time) {
	ctx, stop := s.context()
	defer stop()
	s.srv.metrics.remedy(r)
	switch r {
	case policy.RemedyCancel:
		s.cancelUnit(ctx, unit, timeoutNotice(d), audit.StopTimeout)
	case policy.RemedyStall:
		s.stalled(ctx, unit, d)
	case policy.RemedyTerminate:
		s.terminate(ctx, unit)
	case policy.RemedyClose:
		s.closeUp(unit)
	case policy.RemedyReleaseTx:
		s.release(ctx, idleOrder(s, d, now.Sub(st.Since)))
	case policy.RemedyEndTx:
		if st.Activity == policy.ActRunning || st.Activity == policy.ActCopyWait {
			s.cancelUnit(ctx, unit, txTimeoutNotice(d), audit.StopTimeout)
			return
		}
		s.endTx(ctx, d, now.Sub(st.TxSince))
	case policy.RemedyEndSession:
		s.endIdle(idleSessionNotice())
	case policy.RemedyNone:
	}
}

// stalled: the client does not read. Its statement is cancelled, what still
// comes is dropped; if it stopped in the middle of a message nothing can be
// told to it any more, and its connection ends.
func (s *session) stalled(ctx context.Context, unit uint64, d *policy.Decision) {
	notice := stallNotice(d)
	s.mu.Lock()
	if _, blocked := s.out.BlockedSince(); !blocked || s.ended || s.unit != unit {
		s.mu.Unlock()
		return // it reads again
	}
	s.cancel.drop = true
	s.blameLocked(notice, audit.StopTimeout)
	s.muted.Store(true)
	// The write under way ends. Under mu, so that the deadline cannot come
	// behind the one that speakAgain sets when the unit is over.
	_ = s.client.SetWriteDeadline(past())
	s.mu.Unlock()
	s.cancelUnit(ctx, unit, notice, audit.StopTimeout)
}

// terminate ends the backend through the operator's login.
func (s *session) terminate(ctx context.Context, unit uint64) {
	s.mu.Lock()
	same := s.unit == unit && s.m.Owed() > 0
	s.cancel.steps++
	s.cancel.last = s.srv.cfg.Now()
	if s.srv.cfg.Watcher == nil {
		s.cancel.last = s.cancel.last.Add(-s.srv.cfg.CancelGrace) // nobody to ask: the next rung at once
	}
	s.mu.Unlock()
	if !same || s.srv.cfg.Watcher == nil {
		return
	}
	if err := s.srv.cfg.Watcher.Terminate(ctx, s.up.PID); err != nil {
		s.log.WarnContext(ctx, "operator could not end the backend", "backend_pid", s.up.PID, "error", err)
	}
}

// closeUp is the last rung: the connection to the warehouse goes; serverPump
// answers the client.
func (s *session) closeUp(unit uint64) {
	s.mu.Lock()
	same := s.unit == unit && s.m.Owed() > 0
	s.mu.Unlock()
	if same {
		_ = s.up.Conn.Close()
	}
}

// cancelUnit ends what the server does for a unit, in the way its state asks
// for: a CancelRequest, or CopyFail. It returns when the effect is settled: no
// later unit can be hit, for none goes up before. With notice nil the client
// reads the server's own words. It reports whether there was something to end.
func (s *session) cancelUnit(ctx context.Context, unit uint64, notice *pgwire.Notice, stop string) bool {
	s.mu.Lock()
	phase := s.m.Phase()
	if (unit != anyUnit && unit != s.unit) || (phase != pgstate.Running && phase != pgstate.CopyWait) {
		s.mu.Unlock()
		return false
	}
	s.blameLocked(notice, stop)
	if stop != audit.StopUser && stop != audit.StopOperator { // what people cancel is cancelled once, as by Postgres
		s.cancel.steps++
		s.cancel.last = s.srv.cfg.Now()
	}
	s.holds++
	s.mu.Unlock()

	s.bringOut(phase)
	ctx, done := context.WithTimeout(ctx, cancelTimeout)
	if err := s.up.Cancel(ctx); err != nil {
		s.log.WarnContext(ctx, "cancel request did not reach the warehouse", "backend_pid", s.up.PID, "error", err)
	}
	done()
	s.mu.Lock()
	s.holds--
	s.rearmLocked(s.srv.cfg.Now())
	s.cond.Broadcast()
	s.mu.Unlock()
	return true
}

// bringOut sends up what a server that waits for the client needs beside a
// CancelRequest to come back: CopyFail in COPY FROM STDIN, Flush where it keeps
// its answers. A client in the middle of a streamed message leaves no room for
// it, and must not be waited for: then the next rung has to help.
func (s *session) bringOut(phase pgstate.Phase) {
	s.mu.Lock()
	var frame []byte
	copying := phase == pgstate.CopyWait && s.m.Phase() == pgstate.CopyWait
	switch {
	case copying:
		s.m.CopyEnd()
		frame = pgwire.AppendString(nil, pgwire.MsgCopyFail, "canceled by lockkeeper")
	case s.m.Unflushed():
		frame = pgwire.AppendEmpty(nil, pgwire.MsgFlush)
	}
	s.mu.Unlock()
	if frame == nil {
		return
	}
	_, err := s.upOut.TryWrite(frame)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case copying && err != nil:
		s.m.CopyResumed()
	case !copying && err == nil:
		s.m.Flushed()
	}
}

// blameLocked notes why the unit ends. The first reason of ours stays: the
// client may have lost rows to it already.
func (s *session) blameLocked(notice *pgwire.Notice, stop string) {
	if s.cancel.notice == nil {
		s.cancel.notice, s.cancel.stop = notice, stop
	}
}

// cancelTimeout bounds a CancelRequest with its connection.
const cancelTimeout = 10 * time.Second

// cutOffLocked ends the unit in flight from inside serverPump, which must go
// on reading meanwhile.
func (s *session) cutOffLocked(notice *pgwire.Notice, stop string) {
	s.blameLocked(notice, stop)
	if s.ended {
		return
	}
	if e := s.currentLocked(); e != nil {
		e.stop = stop
	}
	unit := s.unit
	s.ticks.Go(func() { // ends with the cancel request; session.run waits
		ctx, done := s.context()
		defer done()
		s.cancelUnit(ctx, unit, notice, stop)
	})
}

// context returns a context for one act on behalf of the session.
func (s *session) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.srv.ctx, actTimeout)
}

// actTimeout bounds a remedy or release with all its steps.
const actTimeout = 15 * time.Second
