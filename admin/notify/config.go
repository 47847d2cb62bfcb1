package notify

import "errors"

// Config sets up a Hub. The zero value is good.
type Config struct {
	MaxPerOwner int // subscriptions of one owner at a time (default 16)
	MaxTopics   int // topics without a subscriber whose newest snapshot is kept (default 1024)
}

// Validate reports what is impossible.
func (c Config) Validate() error {
	if c.MaxPerOwner < 0 || c.MaxTopics < 0 {
		return errors.New("notify: negative bound")
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.MaxPerOwner == 0 {
		c.MaxPerOwner = 16
	}
	if c.MaxTopics == 0 {
		c.MaxTopics = 1024
	}
	return c
}
