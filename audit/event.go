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
	Durability Durability `json:"-"` // when Record returns
	OnFailure  FailMode   `json:"-"` // what a failing sink means for this event
	Write      bool       `json:"-"` // the statement may change something; read by ClosedForWrites

	Version int       `json:"v"`   // of the stored form; set by the encoder
	ID      ULID      `json:"id"`  // given by the sink, grows with Seq
	Seq     uint64    `json:"seq"` // given by the sink, 1, 2, 3 … over all segments, without a gap
	Time    time.Time `json:"-"`   // when it happened; zero means now; stored in UTC with microseconds
	Kind    Kind      `json:"kind"`
	Node    string    `json:"node,omitempty"` // which process of the house; the Recorder fills it in when empty

	Session  string `json:"session,omitempty"`   // our id of the client connection
	User     string `json:"user,omitempty"`      // the person or service
	AuthUser string `json:"auth_user,omitempty"` // the login that was proven, when it differs from User
	Team     string `json:"team,omitempty"`
	Tool     string `json:"tool,omitempty"`
	Job      string `json:"job,omitempty"`

	Workspace string `json:"workspace,omitempty"`
	Actor     string `json:"actor,omitempty"` // on whose behalf: a service, a supporter
	Via       string `json:"via,omitempty"`   // wire, web, api, job, workspace
	Run       string `json:"run,omitempty"`
	Token     string `json:"token,omitempty"` // the id of a token, never the token
	Attempt   int    `json:"attempt,omitempty"`

	ClientAddr      string `json:"client_addr,omitempty"`
	TLS             string `json:"tls,omitempty"` // the version, such as "TLSv1.3"; empty for plain text
	Database        string `json:"database,omitempty"`
	Role            string `json:"role,omitempty"` // the login used at the warehouse
	ApplicationName string `json:"application_name,omitempty"`
	Tags            []Tag  `json:"-"`

	Class   string   `json:"class,omitempty"`
	Verdict string   `json:"verdict,omitempty"` // allow, warn, queue, deny
	Rules   []string `json:"rules,omitempty"`   // names of the rules that matched

	Protocol    string   `json:"protocol,omitempty"`     // simple, extended
	StatementID uint64   `json:"statement_id,omitempty"` // counts units within a session; joins intent and outcome
	Fingerprint string   `json:"fingerprint,omitempty"`
	Verbs       []string `json:"verbs,omitempty"`
	Reads       []string `json:"reads,omitempty"`
	Writes      []string `json:"writes,omitempty"`
	Functions   []string `json:"functions,omitempty"`

	// Of an intent that came through the office: the names above, which are as
	// the statement has them, as they were resolved when it ran, through views
	// and functions. Written schema.name, with a database in front that is not
	// the event's; "?" in front of a name that may be another one, and alone
	// where there may be more than is listed.
	ResolvedReads     []string `json:"resolved_reads,omitempty"`
	ResolvedWrites    []string `json:"resolved_writes,omitempty"`
	ResolvedFunctions []string `json:"resolved_functions,omitempty"`
	Expanded          bool     `json:"expanded,omitempty"` // a catalog was there to see through views and functions
	Unread            bool     `json:"unread,omitempty"`   // not all that the statement does could be read from its text
	Temp              bool     `json:"temp,omitempty"`     // the session has temporary objects, or makes one: a name may be one of them

	Text          string   `json:"text,omitempty"`       // none, normalized or full, as the rule says
	TextBytes     int64    `json:"text_bytes,omitempty"` // of the text as it was sent
	TextTruncated bool     `json:"text_truncated,omitempty"`
	Params        []string `json:"params,omitempty"`

	Queue    time.Duration `json:"-"` // waited for its turn with us
	Exec     time.Duration `json:"-"` // first byte up to last byte down
	FirstRow time.Duration `json:"-"`
	Send     time.Duration `json:"-"` // spent waiting for the client to read
	LockWait time.Duration `json:"-"`

	Rows     int64  `json:"rows,omitempty"`
	BytesOut int64  `json:"bytes_out,omitempty"` // to the client
	BytesIn  int64  `json:"bytes_in,omitempty"`  // from the client
	Tag      string `json:"tag,omitempty"`
	SQLState string `json:"sqlstate,omitempty"`
	Stop     string `json:"stop,omitempty"` // why it was stopped; see the Stop constants

	Tx         string `json:"tx,omitempty"`    // how a transaction ended; see the Tx constants
	TxID       uint64 `json:"tx_id,omitempty"` // ours, within a session
	BackendPID uint32 `json:"backend_pid,omitempty"`

	Waiter    string        `json:"waiter,omitempty"` // release: the session that waited
	Holder    string        `json:"holder,omitempty"` // release: the session whose transaction was ended
	Relations []string      `json:"relations,omitempty"`
	Held      time.Duration `json:"-"`                // how long the holder's transaction had been open
	Idle      time.Duration `json:"-"`                // how long the holder had been silent
	Mode      string        `json:"mode,omitempty"`   // release: which rung of the ladder
	Reason    string        `json:"reason,omitempty"` // release, cancel, loss, operator_action: why

	What    string `json:"what,omitempty"`    // config: which part
	Hash    string `json:"hash,omitempty"`    // config: of its text
	Lost    uint64 `json:"lost,omitempty"`    // loss: how many records are missing
	Target  string `json:"target,omitempty"`  // the office's name of the warehouse: grant, share, result_read, result_export
	Grantee string `json:"grantee,omitempty"` // grant, share: who got it, "user:ann" or "team:growth"
	Offset  int64  `json:"offset,omitempty"`  // result_read: the first row read; Rows and BytesOut say how much
	Message string `json:"message,omitempty"` // words of an operator or of a rule, never of a client

	Chain string `json:"-"` // hex; read from a stored line, never written from here
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
