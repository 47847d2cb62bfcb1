package pgstate

import "github.com/lockkeeper/lockkeeper/proxy/pgwire"

// Phase is what the server is doing for this session.
type Phase uint8

// The phases.
const (
	// Idle: nothing owed, no open unit; the transaction status tells the rest.
	Idle Phase = iota
	// IdleUnit: extended messages are up and answered, the Sync is not: the
	// server waits for the client and may hold locks.
	IdleUnit
	// Running: an answer is owed.
	Running
	// CopyWait: COPY FROM STDIN, the server waits for data.
	CopyWait
	// Skipping: the server failed and discards up to a Sync the client has not sent.
	Skipping
)

// Phase returns the phase.
func (m *Machine) Phase() Phase {
	switch {
	case m.copy == CopyIn && !m.copySent():
		return CopyWait
	case m.Owed() > 0:
		return Running
	case m.skip:
		return Skipping
	case m.open:
		return IdleUnit
	}
	return Idle
}

// Unflushed reports whether the last message that went up leaves the server
// free to keep its answers: only a Flush or Sync brings them out.
func (m *Machine) Unflushed() bool { return m.flat && m.Owed() > 0 }

// UnitOpen reports whether extended messages are up without a Sync.
func (m *Machine) UnitOpen() bool { return m.open }

// Mute reports whether a local refusal waits for the client's Sync.
func (m *Machine) Mute() bool { return m.mute }

// Deaf reports whether client messages are discarded up to a Sync.
func (m *Machine) Deaf() bool { return m.deaf || m.skip }

// Touched reports whether the server knows of a unit or transaction, so that a
// refusal must be its error and not ours.
func (m *Machine) Touched() bool {
	return m.Owed() > 0 || m.open || m.skip || m.tx != pgwire.TxIdle
}

// Owes reports whether the server still owes an answer for an execution.
func (m *Machine) Owes(ref int32) bool {
	for i := m.at; i < len(m.q); i++ {
		if m.q[i].Ref == ref {
			return true
		}
	}
	return false
}
