package proxy_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// refusedLogin expects a login to fail, and returns the words.
func refusedLogin(t *testing.T, addr, user, db, password string) *pt.ServerError {
	t.Helper()
	err := pt.Dial(t, "tcp", addr).TryLogin(user, db, password)
	se, ok := err.(*pt.ServerError) //nolint:errorlint // it comes unwrapped
	if !ok {
		t.Fatalf("login: %v, want an error of the server", err)
	}
	return se
}

// A warehouse that cannot be reached is told clearly, and who is in stays in.
func TestWarehouseDownAtConnect(t *testing.T) {
	t.Parallel()
	pg := pt.StartPostgres(t)
	relay := pt.StartRelay(t, pg.Addr())
	d := openTo(t, nil, backendOf(t, relay.Addr()), policy.Source{})
	in := d.client()
	relay.Refuse()
	want(t, refusedLogin(t, d.addr, pt.Superuser, "postgres", "").Error(), "FATAL 08001: the warehouse cannot be reached")
	want(t, in.One("SELECT 1"), "1")
	logins := d.record.of(audit.KindLogin)
	if len(logins) != 1 || logins[0].SQLState != "08001" || logins[0].Verdict != audit.VerdictDeny {
		t.Errorf("record of the failed login: %+v", logins)
	}
	relay.Heal()
	want(t, d.client().One("SELECT 1"), "1")

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close() // nobody listens there any more
	closed := openTo(t, nil, backendOf(t, ln.Addr().String()), policy.Source{})
	want(t, refusedLogin(t, closed.addr, pt.Superuser, "postgres", "").Code, "08001")
}

// A crash of the warehouse in the middle of a result ends in an error the
// client can read, never in the middle of a message; and the door goes on.
func TestWarehouseKilledInMidResult(t *testing.T) {
	t.Parallel()
	pg := pt.StartPrivate(t)
	d := openTo(t, pg, backendOf(t, pg.Addr()), policy.Source{})
	other := openTo(t, nil, backendOf(t, pt.StartPostgres(t).Addr()), policy.Source{}).client()

	for _, halt := range []bool{true, false} {
		c := d.client()
		pid := c.One("SELECT pg_backend_pid()")
		c.Send(pt.Query("SELECT repeat('x', 1000) FROM generate_series(1, 1000) a, generate_series(1, 10000) b"))
		for range 1000 {
			if _, err := c.Next(); err != nil {
				t.Fatal(err)
			}
		}
		if halt {
			pg.Halt()
		} else {
			pt.KillProcess(t, pid)
		}
		got := c.ReceiveUntil(pgwire.MsgReadyForQuery)
		if !strings.HasSuffix(got, " EOF") || len(c.Errors()) != 1 || c.Errors()[0].Severity != "FATAL" {
			t.Fatalf("%.200s, errors %+v; want one FATAL and the end", got, c.Errors())
		}
		want(t, c.Errors()[0].Code+" "+c.Errors()[0].Message, "08006 connection to the warehouse was lost")
		want(t, other.One("SELECT 1"), "1")
		if halt {
			want(t, refusedLogin(t, d.addr, pt.Superuser, "postgres", "").Code, "08001")
			pg.Restart(t)
		}
		comesBack(t, d)
	}
	outcomes(t, d.record)
}

// comesBack logs in until the warehouse takes it and answers: a crash recovery
// gives no other sign, and a postmaster that has not noticed the crash yet lets
// people in only to throw them out.
func comesBack(t *testing.T, d *door) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c := pt.Dial(t, "tcp", d.addr)
		err := c.TryLogin(pt.Superuser, "postgres", "")
		if err == nil && c.Query("SELECT 1") == "T D C(SELECT 1) Z(I)" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the warehouse is back, the door is not: %v", err)
		}
	}
}

func hasOutcome(m *memory, intent *audit.Event) bool {
	for _, ev := range m.of(audit.KindOutcome) {
		if ev.Session == intent.Session && ev.StatementID == intent.StatementID {
			return true
		}
	}
	return false
}

