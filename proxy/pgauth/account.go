package pgauth

import (
	"errors"
	"fmt"
)

// ErrUnknownLogin is what a directory answers about a login that does not
// exist. Any other error means that it could not say.
var ErrUnknownLogin = errors.New("no such login")

// Method is a way to prove a login.
type Method string

// The methods.
const (
	Trust       Method = "trust"       // no proof
	Scram       Method = "scram"       // SCRAM-SHA-256, with channel binding where both sides can
	ScramPlus   Method = "scram-plus"  // SCRAM-SHA-256-PLUS only
	MD5         Method = "md5"         // md5, or SCRAM where the account has no md5 hash
	Password    Method = "password"    // clear password, checked here
	Cert        Method = "cert"        // client certificate
	Passthrough Method = "passthrough" // clear password, checked by the warehouse
	// Internal is no way to prove anything: the house itself brings the client.
	// No configuration names it; a directory sees it when it is asked as whom a
	// principal goes on to the warehouse.
	Internal Method = "internal"
)

// ParseMethod returns the method of that name.
func ParseMethod(s string) (Method, error) {
	switch m := Method(s); m {
	case Trust, Scram, ScramPlus, MD5, Password, Cert, Passthrough:
		return m, nil
	case Internal: // nobody may write it down
	}
	return "", fmt.Errorf("unknown authentication method %q", s)
}

// Clear reports whether the client sends its password as it is.
func (m Method) Clear() bool { return m == Password || m == Passthrough }

// Account is what the directory knows about a login. It is immutable. As whom
// it goes on to the warehouse is not in it: that depends on the method too.
type Account struct {
	Login     string
	Verifiers []Verifier // any one of them is proof
	Groups    []string
	// Method is how this account proves itself where the rule leaves it to the
	// warehouse (Passthrough), which does not know it; empty: as the rule says.
	Method Method
}

// Proof returns how the account proves itself under a rule's method.
func (a *Account) Proof(rule Method) Method {
	if a != nil && a.Method != "" && rule == Passthrough {
		return a.Method
	}
	return rule
}

// Login is who we are to the warehouse.
type Login struct {
	User     string
	Password Secret
	// UseClientName: User is the client's, and so is the password where its
	// method shows one.
	UseClientName bool
}

// For returns the login to use for a client that proved to be user and gave
// password (zero if its method shows none).
func (l Login) For(user string, password Secret) Login {
	if !l.UseClientName {
		return l
	}
	if l.User != user {
		l.Password = Secret{}
	}
	if !password.IsZero() {
		l.Password = password
	}
	l.User = user
	return l
}
