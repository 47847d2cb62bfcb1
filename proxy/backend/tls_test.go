package backend

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// Every sslmode against a server that takes both, only TLS, or only plain.
func TestSSLModes(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPostgres(t)
	both, onlyTLS, onlyPlain := pg.CreateRole(t, ""), pg.CreateRole(t, ""), pg.CreateRole(t, "")
	pg.AddHBA(t, "hostnossl all "+onlyTLS+" all reject", "hostssl all "+onlyPlain+" all reject")
	const tls, plain = "tls", "plain"
	for _, c := range []struct {
		mode                         TLSMode
		ofBoth, ofOnlyTLS, ofOnlyPln string // empty: refused
	}{
		{TLSDisable, plain, "", plain},
		{TLSAllow, plain, tls, plain},
		{TLSPrefer, tls, tls, plain},
		{TLSRequire, tls, tls, ""},
		{TLSVerifyCA, tls, tls, ""},
		{TLSVerifyFull, tls, tls, ""},
	} {
		t.Run(string(c.mode), func(t *testing.T) {
			t.Parallel()
			d := dialer(t, Config{Address: pg.Addr(), TLSMode: c.mode, RootCAs: pg.Certs().CA})
			for role, want := range map[string]string{both: c.ofBoth, onlyTLS: c.ofOnlyTLS, onlyPlain: c.ofOnlyPln} {
				conn, err := d.Dial(t.Context(), pgauth.Login{User: role}, params("database", "postgres"))
				if want == "" {
					if refused, ok := errors.AsType[*ServerError](err); !ok || refused.SQLState != "28000" {
						t.Errorf("%v, want a refusal of the server", err)
					}
					continue
				}
				if err != nil {
					t.Errorf("want %s: %v", want, err)
					continue
				}
				finish(t, conn)
				if conn.TLS != (want == tls) {
					t.Errorf("TLS %v, want %s", conn.TLS, want)
				}
			}
		})
	}
}

func TestCertificateIsVerified(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPostgres(t)
	role := pg.CreateRole(t, "")
	ours, theirs := pg.Certs().CA, proxytest.Certs(t).CA
	for name, c := range map[string]struct {
		cfg Config
		ok  bool
	}{
		"full, right":                  {Config{TLSMode: TLSVerifyFull, RootCAs: ours, Host: "localhost"}, true},
		"full, wrong host":             {Config{TLSMode: TLSVerifyFull, RootCAs: ours, Host: "elsewhere.example"}, false},
		"full, wrong authority":        {Config{TLSMode: TLSVerifyFull, RootCAs: theirs, Host: "localhost"}, false},
		"full, the system's":           {Config{TLSMode: TLSVerifyFull, Host: "localhost"}, false},
		"ca, wrong host":               {Config{TLSMode: TLSVerifyCA, RootCAs: ours, Host: "elsewhere.example"}, true},
		"ca, wrong authority":          {Config{TLSMode: TLSVerifyCA, RootCAs: theirs, Host: "localhost"}, false},
		"require":                      {Config{TLSMode: TLSRequire, Host: "elsewhere.example"}, true},
		"require with an authority":    {Config{TLSMode: TLSRequire, RootCAs: ours}, true},
		"require with the wrong one":   {Config{TLSMode: TLSRequire, RootCAs: theirs}, false},
		"prefer with any":              {Config{TLSMode: TLSPrefer, RootCAs: theirs}, true},
		"another machine's default":    {Config{TLSMode: DefaultTLSMode("tcp", "db.example:5432"), Host: "db.example"}, false},
		"loopback's default, any cert": {Config{TLSMode: DefaultTLSMode("tcp", "localhost:5432")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.cfg.Address = pg.Addr()
			conn, err := dialer(t, c.cfg).Dial(t.Context(), pgauth.Login{User: role}, params("database", "postgres"))
			if c.ok != (err == nil) {
				t.Fatalf("error %v, want ok %v", err, c.ok)
			}
			if err != nil {
				if !errors.Is(err, ErrTLS) {
					t.Errorf("error %v, want ErrTLS", err)
				}
				return
			}
			finish(t, conn)
			if !conn.TLS {
				t.Error("the session is plain")
			}
		})
	}
}

