package proxy

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/pgstate"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// maxLook bounds the server messages we look into: errors, tags, statuses.
const maxLook = 1 << 20

// verdict is what becomes of one server message.
type verdict struct {
	action pgstate.Action
	put    []byte // goes to the client in the message's place
	flush  bool   // the client must have it before anything else happens
}

// serverPump moves the warehouse's messages down. It takes all complete
// messages of the buffer under one lock and writes them with one call.
func (s *session) serverPump() error {
	r := s.up.Reader
	off := 0 // r's first off bytes are complete messages on their way down
	for {
		tag, size, ok, err := r.HeadAt(off)
		if err != nil {
			return s.upstreamBroken(err)
		}
		if ok && r.Buffered() >= off+size {
			var v verdict
			off, v = s.takeDown(off)
			if err := s.putDown(&off, v); err != nil {
				return err
			}
			continue
		}
		if off > 0 {
			if err := s.putDown(&off, verdict{}); err != nil {
				return err
			}
			continue
		}
		if ok && size > streamSize && opaque(tag) {
			if err := s.streamDown(tag, size); err != nil {
				return err
			}
			continue
		}
		if ok && size > maxLook && !opaque(tag) {
			return s.upstreamBroken(fmt.Errorf("message %q: %w", tag, pgwire.ErrTooLarge))
		}
		if err := r.Fill(); err != nil {
			return s.upstreamBroken(err)
		}
	}
}

// opaque reports whether a server message is passed on without a look.
func opaque(tag byte) bool {
	switch tag {
	case pgwire.MsgErrorResponse, pgwire.MsgCommandComplete, pgwire.MsgReadyForQuery, pgwire.MsgParameterStatus,
		pgwire.MsgCopyInResponse, pgwire.MsgBackendKeyData:
		return false
	}
	return true
}

// takeDown steps over the complete messages from off on. It stops behind the
// last one that goes down as it is, or at one that does not: v says what to do
// with that one, which is then the next in the buffer.
func (s *session) takeDown(off int) (end int, v verdict) {
	r := s.up.Reader
	var now time.Time
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		tag, size, ok, err := r.HeadAt(off)
		if !ok || err != nil || r.Buffered() < off+size {
			s.chargeLocked(now)
			return off, verdict{}
		}
		frame := r.Bytes(off + size)[off:]
		if tag == pgwire.MsgDataRow || tag == pgwire.MsgCopyData {
			if now.IsZero() {
				now = s.srv.cfg.Now()
			}
			if act := s.rowLocked(size, now); act != pgstate.Forward {
				if act == pgstate.Capture && s.capture != nil {
					s.capture(frame)
				}
				return off, verdict{action: pgstate.Swallow}
			}
			off += size
			continue
		}
		if now.IsZero() || tag == pgwire.MsgReadyForQuery {
			now = s.srv.cfg.Now()
		}
		v := s.frameLocked(tag, frame, now)
		v.flush = v.flush || s.settledLocked()
		if v.action != pgstate.Forward {
			return off, v
		}
		off += size
		if v.flush {
			return off, v
		}
	}
}

// putDown writes the first *off buffered bytes, then does what v says with the
// message behind them. Then it records what is over and lets the client's next
// unit go up.
func (s *session) putDown(off *int, v verdict) error {
	r := s.up.Reader
	if *off > 0 {
		err := s.down(r.Bytes(*off))
		r.Discard(*off)
		*off = 0
		if err != nil {
			return err
		}
	}
	if v.action != pgstate.Forward {
		_, size, _, _ := r.Head()
		r.Discard(size)
		if len(v.put) > 0 {
			if err := s.down(v.put); err != nil {
				return err
			}
		}
	}
	s.recordFinished()
	if v.flush {
		s.mu.Lock()
		if s.muted.Load() && s.m.Phase() == pgstate.Idle {
			s.mu.Unlock()
			return s.speakAgain()
		}
		s.unwritten = false
		s.cond.Broadcast()
		s.mu.Unlock()
	}
	return nil
}

// down writes whole messages to the client. When the client is given up its
// bytes go nowhere: the warehouse must be drained all the same.
func (s *session) down(p []byte) error {
	if s.muted.Load() {
		return nil
	}
	_, err := s.out.Write(p)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, pgwire.ErrMidFrame):
		s.muted.Store(true)
		return nil
	}
	return s.clientLost(err)
}

// clientLost: the client cannot be written to. What runs is treated as its
// class says; clientPump sees the same end of the connection.
func (s *session) clientLost(err error) error {
	s.muted.Store(true)
	_ = s.client.SetReadDeadline(past())
	s.mu.Lock()
	running := s.m.Owed() > 0
	s.mu.Unlock()
	if running {
		return nil // drained until the cancel has done its work
	}
	return fmt.Errorf("%w: %w", errClientGone, err)
}

