package audit

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// writer is the goroutine behind a Recorder: it alone appends to the sink. A
// sync runs beside it, so that a slow disk does not hold up what need not wait
// for the disk.
type writer struct {
	r       *Recorder
	buf     []Event // the batch in hand, to be cleared and used again
	pending []Event // the rest of buf that is not stored yet
	spare   []Event // the other buffer
	ticket  *ticket // of the batch in hand

	parked   []*ticket // of what is stored and not yet being synced
	unsynced uint64    // how much that is
	syncDue  bool      // the oldest of it has waited long enough
	armed    bool      // syncTimer runs for it

	syncing  bool        // a sync runs
	inSync   []*ticket   // that wait for it
	covered  uint64      // records that it covers
	syncDone chan synced // its end
	syncTook time.Duration

	group  int     // durable events in the last commit that had any
	outage *outage // while the sink fails
	pause  time.Duration

	flushTimer, syncTimer *time.Timer
}

// Run writes until ctx ends, then writes what is left and returns. The error
// says how many accepted records could not be stored. Call it once.
func (r *Recorder) Run(ctx context.Context) error {
	w := &writer{r: r, flushTimer: stoppedTimer(), syncTimer: stoppedTimer(), syncDone: make(chan synced, 1)}
	defer close(r.done)
	defer w.flushTimer.Stop()
	defer w.syncTimer.Stop()
	for {
		w.sleep(ctx)
		if ctx.Err() != nil {
			return w.finish()
		}
		w.gather(ctx)
		w.commit(false)
	}
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// sleep returns when there is something to write or to sync, or ctx ended.
func (w *writer) sleep(ctx context.Context) {
	waiting := false // for the flush timer
	for {
		w.hear()
		if w.outage != nil {
			w.sitOut(ctx)
			return
		}
		urgent, queued := w.look()
		if urgent {
			return
		}
		if queued && !waiting {
			w.flushTimer.Reset(w.r.cfg.FlushInterval)
			waiting = true
		}
		var flush <-chan time.Time
		if waiting {
			flush = w.flushTimer.C
		}
		select {
		case <-w.r.wake:
		case <-flush:
			return
		case <-w.syncTimer.C:
			w.syncDue = true
		case end := <-w.syncDone:
			w.syncEnded(end)
		case <-ctx.Done():
			return
		}
	}
}

// hear takes what has happened to syncs meanwhile: a busy queue, which never
// lets the writer wait, must not starve them.
func (w *writer) hear() {
	select {
	case end := <-w.syncDone:
		w.syncEnded(end)
	default:
	}
	select {
	case <-w.syncTimer.C:
		w.syncDue = true
	default:
	}
}

// sitOut waits until it is time to try a failing sink again.
func (w *writer) sitOut(ctx context.Context) {
	w.flushTimer.Reset(w.pause)
	for {
		select {
		case <-w.flushTimer.C:
			return
		case end := <-w.syncDone:
			w.syncEnded(end)
		case <-ctx.Done():
			return
		}
	}
}

// look reports whether the batch should be written at once, and whether there
// is one. If not, the next Record wakes the writer. While a sync runs, durable
// events wait for the next one and come together meanwhile.
func (w *writer) look() (urgent, queued bool) {
	r := w.r
	r.mu.Lock()
	defer r.mu.Unlock()
	queued = len(r.queue) > 0 || r.lost.any
	r.asleep = !queued
	waited := r.ticket != nil || len(w.parked) > 0 || w.syncDue
	return waited && !w.syncing || len(r.queue) >= r.cfg.half(), queued
}

// gather lets durable events join the coming sync when the last one was
// shared. It waits until as many have come as last time, and never longer than
// a sync takes: longer would cost more than it saves.
func (w *writer) gather(ctx context.Context) {
	if w.outage != nil || w.syncing || w.group < 2 {
		return
	}
	window := min(w.r.cfg.GroupWindow, w.syncTook)
	if window <= 0 || !w.wantsMore() {
		return
	}
	w.flushTimer.Reset(window)
	for w.wantsMore() {
		select {
		case <-w.r.wake:
		case <-w.flushTimer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (w *writer) wantsMore() bool {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	return w.r.durable > 0 && w.r.durable < w.group && len(w.r.queue) < w.r.cfg.half()
}

// commit stores what is queued, and begins a sync when one is due. Where the
// sink must show that it works, or the end is near, it waits for the sync.
func (w *writer) commit(final bool) {
	w.take()
	if err := w.store(); err != nil {
		w.fail(err)
		return
	}
	if w.ticket != nil {
		w.parked = append(w.parked, w.ticket)
		w.ticket = nil
	}
	switch {
	case final || w.outage != nil:
		w.syncAndWait()
	case !w.syncing && (w.syncDue || len(w.parked) > 0):
		w.beginSync()
	case w.unsynced > 0 && !w.armed: // a running timer is left alone: the oldest record counts
		w.syncTimer.Reset(w.r.cfg.SyncInterval)
		w.armed = true
	}
}

// take swaps the queue for an empty one, unless a batch is still in hand.
func (w *writer) take() {
	if len(w.pending) > 0 {
		return
	}
	r := w.r
	r.mu.Lock()
	w.buf, r.queue = r.queue, w.spare
	w.spare = nil
	w.pending = w.buf
	w.ticket, r.ticket = r.ticket, nil
	if r.durable > 0 {
		w.group, r.durable = r.durable, 0
	}
	if r.space != nil {
		close(r.space)
		r.space = nil
	}
	r.mu.Unlock()
}

// store appends the batch in hand and then what is to be said about losses.
func (w *writer) store() error {
	if len(w.pending) > 0 {
		n, err := w.r.cfg.Sink.Append(w.pending)
		w.stored(n)
		w.pending = w.pending[n:]
		if err != nil {
			return err
		}
		clear(w.buf)
	}
	if w.buf != nil {
		w.spare, w.buf, w.pending = w.buf[:0], nil, nil
	}
	return w.storeLosses()
}

func (w *writer) storeLosses() error {
	r := w.r
	r.mu.Lock()
	open, any, refused := r.lost.open, r.lost.any, r.stats.Refused
	r.mu.Unlock()
	if !any && w.outage == nil {
		return nil
	}
	for _, rec := range lossRecords(r.cfg.Now(), r.cfg.Node, open, w.outage, refused) {
		n, err := r.cfg.Sink.Append([]Event{rec.event})
		w.stored(n)
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.lost.settle(rec)
		r.mu.Unlock()
	}
	return nil
}

func (w *writer) stored(n int) {
	w.unsynced += uint64(n)
	w.r.mu.Lock()
	w.r.stats.Stored += uint64(n)
	w.r.stats.Batches++
	w.r.mu.Unlock()
}

// fail puts the fail modes in force. Whoever waits is told now; records whose
// statements are thereby refused are taken out, all others are kept and tried
// again.
func (w *writer) fail(err error) {
	r := w.r
	refused := func(e Event) bool { return e.Durability == Durable && e.refused() }
	w.pending = slices.DeleteFunc(w.pending, refused)
	r.mu.Lock()
	r.failing = err
	r.queue = slices.DeleteFunc(r.queue, refused)
	r.durable = 0
	next := r.ticket
	r.ticket = nil
	if r.space != nil {
		close(r.space)
		r.space = nil
	}
	before := r.stats.Refused
	r.mu.Unlock()
	settle(append(w.parked, w.ticket, next), err)
	w.parked, w.ticket = w.parked[:0], nil
	if w.outage == nil {
		w.outage = &outage{since: r.cfg.Now(), cause: err, refused: before}
		w.pause = r.cfg.RetryMin
		r.cfg.Log.Error("audit sink failed", "error", err)
		return
	}
	w.pause = min(2*w.pause, r.cfg.RetryMax)
}

func (w *writer) recovered() {
	r := w.r
	r.mu.Lock()
	r.failing = nil
	r.mu.Unlock()
	r.cfg.Log.Info("audit sink works again", "outage", r.cfg.Now().Sub(w.outage.since))
	w.outage = nil
}

// finish closes the door, writes what is left and reports what could not be.
func (w *writer) finish() error {
	r := w.r
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	w.joinSync()
	w.commit(true) // what is in hand after a failure, else the queue
	w.commit(true) // the queue
	r.mu.Lock()
	defer r.mu.Unlock()
	left := len(w.pending) + len(r.queue)
	r.lost.add(lossStopped, uint64(left))
	if left == 0 && r.failing == nil {
		return nil
	}
	return fmt.Errorf("audit stopped with %d records not stored: %w", left, r.failing)
}
