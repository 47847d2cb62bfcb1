package backend

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// transport is one way to speak to the server.
type transport struct {
	tls   bool
	plain bool // also if the server has no TLS
}

func (d *Dialer) transports() []transport {
	switch d.cfg.TLSMode {
	case TLSDisable:
		return []transport{{plain: true}}
	case TLSAllow:
		return []transport{{plain: true}, {tls: true}}
	case TLSPrefer:
		return []transport{{tls: true, plain: true}, {plain: true}}
	case TLSRequire, TLSVerifyCA, TLSVerifyFull:
		return []transport{{tls: true}}
	}
	return nil
}

// connect opens a connection and returns the channel binding of the server's
// certificate, if it has one.
func (d *Dialer) connect(ctx context.Context, address string, t transport) (net.Conn, []byte, error) {
	dialer := net.Dialer{Control: d.control}
	if d.cfg.KeepAlive > 0 {
		dialer.KeepAliveConfig = net.KeepAliveConfig{Enable: true, Idle: d.cfg.KeepAlive, Interval: d.cfg.KeepAlive / 3, Count: 3}
	} else {
		dialer.KeepAlive = -1
	}
	conn, err := dialer.DialContext(ctx, d.cfg.Network, address)
	if err != nil {
		return nil, nil, fmt.Errorf("dial: %w: %w", ErrUnreachable, err)
	}
	if !t.tls {
		return conn, nil, nil
	}
	var secured net.Conn
	err = within(ctx, conn, func() (err error) {
		secured, err = d.secure(ctx, conn, t.plain)
		return err
	})
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return secured, endPoint(secured), nil
}

// secure asks for TLS. Exactly one byte of the answer is read in the clear:
// what somebody put behind it is taken for TLS, and fails as such.
func (d *Dialer) secure(ctx context.Context, conn net.Conn, plain bool) (net.Conn, error) {
	if _, err := conn.Write(pgwire.AppendRequest(nil, pgwire.SSLRequestCode)); err != nil {
		return nil, fmt.Errorf("ask for TLS: %w: %w", ErrUnreachable, err)
	}
	var answer [1]byte
	if _, err := conn.Read(answer[:]); err != nil {
		return nil, fmt.Errorf("ask for TLS: %w: %w", ErrUnreachable, err)
	}
	switch answer[0] {
	case 'S':
	case 'N':
		if plain {
			return conn, nil
		}
		return nil, ErrTLSRefused
	default: // an error message from before anybody is known: not to be believed
		return nil, fmt.Errorf("ask for TLS: %w: answer %q", ErrTLS, answer[0])
	}
	secured := tls.Client(conn, d.tlsConfig())
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("handshake: %w: %w", ErrTLS, err)
	}
	return secured, nil
}

func (d *Dialer) tlsConfig() *tls.Config {
	cfg := &tls.Config{
		ServerName: d.cfg.Host, RootCAs: d.cfg.RootCAs, Certificates: d.cfg.Certificates,
		MinVersion: tls.VersionTLS12,
	}
	if d.cfg.TLSMode == TLSVerifyFull {
		return cfg
	}
	cfg.InsecureSkipVerify = true // the modes below verify-full do not look at the name
	if d.cfg.TLSMode == TLSVerifyCA {
		cfg.VerifyConnection = d.verifyChain
	}
	return cfg
}

// verifyChain is all of the usual check but the name.
func (d *Dialer) verifyChain(s tls.ConnectionState) error {
	opts := x509.VerifyOptions{Roots: d.cfg.RootCAs, Intermediates: x509.NewCertPool()}
	for _, c := range s.PeerCertificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(opts)
	return err
}

func isTLS(conn net.Conn) bool {
	_, ok := conn.(*tls.Conn)
	return ok
}

func endPoint(conn net.Conn) []byte {
	t, ok := conn.(*tls.Conn)
	if !ok {
		return nil
	}
	return pgauth.EndPoint(t.ConnectionState().PeerCertificates[0])
}

// within runs I/O on conn and ends it with ctx. The connection has no deadline
// afterwards.
func within(ctx context.Context, conn net.Conn, act func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err := act()
	if !stop() {
		return fmt.Errorf("log in: %w: %w", ErrUnreachable, errors.Join(context.Cause(ctx), err))
	}
	return err
}
