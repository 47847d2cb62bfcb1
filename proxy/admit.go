package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/backend"
	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// strangers counts connections that have not logged in, per address: they
// cost little and are few.
type strangers struct {
	mu     sync.Mutex
	conns  map[net.Conn]netip.Addr
	count  map[netip.Addr]int
	closed bool
}

func (st *strangers) enter(c net.Conn, a netip.Addr, limit int) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.conns == nil {
		st.conns, st.count = make(map[net.Conn]netip.Addr), make(map[netip.Addr]int)
	}
	if st.closed || st.count[a] >= limit {
		return false
	}
	st.conns[c] = a
	st.count[a]++
	return true
}

func (st *strangers) leave(c net.Conn) {
	st.mu.Lock()
	defer st.mu.Unlock()
	a, ok := st.conns[c]
	if !ok {
		return
	}
	delete(st.conns, c)
	if st.count[a]--; st.count[a] == 0 {
		delete(st.count, a)
	}
}

func (st *strangers) closeAll() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.closed = true
	for c := range st.conns {
		_ = c.Close()
	}
}

// operators are the consoles that are open.
type operators struct {
	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// enter registers a console; one that comes behind closeAll is closed too.
func (o *operators) enter(c net.Conn) (leave func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		_ = c.Close()
	}
	if o.conns == nil {
		o.conns = make(map[net.Conn]struct{})
	}
	o.conns[c] = struct{}{}
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.conns, c)
	}
}

func (o *operators) closeAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for c := range o.conns {
		_ = c.Close()
	}
}

// caps counts sessions against the limits on connections.
type caps struct {
	mu    sync.Mutex
	total int
	users map[string]int
}

func (c *caps) enter(user string, operator bool, cfg *Config) *pgwire.Notice {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users == nil {
		c.users = make(map[string]int)
	}
	limit := cfg.MaxConnections
	if !operator {
		limit -= cfg.ReservedOperators
	}
	if c.total >= limit {
		return tooManyClients()
	}
	if cfg.MaxPerUser > 0 && c.users[user] >= cfg.MaxPerUser {
		return tooManyConnections(user)
	}
	c.total++
	c.users[user]++
	return nil
}

func (c *caps) leave(user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total--
	if c.users[user]--; c.users[user] == 0 {
		delete(c.users, user)
	}
}

// visitor is a connection on its way in.
type visitor struct {
	srv     *Server
	raw     net.Conn // as accepted
	came    time.Time
	conn    net.Conn // raw, or TLS over it
	in      *pgwire.Reader
	tls     *tls.ConnectionState
	cert    []byte // DER of the certificate we showed
	addr    netip.AddrPort
	unix    bool
	startup pgwire.Startup
	minor32 bool // the client speaks protocol 3.2

	principal *policy.Principal // who it is, if the house itself brought it

	user, database, application string
	rule                        *pgauth.Rule
	method                      pgauth.Method // the rule's, or the account's own
	result                      pgauth.Result
	account                     *pgauth.Account
}

// errRefused: the client was told why, or may not be told.
var errRefused = errors.New("refused")

// admit takes one connection from accept to its end.
func (srv *Server) admit(c net.Conn) {
	v := &visitor{srv: srv, raw: c, conn: c, came: srv.cfg.Now()}
	v.whence()
	_ = v.admit(srv.ctx) // the client was told, the record and the log have it
}

