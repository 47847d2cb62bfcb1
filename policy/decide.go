package policy

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// Decide decides one batch.
//
// With a fresh ticket: rules, then quotas, then admission. Allow and Warn mean
// that the statement may go up and the ticket holds what it took; Deny means
// that nothing is held. Queue means that the ticket stands in a queue: the
// caller waits for its Waker, or a second, and asks again with the same
// ticket; rules are then asked again, quotas are not. A caller that gives up
// calls Leave.
//
// A nil ticket asks for the rules alone. A nil batch is one that nobody can
// read.
func (e *Engine) Decide(now time.Time, c *Conn, b *Batch, st *SessionState, t *Ticket) Decision {
	observe := e.observe.Load()
	if b == nil {
		b = unreadable
	}
	if st == nil {
		st = &SessionState{Tx: TxIdle}
	}
	c.sync(e.world.Load())
	v := verdict{e: e, c: c, now: now, batch: b, state: st, observe: observe, count: t != nil && !t.taken}
	v.ask()
	v.join()
	if c.readOnly && v.facts.readOnly != nil {
		v.refusal = v.facts.readOnly // a rule's words would promise that something else is allowed
	}
	if v.refusal != nil {
		return v.refuse(t, v.refusal)
	}
	if t == nil {
		v.d.Verdict = quiet(v.d.Warnings)
		if v.heldBy != "" && v.wait {
			v.d.Verdict, v.d.QueueName, v.d.QueueWhy, v.d.QueueRule, v.d.MaxWait = Queue, v.class.path, v.heldBy, true, v.class.maxWait
		}
		return v.d
	}
	return v.admit(t)
}

// verdict is one decision in the making.
type verdict struct {
	e       *Engine
	c       *Conn
	now     time.Time
	batch   *Batch
	state   *SessionState
	observe bool
	count   bool // rules that match are counted

	facts   *batchFacts
	outcome *outcome
	class   *class
	wait    bool     // some statement may wait; class is that of the first
	control bool     // every statement controls the transaction or the session
	heldBy  string   // id of a queue rule
	refusal *Refusal // of a rule
	d       Decision
}

func quiet(w []Warning) Verdict {
	if len(w) > 0 {
		return Warn
	}
	return Allow
}

// ask matches all statements of the batch and merges what they meet.
func (v *verdict) ask() {
	v.facts = v.c.world.facts(v.batch, v.c.envFor(v.state))
	v.judge()
}

// judge is ask with facts that are there.
func (v *verdict) judge() {
	c := v.c
	matched, sure := c.scratch()
	sc := scope{now: v.now, id: c.of, tags: v.batch.Tags, state: v.state}
	limits := Limits{}
	v.control = true
	for i := range v.facts.list {
		f := &v.facts.list[i]
		v.control = v.control && f.free
		sc.st, sc.names = f.st, f.names
		k := c.classify(&sc, f)
		sc.class = k
		wait := !f.noWait && !v.state.Held && !v.state.UnitOpen && v.state.Tx != TxFailed
		if !v.wait {
			v.class, v.wait = k, wait
		}
		if i > 0 {
			limits = limits.tighter(k.limits)
		} else {
			limits = k.limits
		}
		c.match(&sc, f, matched, sure)
	}
	if v.class == nil { // an empty query
		v.class = c.standingClass(&scope{now: v.now, id: c.of, state: v.state})
		limits = v.class.limits
	}
	v.outcome = c.outcomeOf(matched, sure, v.observe)
	v.d = v.e.decision(v.outcome, v.class, v.observe)
	if !v.observe {
		v.d.Limits = limits.tighter(v.outcome.limits)
	}
	if v.d.Audit.Durability == DurabilityUnset {
		v.d.Audit.Durability = Ordered
		if v.facts.durable {
			v.d.Audit.Durability = Durable
		}
	}
	v.refusal = v.outcome.refusal
	if v.outcome.verdict == Queue {
		v.heldBy = v.outcome.queueBy
	}
	if c.named {
		v.d.Names = v.facts.resolved()
	}
	if v.count {
		c.world.rs.tally(v.outcome)
	}
}

// scratch returns cleared bits for what matches.
func (c *Conn) scratch() (matched, sure []uint64) {
	n := c.world.rs.words
	matched, sure = c.bits[2*n:3*n], c.bits[3*n:4*n]
	clear(matched)
	clear(sure)
	return matched, sure
}

// classify finds the first line that surely matches.
func (c *Conn) classify(sc *scope, f *facts) *class {
	rs := c.world.rs
	may := c.bits[:rs.words]
	sc.class = nil
	for w := 0; w*64 < rs.lines; w++ {
		for set := may[w] & f.sure[w]; set != 0; set &= set - 1 {
			i := w*64 + bits.TrailingZeros64(set)
			if i >= rs.lines {
				break
			}
			if it := &rs.items[i]; !it.rest || it.when.rest(sc) == yes {
				return c.classOf(i)
			}
		}
	}
	return c.classOf(rs.lines)
}

