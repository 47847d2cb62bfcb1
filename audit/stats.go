package audit

import "time"

// Stats is a snapshot of a Recorder for metrics.
type Stats struct {
	Accepted uint64 // events taken by Record
	Stored   uint64 // events appended to the sink, losses included
	Refused  uint64 // statements refused because their event could not be kept
	Lost     uint64 // events counted as lost, all reasons, since the start
	Dropped  uint64 // of Lost: best effort, dropped by a full queue
	Batches  uint64
	Syncs    uint64
	LastSync time.Duration // how long the last sync took
	Queued   int           // events waiting for the writer
	Capacity int           // of the queue
	Failing  bool          // the sink fails; fail modes are in force
}

// Stats returns the counters as they are now.
func (r *Recorder) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Lost = r.lost.total
	s.Dropped = r.lost.dropped
	s.Queued = len(r.queue)
	s.Capacity = r.cfg.QueueSize
	s.Failing = r.failing != nil
	return s
}

// Healthy reports whether the sink works.
func (r *Recorder) Healthy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failing == nil
}
