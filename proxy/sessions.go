package proxy

import (
	"sync"
	"sync/atomic"
)

// sessions is the registry of what is logged in.
type sessions struct {
	version atomic.Uint64 // grows with whatever State tells

	mu    sync.RWMutex
	next  uint64
	ids   map[uint64]*session
	pids  map[uint32]*session
	names map[string]*session
	runs  map[string]*session // of the office: the newest of a run
}

func newSessions() *sessions {
	return &sessions{
		ids: make(map[uint64]*session), pids: make(map[uint32]*session),
		names: make(map[string]*session), runs: make(map[string]*session),
	}
}

// moved notes that State would tell something else now.
func (r *sessions) moved() { r.version.Add(1) }

func (r *sessions) add(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids[s.id] = s
	r.pids[s.up.PID] = s
	r.names[s.name] = s
	if s.runID != "" {
		r.runs[s.runID] = s
	}
	r.moved()
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
	delete(r.names, s.name)
	if r.pids[s.up.PID] == s {
		delete(r.pids, s.up.PID)
	}
	if r.runs[s.runID] == s {
		delete(r.runs, s.runID)
	}
	r.moved()
}

func (r *sessions) byPID(pid uint32) *session {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.pids[pid]
}

func (r *sessions) byName(name string) *session {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.names[name]
}

func (r *sessions) byRun(id string) *session {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.runs[id]
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
