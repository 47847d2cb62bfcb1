package backend

import (
	"context"
	"errors"
	"net"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// Conn is a session of the warehouse, ready for its first query. Write and
// Close are the socket's; read only through Reader.
type Conn struct {
	net.Conn
	Reader *pgwire.Reader

	User        string         // login it runs as
	Params      []pgwire.Param // ParameterStatus, in the server's order
	PID         uint32
	Key         []byte // cancel key, of any length
	Status      byte   // of the first ReadyForQuery
	Notices     [][]byte
	Redshift    bool
	VersionNum  int // 150020 for 15.20, 80002 for Redshift; 0: unreadable
	TLS         bool
	CheckedGone bool // the server looks whether we are still there while it runs

	dialer *Dialer
}

// Param returns the value of a ParameterStatus the server sent at login.
func (c *Conn) Param(name string) (string, bool) {
	for _, p := range c.Params {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

// Cancel asks the server to cancel what the session runs, over a connection of
// its own, and returns when the server has closed that one: the signal was
// sent by then, and hits nothing that is sent up later.
func (c *Conn) Cancel(ctx context.Context) error { return errors.New("not yet") }

// Dialer opens sessions of one warehouse and remembers what it learnt.
type Dialer struct{ cfg Config }

// New returns a Dialer.
func New(cfg Config) (*Dialer, error) { return &Dialer{cfg: cfg}, nil }

// Dial opens a session as login. params are the client's start-up parameters
// in its order; user becomes the login's. An error of the server is a
// *ServerError; ErrUnreachable is among the causes where there was no server
// to speak to.
func (d *Dialer) Dial(ctx context.Context, login pgauth.Login, params []pgwire.Param) (*Conn, error) {
	return nil, errors.New("not yet")
}