// admit takes one connection to its end, and returns why it ended.
func (v *visitor) admit(ctx context.Context) error {
	srv, c := v.srv, v.raw
	if srv.draining.Load() || !srv.strangers.enter(c, v.addr.Addr(), srv.cfg.MaxUnauthenticated) {
		srv.metrics.logins.WithLabelValues("shed").Inc()
		_ = c.Close()
		if srv.draining.Load() {
			return ErrServerClosed
		}
		return errCrowded
	}
	defer srv.strangers.leave(c)
	loginCtx, cancel := context.WithTimeout(ctx, srv.cfg.LoginTimeout)
	defer cancel()
	_ = c.SetDeadline(srv.cfg.Now().Add(srv.cfg.LoginTimeout))
	unblock := func() bool { return true }
	if v.principal != nil {
		unblock = context.AfterFunc(ctx, func() { _ = c.SetDeadline(past()) })
	}
	s, err := v.login(loginCtx)
	if err != nil || s == nil {
		unblock()
		v.goodbye(loginCtx, err)
		return err
	}
	srv.strangers.leave(c)
	if unblock() {
		_ = c.SetDeadline(time.Time{})
	}
	cancel()
	if v.principal != nil {
		defer s.endWith(ctx)()
	}
	return srv.serveSession(s)
}

func (v *visitor) whence() {
	switch a := v.raw.RemoteAddr().(type) {
	case *net.TCPAddr:
		v.addr = a.AddrPort()
		v.addr = netip.AddrPortFrom(v.addr.Addr().Unmap(), v.addr.Port())
	case *net.UnixAddr:
		v.unix = true
	}
}

// goodbye closes a connection that did not become a session.
func (v *visitor) goodbye(ctx context.Context, err error) {
	if err != nil && v.user != "" && !errors.Is(err, errRefused) {
		v.srv.cfg.Log.InfoContext(ctx, "login ended", slog.String("client_addr", v.where()), slog.Any("error", err))
	}
	_ = v.conn.Close()
	if v.in != nil {
		v.in.Close()
	}
}

// login speaks the start-up with a client: encryption, a cancel request that
// ends here, or who it is and the way to the warehouse.
func (v *visitor) login(ctx context.Context) (*session, error) {
	done, err := v.hello(ctx)
	if done || err != nil {
		return nil, err
	}
	if err := v.names(); err != nil {
		return nil, err
	}
	if v.principal != nil {
		if err := v.introduce(ctx); err != nil {
			return nil, err
		}
		return v.connect(ctx)
	}
	if err := v.authenticate(ctx); err != nil {
		return nil, err
	}
	if v.principal != nil { // by a token
		if err := v.introduce(ctx); err != nil {
			return nil, err
		}
		return v.connect(ctx)
	}
	if v.database == v.srv.cfg.Console {
		return nil, v.srv.console(ctx, v)
	}
	return v.connect(ctx)
}

// hello reads packets until a StartupMessage; done says that a cancel request
// was the end of it.
func (v *visitor) hello(ctx context.Context) (done bool, err error) {
	if err = v.directTLS(ctx); err != nil {
		return false, err
	}
	v.in = pgwire.NewReader(v.conn, v.srv.cfg.Pools, v.srv.budget)
	for range 4 {
		if v.startup, err = pgwire.ReadStartup(v.in); err != nil {
			return false, fmt.Errorf("read start-up: %w", err)
		}
		switch v.startup.Code {
		case pgwire.SSLRequestCode:
			if err := v.sslRequest(ctx); err != nil {
				return false, err
			}
		case pgwire.GSSENCRequestCode:
			if v.in.Buffered() > 0 {
				return false, fmt.Errorf("%w: bytes behind GSSENCRequest", errProtocol)
			}
			if _, err := v.conn.Write([]byte{'N'}); err != nil {
				return false, fmt.Errorf("answer GSSENCRequest: %w", err)
			}
		case pgwire.CancelRequestCode:
			v.srv.cancelRequest(ctx, v.startup.PID, v.startup.Key)
			return true, nil
		default:
			return false, v.version()
		}
	}
	return false, fmt.Errorf("%w: too many encryption requests", errProtocol)
}

