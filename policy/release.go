package policy

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// aboutToTimeOut is how close to its own time-out a waiter must be that nobody
// is disturbed for it any more.
const aboutToTimeOut = time.Second

// worthANotice is how long a holder must be idle to hear that it blocks.
const worthANotice = time.Second

// anyClass stands for every class in ReleasePlan.For.
const anyClass = "any"

// Release decides what to do with idle holders of locks that others wait for.
// It looks at nothing but its arguments: who waits for whom, which of them are
// ours, and the plan of each holder's class.
//
// From every waiter the edges are followed, also through those who wait
// themselves, to the roots: backends that wait for nobody. A root is released
// if it is ours, idle in one of the four ways for at least min_idle, and its
// plan names the waiter's class. The weakest rung of its ladder that has not
// been tried is taken. A root whose plan never answers this waiter, or has no
// rung left, is told once that it blocks, and so is the waiter. There is at
// most one order for a holder; of several waiters the one that has waited
// longest is named.
func (e *Engine) Release(now time.Time, edges []LockEdge, waiters []Waiter, holders []Holder) []Order {
	orders := Release(now, edges, waiters, holders)
	if e.observe.Load() {
		for i := range orders {
			orders[i].Observe = true
		}
	}
	return orders
}

// Release is Engine.Release outside of global observe mode.
func Release(now time.Time, edges []LockEdge, waiters []Waiter, holders []Holder) []Order {
	byPID := make(map[uint32]*Holder, len(holders))
	for i := range holders {
		byPID[holders[i].PID] = &holders[i]
	}
	g := newLockGraph(edges)
	line := slices.Clone(waiters)
	slices.SortFunc(line, func(a, b Waiter) int {
		if d := cmp.Compare(b.Waiting, a.Waiting); d != 0 {
			return d
		}
		return cmp.Compare(a.PID, b.PID)
	})
	best := map[uint32]Order{}
	for _, w := range line {
		if w.Remaining > 0 && w.Remaining < aboutToTimeOut {
			continue
		}
		for _, pid := range g.roots(w.PID) {
			h := byPID[pid]
			if h == nil || h.PID == w.PID {
				continue
			}
			o, ok := answer(now, h, &w)
			if !ok {
				continue
			}
			if have, seen := best[pid]; seen && have.Mode >= o.Mode {
				continue
			}
			o.Relations = g.relations(pid)
			best[pid] = o
		}
	}
	orders := make([]Order, 0, len(best))
	for _, o := range best {
		orders = append(orders, o)
	}
	slices.SortFunc(orders, func(a, b Order) int { return cmp.Compare(a.Holder.PID, b.Holder.PID) })
	return orders
}

// answer is what one holder's plan says about one waiter.
func answer(now time.Time, h *Holder, w *Waiter) (Order, bool) {
	if h.Kind == NotIdle || h.Plan == nil {
		return Order{}, false
	}
	o := Order{Holder: *h, Waiter: *w, Observe: h.Plan.Observe, Mode: ReleaseNotice}
	rung, left := h.Plan.rungAfter(h.Tried)
	named := h.Plan.MinIdle >= 0 && h.Plan.answers(w.Class)
	if named && left {
		if h.Idle < h.Plan.MinIdle || now.Before(h.CoolUntil) {
			return Order{}, false // its time will come
		}
		o.Mode = rung
	} else if h.Noticed || h.Idle < worthANotice {
		return Order{}, false
	}
	o.Reason = fmt.Sprintf("%s for %s while blocking %q", h.Kind, seconds(h.Idle.Truncate(time.Second)), w.Class)
	return o, true
}

// rungAfter returns the weakest rung above the one tried.
func (p *ReleasePlan) rungAfter(tried ReleaseMode) (ReleaseMode, bool) {
	best, found := ReleaseNotice, false
	for _, m := range p.Ladder {
		if m > tried && (!found || m < best) {
			best, found = m, true
		}
	}
	return best, found
}

// answers tells whether the plan names a waiter's class.
func (p *ReleasePlan) answers(class string) bool {
	for _, f := range p.For {
		if f == anyClass || matchClass([]glob{newGlob(f, false)}, class) {
			return true
		}
	}
	return false
}

// lockGraph is who waits for whom.
type lockGraph struct {
	out  map[uint32][]uint32
	held map[uint32][]string
}

func newLockGraph(edges []LockEdge) *lockGraph {
	g := &lockGraph{out: map[uint32][]uint32{}, held: map[uint32][]string{}}
	for i := range edges {
		e := &edges[i]
		g.out[e.Waiter] = append(g.out[e.Waiter], e.Holder)
		if !e.Soft {
			g.held[e.Holder] = append(g.held[e.Holder], e.Relations...)
		}
	}
	return g
}

// roots follows the edges to those who wait for nobody. A ring has no root:
// that is a deadlock, and the server's to break.
func (g *lockGraph) roots(pid uint32) []uint32 {
	var roots []uint32
	visited := map[uint32]bool{pid: true}
	next := slices.Clone(g.out[pid])
	for len(next) > 0 {
		p := next[0]
		next = next[1:]
		if visited[p] {
			continue
		}
		visited[p] = true
		if len(g.out[p]) == 0 {
			roots = append(roots, p)
			continue
		}
		next = append(next, g.out[p]...)
	}
	slices.Sort(roots)
	return roots
}

// relations are those on which a holder blocks others.
func (g *lockGraph) relations(pid uint32) []string {
	list := slices.Clone(g.held[pid])
	slices.Sort(list)
	return slices.Compact(list)
}
