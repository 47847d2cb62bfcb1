package proxy

import (
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgstate"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// exec is one statement that was let through: from its intent to its outcome.
// It lives in a slot of its session; the machine's entries name the slot.
type exec struct {
	ref    int32
	id     uint64 // of the record
	batch  *policy.Batch
	judged *policy.Batch // whose facts were decided: of EXECUTE what it executes
	dec    policy.Decision
	ticket policy.Ticket
	ev     audit.Event // of the intent; becomes the outcome

	idx      int       // statement of the batch the server is at
	turns    int       // Executes that went up and are not answered
	cursor   bool      // an Execute of a portal that no Bind made
	asked    time.Time // when it was decided first
	began    time.Time
	firstRow time.Time
	ended    time.Time
	queued   time.Duration
	stalled  time.Duration // the writer's total when it began
	sent     time.Duration // of it, spent on this statement

	rows     int64
	written  int64
	bytesOut int64
	bytesIn  int64
	charged  policy.Usage

	tag   string
	state string // SQLSTATE
	stop  string
	over  bool
	drop  bool // rows beyond a limit go nowhere
}

func (srv *Server) newExec(s *session) *exec {
	e, _ := srv.execs.Get().(*exec)
	if e == nil {
		e = &exec{}
	}
	e.ticket.Waker = s
	return e
}

// freeExec takes an exec back that has no slot (any more).
func (srv *Server) freeExec(e *exec) {
	*e = exec{}
	srv.execs.Put(e)
}

// slotLocked gives e a slot.
func (s *session) slotLocked(e *exec) {
	if n := len(s.free); n > 0 {
		e.ref = s.free[n-1]
		s.free = s.free[:n-1]
		s.execs[e.ref] = e
		return
	}
	e.ref = int32(len(s.execs))
	s.execs = append(s.execs, e)
}

// finishLocked ends e: its outcome will be recorded by whoever calls
// recordFinished next.
func (s *session) finishLocked(e *exec, now time.Time) {
	if e.over {
		return
	}
	e.over, e.ended = true, now
	s.srv.sessions.moved()
	e.sent = s.out.Stalled() - e.stalled
	s.m.Forget(e.ref)
	s.execs[e.ref] = nil
	s.free = append(s.free, e.ref)
	s.finished = append(s.finished, e)
}

// skippedLocked ends the executions an error made the server skip.
func (s *session) skippedLocked(now time.Time) {
	for _, ref := range s.m.Skipped() {
		if e := s.execs[ref]; e != nil && !e.over {
			if e.stop == "" {
				e.stop = stopSkipped
			}
			s.finishLocked(e, now)
		}
	}
}

// stopSkipped: an earlier error of the unit made the server skip it.
const stopSkipped = "skipped"

// usage is what e used beyond what was charged already.
func (e *exec) usage(now time.Time) policy.Usage {
	u := policy.Usage{RowsReturned: e.rows, RowsWritten: e.written, BytesOut: e.bytesOut, BytesIn: e.bytesIn, Queued: e.queued}
	if !e.began.IsZero() {
		u.Exec = max(now.Sub(e.began), 0)
	}
	d := u
	d.RowsReturned -= e.charged.RowsReturned
	d.RowsWritten -= e.charged.RowsWritten
	d.BytesOut -= e.charged.BytesOut
	d.BytesIn -= e.charged.BytesIn
	d.Queued -= e.charged.Queued
	d.Exec = max(d.Exec-e.charged.Exec, 0)
	e.charged = u
	return d
}

// statementAt returns the facts of the statement the server is at.
func (e *exec) statementAt() *policy.Statement {
	if e.idx < len(e.batch.Statements) {
		return &e.batch.Statements[e.idx]
	}
	return nil
}

// anyUnit stands for "whatever is in flight".
const anyUnit = ^uint64(0)

// phaseActivity translates the machine's phase.
func phaseActivity(p pgstate.Phase) policy.Activity {
	switch p {
	case pgstate.Running:
		return policy.ActRunning
	case pgstate.CopyWait:
		return policy.ActCopyWait
	case pgstate.IdleUnit, pgstate.Skipping:
		return policy.ActUnit
	case pgstate.Idle:
	}
	return policy.ActIdle
}

func writtenRows(tag []byte) int64 {
	switch {
	case len(tag) < 4:
		return 0
	case hasPrefix(tag, "INSERT"), hasPrefix(tag, "UPDATE"), hasPrefix(tag, "DELETE"), hasPrefix(tag, "MERGE"), hasPrefix(tag, "COPY"):
		return max(pgwire.TagRows(tag), 0)
	}
	return 0
}

func hasPrefix(b []byte, s string) bool { return len(b) >= len(s) && string(b[:len(s)]) == s }
