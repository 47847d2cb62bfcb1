package policy

import (
	"strconv"
	"strings"
	"sync"
	"time"
)

// admission holds the slots and queues of the live classes, as data: it has no
// goroutine and no clock. Whoever frees a slot hands it over to the next in
// line, so that no slot is lost between two people.
//
// Fairness: first in, first out within a class; among classes whose bounds
// have room, the statement that came first.
//
// admission.mu guards every node, the queue fields of every ticket, and the
// slot fields of every connection. No Waker is called under it.
type admission struct {
	mu      sync.Mutex
	max     int
	nodes   map[string]*node
	waiting *node // ring of nodes with waiters, through next
	seq     uint64
	crowd   *node     // stands for classes beyond the bound
	swept   time.Time // when unused classes were last looked for
}

// node is a live class: one segment of a path with its counters.
type node struct {
	path   string
	parent *node
	kids   int
	level  level
	class  *class // of the leaf; nil when only a child was ever entered

	running  int
	queued   int // in the whole subtree
	admitted uint64
	used     time.Time

	first, last *Ticket // waiting in this class itself, in order of arrival
	own         int     // how many they are
	held        int     // of those, held by a rule
	next, prev  *node   // ring of nodes with waiters
}

// idleClass is how long a class that nobody uses is remembered.
const idleClass = 10 * time.Minute

// wakes collects whom to wake once the lock is dropped.
type wakes struct {
	n    int
	buf  [8]Waker
	more []Waker
}

func (w *wakes) add(k Waker) {
	if k == nil {
		return
	}
	if w.n < len(w.buf) {
		w.buf[w.n] = k
		w.n++
		return
	}
	w.more = append(w.more, k)
}

// run wakes all; it is called without any lock.
func (w *wakes) run() {
	for i := range w.n {
		w.buf[i].Wake()
	}
	for _, k := range w.more {
		k.Wake()
	}
}

func newAdmission(maxClasses int) *admission {
	return &admission{
		max:   maxClasses,
		nodes: map[string]*node{},
		crowd: &node{path: "(other classes)", level: level{path: "(other classes)", queueMax: DefaultQueueMax}},
	}
}

// fullLocked returns the highest class of the path whose bound is reached, and
// the highest observed one whose bound would be.
func (n *node) fullLocked() (full, observed *node) {
	for ; n != nil; n = n.parent {
		if n.level.hard > 0 && n.running >= n.level.hard {
			if n.level.observe {
				observed = n
			} else {
				full = n
			}
		}
	}
	return full, observed
}

// takeLocked gives the ticket a slot in every class of the path. Statements of
// one connection run one after the other, so they share one slot. What only
// controls the transaction or the session takes none: a BEGIN must not let in
// what comes behind it in the same unit, nor stand in its way.
func (a *admission) takeLocked(t *Ticket, leaf *node) {
	t.leaf = leaf
	t.phase = ticketRunning
	leaf.admitted++
	if t.slotless {
		return
	}
	c := t.conn
	if c != nil && c.slot == leaf {
		c.slotRefs++
		t.shared = true
		return
	}
	if c != nil && c.slot == nil {
		c.slot, c.slotRefs = leaf, 1
		t.shared = true
	}
	for n := leaf; n != nil; n = n.parent {
		n.running++
	}
}

// giveLocked gives the slot back and hands over what became free.
func (a *admission) giveLocked(now time.Time, t *Ticket, w *wakes) {
	leaf := t.leaf
	t.leaf, t.phase = nil, ticketFresh
	if t.slotless {
		t.slotless = false
		leaf.used = now
		return
	}
	if t.shared {
		t.shared = false
		if t.conn.slotRefs--; t.conn.slotRefs > 0 {
			return
		}
		t.conn.slot = nil
	}
	for n := leaf; n != nil; n = n.parent {
		n.running--
	}
	leaf.used = now
	a.dispatchLocked(nil, w)
}

// dispatchLocked hands free slots to waiting statements, first come first
// served over all classes that have room. Self is not woken: it is asking.
func (a *admission) dispatchLocked(self *Ticket, w *wakes) {
	for a.waiting != nil {
		var best *Ticket
		for n := a.waiting; ; {
			if t := n.head(); t != nil && (best == nil || t.seq < best.seq) {
				if full, _ := n.fullLocked(); full == nil {
					best = t
				}
			}
			if n = n.next; n == a.waiting {
				break
			}
		}
		if best == nil {
			return
		}
		leaf := best.leaf
		a.unlinkLocked(best)
		a.takeLocked(best, leaf)
		if best != self {
			w.add(best.Waker)
		}
	}
}

// head is the first waiter that no rule holds.
func (n *node) head() *Ticket {
	if n.first == nil || n.held == n.own {
		return nil
	}
	t := n.first
	for t != nil && t.held {
		t = t.next
	}
	return t
}

// place is where a ticket stands.
type place struct {
	position int
	name     string // the class whose bound holds it
	why      string
	byRule   bool
	running  int
	observed *node // a class in observe mode that would have held it
	full     *node // a queue with no room left: not admitted, not queued
	timedOut bool
}

