package policy

import (
	"net/netip"
	"time"
)

// Subject is who asks: what the door knows about a connection when it has
// logged in. It is a value; Conn turns it into team and tool by the policy's
// identities.
type Subject struct {
	User            string // login name the client gave; the one rules and classes speak of
	AuthUser        string // name that was proven (certificate, token, else User)
	Role            string // role of the warehouse session
	Database        string
	ApplicationName string // a hint, never a grant
	CertCN          string
	CertOU          []string
	Groups          []string   // of a token (jwt.groups) or the office
	ClientIP        netip.Addr // invalid for a unix socket
	Via             string     // wire, web, api, job, workspace
	Environment     string     // from the server's file
	Job             string
	Workspace       string
	Actor           string
	Tags            []Tag  // of the session: SET lockkeeper.tags
	Given           []Tag  // of the principal: for their keys neither a SET nor a comment counts
	Urgency         string // of the principal: interactive or batch; empty: the tag urgency counts
}

// TxState is the transaction status of a session as ReadyForQuery tells it.
type TxState byte

// The transaction states, with the letters of the protocol.
const (
	TxIdle   TxState = 'I'
	TxActive TxState = 'T'
	TxFailed TxState = 'E'
)

// SessionState is what the session is doing when a statement is decided.
type SessionState struct {
	Tx         TxState
	Held       bool // a statement other than transaction control, SET or SHOW went up in this transaction
	UnitOpen   bool // a statement of the same un-synced unit is already up
	Started    time.Time
	SearchPath []string // effective, lower case, without "$user"; nil and PathKnown false: unknown
	PathKnown  bool
}
