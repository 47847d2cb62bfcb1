package signin

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// headerIssuer is the Issuer of everybody whom a proxy vouched for.
const headerIssuer = "header"

// Peer is what the listener knows of the proxy that sent a request.
type Peer struct {
	Unix               bool // came over the unix socket that only the proxy can open
	ClientCertVerified bool // showed a certificate that the listener's own CA signed
}

// TrustedHeader believes a proxy that has already asked people who they are.
type TrustedHeader struct{ cfg TrustedHeaderConfig }

// NewTrustedHeader returns a TrustedHeader.
func NewTrustedHeader(cfg TrustedHeaderConfig) (*TrustedHeader, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &TrustedHeader{cfg: cfg.withDefaults()}, nil
}

// FromRequest returns whom the proxy vouches for. Every proof that is
// configured must hold, and each header must be there once, spelled as
// configured: what another spelling says may have passed the proxy unseen.
func (t *TrustedHeader) FromRequest(h http.Header, peer Peer) (Identity, error) {
	if err := t.proved(h, peer); err != nil {
		return Identity{}, &Error{Kind: KindHeader, Err: err}
	}
	id, err := t.read(h)
	if err != nil {
		return Identity{}, &Error{Kind: KindHeader, Err: err}
	}
	if err := t.cfg.Map.apply(&id); err != nil {
		return Identity{}, err
	}
	return id, nil
}

// Strip removes the headers in every spelling, for all requests on which they
// mean nothing. A nil TrustedHeader strips nothing: then nobody reads them.
func (t *TrustedHeader) Strip(h http.Header) {
	if t == nil {
		return
	}
	for key := range h {
		if slices.ContainsFunc(t.names(), func(name string) bool { return sameHeader(key, name) }) {
			delete(h, key)
		}
	}
}

func (t *TrustedHeader) proved(h http.Header, peer Peer) error {
	if t.cfg.RequireUnix && !peer.Unix {
		return errors.New("the request did not come over the unix socket")
	}
	if t.cfg.RequireClientCert && !peer.ClientCertVerified {
		return errors.New("the proxy showed no valid client certificate")
	}
	if t.cfg.Secret.IsZero() {
		return nil
	}
	given, err := one(h, t.cfg.SecretHeader)
	if err != nil {
		return err
	}
	// Hashed first, so that not even the length of the secret shows in the time.
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(t.cfg.Secret.Reveal()))
	if subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
		return fmt.Errorf("header %s does not hold the shared secret", t.cfg.SecretHeader)
	}
	return nil
}

func (t *TrustedHeader) read(h http.Header) (Identity, error) {
	id := Identity{Issuer: headerIssuer}
	for _, f := range []struct {
		header   string
		to       *string
		required bool
	}{
		{header: t.cfg.Login, to: &id.Login, required: true},
		{header: t.cfg.Email, to: &id.Email},
	} {
		v, err := one(h, f.header)
		if err != nil {
			return Identity{}, err
		}
		if v == "" && !f.required {
			continue
		}
		if err := cleanName("header "+f.header, v); err != nil {
			return Identity{}, err
		}
		if strings.Contains(v, ",") {
			return Identity{}, fmt.Errorf("header %s holds a comma: two values may have been joined", f.header)
		}
		*f.to = v
	}
	id.Subject = id.Login
	name, err := one(h, t.cfg.Name) // may hold a comma: "Hopper, Grace"
	if err != nil {
		return Identity{}, err
	}
	id.Name = displayName(name)
	id.Groups, err = t.groups(h)
	return id, err
}

func (t *TrustedHeader) groups(h http.Header) ([]string, error) {
	v, err := one(h, t.cfg.Groups)
	if err != nil || v == "" {
		return nil, err
	}
	if len(v) > maxGroups*maxName {
		return nil, fmt.Errorf("header %s is too long", t.cfg.Groups)
	}
	var groups []string
	for g := range strings.SplitSeq(v, t.cfg.GroupSeparator) {
		g = strings.Trim(g, " ")
		if err := cleanName("a group in header "+t.cfg.Groups, g); err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	return groups, tooMany(groups)
}

func (t *TrustedHeader) names() []string {
	return slices.DeleteFunc([]string{t.cfg.Login, t.cfg.Email, t.cfg.Name, t.cfg.Groups, t.cfg.SecretHeader},
		func(s string) bool { return s == "" })
}

// one returns the only value of a header, "" if it is not there at all.
func one(h http.Header, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	var values []string
	for key, vv := range h {
		if !sameHeader(key, name) {
			continue
		}
		if !strings.EqualFold(key, name) {
			return "", fmt.Errorf("header %s also came in another spelling", name)
		}
		values = append(values, vv...)
	}
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	default:
		return "", fmt.Errorf("header %s came %d times", name, len(values))
	}
}

// sameHeader tells whether some server might take one name for the other: CGI
// and its heirs turn everything but letters and digits into an underscore.
func sameHeader(a, b string) bool {
	return foldHeader(a) == foldHeader(b)
}

func foldHeader(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + ('a' - 'A')
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		default:
			return '-'
		}
	}, s)
}
