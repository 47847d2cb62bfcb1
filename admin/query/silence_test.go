package query_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// hung is a warehouse that may stop answering.
type hung struct {
	query.Privileges

	silent atomic.Bool
	asked  atomic.Int32
}

func (p *hung) CanSelect(ctx context.Context, login string, t query.Target, rel []policy.Relation) (bool, error) {
	p.asked.Add(1)
	if p.silent.Load() {
		<-ctx.Done()
		return false, ctx.Err()
	}
	return p.Privileges.CanSelect(context.WithoutCancel(ctx), login, t, rel) // however slow this machine is
}

// While the warehouse does not answer, a reader learns that, soon, and not which
// runs there are; what is theirs stays open, and lists show what they can.
func TestSilentWarehouse(t *testing.T) {
	t.Parallel()
	var warehouse *hung
	h := build(t, policy.Source{Rules: []policy.RuleSource{{
		ID: "no-hr", When: policy.Condition{Team: []string{"sales"}, Reads: []string{"*.hr"}}, Deny: "no",
	}}}, func(c *query.Config) {
		warehouse = &hung{Privileges: c.Privileges}
		c.Privileges, c.Bounds.Ask = warehouse, 20*time.Millisecond
	})
	proxytest.Exec(t, h.pg.Connect(t, h.role, "postgres"), "CREATE TABLE "+h.role+".shown (id int)", "CREATE TABLE "+h.role+".hr (id int)",
		"GRANT USAGE ON SCHEMA "+h.role+" TO "+h.role+"_other", "GRANT SELECT ON ALL TABLES IN SCHEMA "+h.role+" TO "+h.role+"_other")
	h.learn()
	shown := h.recorded(h.run(h.ann, query.Request{SQL: "table " + h.role + ".shown"}).ID)
	plain := h.recorded(h.run(h.ann, query.Request{SQL: "select 1"}).ID)
	denied := h.recorded(h.run(h.ann, query.Request{SQL: "table " + h.role + ".hr"}).ID)
	absent := admin.NewID(admin.PrefixRun)
	all := func(want string) {
		t.Helper()
		for name, id := range map[string]string{"a run": shown.ID, "none": absent, "one that policy hides": denied.ID} {
			_, get := h.runs.Get(t.Context(), h.bob, id)
			_, rows := h.runs.Rows(t.Context(), h.bob, id, query.RowsRequest{})
			if slug(get) != want || slug(rows) != want || problem(get).Text != silentText {
				t.Errorf("%s: %v, %v", name, get, rows)
			}
		}
	}
	warehouse.silent.Store(true)
	before := warehouse.asked.Load()
	if _, err := h.runs.Get(t.Context(), h.bob, shown.ID); slug(err) != "warehouse-silent" || problem(err).RetryAfter <= 0 || problem(err).Code != admin.Unavailable {
		t.Fatalf("a reader: %v", err)
	}
	all("warehouse-silent")
	if n := warehouse.asked.Load() - before; n != 1 {
		t.Errorf("asked %d times what it does not answer", n)
	}
	if page, err := h.runs.List(t.Context(), h.bob, query.Filter{Submitter: "ann"}); err != nil || !page.Incomplete || len(page.Runs) != 1 || page.Runs[0].ID != plain.ID {
		t.Errorf("the list: %+v %v", page, err)
	}
	if _, err := h.runs.Rows(t.Context(), h.ann, shown.ID, query.RowsRequest{}); err != nil {
		t.Errorf("the owner: %v", err)
	}
	if _, err := h.runs.Get(t.Context(), h.ann, absent); slug(err) != "not-found" {
		t.Errorf("one who was never refused: %v", err)
	}
	h.clock.move(10 * time.Second) // it is asked again, whoever's run it is
	before = warehouse.asked.Load()
	all("warehouse-silent")
	if n := warehouse.asked.Load() - before; n != 1 {
		t.Errorf("asked %d times again", n)
	}
	warehouse.silent.Store(false)
	h.clock.move(10 * time.Second)
	for id, want := range map[string]string{absent: "not-found", denied.ID: "not-found"} {
		if _, err := h.runs.Get(t.Context(), h.bob, id); slug(err) != want {
			t.Errorf("afterwards: %v", err)
		}
	}
}

const silentText = "The warehouse does not answer, so it cannot be asked whether you may open this. Try again."
