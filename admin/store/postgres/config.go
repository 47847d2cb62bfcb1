package postgres

import (
	"errors"
	"time"
)

// Config says where the store is.
type Config struct {
	URL string           // connection string, password included: a secret
	Now func() time.Time // nil: time.Now

	// Schema is the version to migrate to; 0: the newest. A restore opens the
	// store at the version of its backup.
	Schema int64
}

// Validate fills in what is left out and says what is missing.
func (c *Config) Validate() error {
	if c.URL == "" {
		return errors.New("postgres: the store needs a connection string")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}
