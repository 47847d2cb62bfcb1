package query

// Request asks for a run: of a text, or of a saved query.
type Request struct {
	Target  string            `json:"target"`
	SQL     string            `json:"sql"`
	Query   *QueryPick        `json:"query"`
	Params  []Param           `json:"params"`
	Access  Access            `json:"access"`
	Multi   bool              `json:"multi"`
	Urgency Urgency           `json:"urgency"`
	Limits  Limits            `json:"limits"`
	OnLimit OnLimit           `json:"on_limit"`
	Tags    map[string]string `json:"tags"`
	Title   string            `json:"title"`
	Keep    bool              `json:"keep"` // run on when nobody looks

	IdempotencyKey string `json:"-"`
}

// QueryPick names a saved query, and a version of it; 0 is the newest that the
// caller may run.
type QueryPick struct { //nolint:revive // Pick alone says nothing
	ID      string `json:"id"`
	Version int    `json:"version"`
}

// Param is the value of one :name. Value is nil (NULL), a string, a bool, a
// number, or for an array type a list of these.
type Param struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value any    `json:"value"`
}

// Limits bound a run. Zero takes the office's default; nothing goes above the
// office's bounds.
type Limits struct {
	MaxRows        int64 `json:"max_rows"`
	MaxBytes       int64 `json:"max_bytes"`
	RunTimeoutMS   int64 `json:"run_timeout_ms"`
	QueueTimeoutMS int64 `json:"queue_timeout_ms"`
}

// Submitted is the answer to a Request.
type Submitted struct {
	Run      Run
	Replayed bool // an earlier request had the same idempotency key
}
