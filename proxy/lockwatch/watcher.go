package lockwatch

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/policy"
)

// ApplicationName is how the connection shows itself to the warehouse.
const ApplicationName = "lockkeeper-operator"

// maxPIDs bounds the backends looked at in one call; beyond, those found later
// are left out.
const maxPIDs = 512

// Errors that callers branch on.
var (
	// ErrNoBackend says that there is no backend with this pid (any more).
	ErrNoBackend = errors.New("no such backend")
	// ErrUnavailable says that the warehouse could not be reached a moment ago
	// and is not tried again yet; the reason is wrapped beside it.
	ErrUnavailable = errors.New("operator connection is not available")
)

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
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	setDefaults(&cfg)
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