func TestClientCertificate(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPostgres(t)
	role := pg.CreateRole(t, "")
	pg.Auth(t, role, "cert")
	cfg := Config{Address: pg.Addr(), TLSMode: TLSVerifyFull, RootCAs: pg.Certs().CA}
	if _, err := dialer(t, cfg).Dial(t.Context(), pgauth.Login{User: role}, params("database", "postgres")); err == nil {
		t.Error("let in without a certificate")
	}
	cfg.Certificates = append(cfg.Certificates, pg.Certs().IssueClient(t, role))
	conn, err := dialer(t, cfg).Dial(t.Context(), pgauth.Login{User: role}, params("database", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	finish(t, conn)
}

// A server, or somebody between, that has no TLS for us, or says things before
// it: no mode that asks for TLS sends anything in the clear.
func TestTLSIsNotTakenAway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer string
		want   error
	}{
		"no TLS":                 {"N", ErrTLSRefused},
		"bytes behind the S":     {"SR\x00\x00\x00\x08\x00\x00\x00\x00", ErrTLS},
		"an error message":       {"E\x00\x00\x00\x05\x00", ErrTLS},
		"garbage":                {"?", ErrTLS},
		"nothing and hanging up": {"", ErrUnreachable},
	} {
		for _, mode := range []TLSMode{TLSRequire, TLSVerifyCA, TLSVerifyFull} {
			t.Run(name+" under "+string(mode), func(t *testing.T) {
				t.Parallel()
				addr, said := teller(t, c.answer)
				_, err := dialer(t, Config{Address: addr, TLSMode: mode}).Dial(t.Context(),
					pgauth.Login{User: "ann", Password: pgauth.NewSecret("hush")}, params("database", "postgres"))
				if !errors.Is(err, c.want) {
					t.Errorf("error %v, want %v", err, c.want)
				}
				if got := <-said; len(got) > 0 && got[0] != 0x16 && got[0] != 0x15 { // a TLS handshake or alert
					t.Errorf("sent in the clear: %q", got)
				}
			})
		}
	}
}

// teller answers one SSLRequest and returns what came after it.
func teller(t *testing.T, answer string) (addr string, said <-chan []byte) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	out := make(chan []byte, 1)
	go func() { // ends with the connection or the listener; the test reads out
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		request := make([]byte, len(pgwire.AppendRequest(nil, pgwire.SSLRequestCode)))
		_, _ = io.ReadFull(conn, request)
		_, _ = conn.Write([]byte(answer))
		if answer == "" {
			_ = conn.Close()
		}
		rest, _ := io.ReadAll(conn)
		_ = conn.Close()
		out <- rest
	}()
	return ln.Addr().String(), out
}

func TestDialGivesUp(t *testing.T) {
	t.Parallel()
	silent := proxytest.StartFake(t, proxytest.Script{proxytest.Hang()})
	for name, cfg := range map[string]Config{
		"silent":          {Address: silent.Addr(), TLSMode: TLSDisable, ConnectTimeout: 50 * time.Millisecond},
		"nobody there":    {Address: "127.0.0.1:1"},
		"no socket there": {Network: "unix", Address: t.TempDir() + "/.s.PGSQL.5432"},
	} {
		if _, err := dialer(t, cfg).Dial(t.Context(), pgauth.Login{User: "ann"}, nil); !errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: %v, want ErrUnreachable", name, err)
		}
	}
	why := errors.New("client went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := dialer(t, Config{Address: silent.Addr()}).Dial(ctx, pgauth.Login{User: "ann"}, nil); !errors.Is(err, ErrUnreachable) {
		t.Errorf("cancelled: %v, want ErrUnreachable", err)
	}
}
