package catalog

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/policy"
)

// Defaults of Config.
const (
	defaultEvery   = time.Minute
	defaultTimeout = 30 * time.Second
	defaultMax     = 100_000
)

// Config says what to read, how often, and who gets it.
type Config struct {
	// ConnString is a URL or a list of keywords, as libpq takes it; its
	// database is the one that is read. It is not used if ConnConfig is set.
	ConnString string
	// ConnConfig is a parsed ConnString; it must come from pgx.ParseConfig.
	ConnConfig *pgx.ConnConfig
	// Publish gets each snapshot that differs from the one before; it is
	// called by one goroutine at a time.
	Publish func(*policy.Catalog)
	// Every is the time between two reads; 0 is a minute.
	Every time.Duration
	// Timeout bounds one read; 0 is 30 s.
	Timeout time.Duration
	// MaxObjects bounds relations and functions together; 0 is 100 000.
	MaxObjects int
	// Log takes failures and changes; nil: nowhere.
	Log *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Validate reports what New would refuse, but for the connection string.
func (c *Config) Validate() error {
	if c.Every < 0 || c.Timeout < 0 || c.MaxObjects < 0 {
		return fmt.Errorf("every %v, time-out %v or max objects %d is negative", c.Every, c.Timeout, c.MaxObjects)
	}
	if c.Publish == nil {
		return errors.New("nobody takes the catalog: Publish is nil")
	}
	return nil
}

func setDefaults(cfg *Config) {
	if cfg.Every == 0 {
		cfg.Every = defaultEvery
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.MaxObjects == 0 {
		cfg.MaxObjects = defaultMax
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
}
