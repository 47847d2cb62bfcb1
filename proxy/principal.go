package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/backend"
	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

// This file is the way in for principals: connections that the house itself
// brings, with who they are beside them as a value.

// errCrowded: too many are logging in at once.
var errCrowded = errors.New("proxy: too many connections are logging in")

// ServeConn serves one connection of a principal and returns when its session
// has ended: with nil after a goodbye or a CancelRequest, else with why it
// ended. It closes conn, which is one end of a socket pair (a net.Pipe has no
// buffer: two sides that write at once would wait for ever). Dial makes both
// ends.
//
// The client speaks the ordinary start-up on it and is asked for no password.
// The database and the settings come from its StartupMessage; who it is comes
// from p alone, whatever name stands there.
//
// A session is cancelled as any other: by a CancelRequest with its key, as the
// first message of another connection that is served with ServeConn.
//
// When ctx ends what runs is cancelled and the session ends. Shutdown and Close
// end it as they end those of clients.
func (srv *Server) ServeConn(ctx context.Context, conn net.Conn, p policy.Principal) error {
	if err := p.Validate(); err != nil {
		_ = conn.Close()
		return fmt.Errorf("serve principal: %w", err)
	}
	var err error
	done := make(chan struct{})
	ok := srv.start(func() { // ends with the session; ServeConn and Close wait
		defer close(done)
		err = srv.servePrincipal(ctx, conn, &p)
	})
	if !ok {
		_ = conn.Close()
		return ErrServerClosed
	}
	<-done
	return err
}

// office is the address under which connections of principals are counted that
// have not logged in: no stranger has it, so no crowd of strangers shuts the
// office out.
func office() netip.AddrPort { return netip.AddrPortFrom(netip.IPv6Unspecified(), 0) }

func (srv *Server) servePrincipal(ctx context.Context, conn net.Conn, p *policy.Principal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(srv.ctx, cancel)()
	v := &visitor{srv: srv, raw: conn, conn: conn, came: srv.cfg.Now(), unix: true, addr: office(), principal: p}
	err := v.admit(ctx)
	if errors.Is(err, errTerminated) {
		return nil
	}
	return err
}

// introduce takes a principal in where a client would be asked for proof.
func (v *visitor) introduce(ctx context.Context) error {
	p := v.principal
	if v.result.Mechanism == "" { // no token: the house itself brings it
		v.result = pgauth.Result{AuthUser: p.Subject.AuthUser, Mechanism: string(pgauth.Internal)}
	}
	if v.result.AuthUser == "" {
		v.result.AuthUser = v.user
	}
	if v.database == v.srv.cfg.Console {
		return v.loginFailed(ctx, fatal(stateForbidden, "the console is not for principals of the office", "console"), "console")
	}
	if !p.ReadOnly {
		return nil
	}
	kept := v.startup.Params[:0:0]
	for _, q := range v.startup.Params {
		switch strings.ToLower(q.Name) {
		case backend.ReadOnlyParam: // the dialer says it
			continue
		case "options", "role", "session_authorization", "transaction_read_only":
			n := fatal(stateForbidden, fmt.Sprintf("start-up parameter %q cannot be set: this session is read-only", q.Name), "read_only")
			n.Hint = "Leave it out, and send other settings as start-up parameters of their own."
			return v.loginFailed(ctx, n, "read-only")
		}
		kept = append(kept, q)
	}
	v.startup.Params = kept
	return nil
}

// principalConn is the policy's view of a principal, with where it goes.
func (v *visitor) principalConn(up *backend.Conn) *policy.Conn {
	p := *v.principal
	s := &p.Subject
	s.Role, s.Database, s.Environment, s.AuthUser = up.User, v.database, v.srv.cfg.Environment, v.result.AuthUser
	if s.ApplicationName == "" {
		s.ApplicationName = v.application
	}
	return v.srv.cfg.Engine.NewConnFor(&p)
}

// mark writes the way a visitor came into an event.
func (v *visitor) mark(ev *audit.Event) {
	p := v.principal
	if p == nil {
		ev.Via = ViaWire
		return
	}
	ev.Via, ev.Run, ev.Token, ev.Attempt = p.Via, p.RunID, p.TokenID, p.Attempt
	ev.Job, ev.Workspace = p.Subject.Job, p.Subject.Workspace
	if p.Actor != nil {
		ev.Actor = p.Actor.User
	}
}

// ViaWire is the way of a client that came to a listener.
const ViaWire = "wire"

// warehouseLogin returns as whom the visitor goes on. A principal has no
// password, so the login must be one that was set for it.
func (v *visitor) warehouseLogin(ctx context.Context) (pgauth.Login, error) {
	dir := v.srv.cfg.Directory
	if v.principal == nil {
		var groups []string
		if v.account != nil {
			groups = v.account.Groups
		}
		return dir.Warehouse(v.user, groups, v.method).For(v.user, v.result.Password), nil
	}
	login := dir.Warehouse(v.user, v.principal.Subject.Groups, pgauth.Internal)
	own := login.UseClientName
	login = login.For(v.user, pgauth.Secret{})
	if login.User == "" || (own && login.Password.IsZero()) {
		return login, v.loginFailed(ctx, noWarehouseLogin(v.user), "no warehouse login")
	}
	return login, nil
}

func (v *visitor) dial(ctx context.Context, login pgauth.Login) (*backend.Conn, error) {
	if v.principal != nil && v.principal.ReadOnly {
		return v.srv.cfg.Dialer.DialReadOnly(ctx, login, v.upParams())
	}
	return v.srv.cfg.Dialer.Dial(ctx, login, v.upParams())
}

// endWith ends the session when ctx does: what it runs is cancelled first. The
// function returned is called when the session has ended.
func (s *session) endWith(ctx context.Context) (release func()) {
	over := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { // ends with its act; release waits
		defer close(over)
		if s.srv.ctx.Err() != nil {
			return // Close is at it
		}
		act, done := s.context()
		defer done()
		s.cancelUnit(act, anyUnit, terminatedNotice(), audit.StopClientGone)
		s.kill(shutdownNotice())
	})
	return func() {
		if !stop() {
			<-over
		}
	}
}

// readOnlyLocked watches that a read-only session stays so: a function may have
// changed what the next transaction begins with. Nothing goes up any more, and
// the session ends.
func (s *session) readOnlyLocked(name, value []byte) {
	if !s.readOnly || string(name) != backend.ReadOnlyParam || string(value) == "on" {
		return
	}
	s.readOnly = false
	s.holds++ // for good
	s.ticks.Go(func() { s.kill(leftReadOnly()) })
}

// past is a deadline that is over.
func past() time.Time { return time.Unix(1, 0) }
