package audit

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// writer is the goroutine behind a Recorder: it alone touches the sink.
type writer struct {
	r       *Recorder
	buf     []Event // the batch in hand, to be cleared and used again
	pending []Event // the rest of buf that is not stored yet
	spare   []Event // the other buffer
	ticket  *ticket // of the batch in hand

	unsynced  uint64 // appended since the last good sync
	syncArmed bool   // syncTimer runs for them
	syncDue   bool   // the oldest of them has waited long enough
	group     int    // durable events in the last commit that had any
	syncTook  time.Duration
	outage    *outage // while the sink fails
	pause     time.Duration

	flushTimer, syncTimer *time.Timer
}

// Run writes until ctx ends, then writes what is left and returns. The error
// says how many accepted records could not be stored. Call it once.
func (r *Recorder) Run(ctx context.Context) error {
	w := &writer{r: r, flushTimer: stoppedTimer(), syncTimer: stoppedTimer()}
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
	if w.outage != nil {
		w.flushTimer.Reset(w.pause)
		select {
		case <-w.flushTimer.C:
		case <-ctx.Done():
		}
		return
	}
	armed := false
	for {
		urgent, queued := w.look()
		if urgent {
			return
		}
		if queued && !armed {
			w.flushTimer.Reset(w.r.cfg.FlushInterval)
			armed = true
		}
		var flush <-chan time.Time
		if armed {
			flush = w.flushTimer.C
		}
		select {
		case <-w.r.wake:
		case <-flush:
			return
		case <-w.syncTimer.C:
			w.syncDue = true
			return
		case <-ctx.Done():
			return
		}
	}
}

// look reports whether the batch should be written at once, and whether there
// is one. If not, the next Record wakes the writer.
func (w *writer) look() (urgent, queued bool) {
	r := w.r
	r.mu.Lock()
	defer r.mu.Unlock()
	queued = len(r.queue) > 0 || r.lost.any
	r.asleep = !queued
	return r.ticket != nil || len(r.queue) >= r.cfg.QueueSize/2, queued
}

// gather lets durable events join the coming sync when the last one was
// shared. It waits until as many have come as last time, and never longer than
// a sync takes: longer would cost more than it saves.
func (w *writer) gather(ctx context.Context) {
	if w.outage != nil || w.group < 2 {
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
	return w.r.durable > 0 && w.r.durable < w.group && len(w.r.queue) < w.r.cfg.QueueSize/2
}

// commit takes what is queued, stores it, and syncs when somebody waits for it.
func (w *writer) commit(final bool) {
	w.take()
	select { // a busy queue must not starve the sync
	case <-w.syncTimer.C:
		w.syncDue = true
	default:
	}
	err := w.store()
	if err == nil && (final || w.ticket != nil || w.syncDue || w.outage != nil) {
		err = w.sync()
	}
	if err != nil {
		w.fail(err)
		return
	}
	if w.outage != nil {
		w.recovered()
	}
	if w.unsynced > 0 && !w.syncDue {
		w.armSync()
	}
	w.settle(nil)
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

func (w *writer) sync() error {
	r := w.r
	start := r.cfg.Now()
	err := r.cfg.Sink.Sync()
	w.syncTook = r.cfg.Now().Sub(start)
	w.syncTimer.Stop()
	w.syncDue, w.syncArmed = false, false
	unsynced := w.unsynced
	w.unsynced = 0
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Syncs++
	r.stats.LastSync = w.syncTook
	if err != nil {
		r.lost.add(lossUnsynced, unsynced)
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

// armSync starts the clock for what has been written and not been synced. A
// running timer is left alone: the oldest record counts.
func (w *writer) armSync() {
	if !w.syncArmed {
		w.syncTimer.Reset(w.r.cfg.SyncInterval)
		w.syncArmed = true
	}
}

// settle tells those who wait for the batch in hand.
func (w *writer) settle(err error) {
	if w.ticket != nil {
		w.ticket.err = err
		close(w.ticket.done)
		w.ticket = nil
	}
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
	w.settle(err)
	w.ticket = next
	w.settle(err)
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
