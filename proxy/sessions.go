package proxy

import (
	"context"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgstate"
)

// sessions is the registry of what is logged in.
type sessions struct {
	mu   sync.RWMutex
	next uint64
	ids  map[uint64]*session
	pids map[uint32]*session
}

func newSessions() *sessions {
	return &sessions{ids: make(map[uint64]*session), pids: make(map[uint32]*session)}
}

func (r *sessions) add(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids[s.id] = s
	r.pids[s.up.PID] = s
}

func (r *sessions) newID() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next++
	return r.next
}

func (r *sessions) remove(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.ids, s.id)
	if r.pids[s.up.PID] == s {
		delete(r.pids, s.up.PID)
	}
}

func (r *sessions) byPID(pid uint32) *session {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.pids[pid]
}

func (r *sessions) byID(id uint64) *session {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.ids[id]
}

func (r *sessions) count() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.ids)
}

func (r *sessions) each(f func(*session)) {
	r.mu.RLock()
	all := make([]*session, 0, len(r.ids))
	for _, s := range r.ids {
		all = append(all, s)
	}
	r.mu.RUnlock()
	for _, s := range all {
		f(s)
	}
}

// SessionInfo is a session as operators see it.
type SessionInfo struct {
	ID          uint64
	Name        string // in audit records
	PID         uint32 // of the warehouse's backend; what CANCEL and the like take
	User        string
	Team        string
	Tool        string
	Database    string
	Role        string
	ClientAddr  string
	TLS         bool
	Application string
	Class       string
	State       string // idle, active, queued, idle in transaction …, released
	Since       time.Time
	StateSince  time.Time
	TxSince     time.Time // zero: no explicit transaction
	Statement   string    // masked text of what runs or waits
	Fingerprint string
	Rows        int64
	BytesOut    int64
	QueuedIn    string
}

// Snapshot returns all sessions by value.
func (srv *Server) Snapshot() []SessionInfo {
	var out []SessionInfo
	srv.sessions.each(func(s *session) { out = append(out, s.info()) })
	return out
}

func (s *session) info() SessionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := SessionInfo{
		ID: s.id, Name: s.name, PID: s.up.PID, User: s.base.User, Team: s.base.Team, Tool: s.base.Tool,
		Database: s.base.Database, Role: s.base.Role, ClientAddr: s.base.ClientAddr, TLS: s.base.TLS != "",
		Application: s.base.ApplicationName, Class: s.standing.Class, Since: s.since, StateSince: s.idleSinceLocked(),
		TxSince: s.tx.since, State: s.stateLocked(),
	}
	e := s.queued
	if e == nil {
		e = s.currentLocked()
	} else {
		i.QueuedIn = e.dec.QueueName
	}
	if e != nil {
		i.Class = e.dec.Class
		i.Statement, i.Fingerprint = e.batch.Masked, e.batch.Fingerprint
		i.Rows, i.BytesOut = e.rows, e.bytesOut
	}
	return i
}

func (s *session) stateLocked() string {
	switch {
	case s.queued != nil:
		return "queued"
	case s.rel != nil && s.m.Owed() == 0:
		return "released"
	}
	switch s.m.Phase() {
	case pgstate.Running:
		return "active"
	case pgstate.CopyWait:
		return "active: COPY FROM STDIN"
	case pgstate.IdleUnit, pgstate.Skipping:
		return "idle in an open unit"
	case pgstate.Idle:
	}
	switch policy.TxState(s.m.Status()) {
	case policy.TxActive:
		return "idle in transaction"
	case policy.TxFailed:
		return "idle in transaction (aborted)"
	case policy.TxIdle:
	}
	return "idle"
}

// Cancel cancels what the session of a backend pid runs or waits for.
func (srv *Server) Cancel(ctx context.Context, pid uint32) bool {
	s := srv.sessions.byPID(pid)
	return s != nil && s.cancelByUser(ctx, operatorCancelNotice(), audit.StopOperator)
}

// Terminate ends the session of a backend pid.
func (srv *Server) Terminate(ctx context.Context, pid uint32) bool {
	s := srv.sessions.byPID(pid)
	if s == nil {
		return false
	}
	s.cancelUnit(ctx, anyUnit, terminatedNotice(), audit.StopOperator)
	s.kill(terminatedNotice())
	return true
}

// Release rolls back the idle transaction of the session of a backend pid.
func (srv *Server) Release(ctx context.Context, pid uint32) bool {
	s := srv.sessions.byPID(pid)
	if s == nil {
		return false
	}
	h, ok := s.asHolder(srv.cfg.Now())
	if !ok || h.Kind == policy.NotIdle {
		return false
	}
	s.release(ctx, &policy.Order{Holder: h, Mode: policy.ReleaseRollback, Reason: "operator"})
	return true
}
