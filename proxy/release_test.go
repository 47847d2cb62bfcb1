package proxy_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// released opens a door and a client, has it do something, and rolls its
// transaction back as an operator would.
func released(t *testing.T, prepare func(c *pt.Client)) (*door, *pt.Client) {
	t.Helper()
	d := open(t, policy.Source{})
	c := d.client()
	c.Query("CREATE TEMP TABLE w(a int)")
	pid, _ := strconv.ParseUint(c.One("SELECT pg_backend_pid()"), 10, 32)
	prepare(c)
	releaseNow(t, d, uint32(pid))
	super := d.pg.Super(t)
	waitFor(t, super, "SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND pid = "+strconv.FormatUint(pid, 10), "0")
	return d, c
}

// releaseNow releases a session as soon as it is idle: the client may have its
// answer before the door has turned to its next message.
func releaseNow(t *testing.T, d *door, pid uint32) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !d.Release(t.Context(), pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not an idle holder")
		}
	}
}

// first returns the transcript without the NOTICE of the release.
func first(s string) string { return strings.TrimPrefix(s, "N(00000) ") }

func TestReleasedReaderNeverNotices(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"COMMIT", "ROLLBACK"} {
		_, c := released(t, func(c *pt.Client) {
			c.Query("BEGIN")
			want(t, c.Query("SELECT * FROM w"), "T C(SELECT 0) Z(T)")
		})
		want(t, first(c.Query(end)), "C("+end+") Z(I)")
		want(t, c.Query(end), "N(25P01) C("+end+") Z(I)")
		want(t, c.One("SELECT 1"), "1")
	}
}

func TestReleasedReaderExtended(t *testing.T) {
	t.Parallel()
	_, c := released(t, func(c *pt.Client) {
		c.Query("BEGIN")
		want(t, c.Query("SELECT * FROM w"), "T C(SELECT 0) Z(T)")
	})
	want(t, first(c.Do(extended("COMMIT"))), "1 2 C(COMMIT) Z(I)")
	want(t, c.One("SELECT 1"), "1")
}

func TestReleasedWriterReadsThatItLost(t *testing.T) {
	t.Parallel()
	write := func(c *pt.Client) {
		c.Query("BEGIN")
		want(t, c.Query("INSERT INTO w VALUES (1)"), "C(INSERT 0 1) Z(T)")
	}
	t.Run("statement", func(t *testing.T) {
		t.Parallel()
		_, c := released(t, write)
		want(t, first(c.Query("SELECT 1")), "E(40001) Z(E)")
		want(t, c.Query("SELECT 1"), "E(25P02) Z(E)")
		want(t, c.Query("ROLLBACK"), "C(ROLLBACK) Z(I)")
		want(t, c.One("SELECT count(*) FROM w"), "0")
	})
	t.Run("commit", func(t *testing.T) {
		t.Parallel()
		d, c := released(t, write)
		want(t, first(c.Query("COMMIT")), "E(40001) Z(I)")
		want(t, c.One("SELECT count(*) FROM w"), "0")
		ends := d.record.of(audit.KindTxEnd)
		if len(ends) != 1 || ends[0].Tx != audit.TxReleased {
			t.Errorf("transaction ends: %+v", ends)
		}
	})
	t.Run("commit extended", func(t *testing.T) {
		t.Parallel()
		_, c := released(t, write)
		want(t, first(c.Do(extended("COMMIT"))), "1 E(40001) Z(I)")
		want(t, c.One("SELECT count(*) FROM w"), "0")
	})
	t.Run("commit after the error", func(t *testing.T) {
		t.Parallel()
		_, c := released(t, write)
		want(t, first(c.Query("SELECT 1")), "E(40001) Z(E)")
		want(t, c.Query("COMMIT"), "C(ROLLBACK) Z(I)")
	})
	t.Run("savepoint", func(t *testing.T) {
		t.Parallel()
		_, c := released(t, func(c *pt.Client) { write(c); c.Query("SAVEPOINT a") })
		want(t, first(c.Query("ROLLBACK TO a")), "E(40001) Z(E)")
		want(t, c.Query("ROLLBACK"), "C(ROLLBACK) Z(I)")
	})
	t.Run("extended", func(t *testing.T) {
		t.Parallel()
		_, c := released(t, write)
		want(t, first(c.Do(extended("SELECT 1"))), "E(40001) Z(E)")
		want(t, c.Do(extended("ROLLBACK")), "1 2 C(ROLLBACK) Z(I)")
	})
	t.Run("chain", func(t *testing.T) {
		t.Parallel()
		_, c := released(t, func(c *pt.Client) {
			c.Query("BEGIN ISOLATION LEVEL REPEATABLE READ")
			c.Query("SELECT * FROM w")
		})
		want(t, first(c.Query("COMMIT AND CHAIN")), "C(COMMIT) Z(T)")
		want(t, c.One("SHOW transaction_isolation"), "repeatable read")
		want(t, c.Query("COMMIT"), "C(COMMIT) Z(I)")
	})
}

