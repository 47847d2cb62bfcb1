package proxy

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// This file is the only translator from facts and decisions to records.

const (
	stopLimit = audit.StopLimit
	stopQuota = audit.StopQuota
)

// describe writes what is known of a statement before it runs into its event.
func (s *session) describe(e *exec, kind audit.Kind, protocol string) {
	ev := &e.ev
	*ev = s.base
	b, d := e.batch, &e.dec
	ev.Kind = kind
	ev.Class = d.Class
	ev.Verdict = d.Verdict.String()
	ev.Rules = d.Rules
	ev.Protocol = protocol
	ev.StatementID = s.statement
	ev.Fingerprint = b.Fingerprint
	ev.Verbs, ev.Reads, ev.Writes, ev.Functions = b.VerbNames, b.ReadNames, b.WriteNames, b.FunctionNames
	ev.TextBytes = int64(b.Bytes)
	if d.Audit.Text != policy.TextNone {
		ev.Text, ev.TextTruncated = b.Masked, b.MaskedCut
	}
	ev.Tags = s.tagsOf(b)
	ev.Queue = e.queued
	ev.TxID = s.txID()
	ev.Write = b.Verbs.Has(policy.VerbWrites) || b.Unknown&policy.UnknownVerbs != 0
	ev.Durability, ev.OnFailure = durability(d.Audit.Durability), failMode(d.Audit.OnFailure)
}

// recordIntent writes the intent. An error means that the statement must not
// run.
func (s *session) recordIntent(ctx context.Context, e *exec, protocol string, body []byte, now time.Time) error {
	s.describe(e, audit.KindIntent, protocol)
	e.ev.Time = now
	s.detail(e, protocol, body)
	s.resolved(e)
	return s.srv.cfg.Recorder.Record(ctx, &e.ev)
}

// resolved adds what the names of a principal's statement meant.
func (s *session) resolved(e *exec) {
	n := e.dec.Names
	if n == nil {
		return
	}
	ev, b := &e.ev, e.judged
	ev.ResolvedReads, ev.ResolvedWrites, ev.ResolvedFunctions, ev.Expanded = n.Reads, n.Writes, n.Functions, n.Expanded
	ev.Unread = b.Unknown&^(policy.UnknownWhere|policy.UnknownLimit) != 0 || b.Verbs.Has(policy.VerbUnknown)
	s.mu.Lock()
	ev.Temp = s.madeTemp || b.Features&policy.FeatTemp != 0
	s.mu.Unlock()
}

// detail adds full text and parameters where the policy asks for them.
func (s *session) detail(e *exec, protocol string, body []byte) {
	if e.dec.Audit.Text == policy.TextFull && protocol == protocolSimple && e.batch.Features&policy.FeatSecret == 0 {
		if sql, ok := pgwire.Query(body); ok {
			e.ev.Text, e.ev.TextTruncated = audit.Truncate(string(sql[:min(len(sql), policy.MaxMasked+4)]), policy.MaxMasked)
		}
	}
	if e.dec.Audit.Params == policy.ParamsNone || protocol != protocolExtended || len(body) == 0 {
		return
	}
	e.ev.Params = s.srv.params(e.dec.Audit.Params, body)
}

// recordDecision writes what the policy said beside, or instead of, an intent.
func (s *session) recordDecision(ctx context.Context, e *exec, protocol string) {
	s.describe(e, audit.KindDecision, protocol)
	if len(e.dec.Observed) > 0 {
		e.ev.Rules, e.ev.Mode = e.dec.Observed, "observe"
	}
	if e.dec.Verdict == policy.Queue {
		e.ev.Reason = e.dec.QueueWhy
	}
	s.event(ctx, &e.ev)
}

// recordRefused writes the decision that stands in the place of an intent.
func (s *session) recordRefused(ctx context.Context, e *exec, protocol string, n *pgwire.Notice, err error) {
	s.describe(e, audit.KindDecision, protocol)
	e.ev.Verdict = audit.VerdictDeny
	e.ev.Stop = e.stop
	switch {
	case n != nil:
		e.ev.SQLState, e.ev.Message, e.ev.Reason = n.Code, n.Message, n.Routine
	case err != nil:
		e.ev.Stop = audit.StopClientGone
	}
	s.event(ctx, &e.ev)
}

