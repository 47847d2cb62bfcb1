package policy

import (
	"errors"
	"time"
)

// Principal is somebody whom the house itself has let in: the office hands it
// to the door beside the connection. It is a Go value and never text of a
// client, so nothing a client sends can make, change or widen one.
//
// With an Actor two people stand behind a statement: the subject, whose work it
// is, and the actor, who does it for him. Both are asked and the stricter
// answer holds, part by part (Merge). Slots, queues and quotas are the
// subject's alone: the work is his, and a service that acts for hundreds would
// else use up one quota with the work of all of them, so that one person could
// shut out everybody. What the actor may do at most is for rules.
type Principal struct {
	Subject Subject
	Actor   *Subject // who acts on the subject's behalf; nil: the subject himself
	Via     string   // web, api, job, workspace
	RunID   string   // the office's run; empty: none
	TokenID string   // the id of the token that was shown, never the token
	Attempt int      // of a job's run, from 1; 0: none
	// ReadOnly refuses every statement that writes, that cannot be read, or
	// that could leave the read-only mode. It is the principal's and not a
	// rule's: observe mode does not lift it.
	ReadOnly bool
	Urgency  string // interactive or batch: a hint that classify may ask for
	Tags     []Tag  // they stand against SET lockkeeper.tags and comments
}

// Validate says what is missing.
func (p *Principal) Validate() error {
	switch {
	case p.Subject.User == "":
		return errors.New("principal has no user: nobody could be judged or recorded")
	case p.Actor != nil && p.Actor.User == "":
		return errors.New("principal's actor has no user: leave the actor out, or name it")
	case p.Via == "":
		return errors.New("principal does not say which way it came (via)")
	}
	return nil
}

// NewConnFor returns the policy's view of a connection of a principal. Where
// the connection goes (database, role, environment) is the subject's to say,
// and holds for the actor as well.
func (e *Engine) NewConnFor(p *Principal) *Conn {
	s := p.Subject
	s.Via, s.Urgency, s.Given = p.Via, p.Urgency, p.Tags
	if p.Actor != nil {
		s.Actor = p.Actor.User
	}
	c := e.NewConn(s)
	c.readOnly, c.named = p.ReadOnly, true
	if p.Actor != nil {
		a := *p.Actor
		a.Database, a.Role, a.Environment, a.ClientIP = s.Database, s.Role, s.Environment, s.ClientIP
		a.Via, a.Urgency, a.Given = s.Via, s.Urgency, s.Given
		c.actor = e.NewConn(a)
	}
	return c
}

// join adds what the rules say of the actor to what they say of the subject.
func (v *verdict) join() {
	a := v.c.actor
	if a == nil {
		return
	}
	other := verdict{e: v.e, c: a, now: v.now, batch: v.batch, state: v.state, observe: v.observe}
	a.sync(v.c.world)
	other.ask()
	v.d = Merge(v.ruled(), other.ruled())
	v.heldBy, v.refusal = "", v.d.Refusal
	if v.d.Verdict == Queue {
		v.heldBy = v.d.QueueWhy
	}
	v.d.Verdict, v.d.Refusal, v.d.QueueName, v.d.QueueWhy, v.d.QueueRule = Allow, nil, "", "", false
}

// ruled returns what the rules say, as a decision.
func (v *verdict) ruled() Decision {
	d := v.d
	d.Verdict = quiet(d.Warnings)
	switch {
	case v.refusal != nil:
		d.Verdict, d.Refusal = Deny, v.refusal
	case v.heldBy != "":
		d.Verdict, d.QueueName, d.QueueWhy, d.QueueRule = Queue, v.class.path, v.heldBy, true
	}
	return d
}

// MayRead decides whether a subject may read relations and what functions gave,
// as they are now: what the viewer of a stored result is asked. It is the verb
// result_read beside the rules for reads; nothing is taken, nobody is queued
// and no rule is counted. A relation without a schema may be in any.
func (e *Engine) MayRead(now time.Time, subject Subject, database string, relations []Relation, functions []Function) Decision {
	subject.Database = database
	v := e.readAgain(now, e.NewConn(subject), relations, functions)
	d := v.ruled()
	if d.Verdict == Queue { // there is nothing to wait for
		d.Verdict, d.QueueName, d.QueueWhy, d.QueueRule = quiet(d.Warnings), "", "", false
	}
	return d
}

// readAgain judges the reading of a stored result.
func (e *Engine) readAgain(now time.Time, c *Conn, relations []Relation, functions []Function) *verdict {
	c.sync(e.world.Load())
	b := &Batch{Statements: []Statement{{
		Kind: KindRead, Verbs: VerbRead | VerbResultRead, Reads: relations, Functions: functions,
		// a stored result is bounded, whatever the statement was
		Features: FeatWhere | FeatLimit, PgAudit: "READ", Fingerprint: resultShape,
	}}}
	st := &SessionState{Tx: TxIdle, Started: now}
	v := &verdict{e: e, c: c, now: now, batch: b, state: st, observe: e.observe.Load()}
	v.facts = c.world.rs.readBatch(b, c.envFor(st))
	v.judge()
	return v
}

// ChargeRead charges rows of a stored result that leave the house to the
// quotas that the principal's reading meets, as if the warehouse had sent them.
// An answer refuses: nothing more may leave, and only what had left is charged.
// It takes no slot and waits in no queue.
func (e *Engine) ChargeRead(now time.Time, p *Principal, database string, relations []Relation, rows int64) *Refusal {
	who := *p
	who.Subject.Database = database
	v := e.readAgain(now, e.NewConnFor(&who), relations, nil)
	var t Ticket
	if refusal := v.take(&t); refusal != nil {
		return refusal
	}
	return e.Charge(now, &t, Usage{RowsReturned: rows})
}

// resultShape is the fingerprint of reading a stored result: none of the
// shapes that a rule or a quota can name.
const resultShape = "result_read"