// sslRequest answers SSLRequest. Bytes that came with the request in clear are
// an attempt to smuggle them into the encrypted session.
func (v *visitor) sslRequest(ctx context.Context) error {
	if v.in.Buffered() > 0 {
		return fmt.Errorf("%w: bytes behind SSLRequest", errProtocol)
	}
	if v.srv.cfg.TLS == nil || v.tls != nil || v.unix {
		if _, err := v.conn.Write([]byte{'N'}); err != nil {
			return fmt.Errorf("answer SSLRequest: %w", err)
		}
		return nil
	}
	if _, err := v.conn.Write([]byte{'S'}); err != nil {
		return fmt.Errorf("answer SSLRequest: %w", err)
	}
	return v.handshake(ctx, v.conn)
}

func (v *visitor) handshake(ctx context.Context, c net.Conn) error {
	cfg, der := v.srv.cfg.TLS()
	t := tls.Server(c, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	state := t.ConnectionState()
	v.conn, v.tls, v.cert = t, &state, der
	if v.in != nil {
		v.in.Close()
	}
	v.in = pgwire.NewReader(t, v.srv.cfg.Pools, v.srv.budget)
	return nil
}

// version settles the protocol version: 3.0 and 3.2 are spoken.
func (v *visitor) version() error {
	code := v.startup.Code
	if code>>16 != 3 {
		n := fatal(stateFeature, fmt.Sprintf("unsupported frontend protocol %d.%d: server supports 3.0 to 3.2", code>>16, code&0xffff), "protocol")
		return v.refuse(n)
	}
	v.minor32 = code >= pgwire.ProtocolVersion32
	return nil
}

// names reads who asks for what.
func (v *visitor) names() error {
	v.user, _ = v.startup.Get("user")
	if v.principal != nil {
		v.user = v.principal.Subject.User
	}
	v.database, _ = v.startup.Get("database")
	v.application, _ = v.startup.Get("application_name")
	if v.user == "" {
		return v.refuse(fatal(stateInvalidAuth, "no PostgreSQL user name specified in startup packet", "startup"))
	}
	if v.database == "" {
		v.database = v.user
	}
	if r, ok := v.startup.Get("replication"); ok && r != "" && r != "false" && r != "off" && r != "no" && r != "0" {
		n := fatal(stateForbidden, "replication connections are not let through", "replication")
		n.Hint = "Connect to the warehouse itself for replication."
		return v.refuse(n)
	}
	var unknown []string
	for _, p := range v.startup.Params {
		if len(p.Name) > 5 && p.Name[:5] == "_pq_." {
			unknown = append(unknown, p.Name)
		}
	}
	if v.startup.Code > pgwire.ProtocolVersion32 || len(unknown) > 0 {
		version := min(v.startup.Code, pgwire.ProtocolVersion32)
		if version != pgwire.ProtocolVersion32 {
			version = pgwire.ProtocolVersion30
		}
		return v.write(pgwire.AppendNegotiateVersion(nil, version, unknown))
	}
	return nil
}

// authenticate finds the rule for this client and has it prove who it is.
func (v *visitor) authenticate(ctx context.Context) error {
	cfg := &v.srv.cfg
	peer := pgauth.Peer{Addr: v.addr.Addr(), Unix: v.unix, TLS: v.tls != nil}
	if cfg.TLSRequired && v.tls == nil && !v.unix {
		n := fatal(stateInvalidAuth, "this server accepts encrypted connections only", "tls")
		n.Hint = "Connect with sslmode=require or verify-full."
		return v.refuse(n)
	}
	v.rule = cfg.Auth.Match(peer, v.database, v.user)
	if v.rule == nil {
		n := fatal(stateInvalidAuth, fmt.Sprintf("no authentication rule lets user %q of this host into database %q", v.user, v.database), "auth_rule")
		return v.loginFailed(ctx, n, "no rule")
	}
	account, err := cfg.Directory.Lookup(ctx, v.user, v.database)
	switch {
	case err == nil:
		v.account = account
	case !errors.Is(err, pgauth.ErrUnknownLogin):
		return v.directoryFailed(ctx, err)
	}
	v.method = v.account.Proof(v.rule.Method)
	bearer := &bearer{v: v}
	v.result, err = v.srv.auth.Authenticate(ctx, pgauth.Exchange{
		Reader: v.in, Writer: v.conn, Method: v.method, User: v.user, Account: v.account,
		CertMap: v.rule.CertMap, TLS: v.tls, ServerCert: v.cert, Local: peer.Local(), Token: bearer.check(),
	})
	if bearer.err != nil {
		return v.directoryFailed(ctx, bearer.err)
	}
	if refused, ok := errors.AsType[*pgauth.Error](err); ok {
		return v.loginFailed(ctx, refused.Notice(), refused.Reason)
	}
	return err
}

// connect opens the way to the warehouse and tells the client what it is.
func (v *visitor) connect(ctx context.Context) (*session, error) {
	srv := v.srv
	login, err := v.warehouseLogin(ctx)
	if err != nil {
		return nil, err
	}
	if n := srv.caps.enter(v.user, srv.operator(v.user), &srv.cfg); n != nil {
		return nil, v.loginFailed(ctx, n, "connection limit")
	}
	up, err := v.dial(ctx, login)
	if err != nil {
		srv.caps.leave(v.user)
		return nil, v.dialFailed(ctx, login, err)
	}
	s := v.session(up)
	if err := v.welcome(s, up); err != nil {
		_ = up.Close()
		srv.caps.leave(v.user)
		return nil, err
	}
	srv.metrics.logins.WithLabelValues("ok").Inc()
	return s, nil
}

// upParams returns the client's start-up parameters: they go up as they are,
// with one database, the one that was checked; the dialer sets the user and
// leaves out what the warehouse would refuse.
func (v *visitor) upParams() []pgwire.Param {
	params := make([]pgwire.Param, 0, len(v.startup.Params)+1)
	for _, p := range v.startup.Params {
		if p.Name != "user" && p.Name != "database" {
			params = append(params, p)
		}
	}
	return append(params, pgwire.Param{Name: "database", Value: v.database})
}

// session makes the session of a visitor who is in.
func (v *visitor) session(up *backend.Conn) *session {
	srv := v.srv
	s := newSession(srv, v.conn, v.in, up)
	s.came = v.came
	s.id = srv.sessions.newID()
	s.name = srv.randomHex(8)
	s.nonce = "lk_" + srv.randomHex(8)
	s.key = make([]byte, cancelKeySize)
	if v.minor32 {
		s.key = make([]byte, 32)
	}
	srv.cfg.Random(s.key)
	for _, p := range up.Params {
		s.env.set(p.Name, p.Value)
	}
	s.env.Redshift = s.env.Redshift || up.Redshift
	s.pathStale = true
	if v.principal != nil {
		s.conn = v.principalConn(up)
		s.principal, s.runID, s.readOnly = true, v.principal.RunID, up.ReadOnly
	} else {
		s.conn = srv.cfg.Engine.NewConn(v.subject(up))
	}
	s.base = v.base(s, up)
	s.log = srv.cfg.Log.With(slog.String("session", s.name))
	return s
}

func (v *visitor) subject(up *backend.Conn) policy.Subject {
	sub := policy.Subject{
		User: v.user, AuthUser: v.result.AuthUser, Role: up.User, Database: v.database, ApplicationName: v.application,
		ClientIP: v.addr.Addr(), Via: ViaWire, Environment: v.srv.cfg.Environment,
	}
	if v.account != nil {
		sub.Groups = v.account.Groups
	}
	if v.tls != nil && len(v.tls.PeerCertificates) > 0 {
		sub.CertCN = v.tls.PeerCertificates[0].Subject.CommonName
		sub.CertOU = v.tls.PeerCertificates[0].Subject.OrganizationalUnit
	}
	return sub
}

// base is what every record of the session says.
func (v *visitor) base(s *session, up *backend.Conn) audit.Event {
	ev := audit.Event{
		Node: v.srv.cfg.Node, Session: s.name, User: v.user, ClientAddr: v.where(), Database: v.database, Role: up.User,
		ApplicationName: v.application, BackendPID: up.PID, Durability: audit.Ordered, OnFailure: audit.ClosedForWrites,
		Team: s.conn.Team(), Tool: s.conn.Tool(),
	}
	v.mark(&ev)
	if v.result.AuthUser != v.user {
		ev.AuthUser = v.result.AuthUser
	}
	if v.tls != nil {
		ev.TLS = tls.VersionName(v.tls.Version)
	}
	return ev
}

// welcome says AuthenticationOk and all that the warehouse said, with a cancel
// key of our own.
func (v *visitor) welcome(s *session, up *backend.Conn) error {
	out := pgwire.AppendAuthentication(nil, pgwire.AuthOK, nil)
	for _, p := range up.Params {
		out = pgwire.AppendParameterStatus(out, p)
	}
	for _, n := range up.Notices {
		out = append(out, n...)
	}
	out = pgwire.AppendBackendKeyData(out, up.PID, s.key)
	out = pgwire.AppendReady(out, up.Status)
	v.srv.sessions.add(s)
	if err := v.write(out); err != nil {
		v.srv.sessions.remove(s)
		return err
	}
	return nil
}

func (v *visitor) where() string {
	switch {
	case v.principal != nil && v.principal.Subject.ClientIP.IsValid():
		return v.principal.Subject.ClientIP.String() // of the person's browser
	case v.unix || !v.addr.IsValid():
		return "local"
	}
	return v.addr.String()
}

func (v *visitor) write(p []byte) error {
	if _, err := v.conn.Write(p); err != nil {
		return fmt.Errorf("write to client: %w", err)
	}
	return nil
}

func (v *visitor) refuse(n *pgwire.Notice) error {
	if err := v.write(pgwire.AppendError(nil, n)); err != nil {
		return err
	}
	return errRefused
}

func (v *visitor) loginFailed(ctx context.Context, n *pgwire.Notice, reason string) error {
	return v.failed(ctx, n, "refused", reason)
}

func (v *visitor) recordLogin(ctx context.Context, state, reason string) {
	ev := audit.Event{
		Kind: audit.KindLogin, User: v.user, Database: v.database, ClientAddr: v.where(), ApplicationName: v.application,
		Verdict: audit.VerdictDeny, SQLState: state, Reason: reason, OnFailure: audit.Open, Durability: audit.Ordered,
	}
	v.mark(&ev)
	if err := v.srv.cfg.Recorder.Record(ctx, &ev); err != nil {
		v.srv.metrics.auditErrors.Inc()
	}
}

func (srv *Server) operator(user string) bool {
	return slices.Contains(srv.cfg.ConsoleUsers, user)
}

// serveSession runs a session from its first record to its last.
func (srv *Server) serveSession(s *session) error {
	ev := s.base
	ev.Kind = audit.KindSessionStart
	s.event(srv.ctx, &ev)
	srv.metrics.sessions.Inc()
	if srv.isClosed() { // it logged in while Close went through the others
		s.kill(shutdownNotice())
	}
	err := s.run(srv.ctx)
	srv.metrics.sessions.Dec()
	srv.sessions.remove(s)
	srv.caps.leave(s.base.User)
	ev = s.base
	ev.Kind = audit.KindSessionEnd
	ev.Held = srv.cfg.Now().Sub(s.since)
	ev.Reason = endReason(err)
	s.event(srv.ctx, &ev)
	return err
}

func endReason(err error) string {
	for _, e := range []error{errTerminated, errClientGone, errUpstream, errKilled, errProtocol} {
		if errors.Is(err, e) {
			return e.Error()
		}
	}
	return "error"
}
