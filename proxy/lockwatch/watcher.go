package lockwatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/policy"
)

// ApplicationName is how the connection shows itself to the warehouse.
const ApplicationName = "lockkeeper-operator"

// Bounds of one look.
const (
	defaultTimeout = 2 * time.Second
	maxPIDs        = 512 // backends looked at in one call; beyond, those found later are left out
)

// Errors that callers branch on.
var (
	// ErrNoBackend says that there is no backend with this pid (any more).
	ErrNoBackend = errors.New("no such backend")
	// ErrUnavailable says that the warehouse could not be reached a moment ago
	// and is not tried again yet; the reason is wrapped beside it.
	ErrUnavailable = errors.New("operator connection is not available")
)

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

// Watcher asks one warehouse. Its methods may be called from any goroutine;
// they queue up for the one connection.
type Watcher struct {
	conn connector
}

// Caps is what the operator's login may do.
type Caps struct {
	User      string
	Superuser bool
	Monitor   bool // sees what others wait for (pg_monitor, pg_read_all_stats)
	Terminate bool // may end others' backends (pg_signal_backend); those of superusers only as one
	Version   int  // server_version_num
}

// New returns a Watcher. It connects with the first call of a method.
func New(cfg Config) (*Watcher, error) {
	if cfg.Timeout < 0 {
		return nil, fmt.Errorf("time-out %v is negative", cfg.Timeout)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	conf := cfg.ConnConfig
	if conf == nil {
		var err error
		if conf, err = pgx.ParseConfig(cfg.ConnString); err != nil {
			return nil, fmt.Errorf("read operator's connection string: %w", err)
		}
	}
	return &Watcher{conn: newConnector(conf.Copy(), cfg)}, nil
}

// Edges returns who blocks those of the waiters that do wait for a lock, and
// who blocks the blockers. It is empty if none of them waits.
func (w *Watcher) Edges(ctx context.Context, waiters []uint32) ([]policy.LockEdge, error) {
	if len(waiters) == 0 {
		return nil, nil
	}
	var edges []policy.LockEdge
	err := w.conn.use(ctx, func(ctx context.Context, c *session) error {
		blocked, err := c.blocked(ctx, waiters)
		if err != nil || len(blocked) == 0 {
			return err
		}
		locks, err := c.locks(ctx, blocked.pids())
		if err != nil {
			return err
		}
		edges = join(blocked, locks)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for lock waits: %w", err)
	}
	return edges, nil
}

// Terminate ends a backend. ErrNoBackend: there was none.
func (w *Watcher) Terminate(ctx context.Context, pid uint32) error {
	err := w.conn.use(ctx, func(ctx context.Context, c *session) error { return c.terminate(ctx, pid) })
	if err != nil {
		return fmt.Errorf("terminate backend %d: %w", pid, err)
	}
	return nil
}

// Ping reports whether the warehouse answers.
func (w *Watcher) Ping(ctx context.Context) error {
	err := w.conn.use(ctx, func(ctx context.Context, c *session) error { return c.conn.Ping(ctx) })
	if err != nil {
		return fmt.Errorf("ping as operator: %w", err)
	}
	return nil
}

// Caps returns what the login may do, as of the connection in use.
func (w *Watcher) Caps(ctx context.Context) (Caps, error) {
	var caps Caps
	err := w.conn.use(ctx, func(_ context.Context, c *session) error {
		caps = c.caps
		return nil
	})
	if err != nil {
		return Caps{}, fmt.Errorf("ask for the operator's rights: %w", err)
	}
	return caps, nil
}

// Close ends the connection. Calls after it fail.
func (w *Watcher) Close() { w.conn.close() }
