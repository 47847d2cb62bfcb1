package pgstate

// CopyState is the copy sub-protocol under way.
type CopyState uint8

// The copy states.
const (
	NoCopy CopyState = iota
	CopyIn
	CopyOut
	CopyBoth
	copyDone // CopyDone or CopyFail went up
)

// Copy returns the copy state.
func (m *Machine) Copy() CopyState {
	if m.copy == copyDone {
		return NoCopy
	}
	return m.copy
}

// CopyEnd notes that CopyDone or CopyFail goes up. The Syncs that went up
// before it have been ignored once the server answers.
func (m *Machine) CopyEnd() {
	if m.copy == CopyIn {
		m.copy = copyDone
	}
	for i := m.at; i < len(m.q); i++ {
		if m.q[i].Op == OpSync {
			m.q[i].void = true
		}
	}
}

// Resolve decides that a Sync in doubt was ignored by the server: its
// ReadyForQuery would have come by now.
func (m *Machine) Resolve() {
	if h := m.Head(); h != nil && h.maybe {
		m.pop()
		m.skip = m.Head() == nil
	}
}

// InDoubt reports whether the head is a Sync of which only the server knows
// whether it was ignored during a copy.
func (m *Machine) InDoubt() bool {
	h := m.Head()
	return h != nil && h.maybe
}

func (m *Machine) copySent() bool { return m.copy == copyDone }

func (m *Machine) admitCopy() Move {
	switch {
	case m.copy == CopyIn:
		return Go
	case m.Owed() > 0 && !m.deaf && !m.InDoubt():
		return Wait // CopyInResponse may be on its way
	}
	return Drop
}

// copyEnded: the command ended, well or not. If it failed before the client
// ended it, a Sync that had gone up early may have been ignored or not: a
// failing BEFORE STATEMENT trigger leaves it to be answered, a bad row does not.
func (m *Machine) copyEnded(well bool) {
	was := m.copy
	m.copy = NoCopy
	if was == CopyIn && !well {
		for i := m.at; i < len(m.q); i++ {
			if m.q[i].Op == OpSync {
				m.q[i].maybe = true
			}
		}
	}
	if was != copyDone {
		for i := m.at; i < len(m.q); i++ {
			m.q[i].void = false
		}
	}
}

// dropVoid forgets the Syncs that a copy swallowed, once their command is
// answered.
func (m *Machine) dropVoid() {
	for h := m.Head(); h != nil && h.void; h = m.Head() {
		m.pop()
		m.open = m.Owed() == 0
	}
}