// event records something that is over: there is nothing left to refuse.
func (s *session) event(ctx context.Context, ev *audit.Event) {
	ev.OnFailure = audit.Open
	if ev.Durability == audit.Durable {
		ev.Durability = audit.Ordered
	}
	if err := s.srv.cfg.Recorder.Record(ctx, ev); err != nil {
		s.srv.metrics.auditErrors.Inc()
	}
}

// recordFinished writes the outcomes of all that is over, gives back what it
// had taken, and forgets it.
func (s *session) recordFinished() {
	s.mu.Lock()
	if len(s.finished) == 0 && len(s.endedTx) == 0 {
		s.mu.Unlock()
		return
	}
	done, txs := s.finished, s.endedTx
	s.finished, s.spare, s.endedTx = s.spare[:0], nil, nil
	s.mu.Unlock()
	for i, e := range done {
		s.recordOutcome(e)
		s.srv.cfg.Engine.Settle(e.ended, &e.ticket, e.usage(e.ended))
		s.srv.metrics.done(e)
		s.srv.freeExec(e)
		done[i] = nil
	}
	s.mu.Lock()
	s.spare = done[:0]
	s.mu.Unlock()
	for i := range txs {
		s.recordTx(txs[i].how, txs[i].tx, txs[i].at)
	}
}

func (s *session) recordOutcome(e *exec) {
	ev := &e.ev
	ev.Kind = audit.KindOutcome
	ev.Time = e.ended
	ev.Params, ev.Tags = nil, nil
	ev.ResolvedReads, ev.ResolvedWrites, ev.ResolvedFunctions = nil, nil, nil
	ev.Expanded, ev.Unread, ev.Temp = false, false, false
	ev.Text, ev.TextTruncated = "", false
	ev.Queue = e.queued
	ev.Exec = e.ended.Sub(e.began)
	if !e.firstRow.IsZero() {
		ev.FirstRow = e.firstRow.Sub(e.began)
	}
	ev.Send = e.sent
	ev.Rows = e.rows
	if e.rows == 0 {
		ev.Rows = e.written
	}
	ev.BytesOut, ev.BytesIn = e.bytesOut, e.bytesIn
	ev.Tag, ev.SQLState, ev.Stop = e.tag, e.state, e.stop
	s.event(s.srv.ctx, ev)
}

func (s *session) recordTx(how string, tx txState, at time.Time) {
	ev := s.base
	ev.Kind, ev.Time, ev.Tx, ev.TxID, ev.Held = audit.KindTxEnd, at, how, tx.id, at.Sub(tx.since)
	s.event(s.srv.ctx, &ev)
}

// txID returns the number of the explicit transaction that is open.
func (s *session) txID() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tx.open {
		return s.tx.id
	}
	return 0
}

// tagsOf joins the tags of the comment with those of the session. It allocates
// only where there are any.
func (s *session) tagsOf(b *policy.Batch) []audit.Tag {
	session := s.conn.Subject().Tags
	if len(b.Tags)+len(session) == 0 {
		return nil
	}
	out := make([]audit.Tag, 0, len(b.Tags)+len(session))
	for _, t := range session {
		out = append(out, audit.Tag{Key: t.Key, Value: t.Value})
	}
	for _, t := range b.Tags {
		out = append(out, audit.Tag{Key: t.Key, Value: t.Value})
	}
	return out
}

func durability(d policy.Durability) audit.Durability {
	switch d {
	case policy.BestEffort:
		return audit.BestEffort
	case policy.Ordered:
		return audit.Ordered
	case policy.DurabilityUnset, policy.Durable:
	}
	return audit.Durable
}

func failMode(m policy.FailMode) audit.FailMode {
	switch m {
	case policy.FailOpen:
		return audit.Open
	case policy.FailClosed:
		return audit.Closed
	case policy.FailClosedForWrites:
	}
	return audit.ClosedForWrites
}
