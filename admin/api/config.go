package api

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/notify"
	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/admin/signin"
)

// Config is what an API stands on.
type Config struct {
	Office    *admin.Office
	Runs      Runs
	Library   Library
	Catalog   Catalog
	Explainer Explainer
	Targets   []query.Target // the first is meant where a request names none

	Hub         *notify.Hub         // wakes streams; see TopicOf
	Revocations *notify.Revocations // ends streams and downloads of ids whose rights ended

	// How people sign in; nil or false: not so.
	OIDC      *signin.OIDC
	OIDCName  string // what the button says, such as "Example SSO"
	Header    *signin.TrustedHeader
	Passwords bool // local passwords; one-use links work always
	Limiter   *signin.Limiter

	Machines Machines // who vouches for machines; nil: nobody

	ExternalURL    string         // how browsers reach us: https://lk.example.com or with a path
	TrustedProxies []netip.Prefix // of peers whose X-Forwarded-For tells the client's address
	Title          string         // of the OpenAPI document; default Lockkeeper
	Connect        Connect        // what tools are told to connect to

	// Files holds index.html and hashed files below assets; Page is index.html
	// for one answer: with the style nonce of its policy, for a base path.
	Files fs.FS
	Page  func(nonce, base string) ([]byte, error)

	Rate        Rate          // of each caller
	OpenRate    Rate          // of each address from which nobody is signed in
	MaxStreams  int           // event streams of one caller at a time; default 8
	MaxWaiting  int           // of one caller at a time: waits, pages, downloads that have not ended; default 64
	Recheck     time.Duration // how often a stream asks again whether its caller may; default 10 s
	Heartbeat   time.Duration // of event streams; default 15 s
	WriteWait   time.Duration // how long a client may take no byte; default 30 s
	BodyWait    time.Duration // how long a body may take to arrive; default 15 s
	OnCSPReport func()        // called for each report of a violated policy; nil: only counted

	Log *slog.Logger
	Now func() time.Time // default time.Now
}

// Connect is where tools connect to, as the page Connect shows it.
type Connect struct {
	Host    string
	Port    int
	SSLMode string
}

// Rate is how many requests a second are served on average, and at once.
type Rate struct {
	PerSecond float64
	Burst     float64
}

// Validate fills in what is left out and says what is missing or wrong.
func (c *Config) Validate() error {
	if c.Office == nil || c.Runs == nil || c.Library == nil || c.Catalog == nil || c.Explainer == nil {
		return errors.New("api: a use case is missing")
	}
	if c.Hub == nil || c.Revocations == nil || c.Limiter == nil || c.Log == nil || c.Files == nil || c.Page == nil {
		return errors.New("api: Hub, Revocations, Limiter, Log, Files and Page are needed")
	}
	if len(c.Targets) == 0 {
		return errors.New("api: no target")
	}
	if _, err := parseExternal(c.ExternalURL); err != nil {
		return err
	}
	if c.Rate.PerSecond < 0 || c.Rate.Burst < 0 || c.OpenRate.PerSecond < 0 || c.OpenRate.Burst < 0 || c.MaxStreams < 0 || c.MaxWaiting < 0 {
		return errors.New("api: negative bound")
	}
	c.defaults()
	return nil
}

func (c *Config) defaults() {
	orElse(&c.Title, "Lockkeeper")
	orElse(&c.OIDCName, "your identity provider")
	orElse(&c.Rate, Rate{PerSecond: 50, Burst: 200})
	orElse(&c.OpenRate, Rate{PerSecond: 20, Burst: 100})
	orElse(&c.MaxStreams, 8)
	orElse(&c.MaxWaiting, 64)
	orElse(&c.Recheck, 10*time.Second)
	orElse(&c.Heartbeat, 15*time.Second)
	orElse(&c.WriteWait, 30*time.Second)
	orElse(&c.BodyWait, 15*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
}

func orElse[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// external is where browsers reach us.
type external struct {
	url    string // without a slash at the end
	host   string // as the Host header has it
	prefix string // "" or a path that begins and does not end with a slash
	secure bool
	local  bool // this machine only
}

func parseExternal(s string) (external, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https" {
		return external{}, fmt.Errorf("api: external_url %q is not a URL such as https://lockkeeper.example.com", s)
	}
	e := external{
		url: strings.TrimRight(s, "/"), host: canonicalHost(u.Scheme, u.Host), prefix: strings.TrimRight(u.Path, "/"),
		secure: u.Scheme == "https", local: isLoopback(u.Hostname()),
	}
	if e.prefix != "" && signin.LocalPath(e.prefix) != e.prefix {
		return external{}, fmt.Errorf("api: the path of external_url %q is not a plain one", s)
	}
	if !e.secure && !e.local {
		return external{}, fmt.Errorf("api: external_url %q must begin with https://; plain http is for this machine only", s)
	}
	return e, nil
}

// canonicalHost is a host in lower case without the scheme's own port.
func canonicalHost(scheme, host string) string {
	host = strings.ToLower(host)
	if scheme == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
