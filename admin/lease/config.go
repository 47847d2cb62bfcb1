package lease

import (
	"errors"
	"log/slog"
	"time"
)

// Config sets up a Keeper. Only Lease is required.
type Config struct {
	Lease Lease

	// Retry is the pause after an attempt that did not get the lease, or a
	// renewal that got no answer (default 1 s).
	Retry time.Duration

	Now func() time.Time // default time.Now
	Log *slog.Logger
}

// Validate reports what is missing or impossible.
func (c Config) Validate() error {
	if c.Lease == nil {
		return errors.New("lease: nothing to keep")
	}
	if c.Retry < 0 {
		return errors.New("lease: negative pause")
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.Retry == 0 {
		c.Retry = time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
