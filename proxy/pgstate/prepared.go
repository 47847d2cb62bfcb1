package pgstate

import (
	"maps"
	"slices"
	"strings"
)

// MaxName is how many bytes of a name Postgres compares, of statements and of
// portals: two longer ones that begin alike are one. Of longer statement names
// we keep no facts, so whoever uses them is judged as unknown, on a warehouse
// that compares more of them too.
const MaxName = 63

// Cut returns what Postgres compares of a name, and whether that is not all.
func Cut(name []byte) (short []byte, cut bool) {
	if len(name) > MaxName {
		return name[:MaxName], true
	}
	return name, false
}

// PushParse notes a Parse. The facts take effect at once for the messages
// behind it, and are taken back if the server refuses or skips it. The result
// is Push's.
func (m *Machine) PushParse(e Entry, name []byte, facts any) bool {
	e.Op = OpParse
	if m.discards(e) || m.copy == CopyIn {
		return m.Push(e)
	}
	if len(name) == 0 {
		e.old, m.unnamed = m.unnamed, facts
		return m.Push(e)
	}
	if short, cut := Cut(name); cut {
		delete(m.stmts, string(short))
		return m.Push(e)
	}
	if m.stmts == nil {
		m.stmts = make(map[string]any)
	}
	e.old = m.stmts[string(name)]
	if e.old == nil && len(m.stmts) >= MaxNames {
		return m.Push(e)
	}
	e.name = string(name)
	m.stmts[e.name] = facts
	return m.Push(e)
}

// PushClose notes a Close of a statement ('S') or portal ('P').
func (m *Machine) PushClose(e Entry, kind byte, name []byte) bool {
	e.Op = OpClose
	if m.discards(e) || m.copy == CopyIn {
		return m.Push(e)
	}
	switch {
	case kind == 'P':
		if len(name) == 0 {
			m.portal = NoRef
		} else {
			short, _ := Cut(name)
			delete(m.portals, string(short))
		}
	case len(name) == 0:
		e.old, m.unnamed = m.unnamed, nil
	case len(name) > MaxName:
		delete(m.stmts, string(name[:MaxName]))
	default:
		if old, ok := m.stmts[string(name)]; ok {
			e.name, e.old = string(name), old
			delete(m.stmts, e.name)
		}
	}
	return m.Push(e)
}

// PushBind notes a Bind that makes a portal of an execution.
func (m *Machine) PushBind(e Entry, portal []byte) bool {
	e.Op = OpBind
	if m.discards(e) || m.copy == CopyIn {
		return m.Push(e)
	}
	if len(portal) == 0 {
		m.portal = e.Ref
	} else {
		if m.portals == nil {
			m.portals = make(map[string]int32)
		}
		short, _ := Cut(portal)
		m.portals[string(short)] = e.Ref
	}
	return m.Push(e)
}

// Crowded reports whether one more portal of this name is one too many.
func (m *Machine) Crowded(portal []byte) bool {
	return len(portal) > 0 && len(m.portals) >= MaxPortals && m.Portal(portal) == NoRef
}

// Statement returns the facts of a prepared statement, nil if there are none.
func (m *Machine) Statement(name []byte) any {
	if len(name) == 0 {
		return m.unnamed
	}
	return m.stmts[string(name)]
}

// Define notes that SQL PREPARE made a statement. A Parse of the same name that
// went up behind it has the last word.
func (m *Machine) Define(name string, facts any) {
	for i := m.at; i < len(m.q); i++ {
		if m.q[i].Op == OpParse && m.q[i].name == name {
			return
		}
	}
	if len(name) > MaxName {
		delete(m.stmts, name[:MaxName])
		return
	}
	if m.stmts == nil {
		m.stmts = make(map[string]any)
	}
	if len(m.stmts) < MaxNames {
		m.stmts[strings.Clone(name)] = facts
	}
}

// Deallocate notes that SQL DEALLOCATE ended a statement; "" means all.
func (m *Machine) Deallocate(name string) {
	if name == "" {
		clear(m.stmts)
		return
	}
	delete(m.stmts, name[:min(len(name), MaxName)])
}

// Portal returns the execution behind a portal, NoRef if there is none.
func (m *Machine) Portal(name []byte) int32 {
	if len(name) == 0 {
		return m.portal
	}
	name, _ = Cut(name)
	if ref, ok := m.portals[string(name)]; ok {
		return ref
	}
	return NoRef
}

// Forget drops every portal of an execution that is over.
func (m *Machine) Forget(ref int32) {
	if m.portal == ref {
		m.portal = NoRef
	}
	for n, r := range m.portals {
		if r == ref {
			delete(m.portals, n)
		}
	}
}

// EndPortals forgets all portals, calling over for each execution: the
// transaction they lived in is over.
func (m *Machine) EndPortals(over func(ref int32)) {
	if m.portal != NoRef {
		over(m.portal)
		m.portal = NoRef
	}
	refs := slices.Collect(maps.Values(m.portals))
	clear(m.portals) // first: over comes back with Forget, which looks through what is left
	for _, r := range refs {
		if r != NoRef {
			over(r)
		}
	}
}

// unnamedGone: a simple Query ends the unnamed statement.
func (m *Machine) unnamedGone(e Entry) {
	if e.Op == OpQuery && !e.Own {
		m.unnamed = nil
	}
}

// undo takes back what a message did to our names: the server never did it.
func (m *Machine) undo(e *Entry) {
	if e.Own { // our names are none of the client's
		return
	}
	switch e.Op {
	case OpParse:
		if e.name == "" {
			// A failed Parse leaves no unnamed statement in Postgres, a skipped
			// one leaves the old; keeping none is the stricter reading.
			m.unnamed = nil
			return
		}
		if e.old == nil {
			delete(m.stmts, e.name)
			return
		}
		m.stmts[e.name] = e.old
	case OpClose:
		if e.name != "" && e.old != nil {
			m.stmts[e.name] = e.old
		} else if e.old != nil {
			m.unnamed = e.old
		}
	}
}
