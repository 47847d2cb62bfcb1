package audit

import (
	"fmt"
	"time"
)

// synced is the end of a sync.
type synced struct {
	err  error
	took time.Duration
}

// beginSync forces what is stored to disk, beside the writer, which hears of
// the end through syncDone and waits for it before it ends itself.
func (w *writer) beginSync() {
	w.syncTimer.Stop()
	w.syncDue, w.armed, w.syncing = false, false, true
	w.inSync, w.parked = w.parked, w.inSync[:0]
	w.covered, w.unsynced = w.unsynced, 0
	go func() { // one at a time; joined by whoever takes from syncDone
		start := w.r.cfg.Now()
		err := w.r.cfg.Sink.Sync()
		w.syncDone <- synced{err, w.r.cfg.Now().Sub(start)}
	}()
}

// syncEnded tells those who waited for the sync. When it failed, nobody knows
// what became of the records written since it began either.
func (w *writer) syncEnded(end synced) {
	r := w.r
	w.syncing = false
	w.syncTook = end.took
	r.mu.Lock()
	r.stats.Syncs++
	r.stats.LastSync = end.took
	if end.err != nil {
		r.lost.add(lossUnsynced, w.covered+w.unsynced)
		w.unsynced = 0
	}
	r.mu.Unlock()
	w.covered = 0
	if end.err == nil {
		settle(w.inSync, nil)
		w.inSync = w.inSync[:0]
		return
	}
	w.parked = append(w.parked, w.inSync...)
	w.inSync = w.inSync[:0]
	w.fail(fmt.Errorf("sync: %w", end.err))
}

// joinSync waits for a sync that runs.
func (w *writer) joinSync() {
	if w.syncing {
		w.syncEnded(<-w.syncDone)
	}
}

// syncAndWait forces everything to disk. It ends an outage when that works.
func (w *writer) syncAndWait() {
	w.joinSync()
	if w.unsynced == 0 && len(w.parked) == 0 && w.outage == nil {
		return
	}
	out := w.outage
	w.beginSync()
	end := <-w.syncDone
	w.syncEnded(end)
	if end.err == nil && out != nil {
		w.recovered()
	}
}

// settle tells those who wait for tickets.
func settle(tickets []*ticket, err error) {
	for _, t := range tickets {
		if t != nil {
			t.err = err
			close(t.done)
		}
	}
}
