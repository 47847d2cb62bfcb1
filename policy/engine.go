package policy

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// EngineConfig bounds an Engine. The zero value is useful.
type EngineConfig struct {
	MaxClasses int // live classes made on demand; 0: 10000
	MaxCells   int // counters of quotas; 0: 65536
}

// Engine joins the ruleset in force with the queues and the counters. Its
// methods may be called from any goroutine.
type Engine struct {
	cfg       EngineConfig
	world     atomic.Pointer[world]
	observe   atomic.Bool
	publishMu sync.Mutex // one publisher at a time; before admission.mu
	admission *admission
	ledger    *ledger
}

// NewEngine returns an engine that allows and audits everything until Publish.
func NewEngine(cfg EngineConfig) *Engine {
	if cfg.MaxClasses <= 0 {
		cfg.MaxClasses = 10_000
	}
	if cfg.MaxCells <= 0 {
		cfg.MaxCells = 65_536
	}
	e := &Engine{cfg: cfg, admission: newAdmission(cfg.MaxClasses), ledger: newLedger(cfg.MaxCells)}
	rs, err := Compile(Source{})
	if err != nil {
		panic(err) // the empty policy has nothing to be wrong
	}
	e.world.Store(newWorld(rs, nil))
	return e
}

// Publish swaps the ruleset. Running statements keep their Decision and their
// slots; tickets that wait are woken to be decided again; counters of quotas
// that count the same thing go on.
func (e *Engine) Publish(rs *Ruleset) {
	var w wakes
	e.publishMu.Lock()
	e.world.Store(newWorld(rs, e.world.Load().catalogs))
	e.ledger.retain(rs)
	e.admission.renew(rs, e.cfg.MaxClasses, &w)
	e.publishMu.Unlock()
	w.run()
}

// Ruleset returns the ruleset in force.
func (e *Engine) Ruleset() *Ruleset { return e.world.Load().rs }

// PublishCatalog swaps the snapshot of c's database.
func (e *Engine) PublishCatalog(c *Catalog) {
	var w wakes
	e.publishMu.Lock()
	old := e.world.Load()
	catalogs := make(map[string]*Catalog, len(old.catalogs)+1)
	maps.Copy(catalogs, old.catalogs)
	catalogs[c.database] = c
	e.world.Store(newWorld(old.rs, catalogs))
	e.admission.wakeAll(&w)
	e.publishMu.Unlock()
	w.run()
}

// Catalog returns the snapshot that speaks of a database, nil when there is
// none.
func (e *Engine) Catalog(database string) *Catalog { return e.world.Load().catalog(database) }

// SetObserve turns observe mode on or off for everything: what would have been
// refused, queued or limited is only counted.
func (e *Engine) SetObserve(on bool) {
	if e.observe.Swap(on) == on {
		return
	}
	var w wakes
	e.admission.wakeAll(&w)
	w.run()
}

// Observe tells whether everything is in observe mode.
func (e *Engine) Observe() bool { return e.observe.Load() }

// Standing returns class, limits and release plan of a session before its
// first statement: what classify and the rules say without one.
func (e *Engine) Standing(now time.Time, c *Conn) Decision {
	observe := e.observe.Load()
	c.sync(e.world.Load())
	rs := c.world.rs
	sc := scope{now: now, id: c.of, state: &SessionState{Tx: TxIdle, Started: now}}
	k := c.standingClass(&sc)
	matched, sure := c.scratch()
	sc.class = k
	for i := rs.lines; i < len(rs.items); i++ {
		it := &rs.items[i]
		if it.rule == nil || !hasBit(rs.unread, i) {
			continue
		}
		if t := it.ask(&sc); t != no {
			setBit(matched, i)
			if t == yes {
				setBit(sure, i)
			}
		}
	}
	o := c.outcomeOf(matched, sure, observe)
	d := e.decision(o, k, observe)
	d.Audit.Durability = max(d.Audit.Durability, Ordered)
	if c.actor != nil {
		return Merge(d, e.Standing(now, c.actor))
	}
	return d
}

// standingClass classifies without a statement.
func (c *Conn) standingClass(sc *scope) *class {
	rs := c.world.rs
	for i := range rs.lines {
		if rs.items[i].when.whole(sc) == yes {
			return c.classOf(i)
		}
	}
	return c.classOf(rs.lines)
}

// ask answers for one item the slow way: condition and exceptions.
func (it *item) ask(sc *scope) tri {
	for i := range it.except {
		if it.except[i].whole(sc) == yes {
			return no
		}
	}
	return it.when.whole(sc)
}

// decision begins a Decision from what the matched rules and the class say.
func (e *Engine) decision(o *outcome, k *class, observe bool) Decision {
	d := Decision{
		Class:        k.path,
		Release:      k.release,
		OnClientGone: k.gone,
		Audit:        o.audit,
		Rules:        o.rules,
		Warnings:     o.warnings,
		Observed:     o.observed,
	}
	if !observe {
		d.Limits = k.limits.tighter(o.limits)
	} else if d.Release != nil && !d.Release.Observe {
		plan := *d.Release
		plan.Observe = true
		d.Release = &plan
	}
	return d
}

// Charge charges a part of what a statement uses, as it passes. An answer
// means that the statement must be cancelled: a quota that cancels was passed.
func (e *Engine) Charge(now time.Time, t *Ticket, u Usage) *Refusal {
	if len(t.charges) == 0 {
		return nil
	}
	e.ledger.mu.Lock()
	defer e.ledger.mu.Unlock()
	e.ledger.dirty.Add(1)
	return e.ledger.chargeLocked(now, t, &u, e.observe.Load())
}

// Settle ends a statement: the rest of its usage is charged, its slot goes to
// the next in line, and the ticket is fresh again.
func (e *Engine) Settle(now time.Time, t *Ticket, u Usage) {
	e.Charge(now, t, u)
	e.free(now, t)
}

// Leave ends a statement that never ran: it leaves the queue, and what it took
// of quotas is given back.
func (e *Engine) Leave(now time.Time, t *Ticket) {
	e.giveBack(now, t)
	e.free(now, t)
}

func (e *Engine) giveBack(now time.Time, t *Ticket) {
	if len(t.charges) == 0 {
		return
	}
	e.ledger.mu.Lock()
	defer e.ledger.mu.Unlock()
	e.ledger.dirty.Add(1)
	e.ledger.giveBackLocked(now, t)
}

// free gives back queue place and slot and makes the ticket fresh.
func (e *Engine) free(now time.Time, t *Ticket) {
	var w wakes
	e.admission.leave(now, t, &w)
	t.reset()
	w.run()
}

// IdleTx charges time that a session spent idle in a transaction; class is
// that of its last statement. It may be called beside Decide.
func (e *Engine) IdleTx(now time.Time, c *Conn, class string, d time.Duration) {
	e.chargeIdle(now, c, class, d)
}

// ExportQuotas returns all counters as versioned JSON.
func (e *Engine) ExportQuotas() []byte { return e.ledger.export() }

// ImportQuotas takes counters back in. Call it before the first statement;
// those that fit no quota of the next ruleset are dropped.
func (e *Engine) ImportQuotas(data []byte) error { return e.ledger.restore(data) }

// QuotaDirty returns a number that grows whenever a counter changes.
func (e *Engine) QuotaDirty() uint64 { return e.ledger.dirty.Load() }

// NeedsSearchPath reports whether a rule, class or quota looks at relations or
// functions, so that a session's search_path matters.
func (e *Engine) NeedsSearchPath() bool { return e.world.Load().rs.asksNames }
