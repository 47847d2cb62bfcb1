package admin

import "time"

// Token is a secret for programs. Only the hash of the secret is kept.
type Token struct {
	ID       string
	HolderID string // the person or service it speaks for
	Name     string
	Hash     []byte // SHA-256 of the whole token
	Scopes   Scopes

	Targets []string       // empty: all that the holder has
	Queries map[string]int // saved query → version it may run; nil: not bound
	CIDRs   []string       // empty: from anywhere

	Created  time.Time
	By       string // login of who made it
	ParentID string // the token it was made with; empty: none
	Expires  time.Time
	Revoked  time.Time // zero: not
	Used     time.Time // by the minute; zero: never
	UsedAddr string
}

// Live reports whether the token itself still holds.
func (t *Token) Live(now time.Time) bool { return t.Revoked.IsZero() && now.Before(t.Expires) }

// DBPassword is a password for one tool's connections to the door.
type DBPassword struct {
	ID          string
	PrincipalID string
	Tool        string
	Verifier    string // SCRAM-SHA-256, as Postgres keeps it

	Created  time.Time
	ParentID string // the token it was made with; empty: none
	Expires  time.Time
	Revoked  time.Time // zero: not
	Used     time.Time // zero: never, as far as the door told
	UsedAddr string
	UsedBy   string // the application's name
}

// Live reports whether the password still opens the door.
func (d *DBPassword) Live(now time.Time) bool { return d.Revoked.IsZero() && now.Before(d.Expires) }

// WebSession is a page's session. The cookie's secret is kept as a hash.
type WebSession struct {
	ID          string
	PrincipalID string
	Hash        []byte // SHA-256 of the secret
	Method      string // how they signed in: password, link, oidc, header, session
	Addr        string
	Agent       string // what the browser calls itself, cut

	ParentID string // the session it was derived from, with which it ends; empty: none
	Created  time.Time
	Seen     time.Time // by the minute
	Expires  time.Time // whatever happens
	Ended    time.Time // zero: not
}

// Live reports whether the session still holds; idle is how long it may be silent.
func (w *WebSession) Live(now time.Time, idle time.Duration) bool {
	return w.Ended.IsZero() && now.Before(w.Expires) && now.Before(w.Seen.Add(idle))
}

// OneUseLink lets a person sign in once, without a password.
type OneUseLink struct {
	Hash        []byte // SHA-256 of the secret
	PrincipalID string
	Created     time.Time
	By          string // login of who made it
	Expires     time.Time
	Used        time.Time // zero: not yet
}

// Sighting is a login at the door, as Connect's "we saw you" shows it.
type Sighting struct {
	PrincipalID string    `json:"-"`
	Tool        string    `json:"tool"` // the application's name, as it calls itself
	Addr        string    `json:"addr"`
	Name        string    `json:"name"` // the tool that the password used was made for, if known
	At          time.Time `json:"at"`
}
