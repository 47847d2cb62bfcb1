package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRelease(t *testing.T) {
	t.Parallel()
	rollback := &ReleasePlan{Ladder: []ReleaseMode{ReleaseRollback}, MinIdle: 5 * time.Second, For: []string{"etl"}}
	both := &ReleasePlan{Ladder: []ReleaseMode{ReleaseKill, ReleaseRollback}, MinIdle: 5 * time.Second, For: []string{"any"}}
	watched := &ReleasePlan{Ladder: []ReleaseMode{ReleaseKill}, MinIdle: time.Second, For: []string{"etl*"}, Observe: true}
	never := &ReleasePlan{MinIdle: -1}
	holder := func(pid uint32, p *ReleasePlan, change ...func(*Holder)) Holder {
		h := Holder{Session: uint64(pid), PID: pid, Class: "bi/ann", Kind: IdleInTx, Idle: 10 * time.Second, Plan: p}
		for _, c := range change {
			c(&h)
		}
		return h
	}
	waiter := func(pid uint32, class string, change ...func(*Waiter)) Waiter {
		w := Waiter{Session: uint64(pid), PID: pid, Class: class, Waiting: 2 * time.Second}
		for _, c := range change {
			c(&w)
		}
		return w
	}
	edge := func(w, h uint32, relations ...string) LockEdge {
		return LockEdge{Waiter: w, Holder: h, Relations: relations}
	}
	soft := func(w, h uint32) LockEdge { return LockEdge{Waiter: w, Holder: h, Soft: true} }

	for _, tc := range []struct {
		name    string
		edges   []LockEdge
		waiters []Waiter
		holders []Holder
		want    string
	}{
		{name: "nobody waits", holders: []Holder{holder(1, rollback)}},
		{
			name:  "a load waits for a dashboard",
			edges: []LockEdge{edge(2, 1, "s.b", "s.a"), edge(2, 1, "s.a")}, waiters: []Waiter{waiter(2, "etl")}, holders: []Holder{holder(1, rollback)},
			want: `rollback 1 for 2 on s.a,s.b: idle in transaction for 10 s while blocking "etl"`,
		},
		{
			name:  "a class below the one named",
			edges: []LockEdge{edge(2, 1)}, waiters: []Waiter{waiter(2, "etl/night")}, holders: []Holder{holder(1, rollback)},
			want: `rollback 1 for 2 on : idle in transaction for 10 s while blocking "etl/night"`,
		},
		{
			name:  "not idle for long enough",
			edges: []LockEdge{edge(2, 1)}, waiters: []Waiter{waiter(2, "etl")},
			holders: []Holder{holder(1, rollback, func(h *Holder) { h.Idle = 4 * time.Second })},
		},
		{
			name:  "busy",
			edges: []LockEdge{edge(2, 1)}, waiters: []Waiter{waiter(2, "etl")},
			holders: []Holder{holder(1, rollback, func(h *Holder) { h.Kind = NotIdle })},
		},
		{
			name:  "not one of ours",
			edges: []LockEdge{edge(2, 9)}, waiters: []Waiter{waiter(2, "etl")}, holders: []Holder{holder(1, rollback)},
		},
		{
			name:  "cooling down",
			edges: []LockEdge{edge(2, 1)}, waiters: []Waiter{waiter(2, "etl")},
			holders: []Holder{holder(1, rollback, func(h *Holder) { h.CoolUntil = noon.Add(time.Second) })},
		},
		{
			name:  "a class without the right to it: told once",
			edges: []LockEdge{edge(2, 1, "s.a")}, waiters: []Waiter{waiter(2, "adhoc")}, holders: []Holder{holder(1, rollback)},
			want: `notice 1 for 2 on s.a: idle in transaction for 10 s while blocking "adhoc"`,
		},
		{
			name:  "told already",
			edges: []LockEdge{edge(2, 1)}, waiters: []Waiter{waiter(2, "adhoc")},
			holders: []Holder{holder(1, rollback, func(h *Holder) { h.Noticed = true })},
		},
		{
			name:  "a moment's pause is not worth a notice",
			edges: []LockEdge{edge(2, 1)}, waiters: []Waiter{waiter(2, "adhoc")},
			holders: []Holder{holder(1, never, func(h *Holder) { h.Idle = 300 * time.Millisecond })},
		},
		{
			name:  "a plan that never releases",
			edges: []LockEdge{edge(2, 1)}, waiters: []Waiter{waiter(2, "etl")}, holders: []Holder{holder(1, never)},
			want: `notice 1 for 2 on : idle in transaction for 10 s while blocking "etl"`,
		},
		{
			name:  "the weakest rung first",
			edges: []LockEdge{edge(2, 1)}, waiters: []Waiter{waiter(2, "x")}, holders: []Holder{holder(1, both)},
			want: `rollback 1 for 2 on : idle in transaction for 10 s while blocking "x"`,
		},
		{
			name:  "then the next",
			edges: []LockEdge{edge(2, 1)}, waiters: []Waiter{waiter(2, "x")},
			holders: []Holder{holder(1, both, func(h *Holder) { h.Tried, h.Kind = ReleaseRollback, IdleFailed })},
			want:    `kill 1 for 2 on : idle in transaction (aborted) for 10 s while blocking "x"`,
		},
		{
			name:  "then none",
			edges: []LockEdge{edge(2, 1)}, waiters: []Waiter{waiter(2, "x")},
			holders: []Holder{holder(1, both, func(h *Holder) { h.Tried, h.Noticed = ReleaseKill, true })},
		},
		{
			name:  "no patience left: nobody is disturbed",
			edges: []LockEdge{edge(2, 1)}, waiters: []Waiter{waiter(2, "etl", func(w *Waiter) { w.Remaining = 900 * time.Millisecond })},
			holders: []Holder{holder(1, rollback)},
		},
		{
			name:  "patience enough",
			edges: []LockEdge{edge(2, 1)}, waiters: []Waiter{waiter(2, "etl", func(w *Waiter) { w.Remaining = time.Second })},
			holders: []Holder{holder(1, rollback, func(h *Holder) { h.Kind = IdleUnit })},
			want:    `rollback 1 for 2 on : idle in an open extended-protocol unit for 10 s while blocking "etl"`,
		},
		{
			name:  "through a queue to the root",
			edges: []LockEdge{soft(4, 3), edge(3, 2, "s.q"), soft(3, 2), edge(2, 1, "s.r")}, waiters: []Waiter{waiter(4, "etl")},
			holders: []Holder{holder(1, rollback), holder(2, both), holder(3, both)},
			want:    `rollback 1 for 4 on s.r: idle in transaction for 10 s while blocking "etl"`,
		},
		{
			name:  "two roots, two orders",
			edges: []LockEdge{edge(5, 1), edge(5, 2), edge(5, 0)}, waiters: []Waiter{waiter(5, "etl")},
			holders: []Holder{holder(2, watched, func(h *Holder) { h.Kind = IdleCopyIn }), holder(1, rollback)},
			want: `rollback 1 for 5 on : idle in transaction for 10 s while blocking "etl"
observe kill 2 for 5 on : idle in COPY FROM STDIN for 10 s while blocking "etl"`,
		},
		{
			name:  "one order for a holder, for the one who may and has waited longest",
			edges: []LockEdge{edge(5, 1), edge(6, 1), edge(7, 1)},
			waiters: []Waiter{
				waiter(5, "adhoc", func(w *Waiter) { w.Waiting = time.Minute }),
				waiter(6, "etl", func(w *Waiter) { w.Waiting = time.Second }),
				waiter(7, "etl", func(w *Waiter) { w.Waiting = 3 * time.Second }),
			},
			holders: []Holder{holder(1, rollback)},
			want:    `rollback 1 for 7 on : idle in transaction for 10 s while blocking "etl"`,
		},
		{
			name:  "a ring is the server's to break",
			edges: []LockEdge{edge(1, 2), edge(2, 1)}, waiters: []Waiter{waiter(2, "etl")}, holders: []Holder{holder(1, rollback)},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, o := range Release(noon, tc.edges, tc.waiters, tc.holders) {
				mark := ""
				if o.Observe {
					mark = "observe "
				}
				got = append(got, fmt.Sprintf("%s%s %d for %d on %s: %s", mark, o.Mode, o.Holder.PID, o.Waiter.PID, strings.Join(o.Relations, ","), o.Reason))
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReleaseObserves(t *testing.T) {
	t.Parallel()
	e := NewEngine(EngineConfig{})
	e.SetObserve(true)
	plan := &ReleasePlan{Ladder: []ReleaseMode{ReleaseKill}, For: []string{"any"}}
	orders := e.Release(noon, []LockEdge{{Waiter: 2, Holder: 1}}, []Waiter{{PID: 2}}, []Holder{{PID: 1, Kind: IdleInTx, Plan: plan}})
	if len(orders) != 1 || !orders[0].Observe || orders[0].Mode != ReleaseKill {
		t.Errorf("got %+v, want one observed kill", orders)
	}
}

func TestReleaseOfTheOtherOneIsDone(t *testing.T) {
	t.Parallel()
	if got := (&ReleasePlan{Ladder: []ReleaseMode{ReleaseNotice, ReleaseKill}}).Strongest(); got != ReleaseKill {
		t.Errorf("got %v", got)
	}
	if s := (&ReleasePlan{Ladder: []ReleaseMode{ReleaseRollback}, MinIdle: time.Second, For: []string{"a", "b"}, MaxIdleTx: time.Hour}).String(); !slices.Contains(strings.Split(s, "; "), "when blocking a, b after 1s idle") {
		t.Errorf("got %q", s)
	}
}
