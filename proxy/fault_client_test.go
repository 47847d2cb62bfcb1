package proxy_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// gibibyte is the head of a message that claims the most a length can.
func gibibyte(tag byte) []byte { return binary.BigEndian.AppendUint32([]byte{tag}, 1<<30-1) }

// What is no start-up packet ends the connection, with or without a word.
func TestGarbageBeforeLogin(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{})
	random := make([]byte, 4096)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	random[0] = 0xc0 // a length no start-up packet has
	long := append(binary.BigEndian.AppendUint32(nil, 10_001), bytes.Repeat([]byte{'x'}, 10_000)...)
	for name, bytes := range map[string][]byte{
		"random bytes":         random,
		"zeros":                make([]byte, 64),
		"HTTP":                 []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"SSH":                  []byte("SSH-2.0-OpenSSH_9.2\r\n"),
		"1 GiB":                {0x40, 0, 0, 0, 0, 3, 0, 0},
		"4 GiB":                {0xff, 0xff, 0xff, 0xff, 0, 3, 0, 0},
		"too long":             long,
		"no terminator":        {0, 0, 0, 13, 0, 3, 0, 0, 'u', 's', 'e', 'r', 'x'},
		"no user":              pgwire.AppendStartup(nil, pgwire.ProtocolVersion30, []pgwire.Param{{Name: "database", Value: "x"}}),
		"protocol 2":           {0, 0, 0, 8, 0, 2, 0, 0},
		"protocol 9":           {0, 0, 0, 8, 0, 9, 0, 0},
		"a Query":              pt.Query("SELECT 1"),
		"SSL and then a Query": append(pgwire.AppendRequest(nil, pgwire.SSLRequestCode), pt.Query("SELECT 1")...),
	} {
		c := pt.Dial(t, "tcp", d.addr)
		c.Send(bytes)
		if got := c.Receive(); !strings.HasSuffix(got, "EOF") || strings.Contains(got, "Z(") {
			t.Errorf("%s: %s", name, got)
		}
	}
	want(t, d.client().One("SELECT 1"), "1")
}

// A client that breaks the protocol is told so and ends; the backend goes, and
// nobody else notices.
func TestGarbageAfterLogin(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{})
	other := d.client()
	for name, c := range map[string]struct {
		bytes []byte
		want  string
	}{
		"unknown type":         {[]byte{0x07, 0, 0, 0, 4}, "E(08P01) EOF"},
		"zeros":                {make([]byte, 64), "E(08P01) EOF"},
		"length below four":    {[]byte{'Q', 0, 0, 0, 3}, "E(08P01) EOF"},
		"length above 1 GiB":   {[]byte{'Q', 0x40, 0, 0, 0}, "E(08P01) EOF"},
		"negative length":      {[]byte{'P', 0xff, 0xff, 0xff, 0xff}, "E(08P01) EOF"},
		"a server's message":   {pt.Ready('I'), "E(08P01) EOF"},
		"a password":           {pgwire.AppendString(nil, pgwire.MsgPassword, "x"), "E(08P01) EOF"},
		"a query without end":  {[]byte{'Q', 0, 0, 0, 5, 'x'}, "E(08P01) EOF"},
		"a bind without names": {pt.Join([]byte{'B', 0, 0, 0, 5, 'x'}, pt.Sync()), "E(08P01) EOF"},
		"a small one of 1 GiB": {gibibyte(pgwire.MsgDescribe), "E(08P01) EOF"},
		"a flush with a body":  {[]byte{'H', 0, 0, 0, 5, 'x'}, "E(08P01) EOF"},
		"a sync with a body":   {[]byte{'S', 0, 0, 0, 5, 'x'}, "E(08P01) EOF"},
		"a start-up packet":    {pgwire.AppendStartup(nil, pgwire.ProtocolVersion30, nil), "E(08P01) EOF"},
	} {
		client := d.client()
		pid := client.One("SELECT pg_backend_pid()")
		client.Send(c.bytes)
		if got := client.Receive(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		waitFor(t, d.pg.Super(t), "SELECT count(*) FROM pg_stat_activity WHERE pid = "+pid, "0")
	}
	want(t, other.One("SELECT 1"), "1")
}

