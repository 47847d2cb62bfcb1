package dir

import (
	"errors"
	"time"
)

// Config sets up a Store. Only Dir is required.
type Config struct {
	Dir string // created with mode 0700 when it is not there

	MaxBytes int64 // of all blobs, those being written included; 0: the disk's size

	// SweepAfter is how long nothing was written to an unfinished blob when a
	// start takes it for a dead writer's (default 24 h).
	SweepAfter time.Duration

	Now func() time.Time // default time.Now
}

// Validate reports what is missing or impossible.
func (c Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("blobs: no folder")
	case c.MaxBytes < 0 || c.SweepAfter < 0:
		return errors.New("blobs: negative bound")
	default:
		return nil
	}
}

func (c Config) withDefaults() Config {
	if c.SweepAfter == 0 {
		c.SweepAfter = 24 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}
