package proxy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy"
	"github.com/lockkeeper/lockkeeper/proxy/backend"
	"github.com/lockkeeper/lockkeeper/proxy/directory"
	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// metric returns a counter or gauge without labels.
func metric(t *testing.T, d *door, name string) float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(d.Collector())
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue() + f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// people is a directory that counts what it is asked, and can be down.
type people struct {
	*directory.Directory
	asked atomic.Int64
	down  atomic.Bool
}

func (p *people) Lookup(ctx context.Context, login, database string) (*pgauth.Account, error) {
	p.asked.Add(1)
	if p.down.Load() {
		return nil, errors.New("dial tcp 10.1.2.3:5432: connection refused")
	}
	return p.Directory.Lookup(ctx, login, database) //nolint:wrapcheck // a test's wrapper
}

// withPeople makes logins ann and bob need a password, and go on as service.
func withPeople(t *testing.T, p *people, method pgauth.Method, service pgauth.Login) func(*proxy.Config) {
	t.Helper()
	var file bytes.Buffer
	for _, name := range []string{"ann", "bob"} {
		fmt.Fprintf(&file, "%q %q\n", name, name+"-at-the-door")
	}
	users, err := directory.ParseUserFile(file.Bytes(), pgauth.RandomSaltKey())
	if err != nil {
		t.Fatal(err)
	}
	if p.Directory, err = directory.New(directory.Config{Users: users, Map: directory.Mapping{Default: service}}); err != nil {
		t.Fatal(err)
	}
	return func(c *proxy.Config) {
		c.Directory, c.Auth = p, pgauth.Rules{{Method: method}}
	}
}

// A directory that cannot say is not a directory that says no.
func TestDirectoryDown(t *testing.T) {
	t.Parallel()
	pg := pt.StartPostgres(t)
	for _, method := range []pgauth.Method{pgauth.Scram, pgauth.Password, pgauth.MD5} {
		t.Run(string(method), func(t *testing.T) {
			t.Parallel()
			var p people
			log := &lockedLog{}
			d := openTo(t, nil, backendOf(t, pg.Addr()), policy.Source{},
				withPeople(t, &p, method, pgauth.Login{User: pt.Superuser}),
				func(c *proxy.Config) { c.Log = slog.New(slog.NewTextHandler(log, nil)) })
			in := pt.Dial(t, "tcp", d.addr)
			in.Login("ann", "postgres", "ann-at-the-door")
			p.down.Store(true)
			err := refusedLogin(t, d.addr, "ann", "postgres", "ann-at-the-door")
			want(t, err.Error(), "FATAL 57P03: login directory is unavailable")
			if strings.Contains(fmt.Sprintf("%+v", err.Notice), "10.1.2.3") {
				t.Error("a stranger learns where the directory is")
			}
			if !strings.Contains(log.String(), "login directory is unavailable") || !strings.Contains(log.String(), "10.1.2.3") {
				t.Errorf("the log does not say why: %s", log)
			}
			if ev := d.record.of(audit.KindLogin); len(ev) != 1 || ev[0].SQLState != "57P03" || ev[0].User != "ann" {
				t.Errorf("record %+v", ev)
			}
			want(t, in.One("SELECT 1"), "1")
			p.down.Store(false)
			want(t, refusedLogin(t, d.addr, "ann", "postgres", "wrong").Code, "28P01")
		})
	}
}

// lockedLog is a buffer that a log may write to from anywhere.
type lockedLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p) //nolint:wrapcheck // never fails
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Who does not exist gets the same messages as who does, and costs the same
// questions; the key derivations are counted in pgauth.
func TestUnknownUserLooksLikeKnown(t *testing.T) {
	t.Parallel()
	pg := pt.StartPostgres(t)
	for _, method := range []pgauth.Method{pgauth.Scram, pgauth.Password} {
		t.Run(string(method), func(t *testing.T) {
			t.Parallel()
			var p people
			d := openTo(t, nil, backendOf(t, pg.Addr()), policy.Source{}, withPeople(t, &p, method, pgauth.Login{User: pt.Superuser}))
			seen := func(user string) (string, int64) {
				before := p.asked.Load()
				c := pt.Dial(t, "tcp", d.addr)
				_ = c.TryLogin(user, "postgres", "wrong")
				var out []string
				for _, m := range c.Messages {
					out = append(out, fmt.Sprintf("%s %d", m, len(m.Body)))
				}
				if es := c.Errors(); len(es) == 1 {
					out = append(out, strings.ReplaceAll(fmt.Sprintf("%+v", es[0]), user, "USER"))
				}
				return strings.Join(out, "\n"), p.asked.Load() - before
			}
			known, asked := seen("ann")
			unknown, askedToo := seen("kim")
			want(t, unknown, known)
			if asked != 1 || askedToo != 1 {
				t.Errorf("the directory was asked %d and %d times", asked, askedToo)
			}
			if !strings.Contains(known, "28P01") {
				t.Errorf("messages: %s", known)
			}
		})
	}
}

