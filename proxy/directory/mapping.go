package directory

import "github.com/lockkeeper/lockkeeper/proxy/pgauth"

// Mapping says as whom a client goes on to the warehouse. The first that fits
// decides: the user, the first of its groups listed, then the default. Under a
// method that lets clients in as themselves (trust, passthrough), and without
// a default, the client's own name goes on.
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

// Login returns the warehouse login of a client.
func (m Mapping) Login(user string, groups []string, method pgauth.Method) pgauth.Login {
	if l, ok := m.Users[user]; ok {
		return l
	}
	for _, g := range m.Groups {
		for _, have := range groups {
			if g.Group == have {
				return g.Login
			}
		}
	}
	if m.Default.User != "" && !method.AsClient() {
		return m.Default
	}
	l := pgauth.Login{User: user, UseClientName: true}
	if m.Default.User == user {
		l.Password = m.Default.Password
	}
	return l
}
