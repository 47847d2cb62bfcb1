package backend

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

func refuse(state string) proxytest.Script {
	return proxytest.Script{
		proxytest.Reply(pgwire.AppendError(nil, &pgwire.Notice{Severity: "FATAL", Code: state, Message: "no"})), proxytest.Hangup(),
	}
}

func let(params ...string) proxytest.Script {
	return proxytest.Script{proxytest.Welcome(params...), proxytest.ExpectEnd()}
}

// What goes up, connection by connection, while the Dialer learns.
func TestStartupParameters(t *testing.T) {
	t.Parallel()
	aws := []string{"user", "ann", "database", "dwh", "client_protocol_version", "2", "driver_version", "Redshift Python Driver", "lockkeeper.tags", "x", "_pq_.compression", "lz4"}
	plain := []string{"user", "ann", "database", "dwh", "client_encoding", "'utf-8'"}
	noAWS := params("user", "svc", "database", "dwh")
	withAWS := slices.Concat(noAWS, params("client_protocol_version", "2", "driver_version", "Redshift Python Driver"))
	upPlain := params("user", "svc", "database", "dwh", "client_encoding", "'utf-8'")
	check := params(checkParam, "1000")
	redshift := []string{"server_version", "8.0.2", "padb_version", "1.0.63269"}
	for name, c := range map[string]struct {
		cfg     Config
		scripts []proxytest.Script
		clients [][]string
		want    [][]pgwire.Param
	}{
		"an AWS driver meets Redshift": {
			Config{},
			[]proxytest.Script{let(redshift...)},
			[][]string{aws, aws, plain},
			[][]pgwire.Param{withAWS, withAWS, upPlain},
		},
		"an AWS driver meets Postgres": {
			Config{},
			[]proxytest.Script{refuse("42704"), let()},
			[][]string{aws, aws},
			[][]pgwire.Param{withAWS, noAWS, slices.Concat(noAWS, check)},
		},
		"known to be Postgres": {
			Config{Dialect: DialectPostgres},
			[]proxytest.Script{let()},
			[][]string{aws, plain},
			[][]pgwire.Param{noAWS, slices.Concat(upPlain, check)},
		},
		"known to be Redshift": {
			Config{Dialect: DialectRedshift}, []proxytest.Script{let()}, // a double that does not say so
			[][]string{aws, plain}, [][]pgwire.Param{withAWS, upPlain},
		},
		"the check is refused once": {
			Config{},
			[]proxytest.Script{let(), refuse("22023"), let()},
			[][]string{plain, plain, plain},
			[][]pgwire.Param{upPlain, slices.Concat(upPlain, check), upPlain, upPlain},
		},
		"never the check": {
			Config{CheckInterval: -1},
			[]proxytest.Script{let()},
			[][]string{plain, plain},
			[][]pgwire.Param{upPlain, upPlain},
		},
		"an old Postgres": {
			Config{},
			[]proxytest.Script{let("server_version", "13.4")},
			[][]string{plain, plain},
			[][]pgwire.Param{upPlain, upPlain},
		},
		"the client sets it itself": {
			Config{Dialect: DialectPostgres},
			[]proxytest.Script{let()},
			[][]string{plain, slices.Concat(plain, []string{"Client_Connection_Check_Interval", "0"})},
			[][]pgwire.Param{upPlain, slices.Concat(upPlain, params("Client_Connection_Check_Interval", "0"))},
		},
		"the database is the client's name": {
			Config{CheckInterval: -1},
			[]proxytest.Script{let()},
			[][]string{{"user", "ann"}, {"user", "svc"}, {}},
			[][]pgwire.Param{params("user", "svc", "database", "ann"), params("user", "svc"), params("user", "svc")},
		},
		"a suffix, with and without a name": {
			Config{CheckInterval: -1, ApplicationSuffix: " (lk)"},
			[]proxytest.Script{let()},
			[][]string{{"user", "svc", "application_name", "psql"}, {"user", "svc"}},
			[][]pgwire.Param{params("user", "svc", "application_name", "psql (lk)"), params("user", "svc", "application_name", "(lk)")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := proxytest.StartFake(t, c.scripts...)
			c.cfg.Address = fake.Addr()
			d := dialer(t, c.cfg)
			for _, client := range c.clients {
				conn, err := d.Dial(t.Context(), pgauth.Login{User: "svc"}, params(client...))
				if err != nil {
					t.Fatal(err)
				}
				_ = conn.Close()
				conn.Reader.Close()
			}
			for i, want := range c.want {
				got := <-fake.Startups
				if diff := cmp.Diff(want, got.Params); diff != "" {
					t.Errorf("connection %d (-want +got):\n%s", i+1, diff)
				}
			}
			if len(fake.Startups) > 0 {
				t.Errorf("%d more connections", len(fake.Startups))
			}
		})
	}
}

