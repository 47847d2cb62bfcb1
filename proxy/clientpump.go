package proxy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgstate"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

const (
	// streamSize: messages of opaque content beyond it are streamed.
	streamSize = 64 << 10
	// maxRun bounds the messages held before they are decided and sent up.
	maxRun = 128
	// maxOwed bounds the messages of one pipeline that are up and not answered.
	maxOwed = 4096
)

// scanner is clientPump's view of the messages it has read and not yet sent
// up: run[:decided] may go, the rest is held until an Execute, Flush or Sync
// says that the unit shall move.
type scanner struct {
	run     []item
	end     int // bytes of the buffer the run covers
	decided int
	owed    int // entries of the machine after the last push
}

// item is one held message; its bytes lie in the Reader's buffer at off.
type item struct {
	tag       byte
	off, size int
	exec      *exec         // Bind that was let through
	facts     *policy.Batch // Parse
}

// clientPump moves the client's messages up: frame, classify, decide, record,
// forward. It returns why the client has nothing more to say.
func (s *session) clientPump(ctx context.Context) error {
	for {
		tag, size, err := s.next()
		if err != nil {
			return err
		}
		if err := s.message(ctx, tag, size); err != nil {
			return err
		}
	}
}

// next returns the head of the next message behind the run. Before it blocks
// for bytes it sends up what may go.
func (s *session) next() (tag byte, size int, err error) {
	for {
		tag, size, ok, err := s.in.HeadAt(s.scan.end)
		if err != nil {
			return 0, 0, s.broken(err)
		}
		if ok {
			if !pgwire.FrontendMessage(tag) {
				return 0, 0, s.broken(fmt.Errorf("%w: message type 0x%02X", errProtocol, tag))
			}
			if pgwire.SmallMessage(tag) && size > pgwire.MaxSmallMessage {
				return 0, 0, s.broken(fmt.Errorf("%w: message %q of %d bytes", errProtocol, tag, size))
			}
			if (tag == pgwire.MsgSync || tag == pgwire.MsgFlush) && size != pgwire.HeadSize {
				// The server would answer with an error that belongs to no
				// message it owes one for.
				return 0, 0, s.broken(fmt.Errorf("%w: message %q with a body", errProtocol, tag))
			}
			return tag, size, nil
		}
		if err := s.sendRun(); err != nil {
			return 0, 0, err
		}
		if len(s.scan.run) == 0 {
			s.busy.Store(s.in.Buffered() > 0)
		}
		if err := s.fill(); err != nil {
			return 0, 0, err
		}
	}
}

// fill reads more of the client.
func (s *session) fill() error {
	err := s.in.Fill()
	if err == nil {
		return nil
	}
	if errors.Is(err, pgwire.ErrMemory) {
		return s.broken(err)
	}
	return fmt.Errorf("%w: %w", errClientGone, err)
}

// broken tells the client that it lost synchronisation, as Postgres does.
func (s *session) broken(err error) error {
	n := protocolViolation()
	if errors.Is(err, pgwire.ErrMemory) {
		n = outOfMemory()
	}
	s.kill(n)
	return err
}

