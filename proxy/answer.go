package proxy

import (
	"bytes"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgstate"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// This file reads the warehouse's answers: what they say about statements,
// transactions and settings, and where the client gets our words instead.

func (s *session) frameLocked(tag byte, frame []byte, now time.Time) verdict {
	body := frame[pgwire.HeadSize:]
	var status byte
	if tag == pgwire.MsgReadyForQuery && len(body) > 0 {
		status = body[0]
	}
	step := s.m.Server(tag, status)
	switch tag {
	case pgwire.MsgParameterStatus:
		s.parameterLocked(body)
		return verdict{}
	case pgwire.MsgErrorResponse:
		return s.errorLocked(&step, frame, now)
	case pgwire.MsgCommandComplete, pgwire.MsgEmptyQueryResponse:
		return s.completeLocked(&step, frame, now)
	case pgwire.MsgPortalSuspended:
		s.suspendedLocked(&step, now)
	case pgwire.MsgReadyForQuery:
		return s.readyLocked(&step, frame, status, now)
	}
	if step.Action == pgstate.Capture {
		s.captureLocked(frame)
		return verdict{action: pgstate.Swallow}
	}
	// CopyData may be waiting for its CopyInResponse.
	return verdict{action: step.Action, flush: tag == pgwire.MsgCopyInResponse}
}

func (s *session) captureLocked(frame []byte) {
	if s.capture != nil {
		s.capture(frame)
	}
}

// parameterLocked follows the settings that decide how a text is read.
func (s *session) parameterLocked(body []byte) {
	name, value, ok := pgwire.ParameterStatus(body)
	if !ok {
		return
	}
	s.readOnlyLocked(name, value)
	s.env.set(string(name), string(value))
}

func (e *ParseEnv) set(name, value string) {
	switch name {
	case "client_encoding":
		e.Encoding = value
	case "standard_conforming_strings":
		e.StdStrings = StdStringsOff
		if value == "on" {
			e.StdStrings = StdStringsOn
		}
	case "padb_version":
		e.Redshift = true
	}
}

// execOf returns the execution an entry belongs to, if it is still open.
func (s *session) execOf(e *pgstate.Entry) *exec {
	if e.Ref == pgstate.NoRef || e.Op == 0 {
		return nil
	}
	return s.execs[e.Ref]
}

// suspendedLocked ends one Execute of a portal that has more rows.
func (s *session) suspendedLocked(step *pgstate.Step, now time.Time) {
	s.startClockLocked(now)
	s.rearmLocked(now)
	if e := s.execOf(&step.Entry); e != nil {
		e.turns--
		if e.cursor {
			s.finishLocked(e, now)
		}
	}
}

func (s *session) completeLocked(step *pgstate.Step, frame []byte, now time.Time) verdict {
	s.startClockLocked(now)
	if step.Entry.Hush {
		put := s.hush
		s.hush = nil
		return verdict{action: pgstate.Swallow, put: put}
	}
	if step.Action != pgstate.Forward {
		s.captureLocked(frame)
		return verdict{action: pgstate.Swallow}
	}
	e := s.execOf(&step.Entry)
	if e == nil {
		return verdict{}
	}
	if frame[0] == pgwire.MsgCommandComplete {
		tag := pgwire.CommandTag(frame[pgwire.HeadSize:])
		e.tag = s.intern(tag)
		e.written += writtenRows(tag)
		if e.batch.Verbs.Has(policy.VerbDDL) && s.srv.cfg.CatalogChanged != nil {
			s.srv.cfg.CatalogChanged()
		}
		s.commandLocked(e, now)
	}
	e.idx++
	if step.Done {
		// A portal may be executed again in the same pipeline: the slot must
		// not be another statement's by then.
		if e.turns--; e.turns <= 0 {
			s.finishLocked(e, now)
		}
		s.rearmLocked(now) // the next of the pipeline may have less time
	}
	if e.drop && s.cancel.notice != nil {
		// The statement ended before the cancel reached it, and the client has
		// not got all rows: that must not look like success.
		e.state = s.cancel.notice.Code
		return verdict{action: pgstate.Swallow, put: pgwire.AppendError(nil, s.cancel.notice)}
	}
	if s.rel != nil && s.rel.commits && e.tag == "ROLLBACK" {
		s.rel.commits = false
		e.tag = "COMMIT"
		return verdict{action: pgstate.Swallow, put: pgwire.AppendCommandComplete(nil, "COMMIT")}
	}
	return verdict{}
}

// commandLocked follows transactions and SQL-level prepared statements.
func (s *session) commandLocked(e *exec, now time.Time) {
	st := e.statementAt()
	switch e.tag {
	case "BEGIN", "START TRANSACTION":
		if !s.tx.open && s.rel == nil {
			s.openTxLocked(now)
			if st != nil {
				s.tx.modes = st.TxModes
			}
		}
	case "COMMIT", "PREPARE TRANSACTION":
		s.endTxLocked(audit.TxCommitted, now)
	case "ROLLBACK":
		if st == nil || st.Tx != policy.TxRollbackTo {
			s.endTxLocked(audit.TxRolledBack, now)
		}
	case "PREPARE":
		if st != nil && st.Prepare == policy.SQLPrepareDefine {
			s.m.Define(st.Prepared, inner(e.batch, st))
		}
	case "DEALLOCATE":
		if st != nil {
			s.m.Deallocate(st.Prepared)
		}
	case "DEALLOCATE ALL", "DISCARD ALL":
		s.m.Deallocate("")
	case "SET", "RESET":
		s.followTagsLocked(st)
	}
}

// inner returns the facts of the statement that a PREPARE defines.
func inner(b *policy.Batch, st *policy.Statement) *policy.Batch {
	cp := *st
	cp.Prepare, cp.Prepared = policy.SQLPrepareNone, ""
	return &policy.Batch{
		Statements: []policy.Statement{cp}, Tags: b.Tags, Bytes: b.Bytes, Masked: b.Masked, MaskedCut: b.MaskedCut,
		Verbs: cp.Verbs, Features: cp.Features, Unknown: cp.Unknown, Fingerprint: cp.Fingerprint,
		ReadNames: b.ReadNames, WriteNames: b.WriteNames, FunctionNames: b.FunctionNames, VerbNames: cp.Verbs.Names(),
	}
}

func (s *session) openTxLocked(now time.Time) {
	s.srv.sessions.moved()
	s.txs++
	s.tx.open, s.tx.id, s.tx.since, s.tx.modes = true, s.txs, now, ""
}

func (s *session) endTxLocked(how string, now time.Time) {
	s.srv.sessions.moved()
	if s.tx.open {
		s.endedTx = append(s.endedTx, endedTx{how: how, tx: s.tx, at: now})
	}
	if movesSettings(s.tx.features, s.tx.unknown) {
		s.pathStale, s.st.PathKnown = true, false // the end may have taken a SET back
	}
	s.tx = txState{batches: s.stillRunningLocked(s.tx.batches[:0])}
	s.st.Held = false
	s.noticed, s.tried = false, policy.ReleaseNotice
}

// stillRunningLocked keeps the batch that goes on after a COMMIT in its middle.
func (s *session) stillRunningLocked(kept []*policy.Batch) []*policy.Batch {
	if e := s.currentLocked(); e != nil && len(e.batch.Statements) > 1 {
		kept = append(kept, e.batch)
	}
	return kept
}

// errorLocked handles an error of the warehouse. Where it is of our making the
// client reads our words.
func (s *session) errorLocked(step *pgstate.Step, frame []byte, now time.Time) verdict {
	body := frame[pgwire.HeadSize:]
	code := pgwire.SQLState(body)
	s.startClockLocked(now)
	e := s.execOf(&step.Entry)
	v := verdict{action: step.Action}
	if s.breaking {
		msg, _ := pgwire.Field(body, 'M')
		s.breaking, s.broke = false, bytes.Contains(msg, []byte(copyBreak))
	}
	if step.Action == pgstate.Capture {
		s.captureLocked(frame)
		return verdict{action: pgstate.Swallow}
	}
	switch {
	case step.Action == pgstate.Replace:
		v = s.poisonAnsweredLocked(body)
	case step.Action == pgstate.Swallow:
	case s.cancel.notice != nil && ownDoing(code):
		v.action = pgstate.Swallow
		if !pgwire.Fatal(body) { // else the end of the connection follows, and upstreamBroken tells
			v.put = pgwire.AppendError(nil, s.cancel.notice)
		}
		code = s.cancel.notice.Code
	case s.rel != nil && !s.rel.told && !step.Fatal:
		s.rel.told = true
		v.action, v.put = pgstate.Swallow, pgwire.AppendError(nil, s.rel.notice)
		code = s.rel.notice.Code
		if e != nil {
			e.stop = audit.StopRelease
		}
	}
	if e != nil {
		e.state = code
		if e.stop == "" && code == stateCanceled {
			e.stop = s.cancel.stop
		}
		if step.Done {
			s.finishLocked(e, now)
		}
	}
	s.farewell = v.action == pgstate.Forward && pgwire.Fatal(body)
	s.skippedLocked(now)
	v.flush = true // what waits may be dropped now
	return v
}

// ownDoing reports whether an error is the effect of our cancel, of our
// CopyFail, or of the operator's termination.
func ownDoing(code string) bool { return code == stateCanceled || code == "57P01" }

// poisonAnsweredLocked puts the refusal into the error that names the poison.
func (s *session) poisonAnsweredLocked(body []byte) verdict {
	msg, _ := pgwire.Field(body, 'M')
	if s.refusal == nil || pgwire.SQLState(body) != "26000" || !bytes.Contains(msg, []byte(s.nonce)) {
		return verdict{action: pgstate.Forward}
	}
	put := pgwire.AppendError(nil, s.refusal)
	s.refusal = nil
	if s.rel != nil && !s.rel.told {
		s.rel.told = true
	}
	return verdict{action: pgstate.Swallow, put: put}
}

// readyLocked ends a unit.
func (s *session) readyLocked(step *pgstate.Step, frame []byte, status byte, now time.Time) verdict {
	s.st.Tx = policy.TxState(status)
	s.quiet = now
	if e := s.execOf(&step.Entry); e != nil {
		s.finishLocked(e, now)
	}
	if status == pgwire.TxIdle {
		s.m.EndPortals(func(ref int32) {
			if e := s.execs[ref]; e != nil {
				s.finishLocked(e, now)
			}
		})
		s.endTxLocked(audit.TxRolledBack, now)
		if step.Unit {
			s.rel = nil
		}
	} else if !s.tx.open && s.rel == nil {
		s.openTxLocked(now)
	}
	if step.Action != pgstate.Forward {
		s.captureLocked(frame)
		s.rearmLocked(now)
		return verdict{action: pgstate.Swallow, flush: true}
	}
	s.unit++
	s.bound = false
	s.lastCancel = s.cancel.notice
	s.cancel = cancelState{}
	s.unwritten = true
	s.rearmLocked(now)
	return verdict{flush: true}
}

// intern keeps the usual command tags from being allocated again and again.
func (s *session) intern(tag []byte) string {
	if t, ok := s.tags[string(tag)]; ok {
		return t
	}
	t := string(tag)
	if s.tags == nil {
		s.tags = make(map[string]string)
	}
	if len(s.tags) < 64 {
		s.tags[t] = t
	}
	return t
}
