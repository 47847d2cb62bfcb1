package query

import (
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/result"
)

// State is where a run stands.
type State string

// The states of a run. The last three never change again.
const (
	StateQueued    State = "queued"
	StateRunning   State = "running"
	StateSucceeded State = "succeeded"
	StateFailed    State = "failed"
	StateCanceled  State = "canceled"
)

// Terminal reports whether the state never changes again.
func (s State) Terminal() bool {
	return s == StateSucceeded || s == StateFailed || s == StateCanceled
}

// StatementState is where one statement of a run stands.
type StatementState string

// The states of a statement.
const (
	StatementPending   StatementState = "pending"
	StatementRunning   StatementState = "running"
	StatementSucceeded StatementState = "succeeded"
	StatementFailed    StatementState = "failed"
	StatementCanceled  StatementState = "canceled"
	StatementSkipped   StatementState = "skipped" // one before it ended the run
)

// Access is what a run may do.
type Access string

// The kinds of access. The default reads only.
const (
	ReadOnly  Access = "read_only"
	ReadWrite Access = "read_write"
)

// Urgency is how soon the caller wants it: a hint to the policy, never a class.
type Urgency string

// The urgencies. An interactive run ends when nobody looks at it any more.
const (
	Interactive Urgency = "interactive"
	Batch       Urgency = "batch"
)

// OnLimit is what happens when a result passes its limits.
type OnLimit string

// What happens at a limit.
const (
	Truncate OnLimit = "truncate" // keep what fits and say so
	Fail     OnLimit = "fail"
)

// Run is one run as a caller sees it: an immutable snapshot.
type Run struct {
	ID     string `json:"id"`
	URL    string `json:"url"` // the page's path: /r/ and the id without its prefix
	State  State  `json:"state"`
	Target string `json:"target"`
	Access Access `json:"access"`
	Multi  bool   `json:"multi"`
	Via    string `json:"via"`
	Title  string `json:"title"`

	Urgency   Urgency           `json:"urgency"`
	Tags      map[string]string `json:"tags"`
	Submitter Submitter         `json:"submitter"`
	SQL       *string           `json:"sql"` // nil: not shown to this caller, or deleted
	Params    []Param           `json:"params"`
	Query     *QueryRef         `json:"query"`

	Times     Times   `json:"times"`
	ElapsedMS int64   `json:"elapsed_ms"` // from the start to the end, or to now
	QueueMS   int64   `json:"queue_ms"`   // from the submission to the start
	OnLimit   OnLimit `json:"on_limit"`
	Limits    Limits  `json:"limits"`
	Keep      bool    `json:"keep"`

	Wait       *Wait       `json:"wait"`
	Progress   *Progress   `json:"progress"`
	Statements []Statement `json:"statements"`
	Error      *RunError   `json:"error"`
	Cancel     *Canceled   `json:"cancel"`

	OpenTransaction bool       `json:"open_transaction"` // one was open at the end and was rolled back
	Pinned          bool       `json:"pinned"`
	Deleted         bool       `json:"deleted"`
	ExpiresAt       *time.Time `json:"expires_at"`   // of the rows; nil: never, or none
	RowsExpired     bool       `json:"rows_expired"` // the rows are gone, the rest stays
	ViewersOnly     *string    `json:"viewers_only"` // why only the owner and named viewers may open it; nil: not so
	Can             Can        `json:"can"`
	Version         int64      `json:"version"` // grows with each change

	at int // the statement that is next, or runs
}

// ETag returns the version as an entity tag.
func (r *Run) ETag() string { return etag(r.ID, r.Version) }

// Submitter is who submitted a run.
type Submitter struct {
	ID         string  `json:"id"`
	Kind       string  `json:"kind"`
	Login      string  `json:"login"`
	Name       string  `json:"name"`
	OnBehalfOf *string `json:"on_behalf_of"` // the person a service acted for; the rest names the service
}

// QueryRef is the saved query that a run came from.
type QueryRef struct { //nolint:revive // Ref alone says nothing
	ID      string `json:"id"`
	Version int    `json:"version"`
	Title   string `json:"title"`
}

// Times are the moments of a run, UTC.
type Times struct {
	Submitted time.Time  `json:"submitted"`
	Started   *time.Time `json:"started"`
	Finished  *time.Time `json:"finished"`
}

