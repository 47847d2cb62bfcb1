package query

import (
	"encoding/json"
	"time"
)

// Saved is a saved query or a draft, as a caller sees it.
type Saved struct {
	ID          string          `json:"id"`
	Title       string          `json:"title"`
	Description string          `json:"description"`
	SQL         string          `json:"sql"`
	Params      []SavedParam    `json:"params"`
	Chart       json.RawMessage `json:"chart"` // null: none
	Tags        []string        `json:"tags"`
	Team        *string         `json:"team"` // a team's name, "everyone", or nil: private
	Draft       bool            `json:"draft"`
	Target      string          `json:"target"`
	Owner       Owner           `json:"owner"`
	Version     int             `json:"version"`
	Rev         int64           `json:"rev"` // grows with each change; ETag "v<rev>"
	Starred     bool            `json:"starred"`
	Working     *Working        `json:"working"`
	LastRun     *LastRun        `json:"last_run"`
	Runs30d     int             `json:"runs_30d"`
	Released    []Released      `json:"released"`
	Created     time.Time       `json:"created"`
	Updated     time.Time       `json:"updated"`
	Can         SavedCan        `json:"can"`
}

// SavedParam declares a parameter of a saved query.
type SavedParam struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Default any    `json:"default"`
	Choices []any  `json:"choices,omitempty"` // the only values allowed; empty: all
}

// Owner is whose query it is.
type Owner struct {
	ID    string `json:"id"`
	Login string `json:"login"`
	Name  string `json:"name"`
}

// Working is the autosaved state of the editor, the owner's only.
type Working struct {
	SQL    string          `json:"sql"`
	Params []SavedParam    `json:"params"`
	Chart  json.RawMessage `json:"chart"`
	At     time.Time       `json:"at"`
}

// LastRun is the newest run of a saved query.
type LastRun struct {
	ID    string    `json:"id"`
	State State     `json:"state"`
	At    time.Time `json:"at"`
}

// Released is a version that a service's tokens may run.
type Released struct {
	Service string    `json:"service"` // id
	Version int       `json:"version"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
}

// SavedCan says what the caller may do with a saved query.
type SavedCan struct {
	Edit   bool `json:"edit"`
	Delete bool `json:"delete"`
	Run    bool `json:"run"`
}

// Version is one version of a saved query. It never changes.
type Version struct {
	Version int             `json:"version"`
	SQL     string          `json:"sql"`
	Params  []SavedParam    `json:"params"`
	Chart   json.RawMessage `json:"chart"`
	By      string          `json:"by"`
	At      time.Time       `json:"at"`
	Title   string          `json:"title"`
}

// NewSaved is what a saved query or a draft begins with.
type NewSaved struct {
	Title       string
	Description string
	SQL         string
	Params      []SavedParam
	Chart       json.RawMessage
	Tags        []string
	Team        *string
	Draft       bool
	Target      string
}

// SavedChange changes a saved query; nil leaves as it is. SQL, Params and Chart
// make a new version (of a draft: they change its only one).
type SavedChange struct {
	Title       *string
	Description *string
	SQL         *string
	Params      *[]SavedParam
	Chart       *json.RawMessage // null removes it
	Tags        *[]string
	Team        *string // empty: private
	Draft       *bool   // false saves a draft
	Target      *string
	Working     *NewWorking
}

// NewWorking is what the editor autosaves.
type NewWorking struct {
	SQL    string
	Params []SavedParam
	Chart  json.RawMessage
}

// SavedFilter chooses saved queries. Empty fields choose all open to the caller.
type SavedFilter struct {
	Mine    bool
	Team    string
	MyTeams bool // of any team of the caller; "everyone" is none of them
	Starred bool
	Tag     string
	Draft   *bool
	Text    string // part of title, SQL, tags, description or the owner's name
	Cursor  string
	Limit   int // ≤ 200, 0: 50
}

// SavedPage is a page of saved queries, the last changed first.
type SavedPage struct {
	Items []Saved
	Next  string
}
