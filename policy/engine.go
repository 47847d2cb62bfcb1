package policy

import (
	"sync/atomic"
	"time"
)

// EngineConfig bounds an Engine. The zero value is useful.
type EngineConfig struct {
	MaxClasses int // live classes made on demand; 0: 10000
	MaxCells   int // quota counters kept; 0: 65536
}

// Engine joins a Ruleset, the Admission and the Ledger.
type Engine struct {
	rs      atomic.Pointer[Ruleset]
	observe atomic.Bool
}

// NewEngine returns an engine that allows and audits everything until Publish.
func NewEngine(cfg EngineConfig) *Engine { return &Engine{} }

// Ruleset is a compiled, immutable policy.
type Ruleset struct{}

// Publish swaps the ruleset. Running statements keep their Decision; queued
// tickets are woken to be decided again.
func (e *Engine) Publish(rs *Ruleset) { e.rs.Store(rs) }

// Ruleset returns the ruleset in force.
func (e *Engine) Ruleset() *Ruleset { return e.rs.Load() }

// PublishCatalog swaps the catalog snapshot of c's database.
func (e *Engine) PublishCatalog(c *Catalog) {}

// SetObserve turns observe mode on or off for everything.
func (e *Engine) SetObserve(on bool) { e.observe.Store(on) }

// Observe tells whether everything is in observe mode.
func (e *Engine) Observe() bool { return e.observe.Load() }

// Conn is the policy's view of one connection.
type Conn struct {
	subject atomic.Pointer[Subject]
}

// NewConn returns the policy's view of a connection.
func (e *Engine) NewConn(s Subject) *Conn {
	c := &Conn{}
	c.subject.Store(&s)
	return c
}

// Subject returns who asks; the value is not changed afterwards.
func (c *Conn) Subject() *Subject { return c.subject.Load() }

// SetSubject replaces who asks.
func (c *Conn) SetSubject(s Subject) { c.subject.Store(&s) }

// Team returns the team, empty when none is known.
func (c *Conn) Team() string { return "" }

// Teams returns all teams.
func (c *Conn) Teams() []string { return nil }

// Tool returns the tool.
func (c *Conn) Tool() string { return c.Subject().ApplicationName }

// Ticket is a statement's place in the queue and what it has taken. Its zero
// value is fresh; the session owns and reuses it.
type Ticket struct {
	Waker Waker
}

var noRelease = &ReleasePlan{}

func allowAll() Decision {
	return Decision{Class: "default", Release: noRelease, Audit: AuditPlan{Text: TextNormalized, Durability: Durable, OnFailure: FailClosedForWrites}}
}

// Standing returns class, limits and release plan before the first statement.
func (e *Engine) Standing(now time.Time, c *Conn) Decision { return allowAll() }

// Decide decides one batch.
func (e *Engine) Decide(now time.Time, c *Conn, b *Batch, st *SessionState, t *Ticket) Decision {
	return allowAll()
}

// Charge charges a part of what the statement used, as it passes.
func (e *Engine) Charge(now time.Time, t *Ticket, u Usage) *Refusal { return nil }

// Settle ends a statement.
func (e *Engine) Settle(now time.Time, t *Ticket, u Usage) {}

// Leave leaves the queue.
func (e *Engine) Leave(now time.Time, t *Ticket) {}

// IdleTx charges time idle in a transaction.
func (e *Engine) IdleTx(now time.Time, c *Conn, class string, d time.Duration) {}

// Release decides what to do with idle holders of locks.
func (e *Engine) Release(now time.Time, edges []LockEdge, waiters []Waiter, holders []Holder) []Order {
	return nil
}

// ExportQuotas returns the quota counters as versioned JSON.
func (e *Engine) ExportQuotas() []byte { return []byte(`{"version":1}`) }

// ImportQuotas takes counters back in.
func (e *Engine) ImportQuotas(data []byte) error { return nil }

// QuotaDirty returns a number that changes whenever a counter changed.
func (e *Engine) QuotaDirty() uint64 { return 0 }

// Explain says why a batch would be decided as it would; it takes nothing.
func (e *Engine) Explain(now time.Time, c *Conn, b *Batch, st *SessionState) Explanation {
	return Explanation{Decision: allowAll()}
}
