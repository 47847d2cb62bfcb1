package backend

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// Dialer opens sessions of one warehouse and remembers what it learnt. Its
// methods may be used by many goroutines.
type Dialer struct {
	cfg   Config
	cache *pgauth.KeyCache
	know  atomic.Pointer[knowledge]
}

// knowledge is what the first connections taught. It is immutable.
type knowledge struct {
	seen         bool // the dialect is configured, or a login told it
	redshift     bool
	version      int
	checkRefused bool // a login succeeded only without checkParam
}

func (k knowledge) takesCheck() bool {
	return !k.redshift && !k.checkRefused && k.version >= checkVersion
}

// New returns a Dialer.
func New(cfg Config) (*Dialer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("configure warehouse: %w", err)
	}
	d := &Dialer{cfg: cfg.withDefaults(), cache: pgauth.NewKeyCache()}
	d.know.Store(&knowledge{
		seen:     d.configured(),
		redshift: cfg.Dialect == DialectRedshift,
	})
	return d, nil
}

func (d *Dialer) configured() bool {
	return d.cfg.Dialect == DialectPostgres || d.cfg.Dialect == DialectRedshift
}

func (d *Dialer) learnt() knowledge { return *d.know.Load() }

// learn keeps what a login showed. Two that learn at once may each write what
// it saw; the next login puts it right.
func (d *Dialer) learn(c *Conn, checkRefused bool) {
	old := d.learnt()
	k := knowledge{seen: true, redshift: c.Redshift, version: c.VersionNum, checkRefused: old.checkRefused || checkRefused}
	if d.configured() {
		k.redshift = old.redshift
	}
	if k.version != old.version && !checkRefused {
		k.checkRefused = false // another server than before: ask anew
	}
	if k != old {
		d.know.Store(&k)
	}
}

// Dial opens a session as login. params are the client's start-up parameters
// in its order; user becomes the login's. An error of the server is a
// *ServerError; ErrUnreachable is among the causes where there was no server
// to speak to.
func (d *Dialer) Dial(ctx context.Context, login pgauth.Login, params []pgwire.Param) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.ConnectTimeout)
	defer cancel()
	return d.dial(ctx, login, params, false)
}

// DialReadOnly is Dial for a session that must not write: it begins with
// default_transaction_read_only. Redshift does not know that; Conn.ReadOnly
// says whether the session has it.
func (d *Dialer) DialReadOnly(ctx context.Context, login pgauth.Login, params []pgwire.Param) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.ConnectTimeout)
	defer cancel()
	c, err := d.dial(ctx, login, params, true)
	if err != nil {
		return nil, err
	}
	if value, told := c.Param(ReadOnlyParam); told && c.ReadOnly && value != "on" {
		c.Reader.Close()
		_ = c.Close()
		return nil, ErrNotReadOnly // a pooler between us and the server has lost it
	}
	return c, nil
}

func (d *Dialer) dial(ctx context.Context, login pgauth.Login, params []pgwire.Param, readOnly bool) (*Conn, error) {
	know := d.learnt()
	p := d.planFor(params)
	p.readOnly = readOnly && !know.redshift
	p.sure = p.sure && (know.seen || !p.readOnly)
	c, err := d.session(ctx, login, d.startup(login, params, p))
	if p.sure || !parameterRefused(err) {
		if err == nil {
			c.NoticesHangup, c.ReadOnly = p.check, p.readOnly
			d.learn(c, false)
		}
		return c, err
	}
	safer := d.safer()
	safer.readOnly = p.readOnly && know.seen
	c, err = d.session(ctx, login, d.startup(login, params, safer))
	if err != nil {
		return nil, err
	}
	c.ReadOnly = safer.readOnly
	d.learn(c, p.check)
	if p.readOnly && !c.ReadOnly && !d.learnt().redshift {
		// It was something else that was refused, and this server knows the mode.
		c.Reader.Close()
		_ = c.Close()
		return d.dial(ctx, login, params, readOnly) // now that it is known what it is
	}
	return c, nil
}

// parameterRefused reports an error that an unknown start-up parameter, or one
// with a value the server does not take, may have caused.
func parameterRefused(err error) bool {
	server, ok := errors.AsType[*ServerError](err)
	if !ok {
		return false
	}
	switch server.SQLState {
	case "42704", // undefined_object: Postgres
		"22023", // invalid_parameter_value: Postgres without the system call
		"55P02", // cant_change_runtime_param
		"08P01": // protocol_violation: PgBouncer
		return true
	}
	return false
}

// session tries the transports of the sslmode in libpq's order.
func (d *Dialer) session(ctx context.Context, login pgauth.Login, params []pgwire.Param) (*Conn, error) {
	var err error
	for _, t := range d.transports() {
		var c *Conn
		if c, err = d.over(ctx, t, login, params); err == nil || !anotherTransport(err) {
			return c, err
		}
	}
	return nil, err
}

// anotherTransport reports an error that may be gone over the other transport:
// TLS did not come about, or pg_hba.conf has no line for this one.
func anotherTransport(err error) bool {
	server, ok := errors.AsType[*ServerError](err)
	return errors.Is(err, ErrTLS) || ok && server.SQLState == pgauth.StateInvalidAuthorization
}

func (d *Dialer) over(ctx context.Context, t transport, login pgauth.Login, params []pgwire.Param) (*Conn, error) {
	conn, endPoint, err := d.connect(ctx, d.cfg.Address, t)
	if err != nil {
		return nil, err
	}
	c := &Conn{
		Conn: conn, dialer: d, User: login.User, TLS: t.tls && isTLS(conn),
		Reader: pgwire.NewReader(conn, d.cfg.Pools, d.cfg.Budget),
	}
	l := &handshake{c: c, login: login, endPoint: endPoint, cache: d.cache, local: d.local()}
	err = within(ctx, conn, func() error { return l.run(params) })
	if err != nil {
		c.Reader.Close()
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

func (d *Dialer) local() bool { return d.cfg.Network == "unix" || loopback(d.cfg.Address) }
