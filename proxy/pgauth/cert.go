package pgauth

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
)

// CertMap says which logins a certificate may use; the first line that matches
// both decides. An empty map means that the common name is the login.
type CertMap []CertMapping

// CertMapping lets certificates with a matching name use a login.
type CertMapping struct {
	Field string // cn, dns, email or uri
	Match string // glob with "*"
	User  string // the login; a "*" in it stands for what the first "*" of Match stood for
}

func (m CertMap) validate() error {
	for i, l := range m {
		switch l.Field {
		case "cn", "dns", "email", "uri":
		default:
			return fmt.Errorf("certificate map line %d: unknown field %q: want cn, dns, email or uri", i+1, l.Field)
		}
		if l.Match == "" || l.User == "" {
			return fmt.Errorf("certificate map line %d: match and user are needed", i+1)
		}
		if strings.Contains(l.User, "*") && !strings.Contains(l.Match, "*") {
			return fmt.Errorf("certificate map line %d: user has a \"*\" and match has none", i+1)
		}
	}
	return nil
}

// allows returns the name of the certificate that stands for user.
func (m CertMap) allows(c *x509.Certificate, user string) (name string, ok bool) {
	if len(m) == 0 {
		return c.Subject.CommonName, c.Subject.CommonName != "" && c.Subject.CommonName == user
	}
	for _, l := range m {
		for _, n := range certNames(c, l.Field) {
			star, ok := glob(l.Match, n)
			if ok && n != "" && strings.ReplaceAll(l.User, "*", star) == user {
				return n, true
			}
		}
	}
	return "", false
}

func certNames(c *x509.Certificate, field string) []string {
	switch field {
	case "cn":
		return []string{c.Subject.CommonName}
	case "dns":
		return c.DNSNames
	case "email":
		return c.EmailAddresses
	}
	names := make([]string, len(c.URIs))
	for i, u := range c.URIs {
		names[i] = u.String()
	}
	return names
}

func checkCert(state *tls.ConnectionState, m CertMap, user string) (string, *Error) {
	if state == nil || len(state.VerifiedChains) == 0 {
		return "", &Error{StateInvalidAuthorization, "connection requires a valid client certificate", ""}
	}
	name, ok := m.allows(state.VerifiedChains[0][0], user)
	if !ok {
		return "", refused(Cert, user, "the certificate's name is not for this login")
	}
	return name, nil
}
