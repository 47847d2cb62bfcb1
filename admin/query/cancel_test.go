package query_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// until polls the run: what the warehouse does gives no signal.
func (h *house) until(what, sql string) {
	h.t.Helper()
	conn := h.pg.Super(h.t)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		var ok bool
		if err := conn.QueryRow(h.t.Context(), sql).Scan(&ok); err == nil && ok {
			return
		} else if time.Now().After(end) {
			h.t.Fatalf("never: %s (%v)", what, err)
		}
	}
}

// active is true when a backend of the house's role runs a statement.
func (h *house) active(part string) string {
	return fmt.Sprintf("select exists (select 1 from pg_stat_activity where usename like '%s%%' and state = 'active' and query like '%%%s%%' and %s)", h.role, part, "true")
}

func (h *house) gone(part string) string {
	return strings.Replace(h.active(part), "select exists", "select not exists", 1)
}

// Whatever a run does, a cancel ends it within a second: here as well as at the
// warehouse.
func TestCancelIsACancel(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	h.run(h.ann, query.Request{SQL: "create table " + h.role + ".t (id int); insert into " + h.role + ".t values (1)", Access: query.ReadWrite, Multi: true})
	lock := h.pg.Super(t)
	proxytest.Exec(t, lock, "begin", "lock table "+h.role+".t in access exclusive mode")
	kinds := []struct{ name, sql string }{
		{"sleep", "select pg_sleep(60), 'c1'"},
		{"join", "select count(*), 'c2' from pg_class a, pg_class b, pg_class c, pg_class d"},
		{"recursion", "with recursive r(n) as (select 1 union all select n + 1 from r) select count(*), 'c3' from r"},
		{"stream", "select generate_series(1, 2000000000), repeat('c4', 50)"},
		{"lock", "select 'c5', id from " + h.role + ".t"},
		{"plpgsql", "do $$ begin loop perform 1, 'c6'; end loop; end $$"},
		{"write stream", "update " + h.role + ".w set id = id returning pg_sleep(1), 'c7'"},
	}
	h.run(h.ann, query.Request{SQL: "create table " + h.role + ".w as select generate_series(1, 100) id", Access: query.ReadWrite})
	var longest time.Duration
	defer func() { t.Logf("the longest cancel took %v", longest) }()
	for round := range 3 {
		for i, k := range kinds {
			run := h.submit(h.ann, query.Request{SQL: k.sql, Access: query.ReadWrite, Limits: query.Limits{MaxRows: 50_000_000, MaxBytes: 64 << 30}})
			part := fmt.Sprintf("c%d", i+1)
			h.until(k.name+" runs", h.active(part))
			began := time.Now()
			if _, err := h.runs.Cancel(t.Context(), h.ann, run.ID, "enough"); err != nil {
				t.Fatal(err)
			}
			run = h.end(h.ann, run.ID)
			took := time.Since(began)
			if longest = max(longest, took); took > 3*time.Second { // a second, on a machine that is not shared
				t.Errorf("round %d, %s: it took %v", round, k.name, took)
			}
			h.until(k.name+" is gone", h.gone(part))
			if run.State != query.StateCanceled || run.Cancel == nil || run.Cancel.By != "ann" || run.Cancel.Reason != "enough" || run.Error != nil {
				t.Errorf("%s: %s %+v %+v", k.name, run.State, run.Cancel, run.Error)
			}
			if again, err := h.runs.Cancel(t.Context(), h.ann, run.ID, "again"); err != nil || again.Cancel.Reason != "enough" {
				t.Errorf("%s: a second cancel: %+v %v", k.name, again.Cancel, err)
			}
			if n := len(h.journal.of(audit.KindCancel, run.ID)); n < 1 {
				t.Errorf("%s: no record of the cancel", k.name)
			}
		}
	}
}

// oneSlot lets one statement run at a time.
func oneSlot() policy.Source {
	wait := time.Minute
	return policy.Source{
		Classify: []policy.ClassifyLine{{Class: "narrow"}},
		Classes:  []policy.ClassSource{{Name: "narrow", Hard: 1, Queue: &policy.QueueSource{MaxWait: &wait}}},
	}
}