// Half a message and then the end: nothing of it runs.
func TestHalfFramesOfTheClient(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{})
	super := d.pg.Super(t)
	for name, whole := range map[string][]byte{
		"query":    pt.Query("CREATE TABLE half_frame()"),
		"extended": pt.Join(pt.Parse("", "CREATE TABLE half_frame()"), pt.Bind("", ""), pt.Execute("", 0)),
		"large":    pt.Query("CREATE TABLE half_frame()" + strings.Repeat(" ", 1<<20)),
	} {
		for _, cut := range []int{1, 3, len(whole) / 2, len(whole) - 1} {
			c := d.client()
			pid := c.One("SELECT pg_backend_pid()")
			c.Send(whole[:cut])
			c.Kill()
			waitFor(t, super, "SELECT count(*) FROM pg_stat_activity WHERE pid = "+pid, "0")
		}
		var made bool
		if err := super.QueryRow(t.Context(), "SELECT to_regclass('half_frame') IS NOT NULL").Scan(&made); err != nil || made {
			t.Errorf("%s: half a message ran (%v)", name, err)
		}
	}
}

// A claim of 1 GiB costs us nothing until the bytes come, and then only what a
// message of its kind may hold.
func TestClaimsOfAGibibyte(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{}, func(c *proxy.Config) { c.MaxHeldBytes = 4 << 20 })
	other := d.client()
	var held []*pt.Client
	for _, tag := range []byte{pgwire.MsgQuery, pgwire.MsgParse, pgwire.MsgBind, pgwire.MsgFunctionCall} {
		for range 10 {
			c := d.client()
			c.Send(gibibyte(tag), bytes.Repeat([]byte{'x'}, 30_000))
			held = append(held, c)
		}
	}
	want(t, other.One("SELECT 1"), "1")
	if got := metric(t, d, "lockkeeper_held_bytes"); got > 4<<20 {
		t.Errorf("%.0f bytes are held", got)
	}
	for _, c := range held {
		c.Kill()
	}

	// A statement above the limit is refused when it has been sent whole; the
	// connection lives.
	big := pt.Query("SELECT '" + strings.Repeat("x", 17<<20) + "'")
	want(t, other.Do(big), "E(54000) Z(I)")
	want(t, other.One("SELECT 1"), "1")
}

// Many statements that are large and allowed share a bound on memory.
func TestHeldMemoryIsBounded(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{}, func(c *proxy.Config) { c.MaxHeldBytes = 8 << 20 })
	whole := pt.Query("SELECT '" + strings.Repeat("x", 4<<20) + "'")
	refused := 0
	for range 6 {
		c := d.client()
		_ = c.TrySend(whole[:len(whole)-1]) // held: its end does not come; or refused and reset while it is sent
		if m, err := c.NextWithin(2 * time.Second); err == nil && m.Tag == pgwire.MsgErrorResponse {
			want(t, m.Notice().Code, "54000")
			refused++
		}
	}
	if refused < 3 {
		t.Errorf("%d of 6 were refused", refused)
	}
	if got := metric(t, d, "lockkeeper_held_bytes"); got > 8<<20 {
		t.Errorf("%.0f bytes are held", got)
	}
	want(t, d.client().One("SELECT 1"), "1")
}

// A client that says goodbye in the middle of COPY FROM STDIN, as a driver does
// whose program gives up, ends its copy: the table is free at once.
func TestGoodbyeInCopy(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{})
	super := d.pg.Super(t)
	for _, before := range [][]byte{nil, pt.CopyData("1\n"), pt.Sync(), pt.Flush()} {
		for _, waits := range []bool{true, false} {
			c := d.client()
			pid := c.One("SELECT pg_backend_pid()")
			want(t, c.Query("CREATE TEMP TABLE w(a int)"), "C(CREATE TABLE) Z(I)")
			c.Send(pt.Query("COPY w FROM STDIN"))
			if waits {
				want(t, c.ReceiveUntil('G'), "G")
			}
			c.Send(before, pt.Terminate())
			waitFor(t, super, "SELECT count(*) FROM pg_stat_activity WHERE pid = "+pid, "0")
			c.Kill()
		}
	}
	settled(t, d)
}

// Syncs during a simple COPY are ignored by the server; when the copy then
// fails, what follows is heard all the same.
func TestSyncInSimpleCopy(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{})
	for _, before := range [][]byte{pt.Sync(), pt.Join(pt.Sync(), pt.Sync())} {
		for _, end := range [][]byte{pt.FunctionCall(1598), pt.CopyFail("no"), pt.Join(pt.CopyData("x\n"), pt.CopyDone())} {
			c := d.client()
			c.Query("CREATE TEMP TABLE w(a int)")
			c.Send(pt.Query("COPY w FROM STDIN"))
			want(t, c.ReceiveUntil('G'), "G")
			c.Send(before, end, pt.Query("SELECT 1"), extended("SELECT 2"))
			if got := c.Receive(); !strings.HasPrefix(got, "E(") || !strings.HasSuffix(got, ") Z(I)") {
				t.Errorf("the copy: %s", got)
			}
			want(t, c.Receive(), "T D C(SELECT 1) Z(I)")
			want(t, c.Receive(), "1 2 D C(SELECT 1) Z(I)")
			c.Close()
		}
	}
}
