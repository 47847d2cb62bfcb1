package query_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// seen waits until a run is as asked.
func (h *house) seen(id, what string, ok func(query.Run) bool) query.Run {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 30*time.Second)
	defer cancel()
	run, err := h.runs.Get(ctx, h.ann, id)
	for err == nil && !ok(run) {
		if run.State.Terminal() || ctx.Err() != nil {
			h.t.Fatalf("%s: %s, wait %+v, %+v", what, run.State, run.Wait, run.Error)
		}
		run, err = h.runs.Wait(ctx, h.ann, id, run.Version)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return run
}

// A later statement that the door has wait says so, and the run goes on running.
func TestALaterStatementWaits(t *testing.T) {
	t.Parallel()
	h := build(t, oneSlot())
	first := h.submit(h.ann, query.Request{SQL: "select pg_sleep(1), 'one'; select 2", Multi: true})
	h.until("it runs", h.active("one"))
	holder := h.submit(h.bob, query.Request{SQL: "select pg_sleep(60), 'holds the slot'"})
	h.until("the other has the slot", h.active("holds the slot"))
	run := h.seen(first.ID, "the second statement waits", func(r query.Run) bool { return r.State == query.StateRunning && r.Wait != nil })
	if w := run.Wait; w.Reason != query.WaitSlot || *w.Position != 1 || w.Class != "narrow" || run.Statements[0].State != query.StatementSucceeded {
		t.Errorf("wait %+v of %+v", w, run.Statements)
	}
	if _, err := h.runs.Cancel(t.Context(), h.bob, holder.ID, ""); err != nil {
		t.Fatal(err)
	}
	if run = h.end(h.ann, first.ID); run.State != query.StateSucceeded || run.Wait != nil {
		t.Errorf("%s, wait %+v, %+v", run.State, run.Wait, run.Error)
	}
	h.end(h.bob, holder.ID)
}

// A statement that waits for a lock says so, and whose it is if it is one's own.
func TestWaitingForALock(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	table := h.role + ".locked"
	proxytest.Exec(t, h.pg.Super(t), "SET ROLE "+h.role, "CREATE TABLE "+table+" (i int)", "GRANT ALL ON "+table+" TO PUBLIC", "GRANT USAGE ON SCHEMA "+h.role+" TO PUBLIC")
	h.learn()
	hold := "begin; lock table " + table + " in access exclusive mode; select pg_sleep(60), 'holds the lock'"
	holder := h.submit(h.bob, query.Request{SQL: hold, Multi: true, Access: query.ReadWrite})
	h.until("the lock is held", h.active("holds the lock"))
	blocked := h.submit(h.ann, query.Request{SQL: "table " + table})
	run := h.seen(blocked.ID, "it waits for the lock", func(r query.Run) bool { return r.Wait != nil && r.Wait.Reason == query.WaitLock })
	if w := run.Wait; w.Detail != "waits for a lock that another session holds" || w.Position != nil {
		t.Errorf("wait %+v", w)
	}
	if _, err := h.runs.Cancel(t.Context(), h.bob, holder.ID, ""); err != nil {
		t.Fatal(err)
	}
	if run = h.end(h.ann, blocked.ID); run.State != query.StateSucceeded || run.Wait != nil {
		t.Errorf("%s, wait %+v, %+v", run.State, run.Wait, run.Error)
	}
	h.end(h.bob, holder.ID)

	hold = strings.Replace(hold, "holds", "owns", 1)
	hold = strings.Replace(hold, "access exclusive", "exclusive", 1) // which parsing needs no lock against
	holder = h.submit(h.ann, query.Request{SQL: hold, Multi: true, Access: query.ReadWrite})
	h.until("the lock is one's own", h.active("owns the lock"))
	blocked = h.submit(h.ann, query.Request{SQL: "select 1; insert into " + table + " values (1)", Multi: true, Access: query.ReadWrite})
	run = h.seen(blocked.ID, "it waits for one's own", func(r query.Run) bool { return r.Wait != nil && r.Wait.Reason == query.WaitLock })
	if run.State != query.StateRunning || !strings.Contains(run.Wait.Detail, "a session of ann") {
		t.Errorf("wait %+v", run.Wait)
	}
	for _, id := range []string{holder.ID, blocked.ID} {
		if _, err := h.runs.Cancel(t.Context(), h.ann, id, ""); err != nil {
			t.Fatal(err)
		}
		h.end(h.ann, id)
	}
}