func TestOthersMayNotCancelButOperatorsMay(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	run := h.submit(h.ann, query.Request{SQL: "select pg_sleep(60), 'secret'"})
	h.until("it runs", h.active("secret"))
	if _, err := h.runs.Cancel(t.Context(), h.bob, run.ID, ""); slug(err) != "not-found" {
		t.Errorf("bob: %v", err)
	}
	got, err := h.runs.Cancel(t.Context(), h.ops, run.ID, "too long")
	if err != nil || got.SQL != nil || len(got.Statements) != 0 {
		t.Errorf("the operator: %+v %v", got, err)
	}
	end := h.end(h.ann, run.ID)
	if end.State != query.StateCanceled || end.Cancel.By != "ops" {
		t.Errorf("%s %+v", end.State, end.Cancel)
	}
	if n := len(h.journal.of(audit.KindOperatorAction, run.ID)); n != 1 {
		t.Errorf("%d records of the operator's act", n)
	}
	if got, err := h.runs.Cancel(t.Context(), h.ops, run.ID, "again"); err != nil || got.SQL != nil {
		t.Errorf("the operator sees SQL of what has ended: %v %v", got.SQL, err)
	}
	run = h.submit(h.ann, query.Request{SQL: "select pg_sleep(60), 'unrecorded'"})
	h.until("it runs", h.active("unrecorded"))
	h.journal.broken(context.DeadlineExceeded)
	if _, err := h.runs.Cancel(t.Context(), h.ann, run.ID, ""); slug(err) != "audit-unavailable" {
		t.Errorf("a cancel that cannot be recorded: %v", err)
	}
	h.journal.broken(nil)
	if got, err := h.runs.Get(t.Context(), h.ann, run.ID); err != nil || got.State.Terminal() || got.Cancel != nil {
		t.Errorf("it is %s, %v", got.State, err)
	}
}

func TestTimeoutsAreTold(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	run := h.run(h.ann, query.Request{SQL: "select pg_sleep(60)", Limits: query.Limits{RunTimeoutMS: 200}})
	if run.State != query.StateFailed || run.Error.Code != query.CodeTimeout || run.Times.Started == nil {
		t.Errorf("%s %+v", run.State, run.Error)
	}
}

func TestAbandonedRunsEndUnlessKept(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	kept := h.submit(h.ann, query.Request{SQL: "select pg_sleep(60), 'kept'", Keep: true})
	left := h.submit(h.ann, query.Request{SQL: "select pg_sleep(60), 'left'"})
	seen := h.submit(h.ann, query.Request{SQL: "select pg_sleep(60), 'seen'"})
	later := h.submit(h.ann, query.Request{SQL: "select pg_sleep(60), 'kept later'"})
	if got, err := h.runs.Update(t.Context(), h.ann, later.ID, query.Change{Keep: new(true)}); err != nil || !got.Keep || got.Version <= later.Version {
		t.Fatalf("keep %t, version %d after %d: %v", got.Keep, got.Version, later.Version, err)
	}
	h.until("they run", "select count(*) = 4 from pg_stat_activity where usename = '"+h.role+"' and wait_event = 'PgSleep'")
	h.clock.move(9 * time.Minute)
	if err := h.runs.Lease(t.Context(), h.ann, seen.ID); err != nil {
		t.Fatal(err)
	}
	h.clock.move(2 * time.Minute)
	run := h.end(h.ann, left.ID)
	if run.State != query.StateCanceled || run.Cancel.By != "lockkeeper" {
		t.Errorf("%s %+v", run.State, run.Cancel)
	}
	live, err := h.runs.Live(t.Context(), h.ann)
	if err != nil || len(live) != 3 {
		t.Errorf("%d go on, %v", len(live), err)
	}
	if n := h.runs.Revoke(h.ann.ID); n != 3 {
		t.Errorf("revoked %d", n)
	}
	for _, id := range []string{kept.ID, later.ID, seen.ID} {
		if run := h.end(h.ann, id); run.State != query.StateCanceled {
			t.Errorf("after revocation: %s", run.State)
		}
	}
}

// One request that comes twenty times at once runs once.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	h.run(h.ann, query.Request{SQL: "create table " + h.role + ".t (id int)", Access: query.ReadWrite})
	req := query.Request{SQL: "insert into " + h.role + ".t values (1)", Access: query.ReadWrite, IdempotencyKey: "k"}
	var mu sync.Mutex
	ids, replayed := map[string]int{}, 0
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			out, err := h.runs.Submit(t.Context(), h.ann, req)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[out.Run.ID]++
			if out.Replayed {
				replayed++
			}
		})
	}
	wg.Wait()
	if len(ids) != 1 || replayed != 19 {
		t.Fatalf("%d runs, %d replayed", len(ids), replayed)
	}
	for id := range ids {
		h.end(h.ann, id)
	}
	run := h.run(h.ann, query.Request{SQL: "select count(*) from " + h.role + ".t"})
	if got := h.rows(h.ann, run.ID, 0)[0][0]; got != "=1" {
		t.Errorf("%s rows were written", got)
	}
	other := req
	other.SQL = "select 1"
	if _, err := h.runs.Submit(t.Context(), h.ann, other); slug(err) != "idempotency-key-reused" {
		t.Errorf("another request under the key: %v", err)
	}
	if out, err := h.runs.Submit(t.Context(), h.bob, other); err != nil || out.Replayed {
		t.Errorf("a key is one person's: %v", err)
	}
	h.clock.move(25 * time.Hour)
	if out, err := h.runs.Submit(t.Context(), h.ann, other); err != nil || out.Replayed {
		t.Errorf("a day later: %v", err)
	}
}