// request is what a statement asks of admission.
type request struct {
	class   *class
	wait    bool   // it may wait
	control bool   // all of it controls the transaction or the session
	heldBy  string // id of a queue rule that holds it
	observe bool   // everything is in observe mode
}

// enter admits a fresh ticket, queues it, or finds the queue full.
func (a *admission) enter(now time.Time, t *Ticket, r request) place {
	a.mu.Lock()
	defer a.mu.Unlock()
	leaf := a.leafLocked(now, r.class)
	t.slotless = r.control
	full, observed := leaf.fullLocked()
	p := place{observed: observed}
	shares := t.conn != nil && t.conn.slot == leaf
	free := full == nil && leaf.own == leaf.held
	if r.observe && !free && r.wait && !shares {
		p.observed = full
		if full == nil {
			p.observed = leaf
		}
	}
	if !r.wait || r.observe || shares || (free && r.heldBy == "") {
		if !r.wait || shares {
			p.observed = nil
		}
		a.takeLocked(t, leaf)
		return p
	}
	for n := leaf; n != nil; n = n.parent {
		if n.level.queueMax >= 0 && n.queued >= n.level.queueMax && !n.level.observe {
			p.full = n
		}
	}
	if p.full != nil {
		return p
	}
	a.seq++
	t.seq, t.since, t.class = a.seq, now, r.class
	t.held, t.heldBy = r.heldBy != "", r.heldBy
	a.linkLocked(t, leaf)
	p.stand(t, full)
	return p
}

// again asks for a ticket that has been queued: it may have been given a slot
// meanwhile, have waited too long, be held or freed by a rule, or belong to
// another class.
func (a *admission) again(now time.Time, t *Ticket, r request, w *wakes) place {
	a.mu.Lock()
	defer a.mu.Unlock()
	leaf := a.leafLocked(now, r.class)
	held := r.heldBy != "" && r.wait && !r.observe
	if t.phase == ticketRunning {
		if !held {
			return place{}
		}
		a.giveLocked(now, t, w)
		t.held = true
		a.linkLocked(t, leaf)
	}
	if leaf != t.leaf || t.held != held {
		a.unlinkLocked(t)
		t.held = held
		a.linkLocked(t, leaf)
	}
	t.heldBy, t.class = r.heldBy, r.class
	if !r.wait || r.observe || (t.conn != nil && t.conn.slot == leaf) {
		a.unlinkLocked(t)
		a.takeLocked(t, leaf)
		a.dispatchLocked(t, w)
		return place{}
	}
	a.dispatchLocked(t, w)
	if t.phase == ticketRunning {
		return place{}
	}
	full, _ := leaf.fullLocked()
	var p place
	p.stand(t, full)
	if now.Sub(t.since) >= r.class.maxWait {
		a.unlinkLocked(t)
		a.dispatchLocked(t, w) // who stood behind may be next, if its class has room
		p.timedOut = true
	}
	return p
}

// stand tells position and reason of a waiting ticket.
func (p *place) stand(t *Ticket, full *node) {
	p.position = 1
	for o := t.prev; o != nil; o = o.prev {
		p.position++
	}
	p.name, p.why, p.byRule = t.leaf.path, "in line", t.held
	switch {
	case t.held:
		p.why = t.heldBy
	case full != nil:
		p.name, p.running = full.path, full.running
		p.why = strconv.Itoa(full.running) + " of " + strconv.Itoa(full.level.hard) + " running"
	}
}

// leave frees whatever the ticket holds.
func (a *admission) leave(now time.Time, t *Ticket, w *wakes) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch t.phase {
	case ticketQueued:
		a.unlinkLocked(t)
		a.dispatchLocked(nil, w)
	case ticketRunning:
		a.giveLocked(now, t, w)
	case ticketFresh:
	}
}

// renew gives the live classes the bounds of a new ruleset and wakes everybody
// who waits, to be decided again.
func (a *admission) renew(rs *Ruleset, limit int, w *wakes) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range a.nodes {
		k := n.class
		if k == nil {
			continue
		}
		fresh := rs.intern(k.templates, k.segments, limit)
		i := len(fresh.levels)
		for up := n; up != nil && i > 0; up = up.parent {
			i--
			up.level = fresh.levels[i]
		}
		n.class = fresh
	}
	a.dispatchLocked(nil, w)
	a.wakeAllLocked(w)
}

// wakeAll wakes everybody who waits.
func (a *admission) wakeAll(w *wakes) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wakeAllLocked(w)
}

func (a *admission) wakeAllLocked(w *wakes) {
	if a.waiting == nil {
		return
	}
	for n := a.waiting; ; {
		for t := n.first; t != nil; t = t.next {
			w.add(t.Waker)
		}
		if n = n.next; n == a.waiting {
			return
		}
	}
}

// short cuts a class path for a text.
func short(path string) string {
	if len(path) <= 64 {
		return path
	}
	return strings.ToValidUTF8(path[:64], "") + "…"
}
