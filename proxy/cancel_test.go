package proxy_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy"
	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// A cancel hits the unit that was in flight at the door when it was read, or
// none: never the next. Clients cancel around the time of completion; after
// the cancel connection has closed, the following statement must succeed.
func TestCancelNeverHitsTheNext(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{})
	length := 3 * time.Second
	if s := os.Getenv("LOCKKEEPER_CANCEL_TIME"); s != "" {
		length, _ = time.ParseDuration(s)
	}
	end := time.Now().Add(length)
	var sent, hit atomic.Int64
	var wg sync.WaitGroup
	for worker := range 8 {
		c := d.client()
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 1))
			for n := 0; time.Now().Before(end); n++ {
				units := 1 + n%3
				var msgs [][]byte
				for u := range units {
					sql := fmt.Sprintf("SELECT pg_sleep(0.06) /* w%d n%d u%d */", worker, n, u)
					if n%2 == 0 {
						msgs = append(msgs, pt.Query(sql))
					} else {
						msgs = append(msgs, extended(sql))
					}
				}
				c.Send(msgs...)
				// Unit 0 ends after 60 ms: the cancel comes around then.
				wait := time.Duration(r.Int64N(int64(time.Duration(units)*66*time.Millisecond) + 1))
				done := make(chan struct{})
				started := make(chan struct{})
				go func() {
					defer close(done)
					time.Sleep(wait)
					close(started)
					c.Cancel()
				}()
				hits := 0
				for range units {
					if strings.Contains(c.Receive(), "E(57014)") {
						hits++
						select {
						case <-started:
						default:
							t.Error("a unit was cancelled before anybody asked for it")
						}
					}
				}
				<-done
				if hits > 1 {
					t.Errorf("one cancel hit %d units", hits)
				}
				sent.Add(1)
				hit.Add(int64(hits))
				// The cancel is settled: nothing sent now may be hit.
				for range 3 {
					if got := c.Query("SELECT pg_sleep(0.0005)"); got != "T D C(SELECT 1) Z(I)" {
						t.Errorf("a later statement was hit: %s", got)
						return
					}
				}
			}
			c.Close()
		})
	}
	wg.Wait()
	t.Logf("%d cancels, %d hit", sent.Load(), hit.Load())
	if hit.Load()*5 < sent.Load() {
		t.Errorf("only %d of %d cancels hit", hit.Load(), sent.Load())
	}
}

