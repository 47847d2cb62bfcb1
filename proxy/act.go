package proxy

import (
	"context"
	"errors"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
)

// ErrMoved says that the session or the statement that an action names is not
// there any more, or not in the state the action is for: look again.
var ErrMoved = errors.New("proxy: the session or its statement has moved on")

// Act is what a person may do to a session.
type Act string

// The acts.
const (
	ActCancel    Act = "cancel"    // what it runs or waits with
	ActTerminate Act = "terminate" // the session
	ActRelease   Act = "release"   // its idle transaction is rolled back
)

// Action is one act on one session.
type Action struct {
	Act     Act
	Session string // name
	// Statement is the statement that was seen when the action was chosen,
	// SessionInfo.Statement; 0: whatever there is.
	Statement uint64
	By        string // who acts
	Reason    string // why, in their words
	Via       string // web, api
}

// Act carries out an action, and records it first. It returns ErrMoved if
// there is nothing (any more) to act on.
func (srv *Server) Act(ctx context.Context, a Action) error {
	s := srv.sessions.byName(a.Session)
	if s == nil || !s.isAt(a.Statement) {
		return ErrMoved
	}
	switch a.Act {
	case ActCancel, ActTerminate, ActRelease:
	default:
		return errors.New("proxy: unknown act " + string(a.Act))
	}
	ev := audit.Event{
		Kind: audit.KindOperatorAction, User: a.By, What: string(a.Act), Reason: a.Reason, Via: a.Via,
		Session: s.name, StatementID: a.Statement, BackendPID: s.up.PID, Run: s.runID,
	}
	srv.recordAct(ctx, &ev)
	ctx, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	if !s.act(ctx, a.Act, a.Statement) {
		return ErrMoved
	}
	return nil
}

// recordAct records what a person is about to do. People can act when the
// record cannot be written: it may be what they mend.
func (srv *Server) recordAct(ctx context.Context, ev *audit.Event) {
	ev.Durability, ev.OnFailure = audit.Durable, audit.Open
	if err := srv.cfg.Recorder.Record(ctx, ev); err != nil {
		srv.metrics.auditErrors.Inc()
	}
}

// Cancel cancels what the session of a backend pid runs or waits for.
func (srv *Server) Cancel(ctx context.Context, pid uint32) bool {
	return srv.actOn(ctx, ActCancel, pid)
}

// Terminate ends the session of a backend pid.
func (srv *Server) Terminate(ctx context.Context, pid uint32) bool {
	return srv.actOn(ctx, ActTerminate, pid)
}

// Release rolls back the idle transaction of the session of a backend pid.
func (srv *Server) Release(ctx context.Context, pid uint32) bool {
	return srv.actOn(ctx, ActRelease, pid)
}

func (srv *Server) actOn(ctx context.Context, act Act, pid uint32) bool {
	s := srv.sessions.byPID(pid)
	return s != nil && s.act(ctx, act, anyStatement)
}

// anyStatement stands for whatever the session does.
const anyStatement = 0

// act carries out an act on the session; false: there was nothing to act on.
func (s *session) act(ctx context.Context, act Act, statement uint64) bool {
	switch act {
	case ActCancel:
		return s.cancelStatement(ctx, statement, operatorCancelNotice(), audit.StopOperator)
	case ActRelease:
		h, ok := s.asHolder(s.srv.cfg.Now())
		if !ok || h.Kind == policy.NotIdle || !s.isAt(statement) {
			return false
		}
		s.release(ctx, &policy.Order{Holder: h, Mode: policy.ReleaseRollback, Reason: "operator"})
		return true
	case ActTerminate:
		if !s.isAt(statement) {
			return false
		}
		s.cancelUnit(ctx, anyUnit, terminatedNotice(), audit.StopOperator)
		s.kill(terminatedNotice())
		return true
	}
	return false
}

// isAt reports whether a statement is the one that the session is at.
func (s *session) isAt(statement uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isAtLocked(statement)
}

func (s *session) isAtLocked(statement uint64) bool {
	switch e := s.currentLocked(); {
	case statement == anyStatement:
		return true
	case s.inRoom:
		return s.room.id == statement
	case e != nil:
		return e.id == statement
	}
	return s.newest == statement
}
