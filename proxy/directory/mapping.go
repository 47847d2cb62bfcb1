package directory

import (
	"slices"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

// Mapping says as whom a client goes on to the warehouse. The first that fits
// decides: the user, the first of Groups that the user is in, then the
// default. Under trust, and without a default, the client's own name goes on.
// Under passthrough it always does, with the client's password: the warehouse
// is the one that checks it, so no password of ours may stand in for it.
// A principal of the office (Internal) has no password: a name of its own
// without one is refused at the door.
type Mapping struct {
	Users   map[string]pgauth.Login
	Groups  []GroupLogin
	Default pgauth.Login // zero User: none
}

// GroupLogin is the warehouse login of a group.
type GroupLogin struct {
	Group string
	Login pgauth.Login
}

// Assigned returns the warehouse login that the mapping names for a client, its
// default left aside.
func (m Mapping) Assigned(user string, groups []string) (pgauth.Login, bool) {
	if l, ok := m.Users[user]; ok {
		return l, true
	}
	for _, g := range m.Groups {
		if slices.Contains(groups, g.Group) {
			return g.Login, true
		}
	}
	return pgauth.Login{}, false
}

// Login returns the warehouse login of a client that the method let in.
func (m Mapping) Login(user string, groups []string, method pgauth.Method) pgauth.Login {
	if method == pgauth.Passthrough {
		return pgauth.Login{User: user, UseClientName: true}
	}
	if l, ok := m.Assigned(user, groups); ok {
		return l
	}
	if m.Default.User != "" && method != pgauth.Trust {
		return m.Default
	}
	l := pgauth.Login{User: user, UseClientName: true}
	if m.Default.User == user {
		l.Password = m.Default.Password
	}
	return l
}

// role returns the login of a role named by the user file, with its password
// if the mapping knows one.
func (m Mapping) role(name string) pgauth.Login {
	if m.Default.User == name {
		return m.Default
	}
	for _, g := range m.Groups {
		if g.Login.User == name {
			return g.Login
		}
	}
	for _, l := range m.Users {
		if l.User == name && !l.Password.IsZero() {
			return l
		}
	}
	return pgauth.Login{User: name}
}
