package proxy

import (
	"fmt"

	"github.com/lockkeeper/lockkeeper/proxy/pgstate"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// This file is where a refusal meets the wire. Where the server knows of a
// unit or a transaction, the server fails: a poison goes up in the refused
// message's place. Else we answer ourselves.

// refuseQuery refuses a Query or FunctionCall of size bytes, the next in the
// buffer. The savepoints it begins with are made all the same.
func (s *session) refuseQuery(size int, savepoints []string, n *pgwire.Notice) error {
	if err := s.skip(size); err != nil {
		return err
	}
	if err := s.settleUnit(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.m.Deaf() { // the unit has failed: the server would not have read it
		s.mu.Unlock()
		return nil
	}
	if s.m.Copy() == pgstate.CopyIn { // what is up began a copy: no message but CopyFail is safe there
		s.m.CopyEnd()
		s.mu.Unlock()
		return s.write(pgwire.AppendString(nil, pgwire.MsgCopyFail, copyBreak))
	}
	if !s.m.Touched() {
		status := s.m.Status()
		s.mu.Unlock()
		return s.answer(pgwire.AppendReady(pgwire.AppendError(nil, n), status))
	}
	out := s.guardLocked(nil, savepoints)
	s.poisonLocked(n)
	s.m.Push(pgstate.Entry{Op: pgstate.OpSync, Ref: pgstate.NoRef})
	s.mu.Unlock()
	return s.write(pgwire.AppendEmpty(s.appendPoison(out), pgwire.MsgSync))
}

// settleUnit waits for what is owed in an open unit of the extended protocol:
// an error among it makes the server discard what follows.
func (s *session) settleUnit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.m.UnitOpen() || s.m.Owed() == 0 {
		return nil
	}
	if err := s.flushLocked(); err != nil {
		return err
	}
	for s.m.Owed() > 0 && s.m.Copy() != pgstate.CopyIn && !s.ended {
		s.waitAnswerLocked(true)
	}
	if s.ended {
		return s.cause
	}
	return nil
}

// refuseRun refuses run[decided]; what stands before it goes up, what stands
// behind it is discarded to Sync.
func (s *session) refuseRun(n *pgwire.Notice) error {
	c := &s.scan
	sync := c.run[len(c.run)-1].tag == pgwire.MsgSync
	for i := c.decided; i < len(c.run); i++ {
		if e := c.run[i].exec; e != nil {
			s.srv.freeExec(e)
		}
	}
	s.mu.Lock()
	local := !s.m.Touched() && c.decided == 0
	status := s.m.Status()
	s.mu.Unlock()
	if local {
		s.in.Discard(c.end)
		c.reset()
		return s.refuseLocally(n, sync, status)
	}
	sent := s.pushRun(c.decided)
	out := append([]byte(nil), s.in.Bytes(sent)...)
	s.in.Discard(c.end)
	c.reset()
	out = s.poison(out, n)
	if sync {
		out = s.poisonedSync(out)
	}
	return s.write(out)
}

// refuseMessage refuses one extended message of size bytes, the next in the
// buffer; the run is empty.
func (s *session) refuseMessage(size int, n *pgwire.Notice) error {
	if len(s.scan.run) > 0 {
		if err := s.sendRun(); err != nil {
			return err
		}
	}
	if err := s.skip(size); err != nil {
		return err
	}
	s.mu.Lock()
	if s.m.Deaf() { // refused already: the server would not have read it
		s.mu.Unlock()
		return nil
	}
	local, status := !s.m.Touched(), s.m.Status()
	s.mu.Unlock()
	if local {
		return s.refuseLocally(n, false, status)
	}
	return s.write(pgwire.AppendEmpty(s.poison(nil, n), pgwire.MsgFlush))
}

func (s *session) refuseLocally(n *pgwire.Notice, sync bool, status byte) error {
	out := pgwire.AppendError(nil, n)
	if sync {
		return s.answer(pgwire.AppendReady(out, status))
	}
	s.mu.Lock()
	s.m.Refused()
	s.mu.Unlock()
	return s.answer(out)
}

// answerSync answers the Sync behind a local refusal.
func (s *session) answerSync(size int) error {
	if err := s.skip(size); err != nil {
		return err
	}
	s.mu.Lock()
	s.m.Answered()
	status := s.m.Status()
	s.bound, s.holding = false, false
	s.mu.Unlock()
	return s.answer(pgwire.AppendReady(nil, status))
}

// poison appends the message that makes the server fail here, and notes the
// words for its error.
func (s *session) poison(dst []byte, n *pgwire.Notice) []byte {
	s.mu.Lock()
	s.poisonLocked(n)
	s.mu.Unlock()
	return s.appendPoison(dst)
}

func (s *session) poisonLocked(n *pgwire.Notice) {
	s.refusal = n
	s.m.Push(pgstate.Entry{Op: pgstate.OpDescribe, Poison: true, Ref: pgstate.NoRef})
}

func (s *session) appendPoison(dst []byte) []byte {
	return pgwire.AppendTarget(dst, pgwire.MsgDescribe, 'S', s.nonce)
}

// poisonedSync appends the client's Sync behind a poison. Where the refusal
// was the end of a released transaction, the ReadyForQuery the client gets is
// that of the ROLLBACK that ends it.
func (s *session) poisonedSync(dst []byte) []byte {
	end := s.endAtSync
	s.endAtSync = false
	s.mu.Lock()
	s.m.Push(pgstate.Entry{Op: pgstate.OpSync, Own: end, Ref: pgstate.NoRef})
	if end {
		s.m.Push(pgstate.Entry{Op: pgstate.OpQuery, Hush: true, Ref: pgstate.NoRef})
	}
	s.mu.Unlock()
	dst = pgwire.AppendEmpty(dst, pgwire.MsgSync)
	if end {
		dst = pgwire.AppendQuery(dst, "ROLLBACK")
	}
	return dst
}

// answer writes to the client from clientPump: nothing of the server is owed.
func (s *session) answer(p []byte) error {
	if _, err := s.out.Write(p); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return nil
}
