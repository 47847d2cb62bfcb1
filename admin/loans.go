package admin

import (
	"context"
	"net/netip"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
)

// Loan is a service's token that is lent to a machine for which an issuer we
// trust vouches: the machine gets a token of its own for a while, which may do
// what the service's token may, and ends with it. So a job of a CI system or a
// cluster keeps no secret of ours.
type Loan struct {
	TokenID  string // of the service
	Issuer   string // who vouches
	Subject  string // the machine, as the issuer calls it
	Lifetime time.Duration
	Addr     netip.Addr
}

// LongestLoan is how long a token may be lent.
const LongestLoan = 24 * time.Hour

const (
	lender  = "an issuer" // stands in Token.By of what was lent; it cannot be a login
	maxLent = 200         // live at once of one token
)

// Lend lends a token. The secret is shown this once. Of a token that cannot be
// lent the answer is the same as to a proof that does not hold.
func (o *Office) Lend(ctx context.Context, in Loan) (Secret, *Token, error) {
	if in.Lifetime <= 0 || in.Lifetime > LongestLoan {
		return Secret{}, nil, Errorf(Internal, "internal", "A token is lent for up to %s.", LongestLoan)
	}
	var secret Secret
	var t *Token
	c := &Caller{Via: ViaAPI, Addr: in.Addr}
	err := o.change(ctx, c, func(tx Tx) (note, error) {
		own, holder, err := lendable(ctx, tx, &in)
		if err != nil {
			return note{}, unproven(err)
		}
		c.Kind, c.ID, c.Login, c.Token = holder.Kind, holder.ID, holder.Login, own.ID
		secret = NewTokenText(holder.Kind)
		t = &Token{
			ID: NewID(PrefixToken), HolderID: holder.ID, Name: printable(in.Subject, maxName), Hash: digest(secret), Scopes: own.Scopes,
			Targets: own.Targets, Queries: own.Queries, CIDRs: own.CIDRs, Created: tx.Now(), By: lender, ParentID: own.ID,
			Expires: tx.Now().Add(in.Lifetime),
		}
		if own.Expires.Before(t.Expires) {
			t.Expires = own.Expires
		}
		words := "lent " + own.ID + " as " + t.ID + " to " + t.Name + " of " + in.Issuer + " until " + t.Expires.Format(time.RFC3339)
		return note{kind: audit.KindToken, what: "token of " + holder.Login, message: words}, tx.AddToken(ctx, t)
	})
	if err != nil {
		return Secret{}, nil, err
	}
	return secret, t.shown(), nil
}

// lendable returns the token to lend and its service, or ErrAbsent.
func lendable(ctx context.Context, tx Tx, in *Loan) (*Token, *Principal, error) {
	own, err := tx.Token(ctx, in.TokenID)
	if err != nil {
		return nil, nil, err
	}
	holder, err := tx.Principal(ctx, own.HolderID)
	if err != nil {
		return nil, nil, err
	}
	if holder.Kind != KindService || own.lent() || !holder.Live() || !own.Live(tx.Now()) || !own.open(in.Addr) {
		return nil, nil, ErrAbsent
	}
	all, err := tx.TokensMadeWith(ctx, own.ID)
	if err == nil && len(onlyLive(all, tx.Now())) >= maxLent {
		err = Errorf(Quota, "quota-exceeded", "This token is lent to %d machines at once, the most there may be. Wait until one of theirs has expired.", maxLent)
	}
	return own, holder, err
}

// lent reports whether a token was lent to a machine.
func (t *Token) lent() bool { return t.By == lender }
