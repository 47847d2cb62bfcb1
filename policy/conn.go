package policy

import (
	"strings"
	"sync/atomic"
)

// Conn is the policy's view of one connection. One goroutine at a time uses
// it, except for Subject, Team, Teams and Tool, which anybody may call.
type Conn struct {
	engine *Engine
	id     atomic.Pointer[identity]

	// what follows belongs to whoever decides
	world   *world
	of      *identity // the identity the bits were made for
	bits    []uint64  // may, except, matched, sure: rs.words each
	classes []*class  // by line of classify, the default last; made when needed
	env     *nameEnv
	last    [4]*outcome
	turn    int
	key     []byte // scratch for the keys of counters

	// of a principal; set once
	actor    *Conn // who acts for the subject, nil: nobody
	readOnly bool
	named    bool // decisions tell the names as they were resolved

	// guarded by admission.mu: the slot the connection holds
	slot     *node
	slotRefs int
}

// NewConn returns the policy's view of a connection.
func (e *Engine) NewConn(s Subject) *Conn {
	c := &Conn{engine: e}
	c.id.Store(newIdentity(&s, &e.world.Load().rs.identities))
	return c
}

// Subject returns who asks. Nobody changes it afterwards.
func (c *Conn) Subject() *Subject { return c.id.Load().subject }

// Team returns the first team, empty when none is known.
func (c *Conn) Team() string { return c.id.Load().team() }

// Teams returns all teams.
func (c *Conn) Teams() []string { return c.id.Load().teams }

// Tool returns the tool, empty when none is known.
func (c *Conn) Tool() string { return c.id.Load().tool }

// SetSubject replaces who asks, as after SET application_name or SET ROLE. It
// belongs to the goroutine that decides.
func (c *Conn) SetSubject(s Subject) {
	if c.actor != nil { // the session's tags are everybody's
		a := *c.actor.Subject()
		a.Tags = s.Tags
		c.actor.SetSubject(a)
	}
	c.id.Store(newIdentity(&s, &c.engine.world.Load().rs.identities))
}

// sync makes the connection's bits anew when the ruleset, a catalog or the
// subject has changed.
func (c *Conn) sync(w *world) {
	id := c.id.Load()
	if c.world == w && c.of == id {
		return
	}
	if c.world == nil || c.world.rs != w.rs {
		id = newIdentity(id.subject, &w.rs.identities)
		c.id.Store(id)
	}
	if c.world == nil || c.world.rs != w.rs || c.of != id {
		c.resolve(w.rs, id)
	}
	if c.world != w {
		c.env = nil
	}
	c.world, c.of = w, id
}

func (c *Conn) resolve(rs *Ruleset, id *identity) {
	if cap(c.bits) < 4*rs.words {
		c.bits = make([]uint64, 4*rs.words)
	}
	c.bits = c.bits[:4*rs.words]
	clear(c.bits)
	c.classes = make([]*class, rs.lines+1)
	c.last = [4]*outcome{}
	may, except := c.bits[:rs.words], c.bits[rs.words:2*rs.words]
	sc := scope{id: id}
	for i := range rs.items {
		it := &rs.items[i]
		if it.when.part(&sc, sideConn) != no {
			setBit(may, i)
		}
		if it.exceptedBy(&sc, sideConn) {
			setBit(except, i)
		}
	}
}

// envFor returns the name environment of the session now.
func (c *Conn) envFor(st *SessionState) *nameEnv {
	db := c.of.subject.Database
	if !c.env.fits(c.world, db, st) {
		c.env = c.world.env(db, st)
	}
	return c.env
}

// classOf returns the class that a line of classify names for this connection.
func (c *Conn) classOf(line int) *class {
	if have := c.classes[line]; have != nil {
		return have
	}
	rs := c.world.rs
	k := rs.classFor(line, c.of, c.engine.cfg.MaxClasses)
	c.classes[line] = k
	return k
}

// classFor makes or finds the class of a line; past the last line is the
// default.
func (rs *Ruleset) classFor(line int, id *identity, limit int) *class {
	templates := []template{{text: DefaultClass, parts: []string{DefaultClass}}}
	if line < rs.lines {
		templates = rs.items[line].line.templates
	}
	segments := make([]string, len(templates))
	for i := range templates {
		segments[i] = templates[i].segment(id)
	}
	return rs.intern(templates, segments, limit)
}

// intern keeps one class for each path and line, within the limit.
func (rs *Ruleset) intern(templates []template, segments []string, limit int) *class {
	var key strings.Builder
	for i := range segments {
		key.WriteString(segments[i] + "\x00" + templates[i].text + "\x00")
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if have := rs.classes[key.String()]; have != nil {
		return have
	}
	k := newClass(rs.root, templates, segments)
	if rs.asksClass {
		k.may, k.except = make([]uint64, rs.words), make([]uint64, rs.words)
		sc := scope{class: k}
		for i := range rs.items {
			it := &rs.items[i]
			if it.when.part(&sc, sideClass) != no {
				setBit(k.may, i)
			}
			if it.exceptedBy(&sc, sideClass) {
				setBit(k.except, i)
			}
		}
	}
	if len(rs.classes) >= limit {
		clear(rs.classes)
	}
	rs.classes[key.String()] = k
	return k
}

// outcomeOf returns what the matched rules amount to.
func (c *Conn) outcomeOf(matched, sure []uint64, observe bool) *outcome {
	for _, o := range c.last {
		if o != nil && o.is(matched, sure, observe) {
			return o
		}
	}
	o := c.world.rs.outcome(matched, sure, observe)
	c.last[c.turn%len(c.last)] = o
	c.turn++
	return o
}

func (rs *Ruleset) outcome(matched, sure []uint64, observe bool) *outcome {
	key := make([]byte, 0, 16*len(matched)+1)
	for i := range matched {
		for s := 0; s < 64; s += 8 {
			key = append(key, byte(matched[i]>>s), byte(sure[i]>>s))
		}
	}
	if observe {
		key = append(key, 'o')
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if o := rs.outcomes[string(key)]; o != nil {
		return o
	}
	o := rs.merge(matched, sure, observe)
	if len(rs.outcomes) < maxOutcomes {
		o.kept = true
		rs.outcomes[string(key)] = o
	}
	return o
}
