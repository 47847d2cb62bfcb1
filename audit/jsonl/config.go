package jsonl

import (
	"errors"
	"time"
)

// Config sets up a Log. Only Dir is required.
type Config struct {
	Dir string // created with mode 0700 when it is not there

	MaxBytes int64         // a segment this large is closed (default 64 MiB)
	MaxAge   time.Duration // a segment this old is closed at the next record (default 24 h; negative: never)

	// RetainBytes and RetainAge bound what is kept, in whole segments; the
	// current segment always stays. Zero keeps everything.
	RetainBytes int64
	RetainAge   time.Duration

	Now func() time.Time // default time.Now
}

// Validate reports what is missing or impossible.
func (c Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("audit log: no directory")
	case c.MaxBytes < 0 || c.RetainBytes < 0 || c.RetainAge < 0:
		return errors.New("audit log: negative bound")
	default:
		return nil
	}
}

func (c Config) withDefaults() Config {
	if c.MaxBytes == 0 {
		c.MaxBytes = 64 << 20
	}
	if c.MaxAge == 0 {
		c.MaxAge = 24 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}
