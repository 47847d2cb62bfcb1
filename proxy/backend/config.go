package backend

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// Defaults of Config.
const (
	DefaultConnectTimeout = 10 * time.Second
	DefaultKeepAlive      = 30 * time.Second
	DefaultUserTimeout    = 30 * time.Second
	DefaultCheckInterval  = time.Second
)

// TLSMode is libpq's sslmode.
type TLSMode string

// The modes. The empty one is DefaultTLSMode of the address.
const (
	TLSDisable    TLSMode = "disable"     // plain
	TLSAllow      TLSMode = "allow"       // plain, TLS where the server refuses that
	TLSPrefer     TLSMode = "prefer"      // TLS where the server has it, unverified
	TLSRequire    TLSMode = "require"     // TLS, verified only against RootCAs if there are any
	TLSVerifyCA   TLSMode = "verify-ca"   // signed by RootCAs
	TLSVerifyFull TLSMode = "verify-full" // and issued for Host
)

// Dialect is what the warehouse is known to be before it says so.
type Dialect string

// The dialects. The empty one is DialectAuto.
const (
	DialectAuto     Dialect = "auto"
	DialectPostgres Dialect = "postgres"
	DialectRedshift Dialect = "redshift"
)

// Config is where the warehouse is and how to get in.
type Config struct {
	Network string // tcp or unix
	Address string // host:port, or the path of the socket
	Host    string // name in the server's certificate; empty: host of Address
	Dialect Dialect

	TLSMode      TLSMode
	RootCAs      *x509.CertPool // nil: the system's
	Certificates []tls.Certificate

	ConnectTimeout time.Duration // dial, TLS and login together; 0: DefaultConnectTimeout
	KeepAlive      time.Duration // idle time before the first probe; 0: DefaultKeepAlive, negative: none
	UserTimeout    time.Duration // unacknowledged bytes, Linux; 0: DefaultUserTimeout, negative: none
	// CheckInterval goes up as client_connection_check_interval where the
	// server knows it; 0: DefaultCheckInterval, negative: never.
	CheckInterval time.Duration
	// ApplicationSuffix is put behind each application_name.
	ApplicationSuffix string

	Pools  *pgwire.Pools // nil: one for all connections of the Dialer
	Budget *pgwire.Budget
}

// Address returns network and address of a host as libpq understands it: a
// host that begins with a slash is the directory of a unix socket.
func Address(host, port string) (network, address string) {
	if strings.HasPrefix(host, "/") {
		return "unix", path.Join(host, ".s.PGSQL."+port)
	}
	return "tcp", net.JoinHostPort(host, port)
}

// DefaultTLSMode returns verify-full for another machine, prefer for loopback,
// disable for a unix socket.
func DefaultTLSMode(network, address string) TLSMode {
	switch {
	case network == "unix":
		return TLSDisable
	case loopback(address):
		return TLSPrefer
	}
	return TLSVerifyFull
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// Validate reports what cannot work.
func (c Config) Validate() error {
	var errs []error
	if c.Network != "tcp" && c.Network != "unix" {
		errs = append(errs, fmt.Errorf("unknown network %q: want tcp or unix", c.Network))
	}
	if c.Address == "" {
		errs = append(errs, errors.New("no address"))
	}
	if _, _, err := net.SplitHostPort(c.Address); c.Network == "tcp" && err != nil {
		errs = append(errs, fmt.Errorf("address: %w", err))
	}
	switch c.TLSMode {
	case "", TLSDisable, TLSAllow, TLSPrefer, TLSRequire, TLSVerifyCA, TLSVerifyFull:
	default:
		errs = append(errs, fmt.Errorf("unknown sslmode %q", c.TLSMode))
	}
	switch c.Dialect {
	case "", DialectAuto, DialectPostgres, DialectRedshift:
	default:
		errs = append(errs, fmt.Errorf("unknown dialect %q", c.Dialect))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.TLSMode == "" {
		c.TLSMode = DefaultTLSMode(c.Network, c.Address)
	}
	if c.Network == "unix" {
		c.TLSMode = TLSDisable // as libpq: nobody is between
	}
	if c.TLSMode == TLSRequire && c.RootCAs != nil {
		c.TLSMode = TLSVerifyCA // as libpq
	}
	if c.Pools == nil { // a pool per connection would keep a buffer for each idle one
		c.Pools = &pgwire.Pools{}
	}
	if c.Host == "" {
		c.Host, _, _ = net.SplitHostPort(c.Address)
	}
	for _, d := range []struct {
		field    *time.Duration
		fallback time.Duration
	}{
		{&c.ConnectTimeout, DefaultConnectTimeout},
		{&c.KeepAlive, DefaultKeepAlive},
		{&c.UserTimeout, DefaultUserTimeout},
		{&c.CheckInterval, DefaultCheckInterval},
	} {
		if *d.field == 0 {
			*d.field = d.fallback
		}
	}
	return c
}
