package directory

import (
	"context"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

// ErrUnknown says that there is no such login.
var ErrUnknown = pgauth.ErrUnknownLogin

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
	m     atomic.Pointer[Mapping]
}

// New returns a Directory.
func New(cfg Config) (*Directory, error) {
	d := &Directory{query: cfg.Query}
	d.users.Store(cfg.Users)
	d.m.Store(&cfg.Map)
	return d, nil
}

// Lookup returns the account of a login, or ErrUnknown. Any other error means
// that the directory could not say. The database is of use to a directory that
// knows several warehouses; this one does not look at it.
func (d *Directory) Lookup(ctx context.Context, login, _ string) (*pgauth.Account, error) {
	if u := d.users.Load().lookup(login); u != nil {
		return &pgauth.Account{Login: login, Verifiers: u.verifiers, Groups: u.groups}, nil
	}
	if d.query == nil {
		return nil, ErrUnknown
	}
	v, err := d.query.lookup(ctx, login)
	if err != nil {
		return nil, err
	}
	return &pgauth.Account{Login: login, Verifiers: v}, nil
}

// Warehouse returns as whom a client goes on that the method let in; groups
// are its account's, if it has one.
func (d *Directory) Warehouse(login string, groups []string, method pgauth.Method) pgauth.Login {
	m := d.m.Load()
	if u := d.users.Load().lookup(login); u != nil && u.role != "" && method != pgauth.Passthrough {
		return m.role(u.role)
	}
	return m.Login(login, groups, method)
}

// Assigned returns the warehouse login that the configuration names for a
// client, if it names one beside its default.
func (d *Directory) Assigned(login string, groups []string) (pgauth.Login, bool) {
	return d.m.Load().Assigned(login, groups)
}

// Reload swaps the user file.
func (d *Directory) Reload(users *UserFile) { d.users.Store(users) }

// Remap swaps the mapping.
func (d *Directory) Remap(m Mapping) { d.m.Store(&m) }

// Close ends the connections of the query.
func (d *Directory) Close() {
	if d.query != nil {
		d.query.Close()
	}
}
