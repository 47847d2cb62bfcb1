package proxy

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// ErrServerClosed is what Serve returns after Shutdown or Close.
var ErrServerClosed = errors.New("proxy: server closed")

// Server is the door. It is made by New, serves any number of listeners, and
// ends with Shutdown or Close.
type Server struct {
	cfg       Config
	auth      *pgauth.Authenticator
	budget    *pgwire.Budget
	sessions  *sessions
	strangers strangers
	operators operators
	locks     *locks
	metrics   *metrics
	execs     sync.Pool // of *exec
	paramKey  *audit.Hasher
	caps      caps

	ctx      context.Context //nolint:containedctx // the server's life: ends with Close, bounds all that outlives a client
	stop     context.CancelFunc
	wg       sync.WaitGroup // everything the server started
	draining atomic.Bool

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	closed    bool
}

// New returns a server that accepts nobody yet.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := cfg.withDefaults()
	key := make([]byte, 32)
	c.Random(key)
	hasher, err := audit.NewHasher(key)
	if c.ParamHasher != nil {
		hasher = c.ParamHasher
	}
	if err != nil {
		return nil, fmt.Errorf("make key for parameters: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background()) //nolint:forbidigo // the server's own life
	srv := &Server{
		cfg: c, auth: pgauth.New(c.Salts), budget: &pgwire.Budget{Max: c.MaxHeldBytes},
		sessions: newSessions(), ctx: ctx, stop: stop, paramKey: hasher,
		listeners: make(map[net.Listener]struct{}),
	}
	srv.metrics = newMetrics(srv)
	srv.locks = newLocks(srv)
	if c.Watcher != nil {
		srv.wg.Go(func() { srv.locks.run(ctx) }) // ends with Close
	}
	return srv, nil
}

// Serve accepts clients until the server closes.
func (srv *Server) Serve(ctx context.Context, ln net.Listener) error {
	return srv.accept(ctx, ln, srv.admit)
}

// accept hands each connection over in a goroutine of its own; it only accepts.
func (srv *Server) accept(ctx context.Context, ln net.Listener, admit func(net.Conn)) error {
	if !srv.addListener(ln) {
		return ErrServerClosed
	}
	defer srv.removeListener(ln)
	for {
		c, err := ln.Accept()
		if err != nil {
			if srv.draining.Load() || srv.ctx.Err() != nil {
				return ErrServerClosed
			}
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Temporary() { //nolint:staticcheck // accept errors such as EMFILE are told only this way
				srv.cfg.Log.WarnContext(ctx, "cannot accept", slog.Any("error", err))
				time.Sleep(10 * time.Millisecond) //nolint:forbidigo // nothing to wait for: files must become free
				continue
			}
			return fmt.Errorf("accept: %w", err)
		}
		if !srv.start(func() { admit(c) }) { // ends with its client; Close waits
			_ = c.Close()
			return ErrServerClosed
		}
	}
}

// Shutdown lets nobody in any more, ends idle sessions, waits for transactions
// until ctx ends, then closes.
func (srv *Server) Shutdown(ctx context.Context) error {
	srv.draining.Store(true)
	srv.closeListeners()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		srv.sessions.each(func(s *session) { s.drain() })
		if srv.sessions.count() == 0 {
			return srv.Close()
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), srv.Close())
		case <-tick.C:
		}
	}
}

// Close ends all sessions and returns when everything has stopped.
func (srv *Server) Close() error {
	srv.draining.Store(true)
	srv.mu.Lock()
	first := !srv.closed
	srv.closed = true
	srv.mu.Unlock()
	srv.closeListeners()
	if first {
		var kills sync.WaitGroup
		srv.sessions.each(func(s *session) {
			kills.Go(func() { s.kill(shutdownNotice()) }) // one that does not read must not delay the others
		})
		srv.strangers.closeAll()
		srv.operators.closeAll()
		kills.Wait()
	}
	srv.stop()
	srv.wg.Wait()
	return nil
}

// start runs f in a goroutine that Close waits for; false: it is too late.
func (srv *Server) start(f func()) bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.closed {
		return false
	}
	srv.wg.Go(f)
	return true
}

func (srv *Server) isClosed() bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.closed
}

// Draining reports whether the server lets nobody in any more.
func (srv *Server) Draining() bool { return srv.draining.Load() }

// drain ends the session if it does nothing.
func (s *session) drain() {
	s.mu.Lock()
	touched := s.m.Touched()
	s.mu.Unlock()
	if !touched {
		s.endIdle(shutdownNotice())
	}
}

// endIdle ends a session that does nothing. One that waits in a queue does.
func (s *session) endIdle(n *pgwire.Notice) {
	s.mu.Lock()
	idle := !s.ended && s.m.Owed() == 0 && !s.busy.Load() && s.holds == 0 && !s.unwritten
	if idle {
		s.holds++ // nothing goes up any more
	}
	s.mu.Unlock()
	if idle {
		s.kill(n)
	}
}

func (srv *Server) addListener(ln net.Listener) bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.closed || srv.draining.Load() {
		return false
	}
	srv.listeners[ln] = struct{}{}
	return true
}

func (srv *Server) removeListener(ln net.Listener) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	delete(srv.listeners, ln)
}

func (srv *Server) closeListeners() {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	for ln := range srv.listeners {
		_ = ln.Close()
	}
}

func (srv *Server) sessionName(id uint64) string {
	if s := srv.sessions.byID(id); s != nil {
		return s.name
	}
	return ""
}

func (srv *Server) noteLockWait(id uint64) {
	if s := srv.sessions.byID(id); s != nil {
		s.mu.Lock()
		if e := s.currentLocked(); e != nil {
			e.ev.LockWait = srv.cfg.Now().Sub(s.clock)
		}
		s.mu.Unlock()
	}
}

// params returns the bound parameters as the policy wants them kept.
func (srv *Server) params(how policy.AuditParams, body []byte) []string {
	var out []string
	pgwire.BindValues(body, func(i int, text bool, v []byte) bool {
		switch {
		case v == nil:
			out = append(out, "NULL")
		case how == policy.ParamsHashed || !text:
			out = append(out, srv.paramKey.Hash(fmt.Sprintf("$%d", i+1), v))
		default:
			t, _ := audit.Truncate(string(v[:min(len(v), maxParam+4)]), maxParam)
			out = append(out, t)
		}
		return len(out) < 64
	})
	return out
}

// maxParam bounds a stored parameter, in bytes.
const maxParam = 256

func random(p []byte) { _, _ = rand.Read(p) }

func (srv *Server) randomHex(n int) string {
	b := make([]byte, n)
	srv.cfg.Random(b)
	return hex.EncodeToString(b)
}
