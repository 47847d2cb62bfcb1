package backend

import (
	"crypto/tls"
	"crypto/x509"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// TLSMode is libpq's sslmode.
type TLSMode string

// The modes. The empty one is DefaultTLSMode of the host.
const (
	TLSDisable    TLSMode = "disable"
	TLSAllow      TLSMode = "allow"
	TLSPrefer     TLSMode = "prefer"
	TLSRequire    TLSMode = "require"
	TLSVerifyCA   TLSMode = "verify-ca"
	TLSVerifyFull TLSMode = "verify-full"
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

	Pools  *pgwire.Pools
	Budget *pgwire.Budget
}
