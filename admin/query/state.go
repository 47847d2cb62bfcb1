package query

import (
	"errors"
	"slices"
	"time"
)

// This file is the run's state machine: pure, so that every way a run can go
// stands in testdata.
//
//	queued ──► running ──► succeeded
//	   │          ├──────► failed
//	   └──────────┴──────► canceled

// errTerminal says that a run has ended and does not change any more.
var errTerminal = errors.New("the run has ended")

// event is one thing that happens to a run.
type event interface {
	apply(r *Run, now time.Time)
}

// step returns the run after an event: a new snapshot with the next version. A
// run that has ended returns errTerminal and stays as it is.
func step(r *Run, e event, now time.Time) (*Run, error) {
	if r.State.Terminal() {
		return r, errTerminal
	}
	next := r.clone()
	e.apply(next, now)
	next.Version++
	return next, nil
}

type (
	// waited: the door, or we, say why it has not started, or does not go on.
	waited struct{ wait Wait }
	// resumed: what it waited for while it ran is there.
	resumed struct{}
	// started: its first statement went up, at a moment; zero is now.
	started struct{ at time.Time }
	// statementBegan: a statement is on its way.
	statementBegan struct{ index int }
	// progressed: rows have come.
	progressed struct{ progress Progress }
	// noticed: the server said something beside the rows.
	noticed struct {
		index  int
		notice Notice
	}
	// statementDone: a statement went through.
	statementDone struct {
		index  int
		result Result
	}
	// statementFailed: a statement did not.
	statementFailed struct {
		index int
		err   RunError
	}
	// cancelAsked: somebody wants it to end. The first one is told.
	cancelAsked struct{ by, reason string }
	// ended: nothing more comes; err is of what failed outside of statements.
	ended struct {
		err             *RunError
		openTransaction bool
	}
)

func (e waited) apply(r *Run, _ time.Time) { r.Wait = &e.wait }

func (resumed) apply(r *Run, _ time.Time) {
	if r.State == StateRunning {
		r.Wait = nil
	}
}

func (e started) apply(r *Run, now time.Time) {
	if r.State != StateQueued {
		return
	}
	if e.at.IsZero() {
		e.at = now
	}
	r.State, r.Wait = StateRunning, nil
	r.Times.Started = &e.at
	r.Progress = &Progress{Phase: "running"}
	r.Statements[r.at].State = StatementRunning
}

func (e statementBegan) apply(r *Run, _ time.Time) {
	r.at = e.index
	if r.State == StateRunning {
		r.Wait = nil
		r.Statements[e.index].State = StatementRunning
	}
}

func (e progressed) apply(r *Run, now time.Time) {
	started{}.apply(r, now) // rows come from what runs
	r.Wait = nil
	e.progress.ElapsedMS = now.Sub(*r.Times.Started).Milliseconds()
	r.Progress = &e.progress
}

// maxNotices bounds what is kept of one statement's notices.
const maxNotices = 50

func (e noticed) apply(r *Run, _ time.Time) {
	st := &r.Statements[e.index]
	if len(st.Notices) < maxNotices {
		st.Notices = append(slices.Clip(st.Notices), e.notice)
	}
}

func (e statementDone) apply(r *Run, now time.Time) {
	started{}.apply(r, now)
	r.Wait = nil
	st := &r.Statements[e.index]
	st.State, st.Result = StatementSucceeded, &e.result
}

func (e statementFailed) apply(r *Run, _ time.Time) {
	st := &r.Statements[e.index]
	st.State, st.Error = StatementFailed, &e.err
	if e.err.Code == CodeCanceled {
		st.State = StatementCanceled
	}
}

func (e cancelAsked) apply(r *Run, now time.Time) {
	if r.Cancel == nil {
		r.Cancel = &Canceled{By: e.by, Reason: e.reason, At: now}
	}
}

func (e ended) apply(r *Run, now time.Time) {
	r.OpenTransaction = e.openTransaction
	r.Wait, r.Progress = nil, nil
	r.Times.Finished = &now
	r.Error = e.err
	for i := range r.Statements {
		switch st := &r.Statements[i]; st.State {
		case StatementFailed, StatementCanceled:
			if r.Error == nil {
				err := *st.Error
				err.Statement = &st.Index
				r.Error = &err
			}
		case StatementPending:
			st.State = StatementSkipped
			if r.State == StateQueued && i == r.at && r.Cancel != nil {
				st.State = StatementCanceled
			}
		case StatementRunning: // the connection went before its end
			st.State, st.Error = StatementFailed, e.err
			if r.Cancel != nil {
				st.State = StatementCanceled
			}
		case StatementSucceeded, StatementSkipped:
		}
	}
	through := !slices.ContainsFunc(r.Statements, func(s Statement) bool { return s.State != StatementSucceeded })
	switch {
	case r.Error == nil && through: // a cancel that came too late changes nothing
		r.State = StateSucceeded
	case r.Cancel != nil && (r.Error == nil || r.Error.Code == CodeCanceled || r.Error.Code == CodeConnection):
		r.State, r.Error = StateCanceled, nil
	default:
		r.State = StateFailed
	}
	measure(r, now)
}

// measure computes what follows from the times.
func measure(r *Run, now time.Time) {
	end := now
	if r.Times.Finished != nil {
		end = *r.Times.Finished
	}
	if r.Times.Started == nil {
		r.QueueMS, r.ElapsedMS = end.Sub(r.Times.Submitted).Milliseconds(), 0
		return
	}
	r.QueueMS = r.Times.Started.Sub(r.Times.Submitted).Milliseconds()
	r.ElapsedMS = end.Sub(*r.Times.Started).Milliseconds()
}
