package audit

import (
	"errors"
	"log/slog"
	"time"
)

// Config sets up a Recorder. Only Sink is required.
type Config struct {
	Sink Sink
	Node string // put into events that name none

	// QueueSize bounds the events that are accepted and not yet handed to the
	// sink (default 4096).
	QueueSize int
	// MaxDelay bounds how long Record waits for room in a full queue before
	// the event's fail mode decides (default 1 s).
	MaxDelay time.Duration
	// FlushInterval bounds how long an ordered event waits in the queue
	// (default 20 ms).
	FlushInterval time.Duration
	// SyncInterval bounds how long a written event waits to be forced to disk
	// (default 100 ms).
	SyncInterval time.Duration
	// GroupWindow bounds how long a durable event waits for others to share
	// its sync (default 1 ms). It is spent only when the last commit was shared,
	// and never longer than a sync takes.
	GroupWindow time.Duration
	// RetryMin and RetryMax bound the pauses between attempts on a sink that
	// fails (default 50 ms and 1 s).
	RetryMin, RetryMax time.Duration

	Now func() time.Time // stamps events; default time.Now
	Log *slog.Logger     // told when the sink fails and recovers; never sees an event
}

// Validate reports what is missing or impossible.
func (c Config) Validate() error {
	if c.Sink == nil {
		return errors.New("audit: no sink")
	}
	for _, d := range []time.Duration{c.MaxDelay, c.FlushInterval, c.SyncInterval, c.GroupWindow, c.RetryMin, c.RetryMax} {
		if d < 0 {
			return errors.New("audit: negative duration")
		}
	}
	if c.QueueSize < 0 {
		return errors.New("audit: negative queue size")
	}
	return nil
}

func (c Config) withDefaults() Config {
	setDefault(&c.QueueSize, 4096)
	setDefault(&c.MaxDelay, time.Second)
	setDefault(&c.FlushInterval, 20*time.Millisecond)
	setDefault(&c.SyncInterval, 100*time.Millisecond)
	setDefault(&c.GroupWindow, time.Millisecond)
	setDefault(&c.RetryMin, 50*time.Millisecond)
	setDefault(&c.RetryMax, time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// half is the length from which on a queue is written without waiting longer.
func (c Config) half() int { return (c.QueueSize + 1) / 2 }

func setDefault[T int | time.Duration](v *T, value T) {
	if *v == 0 {
		*v = value
	}
}
