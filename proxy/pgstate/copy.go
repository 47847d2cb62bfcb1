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

// copyBegins: the server waits for data. What went up behind the command, other
// than Sync and Flush, will be taken for a mistake and fail the copy.
func (m *Machine) copyBegins() {
	m.copy = CopyIn
	for i := m.at + 1; i < len(m.q); i++ {
		if m.q[i].Op != OpSync {
			m.copy = copyDone
			return
		}
	}
}

// CopyEnd notes that CopyDone or CopyFail goes up. The Syncs that went up
// before it have been ignored once the server answers.
func (m *Machine) CopyEnd() {
	if m.copy != CopyIn {
		return // it has failed meanwhile: the server ignores what goes up
	}
	m.copy = copyDone
	for i := m.at; i < len(m.q); i++ {
		if m.q[i].Op == OpSync {
			m.q[i].void = true
		}
	}
}

// CopyResumed takes CopyEnd back: the message could not be sent. An answer that
// came meanwhile stands.
func (m *Machine) CopyResumed() {
	if m.copy != copyDone {
		return
	}
	m.copy = CopyIn
	for i := m.at; i < len(m.q); i++ {
		m.q[i].void = false
	}
}

// Resolve decides that a Sync in doubt was ignored by the server: its
// ReadyForQuery would have come by now.
func (m *Machine) Resolve() {
	h := m.Head()
	if h == nil || !h.maybe {
		return
	}
	answered := h.answered
	m.pop()
	if m.Head() == nil {
		m.skip, m.open = !answered, !answered
	}
}

// doubt: a Sync in doubt got a ReadyForQuery. If another Sync stands behind
// it, the answer may have been that one's.
func (m *Machine) doubt() {
	if h := m.Head(); h != nil && h.Op == OpSync && !h.Own {
		h.maybe, h.answered = true, true
	}
}

// simpleEnded: a Query got its ReadyForQuery. Whatever became of Syncs that were
// sent during its copy, the server skips nothing behind it.
func (m *Machine) simpleEnded() {
	for i := m.at; i < len(m.q); i++ {
		m.q[i].answered = m.q[i].answered || m.q[i].maybe
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

// copyEnded: the command ended, well or not. After an error only the server
// knows whether it had read, and ignored, a Sync that went up early: a failing
// BEFORE STATEMENT trigger leaves it to be answered, a bad row does not.
func (m *Machine) copyEnded(well bool) {
	was := m.copy
	m.copy = NoCopy
	if well || (was != CopyIn && was != copyDone) {
		return
	}
	for i := m.at; i < len(m.q); i++ {
		if m.q[i].Op == OpSync && (was == CopyIn || m.q[i].void) {
			m.q[i].maybe, m.q[i].void = true, false
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
