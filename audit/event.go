package audit

import "time"

// Version is the version of the stored form, the "v" of every line.
const Version = 1

// Tag is one key and value that came with a statement (a comment tag).
type Tag struct {
	Key   string
	Value string
}

// Event is one record. It is flat, and every row names its principal, so that
// a single line can be read without any other.
//
// The first block routes the event and is not stored. ID and Seq are given by
// the sink. Strings and slices must not be changed once the event has been
// handed to a Recorder; the struct itself is copied and may be used again.
//
// Empty fields are not stored: a missing "rows" is zero rows.
type Event struct {
	Durability Durability // when Record returns
	OnFailure  FailMode   // what a failing sink means for this event
	Write      bool       // the statement may change something; read by ClosedForWrites

	Version int       // of the stored form; set by the encoder
	ID      ULID      // given by the sink, grows with Seq
	Seq     uint64    // given by the sink, 1, 2, 3 … over all segments, without a gap
	Time    time.Time // when it happened; zero means now; stored in UTC with microseconds
	Kind    Kind
	Node    string // which process of the house; the Recorder fills it in when empty

	Session  string // our id of the client connection
	User     string // the person or service
	AuthUser string // the login that was proven, when it differs from User
	Team     string
	Tool     string
	Job      string

	Workspace string
	Actor     string // on whose behalf: a service, a supporter
	Via       string // wire, web, api, job, workspace
	Run       string
	Token     string // the id of a token, never the token
	Attempt   int

	ClientAddr      string
	TLS             string // the version, such as "TLSv1.3"; empty for plain text
	Database        string
	Role            string // the login used at the warehouse
	ApplicationName string
	Tags            []Tag

	Class   string
	Verdict string   // allow, warn, queue, deny
	Rules   []string // names of the rules that matched

	Protocol    string // simple, extended
	StatementID uint64 // counts units within a session; joins intent and outcome
	Fingerprint string
	Verbs       []string
	Reads       []string
	Writes      []string
	Functions   []string

	Text          string // none, normalized or full, as the rule says
	TextBytes     int64  // of the text as it was sent
	TextTruncated bool
	Params        []string

	Queue    time.Duration // waited for its turn with us
	Exec     time.Duration // first byte up to last byte down
	FirstRow time.Duration
	Send     time.Duration // spent waiting for the client to read
	LockWait time.Duration

	Rows     int64
	BytesOut int64 // to the client
	BytesIn  int64 // from the client
	Tag      string
	SQLState string
	Stop     string // why it was stopped; see the Stop constants

	Tx         string // how a transaction ended; see the Tx constants
	TxID       uint64 // ours, within a session
	BackendPID uint32

	Waiter    string // release: the session that waited
	Holder    string // release: the session whose transaction was ended
	Relations []string
	Held      time.Duration // how long the holder's transaction had been open
	Idle      time.Duration // how long the holder had been silent
	Mode      string        // release: which rung of the ladder
	Reason    string        // release, cancel, loss, operator_action: why

	What    string // config: which part
	Hash    string // config: of its text
	Lost    uint64 // loss: how many records are missing
	Message string // words of an operator or of a rule, never of a client

	Chain string // hex; read from a stored line, never written from here
}

// refused reports whether the statement behind e must not go on when e cannot
// be recorded.
func (e *Event) refused() bool {
	switch e.OnFailure {
	case Closed:
		return true
	case Open:
		return false
	case ClosedForWrites:
		return e.Write
	default:
		return true
	}
}
