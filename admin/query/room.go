package query

import (
	"context"
	"errors"
	"fmt"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/blob"
)

// This file keeps results within the bounds of the office and of each person.
// What is not pinned makes room, the oldest first; what is pinned stays, and
// counts. So a pin that leaves no room is refused, a run that could keep no row
// is refused before it begins, and one whose rows do not fit beside what is
// pinned fails: that run, never the server.

// noRoomError says which bound leaves no room, and what takes it.
type noRoomError struct {
	bound, pinned int64 // bytes
	own           bool  // the bound of each person, not of the office
}

// Error says it to whom it concerns.
func (e *noRoomError) Error() string {
	if e.own {
		return fmt.Sprintf("Your pinned results take %s of the %s that one person's results may take.", size(e.pinned), size(e.bound))
	}
	return fmt.Sprintf("Pinned results take %s of the %s that all results may take together.", size(e.pinned), size(e.bound))
}

// Is makes it a kind of blob.ErrFull.
func (e *noRoomError) Is(target error) bool { return target == blob.ErrFull }

// hint says what to do.
func (e *noRoomError) hint() string {
	if e.own {
		return "Unpin or delete results you no longer need, or ask the operators for more (office.result_size_per_person)."
	}
	return "Unpin or delete results you no longer need, or ask the operators for more (office.result_size)."
}

// refusal is the answer to a request that there is no room for.
func (e *noRoomError) refusal(what string) error {
	out := admin.Errorf(admin.Quota, "quota-exceeded", "%s %s %s", e.Error(), what, e.hint())
	out.Extra = map[string]any{"limit": e.bound, "pinned": e.pinned}
	return out
}

// size writes bytes for people.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d bytes", n)
	}
	value, units := float64(n)/unit, []string{"KiB", "MiB", "GiB", "TiB"}
	for value >= unit && len(units) > 1 {
		value, units = value/unit, units[1:]
	}
	return fmt.Sprintf("%.1f %s", value, units[0])
}

// fits returns a noRoomError unless more bytes of an owner fit beside what is
// pinned, and at least one byte is left.
func (s *Runs) fits(ctx context.Context, tx RunTx, owner string, more int64) error {
	for _, c := range []struct {
		owner string
		bound int64
	}{{owner, s.cfg.Bounds.EachBytes}, {"", s.cfg.Bounds.TotalBytes}} {
		if c.bound == 0 {
			continue
		}
		pinned, err := tx.PinnedBytes(ctx, c.owner)
		if err != nil {
			return fmt.Errorf("measure what is pinned: %w", err)
		}
		if pinned+more > c.bound || pinned >= c.bound {
			return &noRoomError{c.bound, pinned, c.owner != ""}
		}
	}
	return nil
}

// roomToRun refuses a run that could keep no row. One that writes is let in: it
// may give none.
func (s *Runs) roomToRun(ctx context.Context, tx RunTx, rec *Record) error {
	if rec.Access != ReadOnly {
		return nil
	}
	err := s.fits(ctx, tx, rec.OwnerID, 0)
	if full, ok := errors.AsType[*noRoomError](err); ok {
		return full.refusal("No rows of a new run could be kept, so it was not begun.")
	}
	return err
}

// roomToPin refuses a pin that would leave no room.
func (s *Runs) roomToPin(ctx context.Context, tx RunTx, rec *Record) error {
	if rec.RowsKey == nil {
		return nil
	}
	err := s.fits(ctx, tx, rec.OwnerID, rec.Bytes)
	if full, ok := errors.AsType[*noRoomError](err); ok {
		return full.refusal(fmt.Sprintf("This one has %s, so it was not pinned.", size(rec.Bytes)))
	}
	return err
}

// roomy is the place of results, within the bounds.
type roomy struct {
	blob.Store

	s *Runs
}

// Create begins a result of a live run.
func (r roomy) Create(ctx context.Context, name string) (blob.Writer, error) {
	l := r.s.liveRun(runOf(name))
	if l == nil {
		return nil, fmt.Errorf("begin result %s: its run has ended", name)
	}
	w := &roomyWriter{s: r.s, l: l, ctx: ctx, before: l.rec.Bytes}
	if err := w.ask(); err != nil {
		return nil, err
	}
	var err error
	w.Writer, err = r.Store.Create(ctx, name)
	return w, err
}

// roomyWriter writes one result of a run, in the run's goroutine.
type roomyWriter struct {
	blob.Writer

	s      *Runs
	l      *live
	ctx    context.Context //nolint:containedctx // of the blob, as Create's contract says
	before int64           // bytes that the run keeps already
	size   int64
	next   int64 // size, and …
	sum    int64 // … bytes of all live runs, from which the store is asked again
	done   bool
}

// askEvery is after how many bytes the store is asked again at the latest.
const askEvery = 8 << 20

// ask asks the store whether what is written fits beside what is pinned, and
// makes room among all results if they pass their bound with it. The place
// itself often has the same bound: it must not meet it first.
func (w *roomyWriter) ask() error {
	all, taken := w.s.cfg.Bounds.TotalBytes, w.s.taken("")
	var kept int64
	err := w.s.raw.View(w.ctx, func(tx Tx) error {
		// All that runs of theirs write at once counts, or the room for it would be
		// made from what others keep.
		if err := w.s.fits(w.ctx, tx, w.l.rec.OwnerID, max(w.before+w.size, w.s.taken(w.l.rec.OwnerID))); err != nil || all == 0 {
			return err
		}
		var err error
		kept, err = tx.StoredBytes(w.ctx, "")
		return err
	})
	if err != nil {
		return err
	}
	w.next, w.sum = w.size+askEvery, taken+askEvery
	if all == 0 {
		return nil
	}
	w.sum = taken + max(0, all-kept-taken)/2
	if kept+taken > all {
		return w.s.makeRoomFor(w.ctx, "", max(0, all-taken))
	}
	return nil
}

// Write writes if there is room.
func (w *roomyWriter) Write(p []byte) (int, error) {
	w.size += int64(len(p))
	w.l.taken.Add(int64(len(p)))
	if w.size >= w.next || w.s.cfg.Bounds.TotalBytes > 0 && w.s.taken("") >= w.sum {
		if err := w.ask(); err != nil {
			return 0, err
		}
	}
	return w.Writer.Write(p)
}

// Commit keeps the result, if there is still room.
func (w *roomyWriter) Commit() error {
	if err := w.ask(); err != nil {
		return err
	}
	if err := w.Writer.Commit(); err != nil {
		return err
	}
	w.done = true
	return nil
}

// Abort gives back what was taken.
func (w *roomyWriter) Abort() error {
	if !w.done {
		w.done = true
		w.l.taken.Add(-w.size)
	}
	return w.Writer.Abort()
}

// taken sums what live runs of an owner have written; of all if it is empty.
func (s *Runs) taken(owner string) (sum int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.live {
		if owner == "" || l.rec.OwnerID == owner {
			sum += l.taken.Load()
		}
	}
	return sum
}

// crowd says that rows were added, so that others may have to go.
func (s *Runs) crowd() {
	select {
	case s.crowded <- struct{}{}:
	default: // it was said
	}
}
