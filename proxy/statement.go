package proxy

import (
	"context"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgstate"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// query handles a Query or FunctionCall: a unit of its own.
func (s *session) query(ctx context.Context, tag byte, size int) error {
	limit := s.srv.cfg.MaxStatementBytes
	if size-pgwire.HeadSize > limit {
		return s.refuseQuery(size, nil, statementTooLarge(limit))
	}
	frame, err := s.frame(size)
	if err != nil {
		return err
	}
	op, batch, protocol := pgstate.OpFunction, functionFacts(frame[pgwire.HeadSize:]), protocolFunction
	if tag == pgwire.MsgQuery {
		sql, ok := pgwire.Query(frame[pgwire.HeadSize:])
		if !ok {
			return s.broken(fmt.Errorf("%w: query without end", errProtocol))
		}
		op, batch, protocol = pgstate.OpQuery, s.parse(sql), protocolSimple
	}
	if err := s.refreshPath(ctx); err != nil {
		return err
	}
	if s.rel != nil {
		if handled, err := s.afterRelease(batch, size); handled || err != nil {
			return err
		}
	}
	e, refusal, err := s.decide(ctx, batch, protocol, frame[pgwire.HeadSize:])
	if err != nil {
		return err
	}
	if refusal != nil {
		var guard []string
		if frame, err = s.frame(size); err != nil { // it may have moved while we waited
			return err
		}
		if sql, ok := pgwire.Query(frame[pgwire.HeadSize:]); ok && tag == pgwire.MsgQuery {
			guard = s.savepoints(batch, sql)
		}
		return s.refuseQuery(size, guard, refusal)
	}
	now := s.srv.cfg.Now()
	s.mu.Lock()
	s.slotLocked(e)
	s.startsLocked(now)
	if !s.m.Push(pgstate.Entry{Op: op, Ref: e.ref}) {
		s.discardedLocked(e, now)
	} else {
		s.forwardedLocked(e, now)
	}
	s.rearmLocked(now)
	s.mu.Unlock()
	return s.forward(size)
}

// parse returns the facts of a text under the session's settings.
func (s *session) parse(sql []byte) *policy.Batch {
	s.mu.Lock()
	env := s.env
	if s.moved == s.unit+1 {
		env.StdStrings = StdStringsUnknown // a SET of this unit may be on its way
	}
	s.mu.Unlock()
	return s.srv.cfg.Parser.Parse(sql, env)
}

// decideRun decides the held messages: their unit is about to move.
func (s *session) decideRun(ctx context.Context) error {
	for s.scan.decided < len(s.scan.run) {
		it := &s.scan.run[s.scan.decided]
		body := s.body(it)
		var refusal *pgwire.Notice
		var err error
		switch it.tag {
		case pgwire.MsgParse:
			_, sql, ok := pgwire.Parse(body)
			if !ok {
				return s.broken(fmt.Errorf("%w: Parse without end", errProtocol))
			}
			it.facts = s.parse(sql)
		case pgwire.MsgBind:
			refusal, err = s.decideBind(ctx, it, body, body)
		case pgwire.MsgExecute:
			refusal, err = s.decideExecute(ctx, it, body)
		}
		if err != nil {
			return err
		}
		if refusal != nil {
			return s.refuseRun(refusal)
		}
		s.scan.decided++
	}
	return nil
}

// decideBind decides a Bind. Its names stand in head; whole is the body, nil
// where it is streamed.
func (s *session) decideBind(ctx context.Context, it *item, head, whole []byte) (*pgwire.Notice, error) {
	portal, name, ok := pgwire.Bind(head)
	if !ok {
		return nil, s.broken(fmt.Errorf("%w: Bind without names", errProtocol))
	}
	if n := s.crowded(portal); n != nil {
		return n, nil
	}
	batch := s.factsOf(name)
	if s.scan.decided == 0 {
		if err := s.refreshPath(ctx); err != nil {
			return nil, err
		}
	}
	if n := s.releasedBind(batch); n != nil {
		return n, nil
	}
	e, refusal, err := s.decide(ctx, batch, protocolExtended, whole)
	it.exec = e
	return refusal, err
}

// crowded refuses a portal beyond those a session may keep open: each holds
// memory here and there.
func (s *session) crowded(portal []byte) *pgwire.Notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m.Crowded(portal) {
		return tooManyPortals()
	}
	return nil
}

// decideExecute decides the Execute of a portal that no Bind made, such as a
// cursor of DECLARE: nobody has judged, counted or limited what it fetches.
func (s *session) decideExecute(ctx context.Context, it *item, body []byte) (*pgwire.Notice, error) {
	portal, _, _ := pgwire.CString(body)
	if s.bindsPortal(portal) {
		return nil, nil
	}
	e, refusal, err := s.decide(ctx, unknownBatch, protocolExtended, nil)
	if e != nil {
		e.cursor = true
		it.exec = e
	}
	return refusal, err
}

