package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/secret"
)

// Pauses of what a run does beside its statements.
const (
	closeTimeout = 5 * time.Second
	keepPause    = time.Second
	firstLook    = 20 * time.Millisecond
	tellEvery    = 500 * time.Millisecond
)

// execute is a run's goroutine: it converses with the door, keeps what came of
// it, and lets the run go.
func (s *Runs) execute(ctx context.Context, l *live) {
	wait := time.Duration(l.rec.Limits.QueueTimeoutMS) * time.Millisecond
	queue := time.AfterFunc(wait, func() {
		if r, _ := l.snapshot(); r.State == StateQueued {
			l.stop(errQueueTimeout)
		}
	})
	defer queue.Stop()
	e := s.converse(ctx, l)
	s.keep(ctx, l, e)
	s.dismiss(l)
	if s.cfg.Hub != nil {
		s.cfg.Hub.Forget(RunTopic(l.rec.ID))
		s.cfg.Hub.Publish(OwnerTopic(l.rec.OwnerID), s.version.Add(1), s.ownersLive(l.rec.OwnerID))
	}
}

// converse opens a session and runs the statements in order, up to the first
// that fails.
func (s *Runs) converse(ctx context.Context, l *live) ended {
	key, err := s.rowsKey(l)
	if err != nil {
		s.cfg.Log.ErrorContext(ctx, "run has no key", slog.String("run", l.rec.ID), slog.Any("error", err))
		return ended{err: &RunError{Code: CodeInternal, Message: "The result could not be protected, so nothing was run."}}
	}
	conn, err := s.cfg.Door.Open(ctx, l.who, l.target)
	if err != nil {
		return ended{err: s.failure(ctx, l, nil, err)}
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		_ = conn.Close(ctx) // the session ends either way
	}()
	meter := &meter{}
	over := make(chan struct{})
	watched := make(chan struct{})
	go func() { // ends with over; converse waits
		defer close(watched)
		s.watch(ctx, l, meter, over)
	}()
	defer func() { close(over); <-watched }()
	for i := range l.plan {
		if err := s.statement(ctx, l, i, conn, key, meter); err != nil {
			break
		}
	}
	return ended{openTransaction: conn.InTransaction()}
}

// statement runs one statement and keeps its rows. The error says that the run
// goes no further; what it was has happened to the run.
func (s *Runs) statement(ctx context.Context, l *live, i int, conn Conn, key secret.Key, m *meter) error {
	p := &l.plan[i]
	l.mu.Lock()
	l.sent, l.waits = s.now(), false
	l.mu.Unlock()
	s.happen(l, statementBegan{i})
	if s.cfg.Statuses == nil {
		s.start(ctx, l)
	}
	if conn.InTransaction() {
		p.proven = false // to cancel it would undo what the transaction wrote before
	}
	c := &capture{s: s, l: l, index: i, proven: p.proven, key: key, meter: m, ctx: ctx}
	m.phase.Store(phaseRunning)
	tag, err := conn.Query(ctx, p.sql, p.oids, p.values, c)
	m.phase.Store(phaseStoring)
	result, kept := c.finish(err)
	if errors.Is(err, errEnough) {
		err = nil
	}
	if err == nil {
		err = kept
	}
	switch {
	case err != nil:
	case p.commit && tag == "ROLLBACK":
		err = errUndone
	case result.Truncated != nil && l.rec.OnLimit == Fail && conn.InTransaction():
		err = errTooMany // with the transaction, which the end of the run rolls back
	}
	if err != nil {
		fail := s.failure(ctx, l, p, err)
		if fail.Code != CodePolicy && fail.Code != CodeQueue && !l.waiting() {
			s.start(ctx, l)
		}
		s.happen(l, statementFailed{i, *fail})
		return err
	}
	s.start(ctx, l)
	result.CommandTag = tag
	s.happen(l, statementDone{i, result})
	return nil
}

// rowsKey makes the key of the run's rows and seals it into the record.
func (s *Runs) rowsKey(l *live) (secret.Key, error) {
	key := secret.NewKey()
	sealed, err := s.cfg.Vault.SealKey(rowsPurpose(l.rec.ID), key)
	if err != nil {
		return secret.Key{}, fmt.Errorf("seal the run's key: %w", err)
	}
	l.rec.RowsKey = sealed
	return key, nil
}

// keep ends the run: what came of it is stored first, and shown then. While the
// store is away the run waits, for what is not stored is not true after a
// restart.
func (s *Runs) keep(ctx context.Context, l *live, e ended) {
	l.mu.Lock()
	next, err := step(l.run, e, s.now())
	l.mu.Unlock()
	if err != nil {
		return
	}
	ctx = context.WithoutCancel(ctx)
	s.close(ctx, l, next)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		<-timer.C
		if err = s.store(ctx, l, next); err == nil {
			break
		}
		s.cfg.Log.ErrorContext(ctx, "run cannot be stored", slog.String("run", l.rec.ID), slog.Any("error", err))
		if s.stopping() {
			break // the next start finds it: failed, connection lost
		}
		timer.Reset(keepPause)
	}
	l.mu.Lock()
	next.Version = max(next.Version, l.run.Version+1)
	l.setLocked(next)
	l.mu.Unlock()
	s.pace.add(l.classNow(), time.Duration(next.ElapsedMS)*time.Millisecond, next.State == StateSucceeded)
	s.publish(l, next)
}

