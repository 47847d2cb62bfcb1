package policy

import "time"

// Verdict is the outcome of a decision, weakest first; the strictest wins.
type Verdict uint8

// The verdicts.
const (
	Allow Verdict = iota
	Warn
	Queue
	Deny
)

var verdictNames = [...]string{"allow", "warn", "queue", "deny"}

// String returns the word of policies and audit records.
func (v Verdict) String() string { return verdictNames[v] }

// Decision is what the policy says about one batch. It holds only values and
// pointers to immutable parts of the ruleset that made it.
type Decision struct {
	Verdict Verdict
	Class   string // path of the class, "bi/ann"
	Limits  Limits
	Release *ReleasePlan // the class's, never nil
	Audit   AuditPlan
	// OnClientGone is the class's answer to a client that vanished.
	OnClientGone ClientGone

	Rules    []string  // ids of all rules that matched in enforce mode, and of quotas that refused or notified; immutable
	Warnings []Warning // warn rules and quota notices to tell the client; immutable
	Observed []string  // ids of what would have acted outside observe mode; immutable

	// Names are the names of the batch as they were resolved: of a principal's
	// connection only, nil else; immutable.
	Names *ResolvedNames

	// Metered: rows, bytes or seconds of this statement are charged as they pass; call Engine.Charge.
	Metered bool

	// Refusal is set with Deny.
	Refusal *Refusal

	// With Queue: where the ticket stands, counted from 1, and how long it may stay.
	Position  int
	QueueName string // class whose limit holds it, or the class itself for a queue rule
	QueueWhy  string // "12 of 12 running" or the rule's id
	MaxWait   time.Duration
	// QueueRule: a rule holds it, not a class that is full.
	QueueRule bool
	// QueueRunning is how many run in the class whose limit holds it; 0: none does.
	QueueRunning int
}

// Refusal is an error for the client in Postgres' own terms.
type Refusal struct {
	SQLState string
	Message  string
	Detail   string
	Hint     string
	Reason   string // goes into the R field as "lockkeeper.<reason>": rule, quota, queue_timeout, queue_full
	Rule     string // id of the rule, quota or class; goes into the n field
}

// Warning is a text for the client, sent as a NOTICE.
type Warning struct {
	Rule string
	Text string
}

// ClientGone says what to do with a running statement whose client vanished.
type ClientGone uint8

// The answers to a vanished client.
const (
	GoneCancel ClientGone = iota
	GoneFinish
)

// AuditPlan is how a statement is recorded; the strictest of all that matched.
type AuditPlan struct {
	Text       AuditText
	Params     AuditParams
	Durability Durability
	OnFailure  FailMode
}

// AuditText is how much of the text is stored.
type AuditText uint8

// The text levels.
const (
	TextNone AuditText = iota
	TextNormalized
	TextFull
)

// AuditParams is how bound parameters are stored.
type AuditParams uint8

// The parameter levels.
const (
	ParamsNone AuditParams = iota
	ParamsHashed
	ParamsFull
)

// Durability is what must have happened to a record before its act.
type Durability uint8

// The durability modes, weakest first. DurabilityUnset: durable for write, ddl
// and unknown, ordered for read; Decide never returns it.
const (
	DurabilityUnset Durability = iota
	BestEffort
	Ordered
	Durable
)

// FailMode is what happens when the record cannot be written.
type FailMode uint8

// The fail modes, weakest first.
const (
	FailOpen FailMode = iota
	FailClosedForWrites
	FailClosed
)

// ReleaseMode is a rung of the release ladder, weakest first.
type ReleaseMode uint8

// The rungs that this version enforces. Transparent end and virtual
// transactions come between notice and rollback later.
const (
	ReleaseNotice ReleaseMode = iota
	ReleaseRollback
	ReleaseKill
)

var releaseNames = [...]string{"notice", "rollback", "kill"}

// String returns the ladder's word.
func (m ReleaseMode) String() string { return releaseNames[m] }

// ReleasePlan is a class's answer to idle holders of locks.
type ReleasePlan struct {
	Ladder []ReleaseMode // rungs allowed, in order; empty: only notices
	// WhenBlocking: MinIdle < 0 means never.
	MinIdle   time.Duration
	For       []string      // class globs, or "any"
	MaxIdleTx time.Duration // idle in a transaction at all; 0: none
	Observe   bool
}

// Strongest returns the strongest rung of the ladder, ReleaseNotice for an empty one.
func (p *ReleasePlan) Strongest() ReleaseMode {
	m := ReleaseNotice
	for _, r := range p.Ladder {
		m = max(m, r)
	}
	return m
}

// Limits are the bounds of one statement and of its session, the strictest of
// the class's and of all rules that matched. Zero means none.
type Limits struct {
	QueryExecutionTime time.Duration
	TransactionTime    time.Duration
	IdleSession        time.Duration
	ClientStall        time.Duration // 0: QueryExecutionTime, else five minutes
	ReturnRowCount     int64
	ReturnBytes        int64

	// Source of each limit for the DETAIL of an error: `class "bi"` or `rule "r1"`; immutable.
	QueryExecutionTimeFrom string
	TransactionTimeFrom    string
	IdleSessionFrom        string
	ReturnRowCountFrom     string
	ReturnBytesFrom        string
}

// Usage is what a statement used, or a part of it.
type Usage struct {
	RowsReturned int64
	RowsWritten  int64
	BytesOut     int64
	BytesIn      int64
	Exec         time.Duration
	Queued       time.Duration
	IdleTx       time.Duration
}

// Waker is told that a waiting ticket may move. It is called without any lock
// held and must not block.
type Waker interface{ Wake() }
