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
	MaxMessage int                  // bytes of a message's body; 0: pgwire.MaxAuthMessage

	// Token says of a text that came in the place of a clear password whether it
	// is a token, and whether it proves the login. A token is compared with no
	// verifier and never leaves the house: it is in no Result. Nil: there are none.
	Token func(ctx context.Context, text Secret) (token, proven bool)
}

// Result is a login that succeeded.
type Result struct {
	AuthUser  string // proven name: the certificate's, else User
	Password  Secret // clear password of Password and Passthrough
	Mechanism string // what was done: trust, SCRAM-SHA-256-PLUS, md5, password, cert, passthrough, token
}

// mechanismToken is the Mechanism of a token.
const mechanismToken = "token"

// Authenticator is the server side of logins. Its methods may be used by many
// goroutines.
type Authenticator struct {
	key    SaltKey
	cache  *KeyCache // right passwords only: to be in it is to be right
	derive func(password string, salt []byte, iterations int) []byte
}

// New returns an Authenticator. The key decides the salts of logins that do
// not exist: keep it across restarts, or a stranger can tell them from others.
// The zero key stands for a random one.
func New(key SaltKey) *Authenticator {
	if key.key == nil {
		key = RandomSaltKey()
	}
	return &Authenticator{key: key, cache: NewKeyCache(), derive: saltedPassword}
}

// Authenticate asks the client for proof and checks it. It never sends
// AuthenticationOk. An *Error is for the client; any other is of the
// connection.
func (a *Authenticator) Authenticate(ctx context.Context, x Exchange) (Result, error) {
	if x.Method.Clear() && x.TLS == nil && !x.Local {
		return Result{}, &Error{StateInvalidAuthorization, "connection requires TLS: the password is sent as it is", ""}
	}
	res := Result{AuthUser: x.User, Mechanism: string(x.Method)}
	var err error
	switch x.Method {
	case Trust:
	case Cert:
		name, refusal := checkCert(x.TLS, x.CertMap, x.User)
		if refusal != nil {
			return Result{}, refusal
		}
		res.AuthUser = name
	case Scram, ScramPlus:
		res.Mechanism, err = a.scram(ctx, &x)
	case MD5:
		res.Mechanism, err = a.md5(ctx, &x)
	case Password, Passthrough:
		res.Password, res.Mechanism, err = a.clear(ctx, &x)
	default:
		err = refused(x.Method, x.User, "unknown method")
	}
	if err != nil {
		return Result{}, err
	}
	return res, nil
}

func reason(account *Account) string {
	switch {
	case account == nil:
		return "no such login"
	case len(account.Verifiers) == 0:
		return "the login has no verifier"
	}
	return "wrong password"
}