func (s *Runs) stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.launch == nil
}

// close writes into the record how the run went.
func (s *Runs) close(ctx context.Context, l *live, r *Run) {
	rec := &l.rec
	rec.State, rec.Finished, rec.Version = r.State, *r.Times.Finished, r.Version
	if r.Times.Started != nil {
		rec.Started = *r.Times.Started
	}
	if err := s.sealOutcome(rec, r); err != nil {
		s.cfg.Log.ErrorContext(ctx, "outcome cannot be sealed", slog.String("run", rec.ID), slog.Any("error", err))
	}
	rec.Origin = s.access.origin(ctx, rec, r.Statements)
	if !hadRows(r) {
		rec.RowsKey = nil
		return
	}
	rec.Expires = rec.Finished.Add(s.cfg.Bounds.KeepRows)
	r.ExpiresAt = optional(rec.Expires)
}

// store writes the record. What the owner changed meanwhile (title, pin) stays.
func (s *Runs) store(ctx context.Context, l *live, r *Run) error {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	return s.cfg.Store.Update(ctx, func(tx Tx) error {
		had, err := tx.Run(ctx, l.rec.ID)
		if err != nil {
			return err
		}
		rec := l.rec
		rec.Title, rec.Pinned, rec.Deleted, rec.Keep = had.Title, had.Pinned, had.Deleted, had.Keep
		r.Title, r.Pinned = had.Title, had.Pinned
		return tx.SetRun(ctx, &rec)
	})
}

// Phases of a running statement.
const (
	phaseRunning int32 = iota
	phaseReading
	phaseStoring
)

func phaseName(p int32) string {
	switch p {
	case phaseReading:
		return "reading"
	case phaseStoring:
		return "storing"
	}
	return "running"
}

// meter counts what has come, for whoever watches.
type meter struct {
	rows, bytes atomic.Int64
	phase       atomic.Int32
}

// watch looks at the door's queue and at the rows until over, and tells of what
// changed.
func (s *Runs) watch(ctx context.Context, l *live, m *meter, over <-chan struct{}) {
	look := time.NewTimer(firstLook)
	defer look.Stop()
	tell := time.NewTicker(tellEvery)
	defer tell.Stop()
	var rows int64
	var phase int32
	for {
		select {
		case <-over:
			return
		case <-look.C:
			s.look(ctx, l)
			look.Reset(s.cfg.Bounds.Poll)
		case <-tell.C:
			s.abandoned(l)
			if n, p := m.rows.Load(), m.phase.Load(); n != rows || p != phase {
				rows, phase = n, p
				s.start(ctx, l)
				s.happen(l, progressed{Progress{Rows: n, Bytes: m.bytes.Load(), Phase: phaseName(p)}})
			}
		}
	}
}

// abandoned ends an interactive run that nobody looks at.
func (s *Runs) abandoned(l *live) {
	if l.rec.Urgency != Interactive || l.rec.Via != viaWeb {
		return
	}
	l.mu.Lock()
	idle, keep := s.now().Sub(l.seen), l.keep
	l.mu.Unlock()
	if !keep && idle > s.cfg.Bounds.Abandon {
		s.happen(l, cancelAsked{by: houseName, reason: "nobody looked at it for " + s.cfg.Bounds.Abandon.String()})
		l.stop(errCanceled)
	}
}

// viaWeb is the way of the page, which renews leases.
const viaWeb = "web"

// recover fails what was queued or running when the office died.
func (s *Runs) recover(ctx context.Context) error {
	var open []Record
	err := s.cfg.Store.View(ctx, func(tx Tx) (err error) {
		open, err = tx.OpenRuns(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("find runs that a crash left: %w", err)
	}
	for i := range open {
		if err := s.recoverRun(ctx, &open[i]); err != nil {
			return err
		}
	}
	return nil
}

// versionsLost is more than the versions that a run can have had in memory.
const versionsLost = 1 << 20

func (s *Runs) recoverRun(ctx context.Context, rec *Record) error {
	r, err := s.load(rec)
	if err != nil {
		return err
	}
	if r.State.Terminal() {
		return nil
	}
	if len(r.Statements) == 0 && r.SQL != nil {
		for i, span := range s.spans(rec, *r.SQL) {
			r.Statements = append(r.Statements, Statement{Index: i, Kind: "unknown", Range: span, State: StatementPending, Notices: []Notice{}})
		}
	}
	next, err := step(r, ended{err: &RunError{
		Code: CodeConnection, Retriable: true, Message: "The office was restarted while this ran; what became of it at the warehouse is not known.",
		Hint: "If it writes, look whether it did before you run it again.",
	}}, s.now())
	if err != nil {
		return err
	}
	rec.State, rec.Finished, rec.Version, rec.RowsKey = next.State, *next.Times.Finished, rec.Version+versionsLost, nil
	if err := s.sealOutcome(rec, next); err != nil {
		return err
	}
	return s.cfg.Store.Update(ctx, func(tx Tx) error { return tx.SetRun(ctx, rec) })
}
