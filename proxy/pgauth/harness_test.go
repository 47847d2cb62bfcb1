package pgauth

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// door is a server that does logins and nothing else.
type door struct {
	auth     *Authenticator
	method   Method
	accounts map[string]*Account
	certs    *proxytest.CertSet // nil: no TLS
	unbound  bool               // offers no channel binding
	certMap  CertMap
	remote   bool // takes its peer for one from another machine
	token    func(context.Context, Secret) (token, proven bool)
}

// outcome is how one login ended at the door.
type outcome struct {
	result Result
	err    error
}

// serve takes one login from conn as a session would.
func (d *door) serve(ctx context.Context, conn net.Conn) outcome {
	raw := conn // closing TLS would wait for a peer who closes too
	defer func() { _ = raw.Close() }()
	r := pgwire.NewReader(conn, nil, nil)
	start, err := pgwire.ReadStartup(r)
	x := Exchange{Method: d.method, CertMap: d.certMap, Local: !d.remote, Token: d.token}
	if err == nil && start.Code == pgwire.SSLRequestCode {
		if d.certs == nil {
			_, err = conn.Write([]byte("N"))
		} else {
			_, _ = conn.Write([]byte("S"))
			t := tls.Server(conn, d.certs.ServerTLS())
			if err := t.HandshakeContext(ctx); err != nil {
				return outcome{err: err}
			}
			state := t.ConnectionState()
			conn, x.TLS = t, &state
			if !d.unbound {
				x.ServerCert = d.certs.Server.Certificate[0]
			}
			r = pgwire.NewReader(conn, nil, nil)
		}
		if err == nil {
			start, err = pgwire.ReadStartup(r)
		}
	}
	if err != nil {
		return outcome{err: err}
	}
	x.Reader, x.Writer = r, conn
	x.User, _ = start.Get("user")
	x.Account = d.accounts[x.User]
	res, err := d.auth.Authenticate(ctx, x)
	if refused, ok := errors.AsType[*Error](err); ok {
		_, _ = conn.Write(pgwire.AppendError(nil, refused.Notice()))
		return outcome{err: err}
	}
	if err == nil {
		out := pgwire.AppendAuthentication(nil, pgwire.AuthOK, nil)
		out = pgwire.AppendBackendKeyData(out, 1, []byte{1, 2, 3, 4})
		_, _ = conn.Write(pgwire.AppendReady(out, pgwire.TxIdle))
		_, _ = io.Copy(io.Discard, conn) // Terminate
	}
	return outcome{res, err}
}

// pgx logs in with a foreign client and returns what both sides say.
func (d *door) pgx(t *testing.T, user, password string, tlsConfig *tls.Config) (server outcome, client error) {
	t.Helper()
	cfg, err := pgconn.ParseConfig("host=door user=x sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	cfg.User, cfg.Password, cfg.TLSConfig, cfg.Fallbacks = user, password, tlsConfig, nil
	cfg.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	done := make(chan outcome, 1)
	cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() { done <- d.serve(ctx, far) }() // ends with the connection; joined below
		return near, nil
	}
	conn, err := pgconn.ConnectConfig(t.Context(), cfg)
	if err == nil {
		_ = conn.Close(t.Context())
	}
	return <-done, err
}

func account(t *testing.T, login string, key SaltKey, verifiers ...string) *Account {
	t.Helper()
	a := &Account{Login: login}
	for _, text := range verifiers {
		v, err := ParseVerifier(login, text, key)
		if err != nil {
			t.Fatal(err)
		}
		a.Verifiers = append(a.Verifiers, v)
	}
	return a
}

func verifier(t *testing.T, password string) string {
	t.Helper()
	v, err := NewVerifier(NewSecret(password))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
