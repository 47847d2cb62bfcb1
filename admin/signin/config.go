package signin

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	scopeOpenID  = "openid"
	scopeOffline = "offline_access"
	claimEmail   = "email"
)

// PromptOff as OIDCConfig.Prompt sends no prompt, for providers that give a
// refresh token without one and refuse people whom they have to ask.
const PromptOff = "off"

// OIDCConfig is how to ask one OpenID provider who somebody is.
type OIDCConfig struct {
	Issuer       string // as the provider writes it in its tokens
	ClientID     string
	ClientSecret Secret   // empty: a public client, PKCE alone
	RedirectURL  string   // where the provider sends people back: Finish stands there
	Scopes       []string // default openid profile email, and offline_access, for Refresh, where the provider lists it
	Prompt       string   // the prompt parameter; default "consent" with offline_access, else none; PromptOff: none

	LoginClaim  string // email, preferred_username, sub …; default email
	GroupsClaim string // "" : no groups; may be a dotted path (realm_access.roles)
	Map         Mapping

	// TrustUnverifiedEmail takes addresses as logins that the provider does not
	// mark as verified. Only for providers where nobody enters his own.
	TrustUnverifiedEmail bool

	// CookieKey seals the pre-login cookie, at least 32 bytes. Default: random,
	// so a login that is under way when the office restarts begins again.
	CookieKey Secret

	HTTPClient *http.Client     // its transport is used; default http.DefaultTransport
	Timeout    time.Duration    // of one request to the provider; default 10 s
	Now        func() time.Time // default time.Now
}

// Validate reports what is missing or impossible.
func (c OIDCConfig) Validate() error {
	if err := checkURL("issuer", c.Issuer); err != nil {
		return err
	}
	if err := checkURL("redirect_url", c.RedirectURL); err != nil {
		return err
	}
	if c.ClientID == "" {
		return errors.New("oidc: client_id is missing: the provider shows it where you registered Lockkeeper")
	}
	if !c.CookieKey.IsZero() && len(c.CookieKey.Reveal()) < 32 {
		return errors.New("oidc: the cookie key is shorter than 32 bytes")
	}
	if len(c.Map.Required)+len(c.Map.Roles)+len(c.Map.Teams) > 0 && c.GroupsClaim == "" {
		return errors.New("oidc: groups are required or mapped, but groups_claim does not say where they are")
	}
	if c.Timeout < 0 {
		return errors.New("oidc: negative timeout")
	}
	return nil
}