// speakAgain tells a client that did not read for too long what became of its
// statement, if it stopped between two messages and reads now.
func (s *session) speakAgain() error {
	s.mu.Lock()
	n, status := s.lastCancel, s.m.Status()
	s.mu.Unlock()
	if s.out.MidFrame() || n == nil {
		return fmt.Errorf("%w: it did not read its result", errClientGone)
	}
	_ = s.client.SetWriteDeadline(s.srv.cfg.Now().Add(s.srv.cfg.WriteTimeout))
	if _, err := s.out.Write(pgwire.AppendReady(pgwire.AppendError(nil, n), status)); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	_ = s.client.SetWriteDeadline(time.Time{})
	s.muted.Store(false)
	s.mu.Lock()
	s.unwritten = false
	s.cond.Broadcast()
	s.mu.Unlock()
	return nil
}

// streamDown passes on one message that is larger than any buffer.
func (s *session) streamDown(tag byte, size int) error {
	now := s.srv.cfg.Now()
	s.mu.Lock()
	var act pgstate.Action
	if tag == pgwire.MsgDataRow || tag == pgwire.MsgCopyData {
		act = s.rowLocked(size, now)
		s.chargeLocked(now)
	} else {
		act = s.m.Server(tag, 0).Action
	}
	settled := s.settledLocked()
	s.mu.Unlock()
	if act != pgstate.Forward || s.muted.Load() {
		if err := s.up.Reader.Skip(size); err != nil {
			return s.upstreamBroken(err)
		}
		return s.putDown(new(int), verdict{flush: settled})
	}
	err := s.out.Stream(s.up.Reader, size)
	switch {
	case err == nil:
		return s.putDown(new(int), verdict{flush: settled})
	case s.out.MidFrame() && errors.Is(err, os.ErrDeadlineExceeded):
		s.muted.Store(true) // the rest of this message cannot be told from what follows
		return s.upstreamBroken(errClientGone)
	}
	return fmt.Errorf("%w: %w", errClientGone, err)
}

// upstreamBroken tells the client, where it can still be told, that its
// session is over.
func (s *session) upstreamBroken(err error) error {
	s.mu.Lock()
	ended, cause := s.ended, s.cause
	owed := s.m.Owed() > 0 || s.m.UnitOpen()
	notice, farewell := s.cancel.notice, s.farewell
	s.mu.Unlock()
	if ended {
		return cause
	}
	if s.out.MidFrame() || s.muted.Load() || farewell {
		return fmt.Errorf("%w: %w", errUpstream, err)
	}
	_ = s.client.SetWriteDeadline(s.srv.cfg.Now().Add(s.srv.cfg.WriteTimeout))
	switch {
	case owed && notice != nil: // our own doing: the statement had to end
		_ = s.down(pgwire.AppendReady(pgwire.AppendError(nil, notice), pgwire.TxIdle))
	default:
		_ = s.down(pgwire.AppendError(nil, warehouseLost()))
	}
	return fmt.Errorf("%w: %w", errUpstream, err)
}

// settledLocked reports whether clientPump waits for the answer that came last.
func (s *session) settledLocked() bool { return s.settling && s.m.Owed() == 0 }

// rowLocked counts a DataRow or CopyData and holds it against the limits.
func (s *session) rowLocked(size int, now time.Time) pgstate.Action {
	act := s.m.Row()
	if act != pgstate.Forward {
		return act
	}
	if s.cancel.drop {
		return pgstate.Swallow
	}
	e := s.currentLocked()
	if e == nil {
		return act
	}
	if e.drop {
		return pgstate.Swallow
	}
	if e.firstRow.IsZero() {
		e.firstRow = now
	}
	lim := &e.dec.Limits
	if (lim.ReturnRowCount > 0 && e.rows+1 > lim.ReturnRowCount) || (lim.ReturnBytes > 0 && e.bytesOut+int64(size) > lim.ReturnBytes) {
		e.drop = true
		s.cutOffLocked(rowLimitNotice(e), stopLimit)
		return pgstate.Swallow
	}
	e.rows++
	e.bytesOut += int64(size)
	return act
}

// chargeLocked charges what passed since the last call, if a quota of the
// statement is metered; a crossed threshold ends the statement.
func (s *session) chargeLocked(now time.Time) {
	e := s.currentLocked()
	if e == nil || !e.dec.Metered || e.drop {
		return
	}
	if now.IsZero() {
		now = s.srv.cfg.Now()
	}
	if r := s.srv.cfg.Engine.Charge(now, &e.ticket, e.usage(now)); r != nil {
		e.drop = true
		s.cutOffLocked(refusalNotice(r), stopQuota)
	}
}