// frame waits until the message at the end of the run is in the buffer.
func (s *session) frame(size int) ([]byte, error) {
	for s.in.Buffered() < s.scan.end+size {
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
	return s.in.Bytes(s.scan.end + size)[s.scan.end:], nil
}

// message handles one client message.
func (s *session) message(ctx context.Context, tag byte, size int) error {
	switch tag {
	case pgwire.MsgPassword:
		return s.broken(fmt.Errorf("%w: password message in a session", errProtocol))
	case pgwire.MsgTerminate:
		s.scan.dropHeld()
		if err := s.sendRun(); err != nil {
			return err
		}
	}
	move, err := s.gate(ctx, tag)
	if err != nil {
		return err
	}
	if move == pgstate.Go {
		told, err := s.tellUnitLost(tag)
		if err != nil {
			return err
		}
		if told {
			move = pgstate.Drop
			if tag == pgwire.MsgSync {
				move = pgstate.Answer
			}
		}
	}
	switch move {
	case pgstate.Drop:
		return s.skip(size)
	case pgstate.Answer:
		return s.answerSync(size)
	case pgstate.Break:
		return s.breakCopy(ctx, tag, size)
	case pgstate.Go, pgstate.Wait:
	}
	switch tag {
	case pgwire.MsgTerminate:
		return errTerminated
	case pgwire.MsgQuery, pgwire.MsgFunctionCall:
		return s.query(ctx, tag, size)
	case pgwire.MsgParse, pgwire.MsgBind:
		if err := s.hold(ctx, tag, size); err != nil {
			return err
		}
		return s.relieve(ctx)
	case pgwire.MsgCopyData:
		return s.copyData(size)
	case pgwire.MsgCopyDone, pgwire.MsgCopyFail:
		return s.copyEnd(size)
	}
	if tag == pgwire.MsgSync && s.endAtSync && len(s.scan.run) == 0 {
		if err := s.skip(size); err != nil {
			return err
		}
		return s.write(s.poisonedSync(nil))
	}
	if _, err := s.frame(size); err != nil {
		return err
	}
	s.scan.add(item{tag: tag, off: s.scan.end, size: size})
	switch tag {
	case pgwire.MsgExecute, pgwire.MsgFlush, pgwire.MsgSync:
		if err := s.decideRun(ctx); err != nil {
			return err
		}
		if tag != pgwire.MsgExecute {
			return s.sendRun()
		}
	}
	return s.relieve(ctx)
}

// relieve sends up a run that is longer than any driver's: it may be one that
// only costs memory.
func (s *session) relieve(ctx context.Context) error {
	if len(s.scan.run) < maxRun {
		return nil
	}
	if err := s.decideRun(ctx); err != nil {
		return err
	}
	return s.sendRun()
}

// gate blocks until the message may move: the unit before it is answered, no
// cancel is on its way and no release under way.
func (s *session) gate(ctx context.Context, tag byte) (pgstate.Move, error) {
	s.busy.Store(true)
	if len(s.scan.run) > 0 {
		switch tag {
		case pgwire.MsgParse, pgwire.MsgBind, pgwire.MsgDescribe, pgwire.MsgExecute, pgwire.MsgClose, pgwire.MsgFlush, pgwire.MsgSync:
			return pgstate.Go, nil // its unit is open, or opens with the run
		}
		if err := s.decideRun(ctx); err != nil {
			return 0, err
		}
		if err := s.sendRun(); err != nil {
			return 0, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.ended {
			return 0, s.cause
		}
		if s.holds == 0 && !s.unwritten {
			move := s.m.Admit(tag)
			if move != pgstate.Wait {
				return move, nil
			}
			if s.m.InDoubt() {
				s.resolveLocked()
				continue
			}
			if s.m.Unflushed() { // CopyData behind messages whose answers the server keeps to itself
				if err := s.flushLocked(); err != nil {
					return 0, err
				}
				continue
			}
		}
		s.waitAnswerLocked(tag != pgwire.MsgTerminate)
	}
}

// flushLocked has the server say what it keeps to itself.
func (s *session) flushLocked() error {
	s.m.Flushed()
	s.mu.Unlock()
	defer s.mu.Lock()
	return s.write(pgwire.AppendEmpty(nil, pgwire.MsgFlush))
}

// waitAnswerLocked waits until something has changed that clientPump may be
// waiting for. While it waits nobody reads from the client: watched, tick looks
// whether it has hung up.
func (s *session) waitAnswerLocked(watched bool) {
	s.gated, s.settling = watched, true
	if watched {
		s.armLocked(s.srv.cfg.Now().Add(hangUpPoll))
	}
	s.cond.Wait()
	s.gated, s.settling = false, false
}

// resolveLocked waits a moment for the ReadyForQuery that decides whether an
// early Sync was ignored by a copy that failed.
func (s *session) resolveLocked() {
	timer := time.AfterFunc(50*time.Millisecond, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for s.m.InDoubt() { // one that is ignored, all are
			s.m.Resolve()
		}
		s.cond.Broadcast()
	})
	for s.m.InDoubt() && !s.ended {
		s.cond.Wait()
	}
	timer.Stop()
}

// hold keeps a Parse or Bind until the unit moves. A Bind too large to keep is
// decided now and streamed.
func (s *session) hold(ctx context.Context, tag byte, size int) error {
	limit := s.srv.cfg.MaxStatementBytes
	if tag == pgwire.MsgBind && size > streamSize {
		return s.largeBind(ctx, size)
	}
	if size-pgwire.HeadSize > limit {
		if err := s.decideRun(ctx); err != nil {
			return err
		}
		return s.refuseMessage(size, statementTooLarge(limit))
	}
	if _, err := s.frame(size); err != nil {
		return err
	}
	s.scan.add(item{tag: tag, off: s.scan.end, size: size})
	return nil
}

// copyData moves all CopyData messages that are in the buffer; a large one is
// streamed.
func (s *session) copyData(size int) error {
	if s.in.Buffered() < size {
		s.countIn(size)
		if size <= streamSize {
			if _, err := s.frame(size); err != nil {
				return err
			}
			return s.forward(size)
		}
		if err := s.upOut.Stream(s.in, size); err != nil {
			return s.streamFailed(err)
		}
		return nil
	}
	end := 0
	for {
		tag, size, ok, err := s.in.HeadAt(end)
		if err != nil || !ok || tag != pgwire.MsgCopyData || s.in.Buffered() < end+size {
			break
		}
		end += size
	}
	s.countIn(end)
	return s.forward(end)
}

func (s *session) copyEnd(size int) error {
	if _, err := s.frame(size); err != nil {
		return err
	}
	s.mu.Lock()
	s.m.CopyEnd()
	s.mu.Unlock()
	return s.forward(size)
}

// copyBreak is the reason of the CopyFail that breakCopy sends.
const copyBreak = "unexpected message type during COPY from stdin"

// breakCopy answers a message that is not allowed during COPY FROM STDIN by
// failing the copy, as the server would, which also takes the message. If the
// copy had failed before, the message is judged anew.
func (s *session) breakCopy(ctx context.Context, tag byte, size int) error {
	s.mu.Lock()
	if s.m.Copy() != pgstate.CopyIn { // it failed meanwhile: nothing would answer our CopyFail
		s.mu.Unlock()
		return s.message(ctx, tag, size)
	}
	s.breaking = true
	s.m.CopyEnd()
	s.mu.Unlock()
	if err := s.write(pgwire.AppendString(nil, pgwire.MsgCopyFail, copyBreak)); err != nil {
		return err
	}
	s.mu.Lock()
	for s.breaking && !s.ended {
		s.cond.Wait()
	}
	broke := s.broke
	s.mu.Unlock()
	if broke {
		return s.skip(size)
	}
	return s.message(ctx, tag, size)
}

func (s *session) countIn(n int) {
	s.mu.Lock()
	e := s.currentLocked()
	if e != nil {
		e.bytesIn += int64(n)
	}
	s.quiet = s.srv.cfg.Now() // it speaks: not idle. The statement's time goes on
	s.mu.Unlock()
}

// forward sends the first n buffered bytes up.
func (s *session) forward(n int) error {
	err := s.write(s.in.Bytes(n))
	s.in.Discard(n)
	return err
}

func (s *session) write(p []byte) error {
	if _, err := s.upOut.Write(p); err != nil {
		return fmt.Errorf("%w: %w", errUpstream, err)
	}
	return nil
}

func (s *session) streamFailed(err error) error {
	if isEOF(err) {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return fmt.Errorf("%w: %w", errUpstream, err)
}

// skip drops a message the server would discard.
func (s *session) skip(size int) error {
	if err := s.in.Skip(size); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return nil
}

func (c *scanner) add(it item) {
	c.run = append(c.run, it)
	c.end += it.size
}

// admitted reports whether the unit that is held has a place already: what comes
// behind in it must not wait for another. What only controls the transaction or
// the session takes none.
func (c *scanner) admitted() bool {
	for i := range c.run[:c.decided] {
		if e := c.run[i].exec; e != nil && holdsLocks(e.batch) {
			return true
		}
	}
	return false
}

// dropHeld forgets what is held and not decided; the Reader still has its
// bytes, which the session's end discards.
func (c *scanner) dropHeld() {
	for len(c.run) > c.decided {
		c.end -= c.run[len(c.run)-1].size
		c.run = c.run[:len(c.run)-1]
	}
}

func (c *scanner) reset() {
	clear(c.run)
	c.run, c.end, c.decided = c.run[:0], 0, 0
}