// A session that must not write says so at its start, wherever that is known.
func TestReadOnlyStartup(t *testing.T) {
	t.Parallel()
	up := params("user", "svc", "database", "dwh")
	mode := params(ReadOnlyParam, "on")
	aws := params("driver_version", "x")
	redshift := []string{"server_version", "8.0.2", "padb_version", "1.0.63269"}
	off := Config{CheckInterval: -1}
	for name, c := range map[string]struct {
		cfg     Config
		scripts []proxytest.Script
		client  []pgwire.Param
		dials   int
		want    [][]pgwire.Param
		has     bool
		err     error
	}{
		"Postgres": {
			off,
			[]proxytest.Script{let(ReadOnlyParam, "on")},
			up, 2,
			[][]pgwire.Param{slices.Concat(up, mode), slices.Concat(up, mode)},
			true, nil,
		},
		"Redshift, not seen before": {
			off,
			[]proxytest.Script{refuse("42704"), let(redshift...)},
			up, 2,
			[][]pgwire.Param{slices.Concat(up, mode), up, up},
			false, nil,
		},
		"configured Redshift": {
			Config{CheckInterval: -1, Dialect: DialectRedshift},
			[]proxytest.Script{let(redshift...)},
			up, 1,
			[][]pgwire.Param{up},
			false, nil,
		},
		"Postgres, not seen before, that refuses something else": {
			off,
			[]proxytest.Script{refuse("42704"), let(), let(ReadOnlyParam, "on")},
			slices.Concat(up, aws), 1,
			[][]pgwire.Param{slices.Concat(up, aws, mode), up, slices.Concat(up, mode)},
			true, nil,
		},
		"a pooler that loses it": {
			off, []proxytest.Script{let(ReadOnlyParam, "off")}, up, 1, [][]pgwire.Param{slices.Concat(up, mode)}, false, ErrNotReadOnly,
		},
		"a server that never takes it": {
			Config{CheckInterval: -1, Dialect: DialectPostgres},
			[]proxytest.Script{refuse("42704")},
			up, 1,
			[][]pgwire.Param{slices.Concat(up, mode)},
			false, &ServerError{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := proxytest.StartFake(t, c.scripts...)
			c.cfg.Address = fake.Addr()
			d := dialer(t, c.cfg)
			for range c.dials {
				conn, err := d.DialReadOnly(t.Context(), pgauth.Login{User: "svc"}, c.client)
				refused := new(ServerError)
				if !errors.Is(err, c.err) && !(errors.As(err, &refused) && errors.As(c.err, &refused)) {
					t.Fatalf("dial: %v, want %v", err, c.err)
				}
				if err != nil {
					continue
				}
				if conn.ReadOnly != c.has {
					t.Errorf("session says read-only: %v", conn.ReadOnly)
				}
				_ = conn.Close()
				conn.Reader.Close()
			}
			for i, want := range c.want {
				got := <-fake.Startups
				if diff := cmp.Diff(want, got.Params); diff != "" {
					t.Errorf("connection %d (-want +got):\n%s", i+1, diff)
				}
			}
			if len(fake.Startups) > 0 {
				t.Errorf("%d more connections", len(fake.Startups))
			}
		})
	}
}