// What is wrong between us and the warehouse is not told to strangers in
// detail, least of all the name of the login that serves them.
func TestWarehouseRefusesTheService(t *testing.T) {
	t.Parallel()
	pg := pt.StartPostgres(t)
	role := pg.CreateRole(t, "PASSWORD 'service-secret' CONNECTION LIMIT 0")
	pg.Auth(t, role, "scram-sha-256")
	trusted := pg.CreateRole(t, "CONNECTION LIMIT 0")
	secret := pgauth.NewSecret
	cases := []struct {
		name    string
		service pgauth.Login
		db      string
		want    string
	}{
		{"wrong password", pgauth.Login{User: role, Password: secret("wrong-secret")}, "postgres", "FATAL 28000: the warehouse refused the login that this server uses for you"},
		{"no password", pgauth.Login{User: role}, "postgres", "FATAL XX000: internal error: this server cannot log in to the warehouse"},
		{"no such role", pgauth.Login{User: role + "_gone"}, "postgres", "FATAL 28000: the warehouse refused the login that this server uses for you"},
		{"no slot", pgauth.Login{User: trusted}, "postgres", "FATAL 53300: sorry, too many clients already"},
		{"no database", pgauth.Login{User: pt.Superuser}, "nowhere", `FATAL 3D000: database "nowhere" does not exist`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var p people
			log := &lockedLog{}
			d := openTo(t, nil, backendOf(t, pg.Addr()), policy.Source{}, withPeople(t, &p, pgauth.Scram, c.service),
				func(cfg *proxy.Config) {
					cfg.Log = slog.New(pt.Canary(t, slog.NewTextHandler(log, nil), "service-secret", "wrong-secret"))
				})
			err := refusedLogin(t, d.addr, "ann", c.db, "ann-at-the-door")
			want(t, err.Error(), c.want)
			if strings.Contains(fmt.Sprintf("%+v", err.Notice), c.service.User) && c.service.User != pt.Superuser {
				t.Errorf("the service login's name is told: %+v", err.Notice)
			}
			if !strings.Contains(log.String(), "warehouse refused or unreachable") {
				t.Errorf("log: %s", log)
			}
		})
	}
	// The client's own login: the warehouse's own words.
	d := openTo(t, nil, backendOf(t, pg.Addr()), policy.Source{}, func(c *proxy.Config) { c.Auth = pgauth.Rules{{Method: pgauth.Passthrough}} })
	want(t, refusedLogin(t, d.addr, role, "postgres", "nope").Error(), fmt.Sprintf("FATAL 28P01: password authentication failed for user %q", role))
}

// A warehouse that has lost its TLS, or somebody between who says so, gets no
// name and no password of ours.
func TestNoDowngradeTowardsTheWarehouse(t *testing.T) {
	t.Parallel()
	for _, mode := range []backend.TLSMode{backend.TLSRequire, backend.TLSVerifyCA, backend.TLSVerifyFull} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			fake := pt.StartFake(t, pt.Script{pt.Welcome()}) // answers N to SSLRequest
			dialer, err := backend.New(backend.Config{Network: "tcp", Address: fake.Addr(), TLSMode: mode, RootCAs: pt.Certs(t).CA})
			if err != nil {
				t.Fatal(err)
			}
			d := openTo(t, nil, dialer, policy.Source{})
			want(t, refusedLogin(t, d.addr, "ann", "dwh", "").Error(), "FATAL XX000: internal error: this server cannot log in to the warehouse")
			select {
			case s := <-fake.Startups:
				t.Errorf("in the clear went: %+v", s)
			default:
			}
		})
	}
	t.Run("another's certificate", func(t *testing.T) {
		t.Parallel()
		pg := pt.StartPostgres(t)
		dialer, err := backend.New(backend.Config{Network: "tcp", Address: pg.Addr(), Host: "localhost", TLSMode: backend.TLSVerifyFull, RootCAs: pt.Certs(t).CA})
		if err != nil {
			t.Fatal(err)
		}
		d := openTo(t, nil, dialer, policy.Source{})
		want(t, refusedLogin(t, d.addr, pt.Superuser, "postgres", "").Code, "XX000")
	})
}