// Reasons of a Wait: all that the door knows of. A used-up quota and a warehouse
// that is away are no waits: they fail the statement.
const (
	WaitStarting = "starting" // the session at the warehouse is being opened
	WaitSlot     = "slot"     // its class is full
	WaitRule     = "rule"     // a rule of the policy holds it
	WaitLock     = "lock"     // it waits for a lock at the warehouse: to run on, or to be parsed
)

// Wait says why a run has not started, or why the statement that it is at does
// not go on.
type Wait struct {
	Reason   string `json:"reason" doc:"starting, slot (its class is full), rule (a rule holds it) or lock (another session holds one that it needs)."`
	Position *int   `json:"position"` // from 1
	Ahead    *int   `json:"ahead"`    // statements that run in its class
	Class    string `json:"class"`
	Detail   string `json:"detail"`
	ETAMS    *int64 `json:"eta_ms"` // the median; nil: too little is known

	holder *Holder // of the lock
}

// Holder is who holds a lock that a statement waits for. Empty: none of the
// door's sessions.
type Holder struct {
	User string
	Tool string
}

// Progress says how far a running run is.
type Progress struct {
	Rows      int64  `json:"rows"`
	Bytes     int64  `json:"bytes"`
	ElapsedMS int64  `json:"elapsed_ms"`
	Phase     string `json:"phase"` // running, reading, storing
}

// Statement is one statement of a run.
type Statement struct {
	Index   int            `json:"index"`
	Kind    string         `json:"kind"`
	Range   [2]int         `json:"range"` // code points of the run's SQL
	State   StatementState `json:"state"`
	Result  *Result        `json:"result"`
	Error   *RunError      `json:"error"`
	Notices []Notice       `json:"notices"`
}

// Result is what a statement gave.
type Result struct {
	RowCount   int64       `json:"row_count"` // stored
	Bytes      int64       `json:"bytes"`     // of the cells stored
	Columns    []Column    `json:"columns"`
	CommandTag string      `json:"command_tag"`
	Truncated  *Truncation `json:"truncated"`
	Formats    []string    `json:"formats"`
}

// Column is one column of a result. Names need not be unique.
type Column = result.Column

// Truncation says that a result holds less than the statement gave.
type Truncation struct {
	By    string `json:"by"` // max_rows, max_bytes, stored_bytes
	Limit int64  `json:"limit"`
}

// What a result can be cut by.
const (
	ByMaxRows     = "max_rows"
	ByMaxBytes    = "max_bytes"
	ByStoredBytes = "stored_bytes"
)

// Notice is what the warehouse or the door said beside a result.
type Notice struct {
	Severity string `json:"severity"`
	Message  string `json:"message"`
	Detail   string `json:"detail"`
	Hint     string `json:"hint"`
}

// Canceled says who ended a run, and why.
type Canceled struct {
	By     string    `json:"by"` // a login, or "lockkeeper"
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Can says what the caller may do with a run.
type Can struct {
	Cancel bool `json:"cancel"`
	Delete bool `json:"delete"`
	Pin    bool `json:"pin"`
	Share  bool `json:"share"`
	Rows   bool `json:"rows"`
	SQL    bool `json:"sql"`
}

// Codes of RunError.
const (
	CodeSQL        = "sql-error"
	CodeTimeout    = "timeout"
	CodeQueue      = "queue-timeout"
	CodeCanceled   = "canceled"
	CodePolicy     = "policy-denied"
	CodeLimit      = "limit-exceeded"
	CodeConnection = "connection-lost"
	CodeInternal   = "internal"
)

// RunError says why a run or a statement failed.
type RunError struct {
	Code      string    `json:"code"`
	SQLState  string    `json:"sqlstate"`
	Message   string    `json:"message"`
	Detail    string    `json:"detail"`
	Hint      string    `json:"hint"`
	Position  *Position `json:"position"`
	Statement *int      `json:"statement"`
	Retriable bool      `json:"retriable"`
}

// Position is a place in the SQL as it was submitted, in code points.
type Position struct {
	Offset int `json:"offset"` // from 0
	Line   int `json:"line"`   // from 1
	Column int `json:"column"` // from 1
}

// clone copies what a change may touch, so that snapshots stay as they are.
func (r *Run) clone() *Run {
	next := *r
	next.Statements = slices.Clone(r.Statements)
	return &next
}
