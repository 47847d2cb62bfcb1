package proxy

import (
	"sort"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgstate"
)

// State is what goes on at the door at one moment, by value. The console shows
// it as tables.
type State struct {
	// Version grows with whatever is told here, but for time that passes and
	// rows that flow: with the same one there is nothing new to look at.
	Version    uint64
	At         time.Time
	Sessions   []SessionInfo   // in order of their coming
	Statements []StatementInfo // those that run or wait, in the order of their sessions
	Queue      []QueueInfo     // by class and position
	Locks      []LockInfo      // of the last look; empty when nobody of ours waited
	Classes    []policy.ClassInfo
	Quotas     []policy.QuotaInfo
}

// SessionInfo is a session as operators see it.
type SessionInfo struct {
	ID          uint64
	Name        string // in audit records
	PID         uint32 // of the warehouse's backend; what CANCEL and the like take
	User        string
	Actor       string // who acts for the user; empty: nobody
	Team        string
	Tool        string
	Database    string
	Role        string
	ClientAddr  string
	TLS         bool
	Application string
	Via         string
	Run         string // of the office; empty: none
	Token       string // id of the token it came in with; empty: none
	ReadOnly    bool   // the warehouse session is read-only
	Class       string
	State       string // active, queued, idle, idle in transaction …, released
	Tx          policy.TxState
	Connected   time.Time // when it came to the door, before its login
	Since       time.Time // when its login was done
	StateSince  time.Time
	TxSince     time.Time // zero: no explicit transaction
	Statement   uint64    // number of what waits or runs, else of what went up last; 0: nothing yet
}

// StatementInfo is a statement that runs or waits.
type StatementInfo struct {
	Session     string // name
	Statement   uint64 // number in the session, as in audit records
	PID         uint32
	User        string
	Actor       string
	Team        string
	Tool        string
	Class       string
	Via         string
	Run         string
	State       string // of the session
	Tx          policy.TxState
	Asked       time.Time // when it was decided first
	Started     time.Time // when it went up; zero: it waits
	Queue       string    // class whose bound holds it; empty: it does not wait
	Position    int       // in the queue, from 1
	Why         string
	ByRule      bool // a rule holds it, not a class that is full
	Ahead       int  // that run in Queue, when it was asked last; 0: its limit does not hold it
	MaxWait     time.Duration
	Fingerprint string
	Text        string // masked; empty where the policy keeps none
	Rows        int64
	BytesOut    int64
}

// QueueInfo is a place in a queue.
type QueueInfo struct {
	Class     string
	Position  int
	User      string
	Waited    time.Duration
	Why       string
	Session   string
	Statement uint64
	Run       string
}

// LockInfo says which session waits for which. A party that is none of ours has
// only its PID.
type LockInfo struct {
	Waiter, Holder SessionInfo
	Relations      []string
	Mode           string
}

// RunStatus is how a run of the office stands at the door.
type RunStatus struct {
	Session SessionInfo
	// Statement is what runs or waits; its Session is empty when nothing does.
	// A place in a queue is as old as the last decision: at most a second.
	Statement StatementInfo
	// Blocker is the session that holds a lock which this one waits for, by the
	// last look: its running statement, or one that the warehouse still parses,
	// which is in no Statement. Nil: none is known. One that is none of ours has
	// only its PID.
	Blocker *SessionInfo
}

// RunStatus returns how a run stands; false: it has no session here.
func (srv *Server) RunStatus(runID string) (RunStatus, bool) {
	s := srv.sessions.byRun(runID)
	if s == nil {
		return RunStatus{}, false
	}
	var r RunStatus
	r.Session, r.Statement, _ = s.info()
	if r.Session.State == stateActive {
		r.Blocker = srv.blocker(r.Session.PID, r.Session.StateSince)
	}
	return r, true
}

// blocker returns who blocks a backend, by a look since a moment.
func (srv *Server) blocker(pid uint32, since time.Time) *SessionInfo {
	now := srv.cfg.Now()
	srv.locks.mu.Lock()
	holder, blocked := uint32(0), false
	if looked := srv.locks.looked; looked.After(since) && now.Sub(looked) < freshLocks {
		for _, e := range srv.locks.edges {
			if e.Waiter == pid && (!blocked || !e.Soft) { // rather who has it than who is before in line
				holder, blocked = e.Holder, true
			}
		}
	}
	srv.locks.mu.Unlock()
	if !blocked {
		return nil
	}
	info := SessionInfo{PID: holder}
	if s := srv.sessions.byPID(holder); holder != 0 && s != nil {
		info, _, _ = s.info()
	}
	return &info
}

// Version returns the version that Snapshot would have.
func (srv *Server) Version() uint64 { return srv.sessions.version.Load() }

