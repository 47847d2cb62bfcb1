package door

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockkeeper/lockkeeper/policy"
)

// Bounds and defaults.
const (
	defaultGrace   = 3 * time.Second
	defaultMessage = 256 << 20
	applicationTag = "lockkeeper"
)

// Config says how the door is reached.
type Config struct {
	// Dial returns a new connection to the door for a principal; also for the
	// cancel requests of that principal's connections.
	Dial func(ctx context.Context, p policy.Principal) (net.Conn, error)
	// Grace is how long a statement has to end after its context has ended,
	// before the connection is closed. 0: 3 s.
	Grace time.Duration
	// MaxMessage bounds one message of the server, in bytes. 0: 256 MiB.
	MaxMessage int
}

// Validate says what is missing.
func (c Config) Validate() error {
	switch {
	case c.Dial == nil:
		return errors.New("door: no dialer")
	case c.Grace < 0 || c.MaxMessage < 0:
		return errors.New("door: grace and max message must not be negative")
	}
	return nil
}

// Door opens sessions. It is immutable and safe for concurrent use.
type Door struct{ cfg Config }

// New returns a door.
func New(cfg Config) (*Door, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Grace == 0 {
		cfg.Grace = defaultGrace
	}
	if cfg.MaxMessage == 0 {
		cfg.MaxMessage = defaultMessage
	}
	return &Door{cfg: cfg}, nil
}

// Open opens a session as a principal. A refusal by the door or the warehouse
// is an Error.
func (d *Door) Open(ctx context.Context, p policy.Principal, database string) (*Conn, error) {
	c := &Conn{door: d, principal: p}
	cfg, err := c.config(database)
	if err != nil {
		return nil, err
	}
	if c.pg, err = pgconn.ConnectConfig(ctx, cfg); err != nil {
		if e, ok := errors.AsType[*pgconn.PgError](err); ok {
			return nil, &Error{pg: e}
		}
		return nil, fmt.Errorf("open a session at the door: %w", err)
	}
	return c, nil
}

// config says everything by itself: nothing comes from the environment.
func (c *Conn) config(database string) (*pgconn.Config, error) {
	// The library insists on parsing; a path as host keeps it from resolving names.
	cfg, err := pgconn.ParseConfig("host=/door port=5432 user=door password=none dbname=door sslmode=disable")
	if err != nil {
		return nil, fmt.Errorf("configure the session: %w", err)
	}
	cfg.User, cfg.Database, cfg.Password = c.principal.Subject.User, database, ""
	cfg.TLSConfig, cfg.Fallbacks, cfg.ValidateConnect, cfg.AfterConnect = nil, nil, nil, nil
	cfg.RuntimeParams = map[string]string{"application_name": applicationTag, "client_encoding": "UTF8"}
	cfg.MaxProtocolMessageBodyLen = c.door.cfg.MaxMessage
	cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return c.door.cfg.Dial(ctx, c.principal) }
	cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if c.sink != nil {
			c.sink.Notice(n.Severity, n.Message, n.Detail, n.Hint)
		}
	}
	return cfg, nil
}
