package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// side is where the input of a question comes from, which decides when it can
// be answered: once a connection, once a class, once a statement text, or at
// the moment of the decision.
type side uint8

const (
	sideConn side = 1 << iota
	sideClass
	sideFacts
	sideMoment
)

// key is a match key of the language.
type key uint8

const (
	keyUser key = iota
	keyAuthUser
	keyTeam
	keyTool
	keyClientIP
	keyDatabase
	keyRole
	keyEnvironment
	keyVia
	keyClass
	keyVerb
	keyKind
	keyPgAudit
	keyReads
	keyWrites
	keyFunction
	keyFingerprint
	keyHasWhere
	keyHasLimit
	keyTags
	keyUrgency
	keyTxState
	keySessionAge
	keyTime
)

var keyNames = [...]string{
	"user", "auth_user", "team", "tool", "client_ip", "database", "role", "environment", "via", "class",
	"verb", "kind", "pgaudit", "reads", "writes", "function", "fingerprint", "has_where", "has_limit",
	"tags", "urgency", "tx_state", "session_age", "time",
}

func (k key) side() side {
	switch {
	case k <= keyVia:
		return sideConn
	case k == keyClass:
		return sideClass
	case k <= keyHasLimit:
		return sideFacts
	}
	return sideMoment
}

// atom is one key and the values it may have.
type atom struct {
	key     key
	globs   []glob
	nets    []netip.Prefix
	names   []namePattern
	verbs   Verbs
	kinds   []Kind
	tags    []tagAtom
	want    bool
	states  []TxState
	ages    []AgeBound
	windows []Window
}

type tagAtom struct {
	key    string
	values []glob
}

// cond is a compiled Condition: atoms and negations that must all hold.
type cond struct {
	atoms []atom
	nots  []cond
	sides side
}

// compileCondition turns a Condition into atoms, cheap ones first.
func compileCondition(c *Condition) cond {
	var out cond
	add := func(a atom) {
		out.atoms = append(out.atoms, a)
		out.sides |= a.key.side()
	}
	globs := func(k key, texts []string, fold bool) {
		if len(texts) > 0 {
			add(atom{key: k, globs: newGlobs(texts, fold)})
		}
	}
	names := func(k key, texts []string) {
		if len(texts) > 0 {
			add(atom{key: k, names: newNamePatterns(texts)})
		}
	}
	globs(keyUser, c.User, true)
	globs(keyAuthUser, c.AuthUser, true)
	globs(keyTeam, c.Team, true)
	globs(keyTool, c.Tool, true)
	if len(c.ClientIP) > 0 {
		add(atom{key: keyClientIP, nets: append([]netip.Prefix(nil), c.ClientIP...)})
	}
	globs(keyDatabase, c.Database, false)
	globs(keyRole, c.Role, false)
	globs(keyEnvironment, c.Environment, false)
	globs(keyVia, c.Via, false)
	globs(keyClass, c.Class, true)
	if c.Verb != 0 {
		add(atom{key: keyVerb, verbs: c.Verb})
	}
	if len(c.Kind) > 0 {
		add(atom{key: keyKind, kinds: append([]Kind(nil), c.Kind...)})
	}
	globs(keyPgAudit, upper(c.PgAudit), false)
	globs(keyFingerprint, c.Fingerprint, false)
	if c.HasWhere != nil {
		add(atom{key: keyHasWhere, want: *c.HasWhere})
	}
	if c.HasLimit != nil {
		add(atom{key: keyHasLimit, want: *c.HasLimit})
	}
	names(keyFunction, c.Function)
	names(keyReads, c.Reads)
	names(keyWrites, c.Writes)
	if len(c.Tags) > 0 {
		tags := make([]tagAtom, len(c.Tags))
		for i, t := range c.Tags {
			tags[i] = tagAtom{key: t.Key, values: newGlobs(t.Values, false)}
		}
		add(atom{key: keyTags, tags: tags})
	}
	globs(keyUrgency, c.Urgency, false)
	if len(c.TxState) > 0 {
		add(atom{key: keyTxState, states: append([]TxState(nil), c.TxState...)})
	}
	if len(c.SessionAge) > 0 {
		add(atom{key: keySessionAge, ages: append([]AgeBound(nil), c.SessionAge...)})
	}
	if len(c.Time) > 0 {
		add(atom{key: keyTime, windows: append([]Window(nil), c.Time...)})
	}
	for i := range c.Not {
		n := compileCondition(&c.Not[i])
		out.nots = append(out.nots, n)
		out.sides |= n.sides
	}
	return out
}

