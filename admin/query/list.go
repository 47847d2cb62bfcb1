package query

import "time"

// Filter chooses runs. Empty fields choose all that the caller may see.
type Filter struct {
	Submitter string // a login; the API turns "me" into the caller's
	State     State
	Query     string // id of a saved query
	Text      string // part of the title, or of the SQL where the caller may see it
	Target    string
	Via       string
	Since     time.Time
	Until     time.Time
	Pinned    bool
	Cursor    string
	Limit     int // ≤ 200, 0: 50
}

// Page is a page of runs, the newest first.
type Page struct {
	Runs []Run
	Next string // cursor; empty: no more
}

// Viewer is somebody whom the owner of a run lets open it.
type Viewer struct {
	ID    string    `json:"id"`
	Login string    `json:"login"`
	Name  string    `json:"name"`
	By    string    `json:"by"`
	At    time.Time `json:"at"`
}

// Change changes what the owner may change of a run; nil leaves as it is.
type Change struct {
	Title  *string
	Pinned *bool
}