func TestReleaseOfFailedTransactionWithSavepoint(t *testing.T) {
	t.Parallel()
	_, c := released(t, func(c *pt.Client) {
		c.Query("BEGIN")
		c.Query("INSERT INTO w VALUES (1)")
		c.Query("SAVEPOINT a")
		want(t, c.Query("SELECT 1/0"), "E(22012) Z(E)")
	})
	want(t, first(c.Query("ROLLBACK TO a")), "E(40001) Z(E)")
	want(t, c.Query("ROLLBACK"), "C(ROLLBACK) Z(I)")
}

func TestReleaseOfOpenUnit(t *testing.T) {
	t.Parallel()
	t.Run("parsed", func(t *testing.T) { // asyncpg between prepare and execute
		t.Parallel()
		_, c := released(t, func(c *pt.Client) {
			c.Send(pt.Parse("s", "SELECT * FROM w"), pt.Describe('S', "s"), pt.Flush())
			c.ReceiveUntil('T')
		})
		want(t, first(c.Do(pt.Bind("", "s"), pt.Execute("", 0), pt.Sync())), "2 C(SELECT 0) Z(I)")
	})
	t.Run("executed", func(t *testing.T) {
		t.Parallel()
		_, c := released(t, func(c *pt.Client) {
			c.Send(pt.Parse("s", "INSERT INTO w VALUES (1)"), pt.Bind("", "s"), pt.Execute("", 0), pt.Flush())
			c.ReceiveUntil('C')
		})
		want(t, first(c.Do(pt.Sync())), "E(40001) Z(I)")
		want(t, c.One("SELECT count(*) FROM w"), "0")
	})
	t.Run("in a transaction", func(t *testing.T) {
		t.Parallel()
		_, c := released(t, func(c *pt.Client) {
			c.Query("BEGIN")
			c.Query("INSERT INTO w VALUES (1)")
			c.Send(pt.Parse("s", "SELECT * FROM w"), pt.Describe('S', "s"), pt.Flush())
			c.ReceiveUntil('T')
		})
		want(t, first(c.Do(pt.Bind("", "s"), pt.Execute("", 0), pt.Sync())), "E(40001) Z(E)")
		want(t, c.Query("ROLLBACK"), "C(ROLLBACK) Z(I)")
	})
}

func TestReleaseOfCopyIn(t *testing.T) {
	t.Parallel()
	_, c := released(t, func(c *pt.Client) {
		c.Send(pt.Query("COPY w FROM STDIN"))
		c.ReceiveUntil('G')
		c.Send(pt.CopyData("1\n"))
		time.Sleep(50 * time.Millisecond)
	})
	got := c.Receive()
	want(t, strings.ReplaceAll(got, "N(00000) ", ""), "E(40001) Z(I)")
	c.Send(pt.CopyData("2\n"), pt.CopyDone())
	want(t, c.One("SELECT count(*) FROM w"), "0")
}

func TestReleaseIsDroppedWhenTheClientSpeaks(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{})
	c := d.client()
	pid, _ := strconv.ParseUint(c.One("SELECT pg_backend_pid()"), 10, 32)
	c.Query("BEGIN")
	c.Send(pt.Query("SELECT pg_sleep(0.3)"))
	super := d.pg.Super(t)
	waitFor(t, super, "SELECT state = 'active' FROM pg_stat_activity WHERE pid = "+strconv.FormatUint(pid, 10), "true")
	if d.Release(t.Context(), uint32(pid)) {
		t.Error("released a session whose statement runs")
	}
	want(t, c.Receive(), "T D C(SELECT 1) Z(T)")
	want(t, c.Query("COMMIT"), "C(COMMIT) Z(I)")
}