// A server that a Dialer must not follow.
func TestHostileServers(t *testing.T) {
	t.Parallel()
	ok := pgwire.AppendAuthentication(nil, pgwire.AuthOK, nil)
	sasl := pgwire.AppendAuthentication(nil, pgwire.AuthSASL, []byte("SCRAM-SHA-256\x00\x00"))
	notice := pgwire.AppendNotice(nil, &pgwire.Notice{Severity: "NOTICE", Code: "00000", Message: "hello"})
	flood := make([]byte, 0, maxLogin+64)
	for len(flood) < maxLogin {
		flood = append(flood, notice...)
	}
	for name, c := range map[string]struct {
		said []byte
		want error
	}{
		"lets us in without its proof":     {slices.Concat(sasl, ok), pgauth.ErrServer},
		"proves before it asks":            {pgwire.AppendAuthentication(nil, pgwire.AuthSASLFinal, []byte("v=AA==")), ErrProtocol},
		"asks twice":                       {slices.Concat(sasl, sasl), ErrProtocol},
		"has another nonce":                {slices.Concat(sasl, pgwire.AppendAuthentication(nil, pgwire.AuthSASLContinue, []byte("r=x,s=AA==,i=1"))), ErrProtocol},
		"has no mechanism of ours":         {pgwire.AppendAuthentication(nil, pgwire.AuthSASL, []byte("SCRAM-SHA-1\x00\x00")), ErrAuthMethod},
		"asks for Kerberos":                {pgwire.AppendAuthentication(nil, 7, nil), ErrAuthMethod},
		"asks for Redshift's digest":       {pgwire.AppendAuthentication(nil, pgwire.AuthDigestRedshift, nil), ErrAuthMethod},
		"is ready before login":            {pgwire.AppendReady(nil, 'I'), ErrProtocol},
		"asks again after it let us in":    {slices.Concat(ok, sasl), ErrProtocol},
		"sends rows":                       {slices.Concat(ok, pgwire.AppendFrame(nil, pgwire.MsgDataRow, nil)), ErrProtocol},
		"has an endless key":               {slices.Concat(ok, pgwire.AppendBackendKeyData(nil, 1, make([]byte, 257))), ErrProtocol},
		"has half a key":                   {slices.Concat(ok, pgwire.AppendBackendKeyData(nil, 1, make([]byte, 3))), ErrProtocol},
		"has an md5 salt of three bytes":   {pgwire.AppendAuthentication(nil, pgwire.AuthMD5Password, make([]byte, 3)), ErrProtocol},
		"claims a gigabyte":                {[]byte{'N', 0x3f, 0xff, 0xff, 0xff}, ErrProtocol},
		"claims less than nothing":         {[]byte{'N', 0xff, 0xff, 0xff, 0xff}, ErrProtocol},
		"never comes to an end":            {flood, ErrProtocol},
		"ends in a message":                {notice[:10], ErrUnreachable},
		"ends":                             {nil, ErrUnreachable},
		"sends a parameter without an end": {slices.Concat(ok, pgwire.AppendFrame(nil, pgwire.MsgParameterStatus, []byte("x"))), ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := proxytest.Script{func(b *proxytest.Backend) error {
				_, _ = b.Conn.Write(c.said) // the client may go before it has all
				return nil
			}}
			if errors.Is(c.want, ErrUnreachable) {
				script = append(script, proxytest.Hangup())
			}
			fake := proxytest.StartFake(t, script)
			d := dialer(t, Config{Address: fake.Addr(), TLSMode: TLSDisable, ConnectTimeout: 10 * time.Second})
			_, err := d.Dial(t.Context(), pgauth.Login{User: "svc", Password: pgauth.NewSecret("hush")}, nil)
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

// What comes before ReadyForQuery is kept, and what comes behind it stays in
// the Reader.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	notice := pgwire.AppendNotice(nil, &pgwire.Notice{Severity: "NOTICE", Code: "00000", Message: "hello"})
	late := pgwire.AppendParameterStatus(nil, pgwire.Param{Name: "late", Value: "1"})
	hello := slices.Concat(notice, pgwire.AppendNegotiateVersion(nil, pgwire.ProtocolVersion30, nil))
	hello = pgwire.AppendAuthentication(hello, pgwire.AuthOK, nil)
	for _, p := range params("b", "1", "a", "2", "b", "3", "padb_version", "1.0") {
		hello = pgwire.AppendParameterStatus(hello, p)
	}
	hello = pgwire.AppendBackendKeyData(append(hello, notice...), 1<<31+5, make([]byte, 256))
	fake := proxytest.StartFake(t, proxytest.Script{proxytest.Reply(append(pgwire.AppendReady(hello, 'I'), late...)), proxytest.ExpectEnd()})
	conn, err := dialer(t, Config{Address: fake.Addr()}).Dial(t.Context(), pgauth.Login{User: "svc"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	finish(t, conn)
	if diff := cmp.Diff(params("b", "3", "a", "2", "padb_version", "1.0"), conn.Params); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]byte{notice, notice}, conn.Notices); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
	if !conn.Redshift || conn.PID != 1<<31+5 || len(conn.Key) != 256 {
		t.Errorf("redshift %v, pid %d, key of %d bytes", conn.Redshift, conn.PID, len(conn.Key))
	}
	tag, size, err := conn.Reader.Next()
	if err != nil || tag != pgwire.MsgParameterStatus || size != len(late) {
		t.Errorf("behind ReadyForQuery: %q of %d bytes, %v", tag, size, err)
	}
}

// A password does not go over a network in the clear, whatever asks for it.
func TestClearPasswordStaysHome(t *testing.T) {
	t.Parallel()
	h := &handshake{c: &Conn{}, login: pgauth.Login{User: "svc", Password: pgauth.NewSecret("hush")}}
	if err := h.authentication([]byte{0, 0, 0, 3}); !errors.Is(err, ErrClear) {
		t.Errorf("error %v, want ErrClear", err)
	}
}