// Snapshot returns what goes on.
func (srv *Server) Snapshot() State {
	now := srv.cfg.Now()
	st := State{Version: srv.Version(), At: now} // first: what moves meanwhile makes another one
	st.Sessions, st.Statements = srv.activity()
	st.Queue = srv.queue(now)
	st.Locks = srv.lockInfo(now, st.Sessions)
	st.Classes, st.Quotas = srv.cfg.Engine.Classes(now), srv.cfg.Engine.Quotas(now)
	return st
}

// activity returns sessions and statements.
func (srv *Server) activity() (all []SessionInfo, busy []StatementInfo) {
	order := make(map[string]uint64)
	srv.sessions.each(func(s *session) {
		i, st, ok := s.info()
		all = append(all, i)
		if ok {
			busy = append(busy, st)
			order[st.Session] = i.ID
		}
	})
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	sort.Slice(busy, func(i, j int) bool { return order[busy[i].Session] < order[busy[j].Session] })
	return all, busy
}

// info returns the session, and the statement that it runs or waits with.
func (s *session) info() (i SessionInfo, st StatementInfo, busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &s.base
	i = SessionInfo{
		ID: s.id, Name: s.name, PID: s.up.PID, User: b.User, Actor: b.Actor, Team: b.Team, Tool: b.Tool,
		Database: b.Database, Role: b.Role, ClientAddr: b.ClientAddr, TLS: b.TLS != "", Application: b.ApplicationName,
		Via: b.Via, Run: b.Run, Token: b.Token, ReadOnly: s.readOnly, Class: s.standing.Class, State: s.stateLocked(), Tx: s.st.Tx,
		Connected: s.came, Since: s.since, StateSince: s.idleSinceLocked(), TxSince: s.tx.since, Statement: s.newest,
	}
	st = StatementInfo{
		Session: s.name, PID: i.PID, User: i.User, Actor: i.Actor, Team: i.Team, Tool: i.Tool, Via: i.Via, Run: i.Run, State: i.State, Tx: i.Tx,
	}
	e := s.currentLocked()
	switch {
	case s.inRoom:
		w := &s.room
		st.Statement, st.Class, st.Asked = w.id, w.class, w.asked
		st.Queue, st.Position, st.Why, st.ByRule, st.Ahead, st.MaxWait = w.queue, w.position, w.why, w.byRule, w.running, w.maxWait
		st.show(w.batch, w.text)
	case e != nil:
		st.Statement, st.Class, st.Asked, st.Started = e.id, e.dec.Class, e.asked, e.began
		st.Rows, st.BytesOut = e.rows, e.bytesOut
		st.show(e.batch, e.dec.Audit.Text != policy.TextNone)
	default:
		return i, StatementInfo{}, false
	}
	i.Class, i.Statement = st.Class, st.Statement
	return i, st, true
}

// show adds what is shown of a text.
func (st *StatementInfo) show(b *policy.Batch, text bool) {
	st.Fingerprint = b.Fingerprint
	if text {
		st.Text = b.Masked
	}
}

// stateActive is the state of a session whose statement the warehouse has.
const stateActive = "active"

func (s *session) stateLocked() string {
	switch {
	case s.inRoom:
		return "queued"
	case s.rel != nil && s.m.Owed() == 0:
		return "released"
	}
	switch s.m.Phase() {
	case pgstate.Running:
		return stateActive
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

// queue returns the places in the queues, as they are now.
func (srv *Server) queue(now time.Time) []QueueInfo {
	var out []QueueInfo
	for _, q := range srv.cfg.Engine.QueueInfo(now) {
		i := QueueInfo{Class: q.Class, Position: q.Position, User: q.User, Waited: q.Waited, Why: q.Why}
		if s, ok := q.Waker.(*session); ok {
			i.Session, i.Run = s.name, s.runID
			s.mu.Lock()
			i.Statement = s.room.id
			s.mu.Unlock()
		}
		out = append(out, i)
	}
	return out
}

// freshLocks is how long the edges of a look are told.
const freshLocks = 5 * time.Second

func (srv *Server) lockInfo(now time.Time, all []SessionInfo) []LockInfo {
	srv.locks.mu.Lock()
	edges := append([]policy.LockEdge(nil), srv.locks.edges...)
	fresh := now.Sub(srv.locks.looked) < freshLocks
	srv.locks.mu.Unlock()
	if !fresh {
		return nil
	}
	byPID := make(map[uint32]SessionInfo, len(all))
	for i := range all {
		byPID[all[i].PID] = all[i]
	}
	party := func(pid uint32) SessionInfo {
		i := byPID[pid]
		i.PID = pid
		return i
	}
	var out []LockInfo
	for _, e := range edges {
		out = append(out, LockInfo{Waiter: party(e.Waiter), Holder: party(e.Holder), Relations: e.Relations, Mode: e.Mode})
	}
	return out
}
