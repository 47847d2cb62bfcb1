package lockwatch

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

const defaultTimeout = 2 * time.Second

// Config says how to reach the warehouse as its operator.
type Config struct {
	// ConnString is a URL or a list of keywords, as libpq takes it. It is not
	// used if ConnConfig is set.
	ConnString string
	// ConnConfig is a parsed ConnString; it must come from pgx.ParseConfig.
	ConnConfig *pgx.ConnConfig
	// Timeout bounds connecting and each call; 0 is 2 s.
	Timeout time.Duration
	// Log takes what happens to the connection; nil: nowhere.
	Log *slog.Logger
	// Now is the clock of the backoff; nil is time.Now.
	Now func() time.Time
}

// Validate reports what New would refuse, but for the connection string.
func (c *Config) Validate() error {
	if c.Timeout < 0 {
		return fmt.Errorf("time-out %v is negative", c.Timeout)
	}
	return nil
}

func setDefaults(cfg *Config) {
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
}
