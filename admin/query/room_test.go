package query_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/blob/dir"
	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
)

// Results of bulk have about 100 kB, which the tests count with.
const (
	bulk  = "select md5(g::text || random()) from generate_series(1, 3000) g"
	kilo  = 1000
	least = 95 * kilo
	most  = 105 * kilo
)

// within builds a house whose place of results has the bound of all of them, as
// cmd builds it.
func within(t *testing.T, total, each int64, on string) *house {
	t.Helper()
	change := func(c *query.Config) {
		c.Bounds.TotalBytes, c.Bounds.EachBytes, c.Bounds.Sweep = total, each, time.Hour
		c.Blobs = must(t, must1(dir.New(dir.Config{Dir: t.TempDir(), MaxBytes: total})), nil)
	}
	if on == "postgres" {
		return buildOnPostgres(t, change)
	}
	return build(t, policy.Source{}, change)
}

// onBoth runs a test with the store on either engine.
func onBoth(t *testing.T, total, each int64, test func(*testing.T, *house)) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			test(t, within(t, total, each, engine))
		})
	}
}

// bulky runs something whose result has about 100 kB.
func (h *house) bulky(c *admin.Caller) query.Run {
	h.t.Helper()
	run := h.run(c, query.Request{SQL: bulk})
	if n := h.record(run.ID).Bytes; run.State != query.StateSucceeded || n < least || n > most {
		h.t.Fatalf("%s, %d bytes: %+v", run.State, n, run.Error)
	}
	return run
}

func (h *house) pin(c *admin.Caller, id string, on bool) error {
	_, err := h.runs.Update(h.t.Context(), c, id, query.Change{Pinned: &on})
	return err
}

// kept says which of some runs have their rows.
func (h *house) kept(runs ...query.Run) (out []bool) {
	for _, run := range runs {
		out = append(out, h.record(run.ID).RowsKey != nil)
	}
	return out
}

// keeps waits until some runs have their rows, or not.
func (h *house) keeps(runs []query.Run, want ...bool) {
	h.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		got := h.kept(runs...)
		if cmp.Equal(want, got) {
			return
		}
		if time.Now().After(end) {
			h.t.Fatalf("rows kept (-want +got):\n%s", cmp.Diff(want, got))
		}
	}
}

// The bound of each person takes the oldest of hers that are not pinned, with
// no sweep in between, and nobody else's.
func TestPersonBoundTakesTheOldestUnpinned(t *testing.T) {
	t.Parallel()
	onBoth(t, 0, 4*most, func(t *testing.T, h *house) {
		his := h.bulky(h.bob)
		runs := []query.Run{h.bulky(h.ann), h.bulky(h.ann)}
		if err := h.pin(h.ann, runs[0].ID, true); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			runs = append(runs, h.bulky(h.ann))
		}
		h.keeps(runs, true, false, false, false, true, true, true)
		h.keeps([]query.Run{his}, true)
		if n := len(h.rows(h.ann, runs[0].ID, 0)); n != 3000 {
			t.Errorf("%d of the pinned rows open", n)
		}
	})
}

// The bound of all takes the oldest of anybody, while the next is written: the
// place of results itself has the same bound.
func TestTotalBoundTakesTheOldestUnpinned(t *testing.T) {
	t.Parallel()
	onBoth(t, 4*most, 0, func(t *testing.T, h *house) {
		his := h.bulky(h.bob)
		runs := []query.Run{his, h.bulky(h.ann)}
		if err := h.pin(h.ann, runs[1].ID, true); err != nil {
			t.Fatal(err)
		}
		for range 6 {
			runs = append(runs, h.bulky(h.ann))
		}
		got := h.kept(runs...)
		if got[0] || !got[1] || got[2] || got[3] || !got[6] || !got[7] {
			t.Errorf("kept: %v", got)
		}
	})
}

// What is pinned counts: a pin that leaves no room is refused, in words that say
// what to do.
func TestPinsPassNoBound(t *testing.T) {
	t.Parallel()
	const bound, each = 1000 * kilo, 600 * kilo
	for name, bounds := range map[string][2]int64{"Your pinned results take ": {0, bound}, "Pinned results take ": {bound, 0}} {
		onBoth(t, bounds[0], bounds[1], func(t *testing.T, h *house) {
			runs := []query.Run{h.run(h.ann, query.Request{SQL: "select 1"}), h.run(h.ann, query.Request{SQL: "select 1"})}
			h.stop() // as if a sweep were still to come
			for _, run := range runs {
				rec := h.record(run.ID)
				rec.Bytes = each
				if err := h.store.Update(t.Context(), func(tx query.Tx) error { return tx.SetRun(t.Context(), rec) }); err != nil {
					t.Fatal(err)
				}
			}
			if err := h.pin(h.ann, runs[0].ID, true); err != nil {
				t.Fatal(err)
			}
			err := h.pin(h.ann, runs[1].ID, true)
			e, ok := errors.AsType[*admin.Error](err)
			if !ok || e.Slug != "quota-exceeded" || !strings.HasPrefix(e.Text, name) || !strings.Contains(e.Text, "Unpin or delete") {
				t.Fatalf("the second pin: %v", err)
			}
			if e.Extra["pinned"] != int64(each) || e.Extra["limit"] != int64(bound) {
				t.Errorf("extra %v", e.Extra)
			}
			if h.record(runs[1].ID).Pinned {
				t.Error("refused, and yet pinned")
			}
		})
	}
}

