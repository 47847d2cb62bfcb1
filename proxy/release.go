package proxy

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgstate"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// released is a transaction that was taken from its client: the server holds
// an aborted one in its place, without a lock, until the client ends it.
//
//	holder idle in T             door                        warehouse
//	                             probe: anything to lose?  ─►
//	                       ◄─ NOTICE
//	                             ROLLBACK; BEGIN; poison   ─►   status E, no locks
//	COMMIT, nothing lost    ─►   COMMIT                    ─►   tag ROLLBACK
//	                       ◄─ tag COMMIT, I
//	anything else           ─►   as it is                  ─►   25P02
//	                       ◄─ 40001, E
type released struct {
	lost    bool           // work or session effects went with it
	told    bool           // the client has read that it is gone
	commits bool           // a COMMIT is up that must look like one
	notice  *pgwire.Notice // 40001
	modes   string         // of the client's BEGIN
}

// coolDown is the time in which a session is not ordered to release again.
const coolDown = 5 * time.Second

// release carries out an order against this session. It is dropped as soon as
// the client has said anything.
func (s *session) release(ctx context.Context, o *policy.Order) {
	s.mu.Lock()
	now := s.srv.cfg.Now()
	kind := s.idleKindLocked()
	if s.ended || kind == policy.NotIdle || now.Before(s.coolUntil) {
		s.mu.Unlock()
		return
	}
	if o.Observe || o.Mode == policy.ReleaseNotice {
		told := s.noticed
		s.noticed = true
		s.mu.Unlock()
		if !told {
			s.recordRelease(ctx, o, kind)
			if !o.Observe {
				s.tell(holderNotice(o))
			}
		}
		return
	}
	s.holds++
	s.coolUntil, s.tried = now.Add(coolDown), o.Mode
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.holds--
		s.rearmLocked(s.srv.cfg.Now())
		s.cond.Broadcast()
		s.mu.Unlock()
	}()
	if o.Mode == policy.ReleaseKill {
		s.recordRelease(ctx, o, kind)
		s.kill(idleInTxNotice())
		return
	}
	s.rollback(ctx, o, kind)
}

// rollback is M2: the transaction ends now, the session stays.
func (s *session) rollback(ctx context.Context, o *policy.Order, kind policy.IdleKind) {
	lost := true
	if kind == policy.IdleInTx {
		lost = s.losesWork(ctx)
	}
	if s.busy.Load() { // the client has spoken: its transaction is its own again
		return
	}
	if lost {
		o.Reason += "; work was lost"
	}
	s.recordRelease(ctx, o, kind)
	notice := releasedNotice(o.Holder.Idle, blocking(o))
	s.mu.Lock()
	if s.ended || s.busy.Load() {
		s.mu.Unlock()
		return
	}
	frames, wait := s.endHolderLocked(kind, lost, notice)
	s.noticed = true
	s.mu.Unlock()
	if err := s.write(frames); err != nil {
		return
	}
	s.tell(holderNotice(o))
	s.await(ctx, wait)
	s.srv.metrics.releases.WithLabelValues(o.Mode.String()).Inc()
}

// endHolderLocked prepares the machine and returns what goes up. The condition
// says when it is done.
func (s *session) endHolderLocked(kind policy.IdleKind, lost bool, notice *pgwire.Notice) (frames []byte, done func() bool) {
	status := s.m.Status()
	now := s.srv.cfg.Now()
	switch kind {
	case policy.IdleCopyIn:
		s.m.CopyEnd()
		s.cancel.notice, s.cancel.stop = notice, audit.StopRelease
		frames = pgwire.AppendString(frames, pgwire.MsgCopyFail, "released by lockkeeper")
		if status != pgwire.TxIdle {
			s.rel = &released{lost: true, told: true, notice: notice, modes: s.tx.modes}
			s.endTxLocked(audit.TxReleased, now)
		}
		return frames, func() bool { return s.m.Phase() != pgstate.Running }
	case policy.IdleUnit:
		frames = s.endUnitLocked(frames, notice, status)
	case policy.IdleInTx, policy.IdleFailed, policy.NotIdle:
	}
	if status != pgwire.TxIdle {
		frames = s.abortedLocked(frames, lost, notice)
		s.endTxLocked(audit.TxReleased, now)
	}
	return frames, func() bool { return s.m.Owed() == 0 }
}

// endUnitLocked ends the open unit of the extended protocol. A unit that only
// parsed loses nothing: the client never knows. One that ran something is told
// so at its next message.
func (s *session) endUnitLocked(frames []byte, notice *pgwire.Notice, status byte) []byte {
	frames = s.ownPoisonLocked(frames)
	if s.bound && status == pgwire.TxIdle {
		s.unitLost = notice
	}
	return frames
}

