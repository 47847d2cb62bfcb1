package lockwatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Pauses between attempts to connect, doubling.
const (
	firstPause = 250 * time.Millisecond
	lastPause  = 30 * time.Second
)

var errClosed = errors.New("lock watcher is closed")

// connector owns the one connection: made when it is needed, made again when
// it broke, and not tried for a pause when it cannot be made.
type connector struct {
	conf    *pgx.ConnConfig
	timeout time.Duration
	log     *slog.Logger
	now     func() time.Time

	// slot holds the state while nobody uses it: a mutex that a ctx can give
	// up on, for it is held over I/O.
	slot chan *slotState
}

type slotState struct {
	session *session
	closed  bool
	pause   time.Duration
	retry   time.Time // no attempt before it
	why     error     // of the last attempt
}

func newConnector(conf *pgx.ConnConfig, cfg Config) connector {
	conf.ConnectTimeout = cfg.Timeout
	conf.DefaultQueryExecMode = pgx.QueryExecModeExec // no statement of ours stays behind a pooler
	maps.Copy(conf.RuntimeParams, map[string]string{
		"application_name":              ApplicationName,
		"search_path":                   "pg_catalog",
		"statement_timeout":             strconv.FormatInt(cfg.Timeout.Milliseconds(), 10),
		"default_transaction_read_only": "on",
	})
	c := connector{conf: conf, timeout: cfg.Timeout, log: cfg.Log, now: cfg.Now, slot: make(chan *slotState, 1)}
	c.slot <- &slotState{}
	return c
}

// use calls do with a live session. A session that turns out to be dead is
// replaced once: the warehouse may have been restarted since the last call.
func (c *connector) use(ctx context.Context, do func(context.Context, *session) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var st *slotState
	select {
	case st = <-c.slot:
	case <-ctx.Done():
		return fmt.Errorf("wait for the connection: %w", context.Cause(ctx))
	}
	defer func() { c.slot <- st }()
	fresh := st.session == nil
	for {
		if err := c.connect(ctx, st); err != nil {
			return err
		}
		err := do(ctx, st.session)
		if err == nil || !st.session.conn.IsClosed() {
			return err
		}
		st.session = nil
		c.log.WarnContext(ctx, "operator connection lost", slog.Any("error", err))
		if fresh || ctx.Err() != nil {
			return err
		}
		fresh = true
	}
}

func (c *connector) connect(ctx context.Context, st *slotState) error {
	switch {
	case st.closed:
		return errClosed
	case st.session != nil:
		return nil
	case c.now().Before(st.retry):
		return fmt.Errorf("%w: %w", ErrUnavailable, st.why)
	}
	s, err := dial(ctx, c.conf)
	if err != nil {
		st.pause = min(max(2*st.pause, firstPause), lastPause)
		st.retry, st.why = c.now().Add(st.pause), err
		c.log.WarnContext(ctx, "operator cannot connect", slog.Any("error", err), slog.Duration("next_attempt_in", st.pause))
		return err
	}
	st.session, st.pause, st.why = s, 0, nil
	c.log.DebugContext(ctx, "operator connected", slog.Bool("monitor", s.caps.Monitor), slog.Bool("terminate", s.caps.Terminate))
	return nil
}

// close waits for the call under way, which its time-out bounds.
func (c *connector) close() {
	st := <-c.slot
	defer func() { c.slot <- st }()
	st.closed = true
	if st.session == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout) //nolint:forbidigo // a goodbye has no caller's ctx
	defer cancel()
	_ = st.session.conn.Close(ctx)
	st.session = nil
}