func upper(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = strings.ToUpper(s)
	}
	return out
}

// scope is what a condition is asked about. A nil part is not known yet.
type scope struct {
	now   time.Time
	id    *identity
	class *class
	st    *Statement
	names *names
	tags  []Tag // of the batch
	state *SessionState
}

// single tells whether a negation can be answered on one side alone. An empty
// one never holds and belongs nowhere.
func (s side) single() bool { return s&(s-1) == 0 }

// part answers what can be answered on one side alone.
func (c *cond) part(sc *scope, s side) tri {
	t := yes
	if c.sides&s == 0 {
		return t
	}
	for i := range c.atoms {
		if c.atoms[i].key.side() == s {
			if t = min(t, c.atoms[i].eval(sc)); t == no {
				return no
			}
		}
	}
	for i := range c.nots {
		if c.nots[i].sides == s {
			if t = min(t, c.nots[i].whole(sc).not()); t == no {
				return no
			}
		}
	}
	return t
}

// hasRest tells whether something is left for the moment of the decision.
func (c *cond) hasRest() bool {
	if c.sides&sideMoment != 0 {
		return true
	}
	for i := range c.nots {
		if s := c.nots[i].sides; s == 0 || !s.single() {
			return true
		}
	}
	return false
}

// rest answers what part cannot: the moment, and negations over several sides.
func (c *cond) rest(sc *scope) tri {
	t := c.part(sc, sideMoment)
	for i := range c.nots {
		if s := c.nots[i].sides; s == 0 || !s.single() {
			t = min(t, c.nots[i].whole(sc).not())
		}
	}
	return t
}

// whole answers everything: the slow and obvious way.
func (c *cond) whole(sc *scope) tri {
	t := yes
	for i := range c.atoms {
		t = min(t, c.atoms[i].eval(sc))
	}
	for i := range c.nots {
		t = min(t, c.nots[i].whole(sc).not())
	}
	return t
}

// asksNames tells whether the condition looks at relations or functions.
func (c *cond) asksNames() bool {
	for i := range c.atoms {
		if len(c.atoms[i].names) > 0 {
			return true
		}
	}
	for i := range c.nots {
		if c.nots[i].asksNames() {
			return true
		}
	}
	return false
}

// String writes an atom as a policy would.
func (a *atom) String() string {
	var vals []string
	for _, g := range a.globs {
		vals = append(vals, g.text)
	}
	for _, n := range a.nets {
		vals = append(vals, n.String())
	}
	for _, n := range a.names {
		vals = append(vals, n.text)
	}
	vals = append(vals, a.verbs.Names()...)
	for _, k := range a.kinds {
		vals = append(vals, k.String())
	}
	for _, t := range a.tags {
		for _, v := range t.values {
			vals = append(vals, t.key+"="+v.text)
		}
	}
	for _, s := range a.states {
		vals = append(vals, txWord(s))
	}
	for _, g := range a.ages {
		vals = append(vals, g.String())
	}
	for _, w := range a.windows {
		vals = append(vals, w.Text)
	}
	if a.key == keyHasWhere || a.key == keyHasLimit {
		vals = append(vals, fmt.Sprint(a.want))
	}
	return keyNames[a.key] + ": " + strings.Join(vals, ", ")
}

func txWord(s TxState) string {
	switch s {
	case TxActive:
		return "active"
	case TxFailed:
		return "failed"
	case TxIdle:
	}
	return "idle"
}