// bindsPortal reports whether a portal is of a Bind, in the run or before.
func (s *session) bindsPortal(portal []byte) bool {
	portal, _ = pgstate.Cut(portal)
	for i := s.scan.decided - 1; i >= 0; i-- {
		it := &s.scan.run[i]
		if it.tag != pgwire.MsgBind {
			continue
		}
		body := s.body(it)
		n, _, _ := pgwire.CString(body)
		if n, _ = pgstate.Cut(n); string(n) == string(portal) {
			return true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.Portal(portal) != pgstate.NoRef
}

// factsOf returns the facts of a prepared statement: of a Parse in the run, or
// of one that went up before.
func (s *session) factsOf(name []byte) *policy.Batch {
	wanted, cut := pgstate.Cut(name)
	if cut {
		return unknownBatch
	}
	for i := s.scan.decided - 1; i >= 0; i-- {
		it := &s.scan.run[i]
		if it.tag != pgwire.MsgParse {
			continue
		}
		body := s.body(it)
		n, _, _ := pgwire.CString(body)
		switch short, cut := pgstate.Cut(n); {
		case string(n) == string(name) && !cut:
			return it.facts
		case cut && string(short) == string(wanted):
			return unknownBatch
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.m.Statement(name).(*policy.Batch); ok {
		return b
	}
	return unknownBatch
}

// body returns the body of a held message, valid until more is read.
func (s *session) body(it *item) []byte { return s.in.Bytes(it.off + it.size)[it.off+pgwire.HeadSize:] }

// sendRun sends up what is decided.
func (s *session) sendRun() error {
	if s.scan.decided == 0 {
		return nil
	}
	var err error
	k := s.scan.decided
	flushed := s.flushed(k)
	n := s.pushRun(k)
	if flushed == nil {
		flushed = s.in.Bytes(n)
	}
	err = s.write(flushed)
	s.in.Discard(n)
	s.scan.forget(s.scan.decided, n)
	if err == nil && s.scan.owed > maxOwed {
		return s.settleUnit()
	}
	return err
}

// flushed returns the bytes of run[:k] with a Flush behind each Execute that
// another statement follows, or nil where none is needed. The server keeps the
// answers of a pipeline to itself otherwise, and we could not tell when one
// statement ends and the clock of the next begins.
func (s *session) flushed(k int) []byte {
	run := s.scan.run[:k]
	limited, executes := false, 0
	for i := range run {
		if e := run[i].exec; e != nil && e.dec.Limits.QueryExecutionTime > 0 {
			limited = true
		}
		if run[i].tag == pgwire.MsgExecute {
			executes++
		}
	}
	if !limited || executes == 0 || (executes == 1 && (run[k-1].tag == pgwire.MsgSync || run[k-1].tag == pgwire.MsgFlush)) {
		return nil
	}
	out := make([]byte, 0, run[k-1].off+run[k-1].size+executes*pgwire.HeadSize)
	for i := range run {
		it := &run[i]
		out = append(out, s.in.Bytes(it.off + it.size)[it.off:]...)
		last := i+1 == k || run[i+1].tag == pgwire.MsgSync || run[i+1].tag == pgwire.MsgFlush
		if it.tag == pgwire.MsgExecute && (!last || i+1 == k) {
			out = pgwire.AppendEmpty(out, pgwire.MsgFlush)
		}
	}
	return out
}

// startsLocked starts the clock if the server gets to work with what goes up
// now: behind another statement it starts with that one's end.
func (s *session) startsLocked(now time.Time) {
	if h := s.m.Head(); h == nil || h.Own {
		s.startClockLocked(now)
	}
}

// pushRun tells the machine about run[:k] and returns how many bytes they are.
func (s *session) pushRun(k int) (bytes int) {
	now := s.srv.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.startsLocked(now)
	for i := range k {
		it := &s.scan.run[i]
		body := s.body(it)
		went := s.pushLocked(it, body)
		switch {
		case it.exec == nil:
		case went:
			s.forwardedLocked(it.exec, now)
		default:
			s.discardedLocked(it.exec, now)
		}
		bytes += it.size
	}
	s.rearmLocked(now)
	s.scan.owed = s.m.Owed()
	return bytes
}

// discardedLocked ends an execution whose message the server will discard: an
// error came between its decision and its turn.
func (s *session) discardedLocked(e *exec, now time.Time) {
	e.began, e.stop = now, stopSkipped
	s.finishLocked(e, now)
}

// pushLocked tells the machine about one message; false: the server discards it.
func (s *session) pushLocked(it *item, body []byte) bool {
	e := pgstate.Entry{Ref: pgstate.NoRef}
	switch it.tag {
	case pgwire.MsgParse:
		name, _, _ := pgwire.CString(body)
		s.holding = s.holding || it.facts == nil || holdsLocks(it.facts)
		return s.m.PushParse(e, name, it.facts)
	case pgwire.MsgBind:
		portal, _, _ := pgwire.CString(body)
		s.bound = true
		s.holding = s.holding || holdsLocks(it.exec.batch)
		s.replacePortalLocked(portal)
		s.slotLocked(it.exec)
		e.Ref = it.exec.ref
		return s.m.PushBind(e, portal)
	case pgwire.MsgExecute:
		portal, _, _ := pgwire.CString(body)
		s.bound = true
		s.holding = s.holding || it.exec != nil && holdsLocks(it.exec.batch)
		e.Op, e.Ref = pgstate.OpExecute, s.m.Portal(portal)
		if it.exec != nil {
			s.slotLocked(it.exec)
			e.Ref = it.exec.ref
		}
		if e.Ref != pgstate.NoRef && s.execs[e.Ref] != nil {
			s.execs[e.Ref].turns++
		}
		return s.m.Push(e)
	case pgwire.MsgDescribe:
		kind, _, _ := pgwire.Target(body)
		s.holding = s.holding || kind == 'S' // the server may have to plan it anew
		e.Op = pgstate.OpDescribe
		return s.m.Push(e)
	case pgwire.MsgClose:
		kind, name, _ := pgwire.Target(body)
		if kind == 'P' {
			s.replacePortalLocked(name)
		}
		return s.m.PushClose(e, kind, name)
	case pgwire.MsgSync:
		e.Op = pgstate.OpSync
		return s.m.Push(e)
	case pgwire.MsgFlush:
		s.m.Flushed()
	}
	return true
}

// replacePortalLocked ends an execution whose portal is about to go, unless
// the server still owes answers for it.
func (s *session) replacePortalLocked(portal []byte) {
	ref := s.m.Portal(portal)
	if ref == pgstate.NoRef {
		return
	}
	if e := s.execs[ref]; e != nil && !s.m.Owes(ref) {
		s.finishLocked(e, s.srv.cfg.Now())
	}
}

// largeBind decides a Bind that is too large to keep, and streams it.
func (s *session) largeBind(ctx context.Context, size int) error {
	if err := s.decideRun(ctx); err != nil {
		return err
	}
	if err := s.sendRun(); err != nil {
		return err
	}
	move, err := s.gate(ctx, pgwire.MsgBind)
	if err != nil {
		return err
	}
	if move == pgstate.Drop { // what was held has been refused
		return s.skip(size)
	}
	head, err := s.in.Frame(min(size, streamSize/2), streamSize)
	if err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	it := &item{tag: pgwire.MsgBind}
	refusal, err := s.decideBind(ctx, it, head[pgwire.HeadSize:], nil)
	if err != nil {
		return err
	}
	if refusal != nil {
		return s.refuseMessage(size, refusal)
	}
	e := it.exec
	now := s.srv.cfg.Now()
	s.mu.Lock()
	s.startsLocked(now)
	if s.pushLocked(it, head[pgwire.HeadSize:]) {
		s.forwardedLocked(e, now)
		e.bytesIn += int64(size)
	} else {
		s.discardedLocked(e, now)
	}
	s.rearmLocked(now)
	s.mu.Unlock()
	if err := s.upOut.Stream(s.in, size); err != nil {
		return s.streamFailed(err)
	}
	return nil
}

// forget drops the first k items of n bytes and moves the rest to the front.
func (c *scanner) forget(k, n int) {
	left := copy(c.run, c.run[k:])
	clear(c.run[left:])
	c.run = c.run[:left]
	for i := range c.run {
		c.run[i].off -= n
	}
	c.end -= n
	c.decided -= k
}

// Protocols of an audit record.
const (
	protocolSimple   = "simple"
	protocolExtended = "extended"
	protocolFunction = "function"
)

//nolint:gochecknoglobals // immutable facts shared by all sessions
var unknownBatch = &policy.Batch{
	Statements: []policy.Statement{{Verbs: policy.VerbUnknown, Unknown: policy.UnknownAll, Features: policy.FeatVolatileCall}},
	Verbs:      policy.VerbUnknown, Unknown: policy.UnknownAll, Features: policy.FeatVolatileCall,
	VerbNames: []string{"unknown"},
}
