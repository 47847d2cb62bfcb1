package proxy_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// rounds is how often a random test runs; LOCKKEEPER_ROUNDS makes it longer.
func rounds(usual int) int {
	if n, err := strconv.Atoi(os.Getenv("LOCKKEEPER_ROUNDS")); err == nil {
		return n
	}
	return usual
}

// A warehouse that answers anything at any time, in whole frames, cannot break
// the door: the session goes on or ends, and its record is complete.
func TestWarehouseTalksNonsense(t *testing.T) {
	t.Parallel()
	for seed := range rounds(60) {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(seed), 7))
			script := pt.Script{pt.Welcome()}
			for range 3 + r.IntN(6) {
				var answer []byte
				for range r.IntN(8) {
					answer = append(answer, nonsense(r, "123ACDEGHIKNRSTVWZcdnst\x07")...)
				}
				script = append(script, pt.Reply(answer), pause(time.Duration(r.IntN(4))*time.Millisecond))
			}
			fake := pt.StartFake(t, append(script, pt.Hangup()))
			d := openTo(t, nil, backendOf(t, fake.Addr()), denyForbidden())
			c := d.client()
			messages := [][]byte{
				pt.Query("SELECT 1"), extended("SELECT 2"), pt.Query("BEGIN"), extended("SELECT forbidden"), pt.Query("SELECT forbidden"),
				pt.Join(pt.Parse("", "SELECT 3"), pt.Flush()), pt.CopyData("x\n"), pt.CopyDone(), pt.Sync(), pt.Query("COPY w FROM STDIN"),
			}
			for range 12 {
				if c.TrySend(messages[r.IntN(len(messages))]) != nil {
					break
				}
			}
			if got := c.ReceiveUntil(0); !strings.HasSuffix(got, "EOF") {
				t.Errorf("the session does not end: %s", got)
			}
			settled(t, d)
		})
	}
}

// pause lets the other side speak.
func pause(d time.Duration) pt.Step {
	return func(*pt.Backend) error {
		time.Sleep(d)
		return nil
	}
}

// nonsense is a whole frame of one of these types with any body.
func nonsense(r *rand.Rand, tags string) []byte {
	tag := tags[r.IntN(len(tags))]
	body := make([]byte, r.IntN(20))
	for i := range body {
		body[i] = byte(r.IntN(256))
	}
	if r.IntN(2) == 0 { // or one that makes sense
		switch tag {
		case pgwire.MsgReadyForQuery:
			body = []byte{"ITE"[r.IntN(3)]}
		case pgwire.MsgCommandComplete:
			body = []byte("SELECT 1\x00")
		case pgwire.MsgErrorResponse:
			return pt.Error("22012", "division by zero")
		case pgwire.MsgDataRow:
			return pt.Row("x")
		}
	}
	return pgwire.AppendFrame(nil, tag, body)
}

// settled waits until the sessions are gone and checks that each intent has its
// outcome.
func settled(t *testing.T, d *door) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); len(d.Snapshot().Sessions) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still there: %+v", d.Snapshot())
		}
	}
	for end := time.Now().Add(5 * time.Second); len(d.record.of(audit.KindSessionEnd)) < len(d.record.of(audit.KindSessionStart)); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a session has no end in the record")
		}
	}
	for _, ev := range d.record.of(audit.KindIntent) {
		if !hasOutcome(d.record, &ev) {
			t.Errorf("no outcome of statement %d %q", ev.StatementID, ev.Text)
		}
	}
}

// A client that says anything at any time, in whole frames, is answered as the
// server would, or ends; the backend is free afterwards.
func TestClientTalksNonsense(t *testing.T) {
	t.Parallel()
	d := open(t, denyForbidden())
	for seed := range rounds(60) {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(seed), 8))
			c := pt.Dial(t, "tcp", d.addr)
			c.Login(pt.Superuser, "postgres", "", "application_name", fmt.Sprint("nonsense", seed))
			var sent []byte
			sense := [][]byte{
				pt.Query("SELECT 1"), pt.Query("BEGIN"), pt.Query("COMMIT"), pt.Query("SELECT forbidden"), extended("SELECT 1"), extended("SELECT forbidden"),
				pt.Parse("a", "SELECT 1"), pt.Parse("f", "SELECT forbidden"), pt.Bind("", "a"), pt.Bind("p", "f"), pt.Describe('S', "a"), pt.Execute("", 1),
				pt.Close('S', "a"), pt.Flush(), pt.Sync(), pt.CopyData("1\n"), pt.CopyDone(), pt.CopyFail("x"), pt.Query("COPY nowhere FROM STDIN"),
				pt.Query("CREATE TEMP TABLE IF NOT EXISTS w(a int); COPY w FROM STDIN"), pt.Query(""), pt.FunctionCall(1598), pt.Query("SELECT 1/0"),
			}
			for range 20 {
				m := sense[r.IntN(len(sense))]
				if r.IntN(6) == 0 {
					m = nonsense(r, "BCDEFHPQSXdcf")
				}
				sent = append(sent, m...)
				if c.TrySend(m) != nil {
					break
				}
			}
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("sent %q", sent)
				}
			})
			// A door that hangs would not see the goodbye.
			_ = c.TrySend(pt.Sync(), pt.Terminate())
			if got := c.ReceiveUntil(0); !strings.HasSuffix(got, "EOF") {
				t.Errorf("the session does not end: %s", got)
			}
		})
	}
	settled(t, d)
	waitFor(t, d.pg.Super(t), "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'nonsense%'", "0")
}

// What the warehouse says to a client that asks nothing reaches it, once.
func TestWarehouseEndsAnIdleSession(t *testing.T) {
	t.Parallel()
	farewell := pgwire.AppendError(nil, &pgwire.Notice{Severity: "FATAL", Code: "57P01", Message: "terminating connection due to administrator command"})
	for name, c := range map[string]struct {
		steps []pt.Step
		want  string
	}{
		"with a word":  {[]pt.Step{pt.Reply(farewell), pt.Hangup()}, "E(57P01) EOF"},
		"without":      {[]pt.Step{pt.Hangup()}, "E(08006) EOF"},
		"by a reset":   {[]pt.Step{pt.Reset()}, "E(08006) EOF"},
		"after notice": {[]pt.Step{pt.Reply(pt.Notice("soon")), pt.Hangup()}, "N(00000) E(08006) EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := pt.StartFake(t, append(pt.Script{pt.Welcome()}, c.steps...))
			d := openTo(t, nil, backendOf(t, fake.Addr()), policy.Source{})
			client := d.client()
			want(t, client.ReceiveUntil(0), c.want)
			settled(t, d)
		})
	}
}
