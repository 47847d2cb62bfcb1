package pgauth

import (
	"context"
	"crypto/tls"
	"io"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// Exchange is one login under way.
type Exchange struct {
	Reader *pgwire.Reader
	Writer io.Writer // takes whole messages
	Method Method
	User   string
	// Account is nil for a login the directory does not know: it gets the same
	// messages and costs the same work, then fails. Trust, Cert and Passthrough
	// do not need it.
	Account *Account
	CertMap CertMap

	TLS        *tls.ConnectionState // nil: plain
	ServerCert []byte               // DER of the certificate we showed, for channel binding; nil: none offered
	Local      bool                 // loopback or unix socket
	MaxMessage int                  // bytes; 0: pgwire.MaxAuthMessage
}

// Result is a login that succeeded.
type Result struct {
	AuthUser  string // proven name: the certificate's, else User
	Password  Secret // clear password of Password and Passthrough
	Mechanism string // what was done: trust, SCRAM-SHA-256-PLUS, md5, password, cert …
}

// Authenticator is the server side of logins. Its methods may be used by many
// goroutines.
type Authenticator struct {
	key SaltKey
}

// New returns an Authenticator. The key decides the salts of logins that do
// not exist: keep it across restarts, or a stranger can tell them from others.
func New(key SaltKey) *Authenticator { return &Authenticator{key: key} }

// Authenticate asks the client for proof and checks it. It never sends
// AuthenticationOk. An *Error is for the client; any other is of the
// connection.
func (a *Authenticator) Authenticate(ctx context.Context, x Exchange) (Result, error) {
	return Result{}, violation("not yet")
}