func (c OIDCConfig) withDefaults() OIDCConfig {
	if len(c.Scopes) > 0 && !slices.Contains(c.Scopes, scopeOpenID) {
		c.Scopes = append([]string{scopeOpenID}, c.Scopes...)
	}
	if c.LoginClaim == "" {
		c.LoginClaim = claimEmail
	}
	if c.CookieKey.IsZero() {
		c.CookieKey = NewSecret(string(random(32)))
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c OIDCConfig) reading() reading {
	return reading{login: c.LoginClaim, groups: c.GroupsClaim, anyEmail: c.TrustUnverifiedEmail, mapping: c.Map}
}

// WorkloadConfig names the issuers whose tokens are believed of machines.
type WorkloadConfig struct {
	Issuers []WorkloadIssuer
	Timeout time.Duration    // of one request to an issuer; default 10 s
	Now     func() time.Time // default time.Now
}

// WorkloadIssuer is a cluster or CI system that vouches for machines.
type WorkloadIssuer struct {
	Issuer     string         // as it writes it in its tokens
	Audience   string         // must be among the token's: tokens for others are not for us
	MaxLife    time.Duration  // from iat to exp; default 24 h
	HTTPClient *http.Client   // its transport is used; default http.DefaultTransport
	Rules      []WorkloadRule // tried in order
}

// WorkloadRule says which machines of an issuer are meant, and what for.
type WorkloadRule struct {
	Require map[string]string // claim → the only value allowed; at least one

	// What the caller does for such a machine; not read here.
	Token    string        // id of the service's token that is lent
	Lifetime time.Duration // for how long
}

// Validate reports what is missing or impossible.
func (c WorkloadConfig) Validate() error {
	seen := map[string]bool{}
	for _, is := range c.Issuers {
		if err := checkURL("workload issuer", is.Issuer); err != nil {
			return err
		}
		if is.Audience == "" {
			return fmt.Errorf("workload issuer %s has no audience: tokens made for others would be believed", is.Issuer)
		}
		if seen[is.Issuer] {
			return fmt.Errorf("workload issuer %s stands there twice", is.Issuer)
		}
		if is.MaxLife < 0 {
			return fmt.Errorf("workload issuer %s has a negative lifetime", is.Issuer)
		}
		if len(is.Rules) == 0 {
			return fmt.Errorf("workload issuer %s has no rule: it says nothing of who is meant", is.Issuer)
		}
		for i := range is.Rules {
			if !is.Rules[i].tells() {
				return fmt.Errorf("workload issuer %s: rule %d requires no claim that tells machines apart: everybody whom the issuer knows would come in", is.Issuer, i+1)
			}
		}
		seen[is.Issuer] = true
	}
	return nil
}

// tells reports whether a rule requires more than what all tokens of an issuer
// have in common.
func (r *WorkloadRule) tells() bool {
	tells := false
	for name, value := range r.Require {
		if value == "" {
			return false // what is not there would do
		}
		tells = tells || name != "iss" && name != "aud"
	}
	return tells
}

func (c WorkloadConfig) withDefaults() WorkloadConfig {
	c.Issuers = slices.Clone(c.Issuers)
	for i := range c.Issuers {
		if c.Issuers[i].MaxLife == 0 {
			c.Issuers[i].MaxLife = 24 * time.Hour
		}
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// TrustedHeaderConfig says which headers a proxy sets and how it proves that it
// is the proxy. At least one proof is needed; all that are set must hold.
type TrustedHeaderConfig struct {
	Login, Email, Name, Groups string // header names; only Login is required
	GroupSeparator             string // default ","

	SecretHeader      string // holds Secret
	Secret            Secret // at least 16 bytes
	RequireUnix       bool   // only over a unix socket
	RequireClientCert bool   // only with a verified client certificate

	Map Mapping
}

// Validate reports what is missing or impossible.
func (c TrustedHeaderConfig) Validate() error {
	if c.Login == "" {
		return errors.New("trusted header: no header for the login")
	}
	names := (&TrustedHeader{cfg: c}).names()
	for i, n := range names {
		if strings.Trim(foldHeader(n), "-") == "" || strings.ContainsFunc(n, func(r rune) bool { return r != '-' && foldHeader(string(r)) == "-" }) {
			return fmt.Errorf("trusted header: %q is no header name", n)
		}
		if slices.ContainsFunc(names[:i], func(m string) bool { return sameHeader(m, n) }) {
			return fmt.Errorf("trusted header: %s has two meanings", n)
		}
	}
	if c.Secret.IsZero() != (c.SecretHeader == "") {
		return errors.New("trusted header: the shared secret needs both a header and a value")
	}
	if !c.Secret.IsZero() && len(c.Secret.Reveal()) < 16 {
		return errors.New("trusted header: the shared secret is shorter than 16 bytes: take 32 random ones")
	}
	if c.Secret.IsZero() && !c.RequireUnix && !c.RequireClientCert {
		return errors.New("trusted header: nothing proves that a request comes from the proxy: set a shared secret, a unix socket or client certificates")
	}
	if c.Groups == "" && len(c.Map.Required)+len(c.Map.Roles)+len(c.Map.Teams) > 0 {
		return errors.New("trusted header: groups are required or mapped, but no header holds them")
	}
	return nil
}

func (c TrustedHeaderConfig) withDefaults() TrustedHeaderConfig {
	if c.GroupSeparator == "" {
		c.GroupSeparator = ","
	}
	return c
}

// PasswordConfig is what a guess shall cost. The defaults are the second
// recommendation of RFC 9106.
type PasswordConfig struct {
	Memory    uint32 // KiB; default 65536
	Passes    uint32 // default 3
	Lanes     uint8  // default 4
	AtOnce    int    // computations at one time; default 2
	MinLength int    // characters of a new password; default 12
}

// Validate reports what is missing or impossible.
func (c PasswordConfig) Validate() error {
	if c.AtOnce < 0 || c.MinLength < 0 {
		return errors.New("password: negative number")
	}
	if _, err := parsePHC(func() string {
		h := c.withDefaults().phc()
		h.salt, h.key = make([]byte, saltBytes), make([]byte, keyBytes)
		return h.String()
	}()); err != nil {
		return fmt.Errorf("password: %w", err)
	}
	return nil
}

func (c PasswordConfig) withDefaults() PasswordConfig {
	setDefault(&c.Memory, 64*1024)
	setDefault(&c.Passes, 3)
	setDefault(&c.Lanes, 4)
	setDefault(&c.AtOnce, 2)
	setDefault(&c.MinLength, 12)
	return c
}

func (c PasswordConfig) phc() phc { return phc{memory: c.Memory, passes: c.Passes, lanes: c.Lanes} }

// LimiterConfig is how many wrong tries are free, and how much is remembered.
type LimiterConfig struct {
	PairTries    float64       // free tries of a login from one address; default 5
	AddressTries float64       // free tries of one address; default 20
	LoginTries   float64       // tries of a login from anywhere before each address gets one only; default 20
	MaxDelay     time.Duration // default 15 min
	HalfLife     time.Duration // after which a count has halved; default 1 h
	Entries      int           // remembered of each sort, about 200 bytes each; default 32768
}

// Validate reports what is missing or impossible.
func (c LimiterConfig) Validate() error {
	if c.PairTries < 0 || c.AddressTries < 0 || c.LoginTries < 0 || c.MaxDelay < 0 || c.HalfLife < 0 || c.Entries < 0 {
		return errors.New("limiter: negative number")
	}
	return nil
}

func (c LimiterConfig) withDefaults() LimiterConfig {
	setDefault(&c.PairTries, 5)
	setDefault(&c.AddressTries, 20)
	setDefault(&c.LoginTries, 20)
	setDefault(&c.MaxDelay, 15*time.Minute)
	setDefault(&c.HalfLife, time.Hour)
	setDefault(&c.Entries, 32768)
	return c
}

func (c LimiterConfig) pair() budget {
	return budget{free: c.PairTries, base: time.Second, limit: c.MaxDelay}
}

func (c LimiterConfig) address() budget {
	return budget{free: c.AddressTries, base: time.Second, limit: c.MaxDelay}
}

func (c LimiterConfig) besieged() budget {
	return budget{free: 1, base: min(time.Minute, c.MaxDelay), limit: c.MaxDelay}
}

// checkURL wants HTTPS; plain HTTP is for this machine only.
func checkURL(what, s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "" {
		return fmt.Errorf("oidc: %s %q is not a URL like https://login.example.com", what, s)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return fmt.Errorf("oidc: %s %q must begin with https://", what, s)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func setDefault[T int | uint32 | uint8 | float64 | time.Duration](v *T, value T) {
	if *v == 0 {
		*v = value
	}
}