func TestWaitReturnsWithTheNextVersion(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	run := h.submit(h.ann, query.Request{SQL: "select pg_sleep(60), 'waits'"})
	h.until("it runs", h.active("waits"))
	for run.State == query.StateQueued {
		next, err := h.runs.Wait(t.Context(), h.ann, run.ID, run.Version)
		if err != nil || next.Version <= run.Version {
			t.Fatalf("version %d after %d: %v", next.Version, run.Version, err)
		}
		run = next
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	same, err := h.runs.Wait(ctx, h.ann, run.ID, run.Version+100)
	if err != nil || same.State != query.StateRunning {
		t.Errorf("the end of the wait is no error: %s %v", same.State, err)
	}
	if _, err := h.runs.Cancel(t.Context(), h.ann, run.ID, ""); err != nil {
		t.Fatal(err)
	}
	h.end(h.ann, run.ID)
}

// A run that the door has wait says so, and can be cancelled and timed out there.
func TestWaiting(t *testing.T) {
	t.Parallel()
	h := build(t, oneSlot())
	first := h.submit(h.ann, query.Request{SQL: "select pg_sleep(60), 'first'"})
	h.until("it runs", h.active("first"))
	second := h.submit(h.ann, query.Request{SQL: "select 2"})
	run := h.placed(second)
	if *run.Wait.Position != 1 || *run.Wait.Ahead != 1 || run.Wait.Reason != "slot" || run.Wait.ETAMS != nil || run.Times.Started != nil {
		t.Errorf("wait %+v", run.Wait)
	}
	began := time.Now()
	if _, err := h.runs.Cancel(t.Context(), h.ann, second.ID, ""); err != nil {
		t.Fatal(err)
	}
	if run = h.end(h.ann, second.ID); run.State != query.StateCanceled || time.Since(began) > time.Second || run.Times.Started != nil {
		t.Errorf("%s after %v, started %v", run.State, time.Since(began), run.Times.Started)
	}
	third := h.run(h.ann, query.Request{SQL: "select 3", Limits: query.Limits{QueueTimeoutMS: 300}})
	if third.State != query.StateFailed || third.Error.Code != query.CodeQueue || third.Times.Started != nil {
		t.Errorf("%s %+v", third.State, third.Error)
	}
	fourth := h.submit(h.ann, query.Request{SQL: "select 4"})
	if _, err := h.runs.Cancel(t.Context(), h.ann, first.ID, ""); err != nil {
		t.Fatal(err)
	}
	if run = h.end(h.ann, fourth.ID); run.State != query.StateSucceeded {
		t.Errorf("%s %+v", run.State, run.Error)
	}
}

// Once some runs of a class went through, who waits is told for about how long:
// the median of what is ahead.
func TestWaitingHasAnETA(t *testing.T) {
	t.Parallel()
	h := build(t, oneSlot())
	for range 5 {
		h.run(h.ann, query.Request{SQL: "select pg_sleep(0.4)"}) // so long that a busy machine looks at it
	}
	first := h.submit(h.ann, query.Request{SQL: "select pg_sleep(60), 'holds the slot'"})
	h.until("it runs", h.active("holds the slot"))
	second := h.placed(h.submit(h.ann, query.Request{SQL: "select 2"}))
	third := h.placed(h.submit(h.ann, query.Request{SQL: "select 3"}))
	if second.Wait.ETAMS == nil || *second.Wait.ETAMS < 50 {
		t.Fatalf("wait %+v", second.Wait)
	}
	if third.Wait.ETAMS == nil || *third.Wait.ETAMS != 2**second.Wait.ETAMS {
		t.Errorf("the next in line: %+v after %d ms", third.Wait, *second.Wait.ETAMS)
	}
	for _, run := range []query.Run{first, second, third} {
		if _, err := h.runs.Cancel(t.Context(), h.ann, run.ID, ""); err != nil {
			t.Fatal(err)
		}
		h.end(h.ann, run.ID)
	}
}

// placed waits until a run has a place in the door's queue.
func (h *house) placed(run query.Run) query.Run {
	h.t.Helper()
	for run.Wait == nil || run.Wait.Position == nil {
		next, err := h.runs.Wait(h.t.Context(), h.ann, run.ID, run.Version)
		if err != nil || next.State != query.StateQueued {
			h.t.Fatalf("%s %v %+v", next.State, err, next.Error)
		}
		run = next
	}
	return run
}