// encrypted opens a door that takes encrypted clients only.
func encrypted(t *testing.T) (*door, *pt.CertSet) {
	t.Helper()
	certs := pt.Certs(t)
	return open(t, policy.Source{}, func(c *proxy.Config) {
		c.TLSRequired = true
		c.TLS = func() (*tls.Config, []byte) { return certs.ServerTLS(), certs.Server.Certificate[0] }
	}), certs
}

func TestNoDowngradeTowardsTheClient(t *testing.T) {
	t.Parallel()
	d, certs := encrypted(t)
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		want(t, refusedLogin(t, d.addr, pt.Superuser, "postgres", "").Error(), "FATAL 28000: this server accepts encrypted connections only")
	})
	startup := pgwire.AppendStartup(nil, pgwire.ProtocolVersion30, []pgwire.Param{{Name: "user", Value: pt.Superuser}})
	for name, request := range map[string]uint32{"SSLRequest": pgwire.SSLRequestCode, "GSSENCRequest": pgwire.GSSENCRequestCode} {
		t.Run("bytes behind "+name, func(t *testing.T) {
			t.Parallel()
			c := pt.Dial(t, "tcp", d.addr)
			c.Send(append(pgwire.AppendRequest(nil, request), startup...))
			if n, err := c.ReadFull(make([]byte, 1)); err == nil {
				t.Errorf("%d bytes of an answer", n)
			}
		})
	}
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		c := pt.Dial(t, "tcp", d.addr)
		c.StartTLS(certs.ClientTLS(false))
		c.Login(pt.Superuser, "postgres", "")
		want(t, c.One("SELECT 1"), "1")
	})
	t.Run("old TLS", func(t *testing.T) {
		t.Parallel()
		c := pt.Dial(t, "tcp", d.addr)
		c.Send(pgwire.AppendRequest(nil, pgwire.SSLRequestCode))
		answer := make([]byte, 1)
		if _, err := c.ReadFull(answer); err != nil || answer[0] != 'S' {
			t.Fatalf("%q, %v", answer, err)
		}
		old := tls.Client(c.Conn, &tls.Config{RootCAs: certs.CA, ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}) //nolint:gosec // it must fail
		if err := old.HandshakeContext(t.Context()); err == nil {
			t.Error("TLS 1.1 was accepted")
		}
	})
}

// libpq before 17 sends its cancel requests in the clear, whatever its session
// does; newer ones encrypt them. Both must work where TLS is required.
func TestCancelWhereTLSIsRequired(t *testing.T) {
	t.Parallel()
	d, certs := encrypted(t)
	c := pt.Dial(t, "tcp", d.addr)
	c.StartTLS(certs.ClientTLS(false))
	c.Login(pt.Superuser, "postgres", "")
	request := pgwire.AppendCancelRequest(nil, c.PID, c.Key)
	super, pid := d.pg.Super(t), c.One("SELECT pg_backend_pid()")
	for _, how := range []string{"bare", "TLS"} {
		c.Send(pt.Query("SELECT pg_sleep(60)"))
		waitFor(t, super, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid = "+pid, "1")
		canceller := pt.Dial(t, "tcp", d.addr)
		if how == "TLS" {
			canceller.StartTLS(certs.ClientTLS(false))
		}
		canceller.Send(request)
		want(t, canceller.Receive(), "EOF")
		want(t, c.Receive(), "T E(57014) Z(I)")
	}
	// With a wrong key nothing happens, and nothing is said.
	wrong := pt.Dial(t, "tcp", d.addr)
	wrong.Send(pgwire.AppendCancelRequest(nil, c.PID, []byte{1, 2, 3, 4}))
	want(t, wrong.Receive(), "EOF")
	want(t, c.One("SELECT 1"), "1")
}
