package postgres

import (
	"errors"
	"time"
)

// Config says where the store is.
type Config struct {
	URL string           // connection string, password included: a secret
	Now func() time.Time // nil: time.Now
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