func oneAtATime(maxWait time.Duration) policy.Source {
	return policy.Source{
		Classify: []policy.ClassifyLine{{Class: "narrow"}},
		Classes:  []policy.ClassSource{{Name: "narrow", Hard: 1, Queue: &policy.QueueSource{MaxWait: &maxWait}}},
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	d := open(t, oneAtATime(time.Minute))
	busy, waiting, other := d.client(), d.client(), d.client()
	busy.Send(pt.Query("SELECT pg_sleep(0.8)"))
	time.Sleep(100 * time.Millisecond)
	waiting.Send(pt.Query("SELECT 1"))
	want(t, waiting.ReceiveUntil('N'), "N(00000)")
	other.Send(pt.Query("SELECT 2"))
	want(t, other.ReceiveUntil('N'), "N(00000)")
	if m := other.Notices()[0].Message; !strings.HasPrefix(m, `queued: 2nd in "narrow"`) {
		t.Errorf("notice %q", m)
	}
	// Cancel while queued answers at once; the place is free for the next.
	began := time.Now()
	waiting.Cancel()
	want(t, waiting.Receive(), "E(57014) Z(I)")
	within(t, began, 0, 300*time.Millisecond)
	want(t, busy.Receive(), "T D C(SELECT 1) Z(I)")
	want(t, other.Receive(), "T D C(SELECT 1) Z(I)")
	// Transaction control never queues; the first statement after BEGIN may,
	// later ones of its transaction pass a full class.
	want(t, busy.Query("BEGIN"), "C(BEGIN) Z(T)")
	want(t, busy.Query("SELECT 1"), "T D C(SELECT 1) Z(T)")
	other.Send(pt.Query("SELECT pg_sleep(0.5)"))
	time.Sleep(100 * time.Millisecond)
	want(t, busy.Query("SELECT 1"), "T D C(SELECT 1) Z(T)")
	want(t, busy.Query("COMMIT"), "C(COMMIT) Z(I)")
	other.Receive()
	// A client that goes leaves the queue.
	other.Send(pt.Query("SELECT pg_sleep(0.8)"))
	time.Sleep(100 * time.Millisecond)
	waiting.Send(pt.Query("SELECT 1"))
	waiting.ReceiveUntil('N')
	waiting.Kill()
	time.Sleep(400 * time.Millisecond)
	if q := d.engine.QueueInfo(time.Now()); len(q) != 0 {
		t.Errorf("still queued: %+v", q)
	}
	other.Receive()
}

// A statement of the extended protocol waits as one of the simple does: nothing
// of its unit is up before it is let in, so that it holds nothing meanwhile.
// What follows in a unit that is up passes a full class.
func TestQueueExtended(t *testing.T) {
	t.Parallel()
	d := open(t, oneAtATime(time.Minute))
	busy, waiting := d.client(), d.client()
	pid := waiting.One("SELECT pg_backend_pid()")
	super := d.pg.Super(t)
	pt.Exec(t, super, "CREATE TABLE IF NOT EXISTS queued(a int)")
	for name, unit := range map[string][]byte{
		"at once":      extended("SELECT a FROM queued"),
		"named":        slices.Concat(pt.Parse("s", "SELECT a FROM queued"), pt.Describe('S', "s"), pt.Bind("", "s"), pt.Execute("", 0), pt.Sync()),
		"two, one up":  slices.Concat(pt.Parse("", "SELECT a FROM queued"), pt.Bind("", ""), pt.Execute("", 0), pt.Parse("", "SELECT 1"), pt.Bind("", ""), pt.Execute("", 0), pt.Sync()),
		"behind BEGIN": slices.Concat(pt.Parse("", "BEGIN"), pt.Bind("", ""), pt.Execute("", 0), pt.Parse("", "SELECT a FROM queued"), pt.Bind("", ""), pt.Execute("", 0), pt.Parse("", "ROLLBACK"), pt.Bind("", ""), pt.Execute("", 0), pt.Sync()),
	} {
		busy.Send(pt.Query("SELECT pg_sleep(0.7)"))
		waitFor(t, super, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(0.7)'", "1")
		began := time.Now()
		waiting.Send(unit)
		want(t, waiting.ReceiveUntil('N'), "N(00000)")
		var locks int
		if err := super.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND pid = "+pid).Scan(&locks); err != nil || locks != 0 {
			t.Errorf("%s: holds %d locks while it waits (%v)", name, locks, err)
		}
		got := waiting.Receive()
		if strings.Contains(got, "E(") || !strings.Contains(got, "Z(I)") {
			t.Errorf("%s: %s", name, got)
		}
		if d := time.Since(began); d < 300*time.Millisecond {
			t.Errorf("%s: did not wait, %s", name, d)
		}
		busy.Receive()
		waiting.Query("DEALLOCATE ALL")
	}
}

func TestQueueMaxWait(t *testing.T) {
	t.Parallel()
	d := open(t, oneAtATime(300*time.Millisecond))
	busy, waiting := d.client(), d.client()
	busy.Send(pt.Query("SELECT pg_sleep(1.2)"))
	time.Sleep(100 * time.Millisecond)
	began := time.Now()
	want(t, waiting.Query("SELECT 1"), "N(00000) E(55P03) Z(I)")
	within(t, began, 250*time.Millisecond, 700*time.Millisecond)
	want(t, busy.Receive(), "T D C(SELECT 1) Z(I)")
	want(t, waiting.Query("SELECT 1"), "T D C(SELECT 1) Z(I)")
}

func TestConsole(t *testing.T) {
	t.Parallel()
	d := open(t, twoSeconds(), func(c *proxy.Config) { c.ConsoleUsers = []string{"ops"} })
	c := d.client()
	ops := pt.Dial(t, "tcp", d.addr)
	ops.Login("ops", "lockkeeper", "")
	for _, v := range []string{"SESSIONS", "STATEMENTS", "QUEUE", "LOCKS", "QUOTAS", "CLASSES", "RULES", "CONFIG", "VERSION"} {
		got := ops.Query("SHOW " + v)
		if !strings.HasPrefix(got, "T ") || !strings.HasSuffix(got, "C(SHOW) Z(I)") {
			t.Errorf("SHOW %s: %s", v, got)
		}
	}
	pid := c.One("SELECT pg_backend_pid()")
	c.Send(pt.Query("SELECT pg_sleep(30)"))
	time.Sleep(100 * time.Millisecond)
	want(t, ops.Query("SHOW STATEMENTS"), "T D C(SHOW) Z(I)")
	want(t, ops.Query("CANCEL "+pid), "C(CANCEL) Z(I)")
	want(t, c.Receive(), "T E(57014) Z(I)")
	want(t, ops.Query("CANCEL "+pid), "E(22023) Z(I)")
	want(t, ops.Query("OBSERVE ON"), "C(OBSERVE) Z(I)")
	want(t, ops.Query("OBSERVE OFF"), "C(OBSERVE) Z(I)")
	want(t, ops.Query("NONSENSE"), "E(22023) Z(I)")
	want(t, ops.Do(pt.Parse("", "SHOW SESSIONS"), pt.Describe('S', ""), pt.Bind("", ""), pt.Execute("", 0), pt.Sync()), "1 t T 2 D C(SHOW) Z(I)")
	c.Query("BEGIN")
	c.Query("SELECT 1")
	released := ops.Query("RELEASE " + pid)
	for end := time.Now().Add(5 * time.Second); released == "E(22023) Z(I)" && time.Now().Before(end); time.Sleep(time.Millisecond) {
		released = ops.Query("RELEASE " + pid) // the door had not turned to the client's next message yet
	}
	want(t, released, "C(RELEASE) Z(I)")
	want(t, first(c.Query("COMMIT")), "C(COMMIT) Z(I)")
	want(t, ops.Query("TERMINATE "+pid), "C(TERMINATE) Z(I)")
	want(t, c.Receive(), "E(57P01) EOF")
	bad := pt.Dial(t, "tcp", d.addr)
	if err := bad.TryLogin("postgres", "lockkeeper", ""); err == nil {
		t.Error("anybody may use the console")
	}
}
