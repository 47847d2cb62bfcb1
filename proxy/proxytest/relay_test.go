package proxytest

import (
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

func TestRelayFaults(t *testing.T) {
	t.Parallel()
	pg := StartPostgres(t)
	r := StartRelay(t, pg.Addr())
	login := func() *Client {
		t.Helper()
		c := Dial(t, "tcp", r.Addr())
		c.Login(Superuser, "postgres", "")
		return c
	}
	c := login()
	if got := c.Query("select 1"); got != "T D C(SELECT 1) Z(I)" {
		t.Errorf("without a fault: %s", got)
	}

	r.Stall(ToDialer)
	c.Send(Query("select 2"))
	c.Silent(50 * time.Millisecond)
	r.Heal()
	if got := c.Receive(); got != "T D C(SELECT 1) Z(I)" {
		t.Errorf("after a stall: %s", got)
	}

	r.Trickle(ToTarget, 1, 0)
	if got := c.Query("select 3"); got != "T D C(SELECT 1) Z(I)" {
		t.Errorf("byte by byte: %s", got)
	}
	r.Heal()

	r.CutAfter(ToDialer, int64(len(Columns("x")))+3)
	if got := c.Query("select 1 as x"); got != "T EOF" {
		t.Errorf("cut in mid-message: %s", got)
	}
	r.Heal()

	for name, fault := range map[string]func(){"cut": r.Cut, "reset": r.Reset} {
		c = login()
		c.Send(Query("select pg_sleep(60)"))
		c.Silent(10 * time.Millisecond)
		fault()
		if got := c.ReceiveUntil(pgwire.MsgReadyForQuery); got != "EOF" {
			t.Errorf("%s: %s", name, got)
		}
	}

	r.Refuse()
	if err := Dial(t, "tcp", r.Addr()).TryLogin(Superuser, "postgres", ""); err == nil {
		t.Error("refused, and yet logged in")
	}
	r.Heal()
	login().Close()
}
