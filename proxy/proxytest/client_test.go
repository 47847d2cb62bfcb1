package proxytest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

func login(t *testing.T, pg *Postgres) *Client {
	t.Helper()
	c := Dial(t, "tcp", pg.Addr())
	c.Login(Superuser, "postgres", "")
	return c
}

func TestClientTranscripts(t *testing.T) {
	t.Parallel()
	c := login(t, StartPostgres(t))
	for _, tc := range []struct {
		name string
		send [][]byte
		want string
	}{
		{"simple", [][]byte{Query("select 1 union select 2")}, "T D*2 C(SELECT 2) Z(I)"},
		{"empty", [][]byte{Query("")}, "I Z(I)"},
		{"error", [][]byte{Query("select 1/0")}, "E(22012) Z(I)"},
		{"begin", [][]byte{Query("begin")}, "C(BEGIN) Z(T)"},
		{"error in transaction", [][]byte{Query("select nope")}, "E(42703) Z(E)"},
		{"rollback", [][]byte{Query("rollback")}, "C(ROLLBACK) Z(I)"},
		{"extended", [][]byte{Parse("s", "select $1::text"), Bind("", "s", "x"), Describe('P', ""), Execute("", 0), Sync()}, "1 2 T D C(SELECT 1) Z(I)"},
		{"null", [][]byte{Bind("", "s", nil), Execute("", 1), Close('S', "s"), Sync()}, "2 D s 3 Z(I)"},
		{"function", [][]byte{FunctionCall(1397, "-5")}, "V Z(I)"},
		{"notice", [][]byte{Query("do $$begin raise notice 'x'; end$$")}, "N(00000) C(DO) Z(I)"},
		{"copy out", [][]byte{Query("copy (values (1),(2),(3)) to stdout")}, "H d*3 c C(COPY 3) Z(I)"},
		{"listen", [][]byte{Query("listen ch; notify ch, 'p'")}, "C(LISTEN) C(NOTIFY) A(ch,p) Z(I)"},
	} {
		if got := c.Do(tc.send...); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
	c.Send(Query("create temp table t (x text); copy t from stdin"))
	if got := c.ReceiveUntil(pgwire.MsgCopyInResponse); got != "C(CREATE TABLE) G" {
		t.Errorf("copy in: %s", got)
	}
	if got := c.Do(CopyData("a\n"), CopyData("b\n"), CopyDone()); got != "C(COPY 2) Z(I)" {
		t.Errorf("copy done: %s", got)
	}
	if got := c.One("select string_agg(x, ',') from t"); got != "a,b" {
		t.Errorf("copied %s", got)
	}
	if got := c.Do(Terminate()); got != "EOF" {
		t.Errorf("after Terminate: %s", got)
	}
}

func TestClientLogsIn(t *testing.T) {
	t.Parallel()
	pg := StartPostgres(t)
	for _, method := range []string{"trust", "password", "md5", "scram-sha-256"} {
		role := pg.CreateRole(t, "")
		encryption := "scram-sha-256"
		if method == "md5" {
			encryption = "md5"
		}
		Exec(t, pg.Super(t), "set password_encryption = '"+encryption+"'; alter role "+role+" password 'right'")
		pg.Auth(t, role, method)
		for _, network := range []string{"tcp", "unix"} {
			addr := map[string]string{"tcp": pg.Addr(), "unix": pg.SocketPath()}[network]
			c := Dial(t, network, addr)
			c.Login(role, "postgres", "right", "application_name", "raw")
			if got := c.One("show application_name"); got != "raw" {
				t.Errorf("%s over %s: application_name %q", method, network, got)
			}
			var refused *ServerError
			err := Dial(t, network, addr).TryLogin(role, "postgres", "wrong")
			if method != "trust" && (!errors.As(err, &refused) || refused.Code != "28P01") {
				t.Errorf("%s over %s with a wrong password: %v", method, network, err)
			}
		}
	}
}

func TestClientTLSAndCancel(t *testing.T) {
	t.Parallel()
	pg := StartPostgres(t)
	c := Dial(t, "tcp", pg.Addr())
	c.StartTLS(pg.Certs().ClientTLS(true))
	c.Login(Superuser, "postgres", "")
	if got := c.One("select ssl from pg_stat_ssl where pid = pg_backend_pid()"); got != "t" {
		t.Errorf("ssl = %s", got)
	}
	c.Send(Query("select pg_sleep(60)"))
	watch := pg.Super(t)
	for running := 0; running == 0; {
		err := watch.QueryRow(t.Context(), "select count(*) from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'", c.PID).Scan(&running)
		if err != nil {
			t.Fatal(err)
		}
	}
	c.Cancel()
	if got := c.Receive(); got != "T E(57014) Z(I)" {
		t.Errorf("cancelled: %s", got)
	}
}

func TestFakePlaysItsScript(t *testing.T) {
	t.Parallel()
	f := StartFake(t,
		Script{Welcome("padb_version", "1.0"), Expect(Query("select 1")), Reply(Columns("a"), Row("1")), Reply(Complete("SELECT"), Ready('I')), ExpectEnd()},
		Script{Welcome(), ExpectTag('Q'), Half(Row("12345"), 8), Hangup()},
		Script{Welcome(), Until('S'), Reply(Error("57014", "no"), Ready('I')), Reset()},
	)
	dial := func() *Client {
		c := Dial(t, "tcp", f.Addr())
		c.Login("u", "d", "")
		return c
	}
	c := dial()
	if got := c.Params["padb_version"]; got != "1.0" {
		t.Errorf("padb_version %q", got)
	}
	if got := c.Query("select 1"); got != "T D C(SELECT) Z(I)" || c.Rows()[0][0] != "1" {
		t.Errorf("got %s, %v", got, c.Rows())
	}
	c.Cancel()
	if s := <-f.Cancels; s.PID != 4242 {
		t.Errorf("cancel of pid %d", s.PID)
	}
	c.Close()
	if got := dial().Query("x"); got != "EOF" {
		t.Errorf("half a message: %s", got)
	}
	c = dial()
	if got := c.Do(Parse("", "x"), Sync()); got != "E(57014) Z(I)" || c.Errors()[0].Message != "no" {
		t.Errorf("got %s, %v", got, c.Errors())
	}
	if got := c.Receive(); got != "EOF" {
		t.Errorf("after a reset: %s", got)
	}
	first := <-f.Startups
	if user, _ := first.Get("user"); user != "u" {
		t.Errorf("start-up user %q", user)
	}
}

func TestFakeServesPgx(t *testing.T) {
	t.Parallel()
	f := StartFake(t, Script{Welcome(), ExpectEnd()})
	conn, err := pgx.Connect(t.Context(), f.URL("u", "d"))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// recorder is a TB that only remembers whether it was failed.
type recorder struct {
	testing.TB

	failed int
}

func (r *recorder) Errorf(string, ...any) { r.failed++ }
func (r *recorder) Cleanup(func())        {}
func (r *recorder) Helper()               {}

type leaky struct{ s string }

func (l leaky) LogValue() slog.Value { return slog.GroupValue(slog.String("inner", l.s)) }

func TestCanarySingsAndKeepsSilent(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	for name, say := range map[string]func(*slog.Logger){
		"message": func(l *slog.Logger) { l.Info("pw is " + secret) },
		"value":   func(l *slog.Logger) { l.Debug("x", "k", secret) },
		"key":     func(l *slog.Logger) { l.Info("x", secret, 1) },
		"with":    func(l *slog.Logger) { l.With("a", secret) },
		"group":   func(l *slog.Logger) { l.Info("x", slog.Group("g", "k", secret)) },
		"valuer":  func(l *slog.Logger) { l.Info("x", "k", leaky{secret}) },
		"struct":  func(l *slog.Logger) { l.Info("x", "k", struct{ A string }{secret}) },
		"error":   func(l *slog.Logger) { l.Info("x", "err", fmt.Errorf("login: %s", secret)) },
		"base64":  func(l *slog.Logger) { l.Info("x", "k", base64.StdEncoding.EncodeToString([]byte(secret))) },
		"grouped": func(l *slog.Logger) { l.WithGroup("g").With("k", 1).Info("x", "k", secret) },
	} {
		r := &recorder{TB: t}
		say(slog.New(Canary(r, nil, secret)))
		if r.failed == 0 {
			t.Errorf("%s: silent", name)
		}
	}
	r := &recorder{TB: t}
	var out strings.Builder
	slog.New(Canary(r, slog.NewTextHandler(&out, nil), secret)).Info("harmless", "user", "bob")
	if r.failed != 0 || !strings.Contains(out.String(), "user=bob") {
		t.Errorf("failed %d, passed on %q", r.failed, out.String())
	}
}
