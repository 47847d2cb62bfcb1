package pgauth

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// TLSNeed is what a rule asks of the client's transport.
type TLSNeed string

// The needs. The empty one is TLSAny.
const (
	TLSAny     TLSNeed = "any"
	TLSRequire TLSNeed = "require"
	TLSPlain   TLSNeed = "plain"
)

// From is where clients of a rule come from; the zero value is everywhere.
type From struct {
	Prefixes []netip.Prefix
	Loopback bool
	Unix     bool
}

// ParseFrom reads the words "any", "loopback" and "unix", addresses and
// prefixes.
func ParseFrom(words []string) (From, error) {
	var f From
	for _, w := range words {
		switch w {
		case "any":
			if len(words) > 1 {
				return From{}, errors.New(`"any" stands alone`)
			}
			return From{}, nil
		case "loopback":
			f.Loopback = true
			continue
		case "unix":
			f.Unix = true
			continue
		}
		p, err := parsePrefix(w)
		if err != nil {
			return From{}, err
		}
		f.Prefixes = append(f.Prefixes, p)
	}
	return f, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither any, loopback, unix, an address nor a prefix", s)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q has bits beyond its mask", s)
	}
	return p, nil
}

func (f From) any() bool { return len(f.Prefixes) == 0 && !f.Loopback && !f.Unix }

func (f From) holds(p Peer) bool {
	if f.any() {
		return true
	}
	if p.Unix {
		return f.Unix
	}
	a := p.Addr.Unmap().WithZone("")
	if f.Loopback && a.IsLoopback() {
		return true
	}
	for _, x := range f.Prefixes {
		if x.Contains(a) {
			return true
		}
	}
	return false
}

// local reports whether nobody from outside the machine can be meant.
func (f From) local() bool {
	if f.any() {
		return false
	}
	for _, p := range f.Prefixes {
		if !p.Addr().IsLoopback() || p.Addr().Is4() && p.Bits() < 8 || p.Addr().Is6() && p.Bits() < 128 {
			return false
		}
	}
	return true
}

// Peer is the transport a client came by.
type Peer struct {
	Addr netip.Addr // of TCP
	Unix bool
	TLS  bool
}

// Local reports whether the transport cannot leave the machine.
func (p Peer) Local() bool { return p.Unix || p.Addr.Unmap().IsLoopback() }

// Rule says how clients that match it prove who they are. Empty fields match
// all.
type Rule struct {
	From      From
	TLS       TLSNeed
	Databases []string // globs with "*"
	Users     []string // globs with "*"
	Method    Method
	CertMap   CertMap // for Cert; empty: the common name is the login
}

// Rules are tried in order; the first that matches decides, as in pg_hba.conf.
type Rules []Rule

// Match returns the rule for a client, or nil: then it must be refused.
func (rs Rules) Match(p Peer, database, user string) *Rule {
	for i := range rs {
		if rs[i].matches(p, database, user) {
			return &rs[i]
		}
	}
	return nil
}

func (r *Rule) matches(p Peer, database, user string) bool {
	if r.TLS == TLSRequire && !p.TLS || r.TLS == TLSPlain && p.TLS {
		return false
	}
	return r.From.holds(p) && anyGlob(r.Databases, database) && anyGlob(r.Users, user)
}

func anyGlob(patterns []string, s string) bool {
	if len(patterns) == 0 {
		return true
	}
	for _, p := range patterns {
		if _, ok := glob(p, s); ok {
			return true
		}
	}
	return false
}

// glob matches a pattern in which each "*" stands for any text, and returns
// what the first one stood for. Its time is bounded by the length of s: names
// come from strangers.
func glob(pattern, s string) (star string, ok bool) {
	parts := strings.Split(pattern, "*")
	last := len(parts) - 1
	if last == 0 {
		return "", pattern == s
	}
	s, ok = strings.CutPrefix(s, parts[0])
	if !ok || !strings.HasSuffix(s, parts[last]) {
		return "", false
	}
	s = s[:len(s)-len(parts[last])]
	star = s
	for i, p := range parts[1:last] { // the leftmost place leaves most room for the rest
		at := strings.Index(s, p)
		if at < 0 {
			return "", false
		}
		if i == 0 {
			star = s[:at]
		}
		s = s[at+len(p):]
	}
	return star, true
}

// Listener is where clients come in.
type Listener struct {
	Addr netip.Addr // address bound; unspecified or invalid: all of the machine
	Unix bool
}

func (l Listener) local() bool { return l.Unix || l.Addr.IsValid() && l.Addr.Unmap().IsLoopback() }

// Validate refuses rules that cannot work, and trust for anybody who may come
// from outside the machine unless insecureTrust.
func (rs Rules) Validate(listeners []Listener, insecureTrust bool) error {
	open := false
	for _, l := range listeners {
		open = open || !l.local()
	}
	var errs []error
	for i := range rs {
		if err := rs[i].validate(open && !insecureTrust); err != nil {
			errs = append(errs, fmt.Errorf("auth rule %d: %w", i+1, err))
		}
	}
	return errors.Join(errs...)
}

func (r *Rule) validate(noTrust bool) error {
	if _, err := ParseMethod(string(r.Method)); err != nil {
		return err
	}
	switch r.TLS {
	case "", TLSAny, TLSRequire, TLSPlain:
	default:
		return fmt.Errorf("unknown tls need %q: want any, require or plain", r.TLS)
	}
	needsTLS := r.Method == Cert || r.Method == ScramPlus
	switch {
	case needsTLS && r.TLS == TLSPlain:
		return fmt.Errorf("%s needs TLS", r.Method)
	case r.Method != Cert && len(r.CertMap) > 0:
		return fmt.Errorf("a certificate map has no use with %s", r.Method)
	case r.Method.Clear() && r.TLS == TLSPlain && !r.From.local():
		return fmt.Errorf("%s sends the password as it is: allow it without TLS only from loopback or unix", r.Method)
	case r.Method == Trust && noTrust && !r.From.local():
		return errors.New("trust lets anybody in: the listener is reachable from outside the machine")
	}
	return r.CertMap.validate()
}
