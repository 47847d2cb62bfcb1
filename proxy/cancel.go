package proxy

import (
	"context"
	"crypto/subtle"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// cancelKeySize is what protocol 3.0 can carry.
const cancelKeySize = 4

// cancelRequest finds the session of a CancelRequest and cancels the unit that
// is in flight now. It returns when the effect is settled: libpq waits for
// the end of this connection. A wrong key is told nothing.
func (srv *Server) cancelRequest(ctx context.Context, pid uint32, key []byte) {
	s := srv.sessions.byPID(pid)
	if s == nil || subtle.ConstantTimeCompare(s.key, key) != 1 {
		srv.metrics.cancels.WithLabelValues("unknown").Inc()
		return
	}
	if s.cancelStatement(ctx, anyStatement, nil, audit.StopUser) {
		srv.metrics.cancels.WithLabelValues("sent").Inc()
		ev := s.base
		ev.Kind, ev.Reason = audit.KindCancel, "request"
		s.event(ctx, &ev)
		return
	}
	srv.metrics.cancels.WithLabelValues("idle").Inc()
}

// cancelStatement cancels what the session waits for or runs, if it is that
// statement. Notice nil leaves the client the server's own words.
func (s *session) cancelStatement(ctx context.Context, statement uint64, notice *pgwire.Notice, stop string) bool {
	s.mu.Lock()
	if !s.isAtLocked(statement) {
		s.mu.Unlock()
		return false
	}
	if s.inRoom {
		s.unqueue = stop
		s.mu.Unlock()
		s.Wake()
		return true
	}
	unit := s.unit
	s.mu.Unlock()
	return s.cancelUnit(ctx, unit, notice, stop)
}

var _ policy.Waker = (*session)(nil)
