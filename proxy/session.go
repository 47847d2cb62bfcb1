package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/backend"
	"github.com/lockkeeper/lockkeeper/proxy/pgstate"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// Causes of a session's end.
var (
	errTerminated = errors.New("client said goodbye")
	errClientGone = errors.New("client is gone")
	errUpstream   = errors.New("connection to the warehouse was lost")
	errKilled     = errors.New("session was ended by lockkeeper")
	errProtocol   = errors.New("client broke the protocol")
)

// session is one client and its warehouse connection.
//
// Two goroutines move bytes: clientPump (the session's own) and serverPump.
// The timer's callback (tick), cancel requests and lock releases come from
// others. Everything below mu is guarded by it; mu is never held over I/O.
// Only clientPump reads client, only serverPump reads up.
type session struct {
	srv  *Server
	id   uint64
	name string // of audit records
	log  *slog.Logger

	client net.Conn
	in     *pgwire.Reader
	out    *pgwire.Writer
	up     *backend.Conn
	upOut  *pgwire.Writer
	conn   *policy.Conn
	base   audit.Event // who: copied into every event
	key    []byte      // our cancel key
	nonce  string      // name of the statement that cannot exist
	runID  string      // of the office; empty: none
	came   time.Time   // before its login
	since  time.Time

	principal bool // the house itself brought it

	busy  atomic.Bool   // clientPump holds a message it has read
	muted atomic.Bool   // the client gets nothing any more
	wake  chan struct{} // a queued statement may move
	done  chan struct{} // closed when the session ends

	scan      scanner             // clientPump's alone
	deciding  policy.SessionState // clientPump's alone: what the decision under way sees
	endAtSync bool                // clientPump's alone: a released transaction ends with the unit's Sync

	mu         sync.Mutex
	cond       sync.Cond
	m          *pgstate.Machine
	env        ParseEnv
	execs      []*exec // slots; index is the Ref of the machine's entries
	free       []int32
	finished   []*exec // over, to be recorded by serverPump
	spare      []*exec
	unit       uint64 // number of the unit in flight, or of the next
	bound      bool   // a Bind went up in the open unit
	holding    bool   // the open unit may hold locks: more than control of the transaction or session is up
	moved      uint64 // number, plus one, of the last unit that may have changed a setting
	holds      int    // cancels and releases under way: no unit may go up
	unwritten  bool   // serverPump has an answer the client has not got yet
	gated      bool   // clientPump waits with a message in its buffer
	st         policy.SessionState
	standing   policy.Decision // of the last statement: the session's class
	clock      time.Time       // when the statement in flight began
	clockStall time.Duration   // the client writer's total at that time
	quiet      time.Time       // when the last answer ended
	tx         txState
	txs        uint64
	endedTx    []endedTx         // to be recorded by serverPump
	tags       map[string]string // command tags seen
	hush       []byte            // what the client gets in place of an answer it must not see
	refusal    *pgwire.Notice    // answer to the poison under way
	cancel     cancelState
	lastCancel *pgwire.Notice // of the unit before
	rel        *released
	unitLost   *pgwire.Notice // a release ended the open unit after it ran something
	inRoom     bool           // a statement was queued and is not yet let go
	room       waiting        // and this is how it waits
	newest     uint64         // number of the newest statement that went up
	unqueue    string         // who cancelled it
	breaking   bool           // a CopyFail of ours is up in place of a message
	broke      bool           // and it was what ended the copy
	settling   bool           // clientPump waits for an answer
	pathStale  bool           // the search_path must be read again
	capture    func(frame []byte)
	armed      time.Time
	timer      *time.Timer
	ticks      sync.WaitGroup
	ended      bool
	cause      error
	statement  uint64
	coolUntil  time.Time
	noticed    bool
	tried      policy.ReleaseMode // strongest rung taken in this transaction
	madeTemp   bool               // temporary objects exist that no catalog knows
	readOnly   bool               // the warehouse session is read-only and says so when it ceases to be
	farewell   bool               // the warehouse has told the client that the session ends
}

// cancelState is what was done to end the unit in flight.
type cancelState struct {
	notice *pgwire.Notice // what the client shall read in the error; nil: the server's words
	stop   string         // audit.Stop…
	steps  int
	last   time.Time
	drop   bool // rows go nowhere any more
}

// txState is the explicit transaction that is open.
type txState struct {
	open     bool
	id       uint64
	since    time.Time
	features policy.Features
	unknown  policy.Unknowns
	modes    string          // of its BEGIN
	batches  []*policy.Batch // that ran in it, or may have: what a release would lose
	crowded  bool            // and more than are kept
}

// endedTx is a transaction whose end is to be recorded.
type endedTx struct {
	how string
	tx  txState
	at  time.Time
}

func newSession(srv *Server, client net.Conn, in *pgwire.Reader, up *backend.Conn) *session {
	s := &session{
		srv: srv, client: client, in: in, up: up,
		out:   pgwire.NewWriter(client, srv.cfg.Now),
		upOut: pgwire.NewWriter(up, srv.cfg.Now),
		m:     pgstate.New(up.Status),
		wake:  make(chan struct{}, 1),
		done:  make(chan struct{}),
		since: srv.cfg.Now(),
	}
	s.cond.L = &s.mu
	s.quiet = s.since
	s.st = policy.SessionState{Tx: policy.TxState(up.Status), Started: s.since}
	return s
}