// A run whose rows do not fit beside what its owner pinned fails, with words that
// say so; smaller ones, and others', go through.
func TestRunsBesidePinned(t *testing.T) {
	t.Parallel()
	onBoth(t, 0, 2*most, func(t *testing.T, h *house) {
		first := h.bulky(h.ann)
		if err := h.pin(h.ann, first.ID, true); err != nil {
			t.Fatal(err)
		}
		big := strings.Replace(bulk, "3000", "12000", 1)
		run := h.run(h.ann, query.Request{SQL: big})
		if run.State != query.StateFailed || run.Error.Code != query.CodeLimit || run.Error.Retriable ||
			!strings.Contains(run.Error.Message, "Your pinned results take ") || !strings.Contains(run.Error.Hint, "Unpin or delete") {
			t.Errorf("a result that does not fit: %s %+v", run.State, run.Error)
		}
		h.bulky(h.ann)
		if run := h.run(h.bob, query.Request{SQL: strings.Replace(bulk, "3000", "6000", 1)}); run.State != query.StateSucceeded {
			t.Errorf("another's run: %s %+v", run.State, run.Error)
		}
	})
}

// A bound that is all pinned refuses runs that read, with the same words, and
// lets in what writes.
func TestPinnedFull(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	run := h.run(h.ann, query.Request{SQL: "select 1"})
	if err := h.pin(h.ann, run.ID, true); err != nil {
		t.Fatal(err)
	}
	h.stop()
	h.cfg.Bounds.EachBytes = h.record(run.ID).Bytes // the operators lowered it
	h.start()
	_, err := h.runs.Submit(t.Context(), h.ann, query.Request{SQL: "select 2"})
	if slug(err) != "quota-exceeded" || !strings.Contains(err.Error(), "was not begun") {
		t.Errorf("a run that reads: %v", err)
	}
	write := h.run(h.ann, query.Request{SQL: "create table " + h.role + ".t (i int)", Access: query.ReadWrite})
	if write.State != query.StateSucceeded {
		t.Errorf("a run that writes: %s %+v", write.State, write.Error)
	}
	h.keeps([]query.Run{run}, true)
	if err := h.pin(h.ann, run.ID, false); err != nil {
		t.Fatal(err)
	}
	if run := h.run(h.ann, query.Request{SQL: "select 3"}); run.State != query.StateSucceeded {
		t.Errorf("after unpinning: %s %+v", run.State, run.Error)
	}
	h.keeps([]query.Run{run}, false)
}

// A new title and a pin are recorded before they happen; the title itself is
// not, for it goes with the run.
func TestChangesAreRecorded(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{})
	run := h.run(h.ann, query.Request{SQL: "select 1", Title: "old"})
	title, yes := "new", true
	change := query.Change{Title: &title, Pinned: &yes}
	h.journal.broken(errors.New("away"))
	if _, err := h.runs.Update(t.Context(), h.ann, run.ID, change); slug(err) != "audit-unavailable" {
		t.Errorf("unrecorded: %v", err)
	}
	if got := h.end(h.ann, run.ID); got.Title != "old" || got.Pinned {
		t.Errorf("unrecorded, and yet: %+v", got)
	}
	h.journal.broken(nil)
	for range 2 { // the second changes nothing
		if _, err := h.runs.Update(t.Context(), h.ann, run.ID, change); err != nil {
			t.Fatal(err)
		}
	}
	no := false
	if _, err := h.runs.Update(t.Context(), h.ann, run.ID, query.Change{Pinned: &no}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range h.journal.of(audit.KindAdminChange, run.ID) {
		got = append(got, fmt.Sprintf("%s: %s", e.User, e.What))
	}
	if diff := cmp.Diff([]string{"ann: name run, pin run", "ann: unpin run"}, got); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}

// What runs of one person write at once counts against their bound, before room
// is made from what others keep.
func TestLiveRunsTakeNobodysRoom(t *testing.T) {
	t.Parallel()
	h := build(t, policy.Source{}, func(c *query.Config) { c.Bounds.TotalBytes, c.Bounds.EachBytes = 10<<20, 3<<20 })
	noise := func(mb int) string {
		return fmt.Sprintf("SELECT md5(random()::text || g) || md5(random()::text) FROM generate_series(1, %d) g", mb*20000)
	}
	ann := h.run(h.ann, query.Request{SQL: noise(1)})
	var runs []query.Run
	for range 8 { // each below bob's bound; all of them far above it, and above that of all
		runs = append(runs, h.submit(h.bob, query.Request{SQL: noise(3) + " UNION ALL SELECT pg_sleep(1)::text", Keep: true}))
	}
	failed := 0
	for _, run := range runs {
		if got := h.end(h.bob, run.ID); got.State == query.StateFailed {
			failed++
		}
	}
	if got, err := h.runs.Get(t.Context(), h.ann, ann.ID); err != nil || got.RowsExpired || failed < 4 {
		t.Errorf("%d of bob's failed; ann's rows are gone: %v, %v", failed, got.RowsExpired, err)
	}
}
