package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrUnavailable says that an event could not be recorded and that its fail
// mode forbids to go on without it.
var ErrUnavailable = errors.New("audit is unavailable")

// errStopped is the cause when Run has returned.
var errStopped = errors.New("recorder is stopped")

// Recorder takes events from all sessions and writes them from one goroutine.
//
// Life: New, then one Run beside any number of Record; Drain when the sessions
// are gone; cancel Run's context. The sink belongs to the caller and is closed
// after Run has returned.
type Recorder struct {
	cfg  Config
	wake chan struct{} // holds one token: the writer should look again
	done chan struct{} // closed when Run has returned

	mu      sync.Mutex
	queue   []Event       // accepted, not yet taken by the writer
	ticket  *ticket       // for those who wait until queue is on disk; nil when nobody does
	durable int           // durable events in queue
	space   chan struct{} // closed when the writer takes the queue; nil when nobody waits
	asleep  bool          // the writer waits without a timer
	failing error         // why the sink fails; nil while it works
	closed  bool          // Run is ending: nothing more is accepted
	lost    losses        // not yet recorded as loss
	stats   Stats
}

// ticket is shared by all who wait for the same sync.
type ticket struct {
	done chan struct{} // closed when err is set
	err  error
}

// New returns a Recorder. Events may be recorded at once; they wait in the
// queue until Run is called.
func New(cfg Config) (*Recorder, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Recorder{
		cfg:  cfg.withDefaults(),
		wake: make(chan struct{}, 1),
		done: make(chan struct{}),
	}, nil
}

// Record accepts a copy of e. It returns nil when the statement may go on:
//
//   - ordered: the event is queued.
//   - durable: the event is on disk, or its fail mode lets it pass.
//   - best effort: always, and at once.
//
// Otherwise the error is ErrUnavailable (wrapped), or the cause of ctx when
// that ended first; then the event may still be written.
func (r *Recorder) Record(ctx context.Context, e *Event) error {
	r.mu.Lock()
	if r.closed || r.failing != nil || len(r.queue) >= r.cfg.QueueSize {
		r.mu.Unlock()
		return r.recordSlow(ctx, e)
	}
	return r.acceptAndUnlock(ctx, e)
}

// acceptAndUnlock queues e in a working recorder with room.
func (r *Recorder) acceptAndUnlock(ctx context.Context, e *Event) error {
	r.pushLocked(e)
	if e.Durability == Durable {
		r.durable++
		t := r.joinLocked()
		r.mu.Unlock()
		r.signal()
		return r.await(ctx, t, e)
	}
	// The writer is woken when it has no timer running, or when the queue is
	// half full: not for every event, a wake costs more than the event.
	look := r.asleep || len(r.queue) == r.cfg.half()
	r.asleep = false
	r.mu.Unlock()
	if look {
		r.signal()
	}
	return nil
}

// recordSlow handles what the straight path does not: a failing sink, a full
// queue, a recorder that is stopped.
func (r *Recorder) recordSlow(ctx context.Context, e *Event) error {
	var late <-chan time.Time
	for {
		r.mu.Lock()
		switch {
		case r.closed:
			return r.refuseOrLoseAndUnlock(e, lossStopped, errStopped)
		case r.failing != nil && e.refused():
			return r.refuseOrLoseAndUnlock(e, lossSinkFailed, r.failing)
		case len(r.queue) < r.cfg.QueueSize:
			if r.failing == nil {
				return r.acceptAndUnlock(ctx, e)
			}
			r.pushLocked(e) // kept in the hope that the sink recovers; nobody waits for it
			r.mu.Unlock()
			return nil
		case e.Durability == BestEffort:
			r.lost.add(lossBestEffort, 1)
			r.mu.Unlock()
			return nil
		case r.failing != nil:
			return r.refuseOrLoseAndUnlock(e, lossSinkFailed, r.failing)
		}
		room := r.roomLocked()
		r.mu.Unlock()
		r.signal()
		if late == nil {
			timer := time.NewTimer(r.cfg.MaxDelay)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-late:
			r.mu.Lock()
			return r.refuseOrLoseAndUnlock(e, lossQueueFull, errQueueFull)
		}
	}
}

var errQueueFull = errors.New("queue is full")

// refuseOrLoseAndUnlock ends a Record whose event is not kept.
func (r *Recorder) refuseOrLoseAndUnlock(e *Event, reason lossReason, cause error) error {
	defer r.mu.Unlock()
	if e.Durability != BestEffort && e.refused() {
		r.stats.Refused++
		return fmt.Errorf("%w: %w", ErrUnavailable, cause)
	}
	r.lost.add(reason, 1)
	return nil
}

// await waits for the sync that covers e.
func (r *Recorder) await(ctx context.Context, t *ticket, e *Event) error {
	select {
	case <-t.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if t.err == nil || !e.refused() {
		return nil
	}
	r.mu.Lock()
	r.stats.Refused++
	r.mu.Unlock()
	return fmt.Errorf("%w: %w", ErrUnavailable, t.err)
}

// Drain returns when everything accepted before the call is on disk. While the
// sink fails it keeps waiting, until ctx ends or Run returns.
func (r *Recorder) Drain(ctx context.Context) error {
	var last error
	for {
		r.mu.Lock()
		t := r.joinLocked()
		r.mu.Unlock()
		r.signal()
		select {
		case <-t.done:
			if t.err == nil {
				return nil
			}
			last = t.err
		case <-r.done:
			return errors.Join(errStopped, last)
		case <-ctx.Done():
			return fmt.Errorf("drain audit: %w", errors.Join(context.Cause(ctx), last))
		}
	}
}

func (r *Recorder) pushLocked(e *Event) {
	r.queue = append(r.queue, *e)
	q := &r.queue[len(r.queue)-1]
	if q.Time.IsZero() {
		q.Time = r.cfg.Now()
	}
	if q.Node == "" {
		q.Node = r.cfg.Node
	}
	r.stats.Accepted++
}

func (r *Recorder) joinLocked() *ticket {
	if r.ticket == nil {
		r.ticket = &ticket{done: make(chan struct{})}
	}
	return r.ticket
}

func (r *Recorder) roomLocked() <-chan struct{} {
	if r.space == nil {
		r.space = make(chan struct{})
	}
	return r.space
}

// signal tells the writer to look again.
func (r *Recorder) signal() {
	select {
	case r.wake <- struct{}{}:
	default: // a token is there already
	}
}
