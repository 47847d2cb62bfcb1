package sqlite

import (
	"errors"
	"time"
)

// Config says where the store is.
type Config struct {
	Path string           // of the file; its folder exists
	Now  func() time.Time // nil: time.Now

	// Schema is the version to migrate to; 0: the newest. A restore opens the
	// store at the version of its backup.
	Schema int64
}

// Validate fills in what is left out and says what is missing.
func (c *Config) Validate() error {
	if c.Path == "" {
		return errors.New("sqlite: the store needs a path")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}
