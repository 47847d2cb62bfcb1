package proxy_test

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy"
	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// Close returns soon, whoever is just coming in.
func TestCloseWhileClientsLogIn(t *testing.T) {
	t.Parallel()
	for range 10 {
		d := open(t, policy.Source{})
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() {
				for {
					conn, err := net.Dial("tcp", d.addr)
					if err != nil || pt.NewClient(t, conn).TryLogin(pt.Superuser, "postgres", "") != nil {
						return
					}
				}
			})
		}
		time.Sleep(50 * time.Millisecond)
		began := time.Now()
		_ = d.Close()
		within(t, began, 0, 5*time.Second)
		clients.Wait()
	}
}

// A client that stops in the middle of a large message is ended when its time
// is up: nothing can be said to the server any more.
func TestHalfALargeBind(t *testing.T) {
	t.Parallel()
	d := open(t, twoSeconds(), quick)
	c := d.client()
	bind := pt.Bind("", "", strings.Repeat("x", 200_000))
	began := time.Now()
	c.Send(pt.Parse("", "SELECT length($1)"), bind[:150_000])
	want(t, c.Receive(), "1 E(57014) Z(I)")
	want(t, c.Receive(), "EOF")
	within(t, began, atLeast, 5*time.Second)
	outcomes(t, d.record)
}

// A long pipeline goes through whole, in bounded memory.
func TestLongPipeline(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{})
	c := d.client()
	const n = 20_000
	go func() {
		one := pt.Join(pt.Bind("", "s"), pt.Execute("", 0))
		all := pt.Join(pt.Parse("s", "SELECT 1"), []byte(strings.Repeat(string(one), n)), pt.Sync())
		_ = c.TrySend(all)
	}()
	got := c.Receive()
	if n != strings.Count(got, "C(SELECT 1)") || !strings.HasSuffix(got, " Z(I)") {
		t.Errorf("%d statements, end %s", strings.Count(got, "C(SELECT 1)"), got[max(0, len(got)-40):])
	}
	outcomes(t, d.record)
}

// Named portals cost memory until the transaction ends: there is an end to
// them, and the session lives.
func TestTooManyPortals(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{})
	c := d.client()
	c.Query("BEGIN")
	c.Do(pt.Parse("s", "SELECT 1"), pt.Sync())
	var got string
	for i := 0; i < 50 && !strings.Contains(got, "E("); i++ {
		var all []byte
		for j := range 100 {
			all = append(all, pt.Bind(fmt.Sprintf("p%d_%d", i, j), "s")...)
		}
		got = c.Do(all, pt.Sync())
	}
	if !strings.HasSuffix(got, "E(54000) Z(E)") {
		t.Errorf("got %.60s", got)
	}
	want(t, c.Query("ROLLBACK"), "C(ROLLBACK) Z(I)")
	outcomes(t, d.record)
}

// A suspended portal ends with the transaction that was taken, not with the
// client's next word.
func TestReleaseEndsPortals(t *testing.T) {
	t.Parallel()
	d, c := released(t, func(c *pt.Client) {
		c.Query("BEGIN")
		want(t, c.Do(pt.Parse("", "SELECT generate_series(1,9)"), pt.Bind("p", ""), pt.Execute("p", 2), pt.Sync()), "1 2 D*2 s Z(T)")
	})
	outcomes(t, d.record)
	stops := 0
	for _, ev := range d.record.of(audit.KindOutcome) {
		if ev.Stop == audit.StopRelease {
			stops++
		}
	}
	if stops != 1 {
		t.Errorf("%d outcomes say that a release was the end, want 1", stops)
	}
	c.Query("ROLLBACK")
}

// CopyData behind a statement that is no COPY is dropped, and what follows it
// is read.
func TestCopyDataOutOfPlace(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{})
	c := d.client()
	for range 20 {
		c.Send(pt.Parse("", "SELECT pg_sleep(0.01)"), pt.Bind("", ""), pt.Execute("", 0), pt.Flush(), pt.CopyData("1\n"), pt.CopyDone(), pt.Sync())
		want(t, c.Receive(), "1 2 D C(SELECT 1) Z(I)")
	}
	want(t, c.Do(pt.Close('S', "a"), pt.CopyDone(), pt.Sync()), "3 Z(I)")
	want(t, c.Do(pt.Parse("a", "SELECT 1"), pt.CopyData("1\n"), pt.Sync()), "1 Z(I)")
}

// A refused Query behind a COPY that has not begun: the copy fails, the
// session goes on.
func TestRefusedQueryBehindCopy(t *testing.T) {
	t.Parallel()
	d := open(t, denyForbidden())
	c := d.client()
	c.Query("CREATE TEMP TABLE w(a int)")
	for range 10 {
		c.Send(pt.Parse("", "COPY w FROM STDIN"), pt.Bind("", ""), pt.Execute("", 0), pt.Flush(), pt.Query("SELECT * FROM forbidden"))
		want(t, c.ReceiveUntil('E'), "1 2 G E(57014)")
		want(t, c.Do(pt.Sync()), "Z(I)")
		want(t, c.One("SELECT 1"), "1")
	}
}

// on_client_gone: finish waits for what Postgres would finish, not for a Sync
// that nobody will send.
func TestGoneInAnOpenUnit(t *testing.T) {
	t.Parallel()
	finish := policy.GoneFinish
	d := open(t, policy.Source{
		Classify: []policy.ClassifyLine{{Class: "patient"}},
		Classes:  []policy.ClassSource{{Name: "patient", OnClientGone: &finish}},
	}, func(c *proxy.Config) { c.Watcher = nil })
	c := d.client()
	pid := c.One("SELECT pg_backend_pid()")
	for range 3 {
		c.Send(pt.Parse("", "SELECT 1"), pt.Bind("", ""), pt.Execute("", 0))
	}
	super := d.pg.Super(t)
	waitFor(t, super, "SELECT state = 'active' FROM pg_stat_activity WHERE pid = "+pid, "true")
	c.Kill()
	waitFor(t, super, "SELECT count(*) FROM pg_stat_activity WHERE pid = "+pid, "0")
}