// abortedLocked puts an empty aborted transaction in the place of the open one.
func (s *session) abortedLocked(frames []byte, lost bool, notice *pgwire.Notice) []byte {
	s.m.Push(pgstate.Entry{Op: pgstate.OpQuery, Own: true, Ref: pgstate.NoRef})
	frames = pgwire.AppendQuery(frames, "ROLLBACK; BEGIN")
	now := s.srv.cfg.Now()
	s.m.EndPortals(func(ref int32) { // they go with the transaction
		if e := s.execs[ref]; e != nil {
			e.stop = audit.StopRelease
			s.finishLocked(e, now)
		}
	})
	frames = s.ownPoisonLocked(frames)
	s.rel = &released{lost: lost, notice: notice, modes: s.tx.modes}
	return frames
}

func (s *session) ownPoisonLocked(frames []byte) []byte {
	s.m.Push(pgstate.Entry{Op: pgstate.OpDescribe, Own: true, Poison: true, Ref: pgstate.NoRef})
	s.m.Push(pgstate.Entry{Op: pgstate.OpSync, Own: true, Ref: pgstate.NoRef})
	return pgwire.AppendEmpty(s.appendPoison(frames), pgwire.MsgSync)
}

// await waits for our own answers, at most until ctx ends.
func (s *session) await(ctx context.Context, done func() bool) bool {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		s.cond.Broadcast()
		s.mu.Unlock()
	})
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.ended && ctx.Err() == nil && !done() {
		s.cond.Wait()
	}
	return done()
}

// endTx ends a transaction that has lasted too long while it idles: by
// rollback where its class allows that, else with its connection.
func (s *session) endTx(ctx context.Context, d *policy.Decision, lasted time.Duration) {
	if d.Release.Strongest() == policy.ReleaseRollback {
		o := idleOrder(s, d, lasted)
		o.Reason = "transaction_time"
		s.release(ctx, o)
		return
	}
	s.mu.Lock()
	if s.ended || s.m.Owed() > 0 { // it runs now: the next tick cancels it
		s.mu.Unlock()
		return
	}
	s.holds++
	s.mu.Unlock()
	s.kill(txKilledNotice())
}

func idleOrder(s *session, d *policy.Decision, idle time.Duration) *policy.Order {
	h, _ := s.asHolder(s.srv.cfg.Now())
	h.Idle = idle
	return &policy.Order{Holder: h, Mode: d.Release.Strongest(), Reason: "max_idle_tx"}
}

func (s *session) recordRelease(ctx context.Context, o *policy.Order, kind policy.IdleKind) {
	ev := s.base
	ev.Kind = audit.KindRelease
	ev.Class = o.Holder.Class
	ev.Holder, ev.Waiter = s.name, s.srv.sessionName(o.Waiter.Session)
	ev.Relations = o.Relations
	ev.Held, ev.Idle = o.Holder.HeldFor, o.Holder.Idle
	ev.Mode = o.Mode.String()
	if o.Observe {
		ev.Mode = "observe"
	}
	ev.Reason = strings.TrimPrefix(o.Reason+"; "+kind.String(), "; ")
	ev.TxID = s.txID()
	ev.Durability, ev.OnFailure = audit.Durable, audit.Open
	if err := s.srv.cfg.Recorder.Record(ctx, &ev); err != nil {
		s.srv.metrics.auditErrors.Inc()
	}
}

func blocking(o *policy.Order) string {
	if o.Waiter.Session == 0 {
		return ""
	}
	return fmt.Sprintf(" while blocking %q", o.Waiter.Class)
}

func onRelations(o *policy.Order) string {
	if len(o.Relations) == 0 {
		return ""
	}
	return " on " + strings.Join(o.Relations, ", ")
}

func holderNotice(o *policy.Order) *pgwire.Notice {
	on := onRelations(o)
	if o.Waiter.Session == 0 {
		n := info(fmt.Sprintf("your transaction was rolled back: idle for %s", short(o.Holder.Idle)), "released")
		if o.Mode == policy.ReleaseNotice {
			n.Message = fmt.Sprintf("your transaction is idle for %s and holds its locks", short(o.Holder.Idle))
		}
		return n
	}
	if o.Mode == policy.ReleaseNotice {
		n := info(fmt.Sprintf("your open transaction blocks %s (%s)%s", o.Waiter.User, o.Waiter.Class, on), "blocking")
		n.Hint = "COMMIT or ROLLBACK to let it go on."
		return n
	}
	return info(fmt.Sprintf("your transaction was rolled back: idle for %s while %s (%s) waited%s", short(o.Holder.Idle), o.Waiter.User, o.Waiter.Class, on), "released")
}

func waiterNotice(o *policy.Order) *pgwire.Notice {
	on := onRelations(o)
	n := info(fmt.Sprintf("waiting for a lock%s held by %s (%s), idle for %s", on, o.Holder.User, o.Holder.Class, short(o.Holder.Idle)), "waiting")
	return n
}