// run moves bytes until one side ends; it returns when all that the session
// started has stopped.
func (s *session) run(ctx context.Context) error {
	s.mu.Lock()
	s.timer = time.AfterFunc(time.Hour, s.tick)
	s.standing = s.srv.cfg.Engine.Standing(s.since, s.conn)
	s.rearmLocked(s.since)
	s.mu.Unlock()

	var pump sync.WaitGroup
	pump.Go(func() { s.end(s.serverPump()) }) // ends with the warehouse connection; run waits
	err := s.clientPump(ctx)
	s.leave(ctx, err)
	s.end(err)
	pump.Wait()
	s.timer.Stop()
	s.ticks.Wait()
	s.close()
	return s.cause
}

// end notes the first cause and sets everybody free.
func (s *session) end(cause error) {
	s.mu.Lock()
	first := !s.ended
	if first {
		s.ended, s.cause = true, cause
		close(s.done)
		s.cond.Broadcast()
	}
	s.mu.Unlock()
	_ = s.client.SetReadDeadline(past())
	if first {
		_ = s.up.SetReadDeadline(past())
		_ = s.client.SetWriteDeadline(s.srv.cfg.Now().Add(s.srv.cfg.WriteTimeout))
	}
}

// leave takes care of what still runs when the client has left.
func (s *session) leave(ctx context.Context, err error) {
	switch {
	case errors.Is(err, errTerminated):
		s.end(err) // before the warehouse answers by closing: that is no loss to tell the client of
		_ = s.up.SetWriteDeadline(s.srv.cfg.Now().Add(time.Second))
		_, _ = s.upOut.Write(pgwire.AppendEmpty(nil, pgwire.MsgTerminate))
		return
	case !errors.Is(err, errClientGone):
		return
	}
	s.mu.Lock()
	if s.ended || s.m.Phase() != pgstate.Running {
		s.mu.Unlock()
		return
	}
	gone := s.limitsOwnerLocked().OnClientGone
	if gone == policy.GoneFinish {
		s.cancel.drop = true
		// Postgres would finish what it has read. A unit that still lacks its
		// Sync never ends: nobody is left to send it.
		for !s.ended && s.m.Admit(pgwire.MsgTerminate) == pgstate.Wait {
			s.waitAnswerLocked(false)
		}
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	s.cancelUnit(ctx, anyUnit, nil, audit.StopClientGone)
}

// close gives everything back. Nothing else runs any more.
func (s *session) close() {
	now := s.srv.cfg.Now()
	s.mu.Lock()
	stop := audit.StopClientGone
	if errors.Is(s.cause, errKilled) {
		stop = audit.StopOperator
	}
	for i := range s.scan.run[:s.scan.decided] {
		if e := s.scan.run[i].exec; e != nil { // decided, and never sent up
			s.slotLocked(e)
			e.began = now
		}
	}
	for _, e := range s.execs {
		if e != nil && !e.over {
			if e.stop == "" {
				e.stop = stop
			}
			s.finishLocked(e, now)
		}
	}
	open := s.tx
	s.tx.open = false
	s.mu.Unlock()
	s.recordFinished()
	if open.open {
		how := audit.TxRolledBack
		if errors.Is(s.cause, errUpstream) {
			how = audit.TxLost
		}
		s.recordTx(how, open, now)
	}
	_ = s.up.Close()
	_ = s.client.Close()
	s.in.Close()
	s.up.Reader.Close()
}

// kill tells the client why its session ends, and ends it. The text is said
// only where the client can take it: between two messages.
func (s *session) kill(n *pgwire.Notice) {
	_ = s.client.SetWriteDeadline(s.srv.cfg.Now().Add(s.srv.cfg.WriteTimeout))
	if !s.out.MidFrame() {
		_, _ = s.out.Write(pgwire.AppendError(nil, n))
	}
	s.end(errKilled)
}

// notify sends a NOTICE from clientPump; it is legal at any time between two
// messages.
func (s *session) notify(n *pgwire.Notice) {
	_, _ = s.out.Write(pgwire.AppendNotice(nil, n))
}

// tell sends a NOTICE on behalf of somebody else, who must not wait for this
// client: one that does not read, or is in the middle of a long message, is
// not told.
func (s *session) tell(n *pgwire.Notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ticks.Go(func() { // ends with the write, at the latest with the session; run waits
		_, _ = s.out.TryWrite(pgwire.AppendNotice(nil, n))
	})
}

// Wake implements policy.Waker: the queued statement may move.
func (s *session) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// limitsOwnerLocked returns the decision whose limits hold now: that of the
// statement in flight, else the session's class.
func (s *session) limitsOwnerLocked() *policy.Decision {
	if e := s.currentLocked(); e != nil {
		return &e.dec
	}
	return &s.standing
}

// currentLocked returns the execution the server is working on.
func (s *session) currentLocked() *exec {
	ref := s.m.Current()
	if ref == pgstate.NoRef {
		return nil
	}
	return s.execs[ref]
}

func isEOF(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
