package policy

import "time"

// Ticket is a statement's place in a queue and what it has taken of slots and
// quotas. The session owns it and uses it again after Settle or Leave; its
// zero value, with a Waker, is ready. It must not be copied while in use.
type Ticket struct {
	// Waker is told when the ticket may move. Set it before Decide.
	Waker Waker

	conn  *Conn
	taken bool // quotas have been taken

	// guarded by admission.mu
	phase      ticketPhase
	leaf       *node
	class      *class
	shared     bool // by the connection's slot
	slotless   bool // it counts, and takes no slot
	held       bool
	heldBy     string
	seq        uint64
	since      time.Time
	next, prev *Ticket

	charges []charge  // guarded by ledger.mu once taken
	metered bool      // some of them are charged as they pass
	notices []Warning // of quotas, told when the statement is admitted
	marks   []string  // ids of quotas that noticed
	ghosts  []string  // ids of quotas that would have refused
}

// ticketPhase is where a ticket is in its life.
type ticketPhase uint8

const (
	ticketFresh ticketPhase = iota
	ticketQueued
	ticketRunning
)

// reset makes the ticket fresh. Nobody else may see it any more.
func (t *Ticket) reset() {
	clear(t.charges)
	*t = Ticket{Waker: t.Waker, charges: t.charges[:0]}
}