// match adds the rules and quotas that a statement meets.
func (c *Conn) match(sc *scope, f *facts, matched, sure []uint64) {
	rs := c.world.rs
	n := rs.words
	may, except := c.bits[:n], c.bits[n:2*n]
	k := sc.class
	for w := rs.lines / 64; w < n; w++ {
		set := may[w] & f.may[w] &^ (except[w] | f.except[w])
		if k.may != nil {
			set &= k.may[w] &^ k.except[w]
		}
		if f.rollback {
			set &^= rs.denies[w]
		}
		plain := set & rs.plain[w]
		matched[w] |= plain
		sure[w] |= plain & f.sure[w]
		for set &= rs.later[w]; set != 0; set &= set - 1 {
			i := w*64 + bits.TrailingZeros64(set)
			t := c.late(&rs.items[i], sc)
			if t == no {
				continue
			}
			setBit(matched, i)
			if t == yes && hasBit(f.sure, i) {
				setBit(sure, i)
			}
		}
	}
}

// late answers what is left of an item that no bit excludes.
func (c *Conn) late(it *item, sc *scope) tri {
	if it.late && it.exceptedLate(sc) {
		return no
	}
	if it.rest {
		return it.when.rest(sc)
	}
	return yes
}

// tally counts what matched, once a statement. An outcome that the ruleset
// keeps counts for all its rules at once.
func (rs *Ruleset) tally(o *outcome) {
	if o.kept {
		o.hits.Add(1)
		return
	}
	rs.spread(o, 1)
}

// spread adds an outcome's count to its items.
func (rs *Ruleset) spread(o *outcome, n uint64) {
	for w, set := range o.matched {
		for ; set != 0; set &= set - 1 {
			it := &rs.items[w*64+bits.TrailingZeros64(set)]
			if o.observe || it.mode == ModeObserve {
				it.observed.Add(n)
			} else {
				it.matched.Add(n)
			}
		}
	}
}

// count brings the counts of all items up to date.
func (rs *Ruleset) count() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, o := range rs.outcomes {
		rs.spread(o, o.hits.Swap(0))
	}
}

// refuse ends a decision with an error; whatever the ticket held is free.
func (v *verdict) refuse(t *Ticket, r *Refusal) Decision {
	if t != nil {
		v.e.Leave(v.now, t)
	}
	v.d.Verdict, v.d.Refusal = Deny, r
	return v.d
}

// admit takes quotas and a slot, or a place in the queue.
func (v *verdict) admit(t *Ticket) Decision {
	if !t.taken {
		if r := v.take(t); r != nil {
			v.e.free(v.now, t)
			v.d.Rules = with(v.d.Rules, r.Rule)
			v.d.Verdict, v.d.Refusal = Deny, r
			return v.d
		}
	}
	r := request{class: v.class, wait: v.wait, control: v.control, observe: v.observe}
	if v.wait {
		r.heldBy = v.heldBy
	}
	var p place
	var w wakes
	again := t.taken
	switch {
	case len(v.facts.list) == 0: // an empty query runs nothing
	case again:
		p = v.e.admission.again(v.now, t, r, &w)
	default:
		t.conn = v.c
		p = v.e.admission.enter(v.now, t, r)
	}
	t.taken = true
	w.run()
	return v.placed(t, p)
}

// placed turns the place of a ticket into the rest of the decision.
func (v *verdict) placed(t *Ticket, p place) Decision {
	switch {
	case p.full != nil:
		return v.refuse(t, queueFull(p.full))
	case p.timedOut:
		return v.refuse(t, waitedTooLong(v.class, p))
	case p.position > 0:
		v.d.Verdict = Queue
		v.d.Warnings = nil // told when it runs
		v.d.Position, v.d.QueueName, v.d.QueueWhy, v.d.QueueRule, v.d.QueueRunning, v.d.MaxWait = p.position, p.name, p.why, p.byRule, p.running, v.class.maxWait
		return v.d
	}
	if p.observed != nil {
		v.d.Observed = withAll(v.d.Observed, p.observed.level.observed)
	}
	v.d.Observed = withAll(v.d.Observed, t.ghosts)
	v.d.Rules = withAll(v.d.Rules, t.marks)
	if len(t.notices) > 0 {
		v.d.Warnings = append(slices.Clip(v.d.Warnings), t.notices...)
	}
	v.d.Metered = t.metered
	v.d.Verdict = quiet(v.d.Warnings)
	return v.d
}

// with returns a list with one more; the given one is shared and stays.
func with(list []string, id string) []string {
	return append(slices.Clip(list), id)
}

func withAll(list, more []string) []string {
	if len(more) == 0 {
		return list
	}
	if len(list) == 0 {
		return more
	}
	return append(slices.Clip(list), more...)
}

func queueFull(n *node) *Refusal {
	return &Refusal{
		SQLState: "57014",
		Message:  fmt.Sprintf("canceling statement: queue %q is full", short(n.path)),
		Detail:   fmt.Sprintf("%d statements wait already; class %q takes %d.", n.queued, short(n.path), n.level.queueMax),
		Hint:     "Retry later; retrying at once makes it worse.",
		Reason:   "queue_full",
		Rule:     n.path,
	}
}

func waitedTooLong(k *class, p place) *Refusal {
	return &Refusal{
		SQLState: "55P03",
		Message:  fmt.Sprintf("could not admit statement: waited %s in queue %q", seconds(k.maxWait), short(p.name)),
		Detail:   fmt.Sprintf("It stood at place %d: %s.", p.position, p.why),
		Hint:     "Retry when fewer statements run.",
		Reason:   "queue_timeout",
		Rule:     k.path,
	}
}

// seconds writes a wait the way people say it.
func seconds(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return strings.TrimSpace(d.String())
}
