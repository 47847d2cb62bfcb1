package admin

import (
	"context"
	"errors"
	"time"
)

// ErrAbsent is what a Tx answers when there is no such thing.
var ErrAbsent = errors.New("absent")

// TakenError is what a Tx answers when something unique exists already.
type TakenError struct {
	What string // the constraint or the columns, for the log
}

// Error says what is taken.
func (e *TakenError) Error() string { return "taken: " + e.What }

// Store keeps people and their rights. Only one Update runs at a time, over all
// processes: what it read stays true until it is committed. It is committed if
// fn returns nil and leaves no trace otherwise. View sees one moment, and
// cannot write. fn must not keep the Tx.
type Store interface {
	Update(ctx context.Context, fn func(Tx) error) error
	View(ctx context.Context, fn func(Tx) error) error
}

// Tx is one transaction of a Store. What returns one thing returns ErrAbsent
// when there is none; lists are empty then. Add returns a *TakenError for what
// exists, after which the transaction can only end; Set writes all of a thing that exists, found by its id.
type Tx interface {
	// Now is the same during the whole transaction, in UTC, to the microsecond.
	Now() time.Time
	// Revision grows with each Bump: whoever read a revision before needs to
	// read nothing if it is the same.
	Revision(ctx context.Context) (int64, error)
	Bump(ctx context.Context) error

	PeopleTx
	RightsTx
	ProofsTx
}

// PeopleTx is the part of a Tx about who there is.
type PeopleTx interface {
	Principal(ctx context.Context, id string) (*Principal, error)
	PrincipalByLogin(ctx context.Context, login string) (*Principal, error)
	// Principals are sorted by login.
	Principals(ctx context.Context, f PrincipalFilter) ([]Principal, error)
	AddPrincipal(ctx context.Context, p *Principal) error
	SetPrincipal(ctx context.Context, p *Principal) error
	// RemovePrincipal removes a principal with all that is theirs.
	RemovePrincipal(ctx context.Context, id string) error

	IdentityOf(ctx context.Context, issuer, subject string) (*Identity, error)
	Identities(ctx context.Context, principalID string) ([]Identity, error)
	AddIdentity(ctx context.Context, i *Identity) error

	Renewal(ctx context.Context, issuer, subject string) (*Renewal, error)
	// DueRenewals are those of an issuer that are due now, the longest first, and
	// at most so many.
	DueRenewals(ctx context.Context, issuer string, most int) ([]Renewal, error)
	// SetRenewal keeps one for each identity.
	SetRenewal(ctx context.Context, r *Renewal) error
	// RemoveRenewal of one that does not exist does nothing.
	RemoveRenewal(ctx context.Context, issuer, subject string) error

	Team(ctx context.Context, id string) (*Team, error)
	TeamByName(ctx context.Context, name string) (*Team, error)
	// Teams are sorted by name.
	Teams(ctx context.Context) ([]Team, error)
	AddTeam(ctx context.Context, t *Team) error
	SetTeam(ctx context.Context, t *Team) error
	// RemoveTeam removes a team with its memberships and grants.
	RemoveTeam(ctx context.Context, id string) error
}

// PrincipalFilter picks principals.
type PrincipalFilter struct {
	Kind   Kind   // empty: all
	Search string // in login and name, and …
	Emails bool   // … in e-mail addresses
	TeamID string // services that the team holds
	After  string // logins beyond this one
	Limit  int    // 0: all
}

// RightsTx is the part of a Tx about who may do what.
type RightsTx interface {
	// Memberships are those of a team, of a principal, or all where both are empty.
	Memberships(ctx context.Context, teamID, principalID string) ([]Membership, error)
	// AddMembership of one that exists does nothing.
	AddMembership(ctx context.Context, m Membership) error
	RemoveMembership(ctx context.Context, m Membership) error

	Grant(ctx context.Context, id string) (*Grant, error)
	// Grants are those of any of the subjects (principals or teams), all where
	// there is none, sorted by id.
	Grants(ctx context.Context, subjects ...string) ([]Grant, error)
	AddGrant(ctx context.Context, g *Grant) error
	RemoveGrant(ctx context.Context, id string) error
}

// ProofsTx is the part of a Tx about what proves who somebody is.
type ProofsTx interface {
	Token(ctx context.Context, id string) (*Token, error)
	TokenByHash(ctx context.Context, hash []byte) (*Token, error)
	// Tokens are those of a holder, newest first, revoked ones too.
	Tokens(ctx context.Context, holderID string) ([]Token, error)
	TokensMadeWith(ctx context.Context, parentID string) ([]Token, error)
	AddToken(ctx context.Context, t *Token) error
	SetToken(ctx context.Context, t *Token) error

	DBPassword(ctx context.Context, id string) (*DBPassword, error)
	// DBPasswords are those of a principal, of all where it is empty, that are
	// live now, newest first.
	DBPasswords(ctx context.Context, principalID string) ([]DBPassword, error)
	DBPasswordsMadeWith(ctx context.Context, parentID string) ([]DBPassword, error)
	AddDBPassword(ctx context.Context, d *DBPassword) error
	SetDBPassword(ctx context.Context, d *DBPassword) error

	Session(ctx context.Context, id string) (*WebSession, error)
	SessionByHash(ctx context.Context, hash []byte) (*WebSession, error)
	// Sessions are those of a principal that have neither ended nor expired, newest first.
	Sessions(ctx context.Context, principalID string) ([]WebSession, error)
	AddSession(ctx context.Context, w *WebSession) error
	SetSession(ctx context.Context, w *WebSession) error

	AddLink(ctx context.Context, l *OneUseLink) error
	// UseLink consumes a link that is neither used nor expired: the second
	// to come gets ErrAbsent.
	UseLink(ctx context.Context, hash []byte) (*OneUseLink, error)
	// DropLinks forgets the links of a principal that are not used.
	DropLinks(ctx context.Context, principalID string) error

	Sightings(ctx context.Context, principalID string) ([]Sighting, error)
	// SetSighting keeps the newest for each tool and address, and few a principal.
	SetSighting(ctx context.Context, s *Sighting) error

	// PruneTokens removes those that somebody made and that expired before a time,
	// and returns their ids.
	PruneTokens(ctx context.Context, by string, before time.Time) (ids []string, err error)
	// Prune removes what ended or expired before a time, and renewals that were
	// not checked since.
	Prune(ctx context.Context, before time.Time) error
}