// Half frames of the warehouse: what is complete goes on, the half does not,
// unless it had begun to go; then nothing follows it.
func TestHalfFramesOfTheWarehouse(t *testing.T) {
	t.Parallel()
	row := pt.Row("complete")
	large := pt.Row(strings.Repeat("x", 1<<20))
	columns := pt.Columns("c")
	answer := func(steps ...pt.Step) pt.Script {
		return append(pt.Script{pt.Welcome(), pt.Expect(pt.Query("SELECT 1")), pt.Reply(columns, row)}, steps...)
	}
	cases := []struct {
		name   string
		script pt.Script
		want   string
	}{
		{"half a head", answer(pt.Half(row, 3), pt.Hangup()), "T D E(08006) EOF"},
		{"half a small row", answer(pt.Half(row, 9), pt.Hangup()), "T D E(08006) EOF"},
		{"half a large row", answer(pt.Half(large, len(large)-1), pt.Hangup()), "T D EOF"},
		{"half an error", answer(pt.Half(pt.Error("22012", "division by zero"), 12), pt.Hangup()), "T D E(08006) EOF"},
		{"nothing more", answer(pt.Hangup()), "T D E(08006) EOF"},
		{"a length below four", answer(pt.Reply([]byte{'D', 0, 0, 0, 3})), "T D E(08006) EOF"},
		{"a negative length", answer(pt.Reply([]byte{'D', 0xff, 0xff, 0xff, 0xff})), "T D E(08006) EOF"},
		{"a row above 1 GiB", answer(pt.Reply([]byte{'D', 0x40, 0, 0, 0})), "T D E(08006) EOF"},
		{"an error of 1 GiB", answer(pt.Reply([]byte{'E', 0x3f, 0xff, 0xff, 0xff})), "T D E(08006) EOF"},
		{"a ready of 1 GiB", answer(pt.Reply([]byte{'Z', 0x3f, 0xff, 0xff, 0xff})), "T D E(08006) EOF"},
		{"zeros", answer(pt.Reply(make([]byte, 100))), "T D E(08006) EOF"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fake := pt.StartFake(t, c.script)
			d := openTo(t, nil, backendOf(t, fake.Addr()), policy.Source{})
			client := d.client()
			client.Send(pt.Query("SELECT 1"))
			want(t, client.Receive(), c.want)
		})
	}
}

// A row of 1 GiB goes through as it comes; no side holds it.
func TestRowThatClaimsAGibibyte(t *testing.T) {
	t.Parallel()
	const size = 1<<30 - 1 // the most the protocol has
	head := binary.BigEndian.AppendUint32([]byte{'D'}, size)
	begun := make(chan struct{})
	fake := pt.StartFake(t, pt.Script{
		pt.Welcome(), pt.Expect(pt.Query("SELECT 1")),
		pt.Reply(pt.Columns("c"), head, bytes.Repeat([]byte{1}, 100_000)), pt.HangUntil(begun), pt.Hangup(),
	})
	d := openTo(t, nil, backendOf(t, fake.Addr()), policy.Source{})
	c := d.client()
	c.Send(pt.Query("SELECT 1"))
	want(t, c.ReceiveUntil('T'), "T")
	got := make([]byte, 5+90_000) // it flows before it is complete
	_ = c.Conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := c.ReadFull(got); err != nil || !bytes.Equal(got[:5], head) {
		t.Fatalf("%d bytes, %v, head %x", n, err, got[:5])
	}
	close(begun)
	if n, err := c.ReadFull(make([]byte, size)); err == nil || n > 10_000 {
		t.Errorf("%d bytes more, %v: want the end of the connection", n, err)
	}
}

// One byte at a time is slow and otherwise the same.
func TestBytesInTrickles(t *testing.T) {
	t.Parallel()
	pg := pt.StartPostgres(t)
	up := pt.StartRelay(t, pg.Addr())
	d := openTo(t, nil, backendOf(t, up.Addr()), policy.Source{})
	front := pt.StartRelay(t, d.addr)
	for _, r := range []*pt.Relay{up, front} {
		r.Trickle(pt.ToTarget, 1, 0)
		r.Trickle(pt.ToDialer, 1, 0)
	}
	c := pt.Dial(t, "tcp", front.Addr())
	c.Login(pt.Superuser, "postgres", "")
	want(t, c.Query("SELECT 1; SELECT 2"), "T D C(SELECT 1) T D C(SELECT 1) Z(I)")
	want(t, c.Do(extended("SELECT 'some text'")), "1 2 D C(SELECT 1) Z(I)")
	want(t, c.Query("CREATE TEMP TABLE w(a int)"), "C(CREATE TABLE) Z(I)")
	c.Send(pt.Query("COPY w FROM STDIN"))
	want(t, c.ReceiveUntil('G'), "G")
	want(t, c.Do(pt.CopyData("1\n"), pt.CopyDone()), "C(COPY 1) Z(I)")
	want(t, c.Query("SELECT 1/0"), "E(22012) Z(I)")
}

// The wire to the warehouse breaks after any number of bytes: a client never
// sees success of what did not come whole, and never half a message.
func TestWireCutAnywhere(t *testing.T) {
	t.Parallel()
	pg := pt.StartPostgres(t)
	for n := range 20 {
		t.Run(strconv.Itoa(n*37), func(t *testing.T) {
			t.Parallel()
			relay := pt.StartRelay(t, pg.Addr())
			d := openTo(t, nil, backendOf(t, relay.Addr()), policy.Source{})
			c := d.client()
			relay.CutAfter(pt.ToDialer, int64(n*37))
			c.Send(pt.Query("SELECT n, repeat('x', 60) FROM generate_series(1, 10) AS n"))
			if got := c.Receive(); !strings.HasSuffix(got, "E(08006) EOF") {
				t.Errorf("after %d bytes: %s", n*37, got)
			}
		})
	}
}
