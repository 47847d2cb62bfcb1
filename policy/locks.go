package policy

import "time"

// LockEdge says that one backend waits for another, as the warehouse tells it.
type LockEdge struct {
	Waiter, Holder uint32   // backend pids; Holder 0: a prepared transaction
	Relations      []string // relations the holder and waiter meet on; may be empty
	Mode           string   // lock mode the waiter asks for
	Soft           bool     // the holder is itself waiting, ahead in the queue
}

// IdleKind is the way in which a backend waits on its client while it holds locks.
type IdleKind uint8

// The four kinds of idle holder, and none.
const (
	NotIdle    IdleKind = iota
	IdleInTx            // status T
	IdleFailed          // status E; a live savepoint still holds locks
	IdleUnit            // Parse, Bind or Execute, then Flush, no Sync
	IdleCopyIn          // COPY FROM STDIN whose client sends nothing
)

var idleNames = [...]string{"not idle", "idle in transaction", "idle in transaction (aborted)", "idle in an open extended-protocol unit", "idle in COPY FROM STDIN"}

// String returns words for people.
func (k IdleKind) String() string { return idleNames[k] }

// Holder is a session of ours as the release decision sees it.
type Holder struct {
	Session   uint64
	PID       uint32
	User      string
	Class     string
	Kind      IdleKind
	Idle      time.Duration // since the last answer ended
	HeldFor   time.Duration // since the transaction (or unit) began
	Plan      *ReleasePlan
	CoolUntil time.Time // no second order before this
	Noticed   bool      // was already told that it blocks somebody
	// Tried is the strongest rung already taken against this transaction;
	// the next order is a stronger one.
	Tried ReleaseMode
}

// Waiter is a statement of ours that waits for a lock.
type Waiter struct {
	Session   uint64
	PID       uint32
	User      string
	Class     string
	Waiting   time.Duration
	Remaining time.Duration // until its own time-out; 0: none
}

// Order is what to do with one holder.
type Order struct {
	Holder    Holder
	Waiter    Waiter
	Mode      ReleaseMode
	Relations []string
	Observe   bool   // count it, do nothing
	Reason    string // for the audit record and the notices
}
