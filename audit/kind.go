package audit

import "fmt"

// Kind says what an event tells about.
type Kind string

// The kinds of the door.
const (
	KindSessionStart   Kind = "session_start"
	KindSessionEnd     Kind = "session_end"
	KindLogin          Kind = "login"           // a failed one too: Verdict is deny and SQLState says why
	KindIntent         Kind = "intent"          // before the first byte that can run code leaves
	KindOutcome        Kind = "outcome"         // one for each intent; an intent without one marks a crash
	KindTxEnd          Kind = "tx_end"          // explicit transactions only; see Event.Tx
	KindDecision       Kind = "decision"        // a refusal, or a warning, a wait, an observed match beside the intent
	KindRelease        Kind = "release"         // before the ROLLBACK of a released transaction goes up
	KindCancel         Kind = "cancel"          // a cancel request that reached a statement
	KindConfig         Kind = "config"          // what was loaded or changed, with its hash
	KindOperatorAction Kind = "operator_action" // kill, release, reload by a person
	KindLoss           Kind = "loss"            // records that could not be kept, counted
	KindSegment        Kind = "segment"         // the header of a segment; not an event
)

// The kinds of the office.
const (
	KindLogout       Kind = "logout"
	KindToken        Kind = "token"
	KindGrant        Kind = "grant"         // who (Grantee) may use what (Target) as whom (Role)
	KindShare        Kind = "share"         // who (Grantee) may see the result of a run
	KindResultRead   Kind = "result_read"   // of a run (Run, StatementID), from Offset on Rows rows of BytesOut bytes
	KindResultExport Kind = "result_export" // the same as a file; Mode is the format
	KindAdminChange  Kind = "admin_change"
)

// Verdicts of a decision, as Event.Verdict holds them.
const (
	VerdictAllow = "allow"
	VerdictWarn  = "warn"
	VerdictQueue = "queue"
	VerdictDeny  = "deny"
)

// Ends of an explicit transaction, as Event.Tx holds them.
const (
	TxCommitted  = "committed"
	TxRolledBack = "rolled_back"
	TxReleased   = "released"
	TxLost       = "lost"
)

// Reasons why a statement was stopped before its own end, as Event.Stop holds
// them. The empty string says that it was not.
const (
	StopLimit      = "limit"
	StopTimeout    = "timeout"
	StopQuota      = "quota"
	StopUser       = "user"
	StopOperator   = "operator"
	StopClientGone = "client_gone"
	StopRelease    = "release"
)

// Durability says when Record may return.
type Durability uint8

const (
	// Ordered returns when the event is queued; it is written within the
	// flush interval and forced to disk within the sync interval.
	Ordered Durability = iota
	// Durable returns when the event is written and forced to disk. Sessions
	// that wait at the same time share one sync.
	Durable
	// BestEffort never waits: a full queue drops the event and counts it.
	BestEffort
)

var durabilityNames = [...]string{Ordered: "ordered", Durable: "durable", BestEffort: "best_effort"}

// String returns the word used in configuration.
func (d Durability) String() string {
	if int(d) < len(durabilityNames) {
		return durabilityNames[d]
	}
	return fmt.Sprintf("durability(%d)", uint8(d))
}

// ParseDurability reads the word used in configuration.
func ParseDurability(s string) (Durability, error) {
	for i, name := range durabilityNames {
		if s == name {
			return Durability(i), nil
		}
	}
	return 0, fmt.Errorf("unknown durability %q: want durable, ordered or best_effort", s)
}

// FailMode says what happens to a statement whose event cannot be recorded.
type FailMode uint8

const (
	// ClosedForWrites refuses writes (Event.Write) and lets reads pass as Open does.
	ClosedForWrites FailMode = iota
	// Closed refuses: Record returns ErrUnavailable.
	Closed
	// Open lets the statement pass; what is not written later is counted as lost.
	Open
)

var failModeNames = [...]string{ClosedForWrites: "closed_for_writes", Closed: "closed", Open: "open"}

// String returns the word used in configuration.
func (m FailMode) String() string {
	if int(m) < len(failModeNames) {
		return failModeNames[m]
	}
	return fmt.Sprintf("fail_mode(%d)", uint8(m))
}

// ParseFailMode reads the word used in configuration.
func ParseFailMode(s string) (FailMode, error) {
	for i, name := range failModeNames {
		if s == name {
			return FailMode(i), nil
		}
	}
	return 0, fmt.Errorf("unknown fail mode %q: want closed, open or closed_for_writes", s)
}
