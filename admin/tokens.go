package admin

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
)

// NewToken is a token to be made.
type NewToken struct {
	Name    string
	Scopes  Scopes
	Targets []string       // empty: all that the holder has
	Queries map[string]int // saved query → version; nil: not bound
	CIDRs   []string       // empty: from anywhere
	Days    int            // until it expires, 1 to 365
	Service string         // id of the service it is for; empty: the caller
}

// Bounds of a token.
const (
	maxDays       = 365
	maxBindings   = 100
	maxLiveTokens = 100 // a holder
)

// validate checks what can be checked without the store, and puts it in order.
func (in *NewToken) validate() error {
	var err error
	if in.Name, err = text("/name", in.Name, maxName); err != nil {
		return err
	}
	if in.Name == "" {
		return invalid("/name", "Give the token a name that says where it is used.")
	}
	if in.Days < 1 || in.Days > maxDays {
		return invalid("/expires_in_days", "A token expires after 1 to %d days.", maxDays)
	}
	if len(in.Scopes) == 0 || len(in.Scopes) > maxBindings {
		return invalid("/scopes", "Name at least one scope.")
	}
	for _, s := range in.Scopes {
		if !s.Known() || len(s) > 2*maxTeam {
			return invalid("/scopes", "There is no such scope. Scopes are %s, %s<team>.", joined(AllScopes()), ScopeImpersonate)
		}
	}
	in.Scopes = sorted(slices.Clone(in.Scopes))
	if len(in.Targets) > maxBindings || len(in.Queries) > maxBindings || len(in.CIDRs) > maxBindings {
		return invalid("", "A token is bound to at most %d targets, queries and networks.", maxBindings)
	}
	return in.bindings()
}

// bindings checks queries and networks.
func (in *NewToken) bindings() error {
	for id, version := range in.Queries {
		if !IsID(PrefixQuery, id) || version < 1 {
			return invalid("/queries", "A token is bound to saved queries and their versions, which count from 1.")
		}
	}
	if in.Queries != nil && !in.Scopes.Subset(Scopes{ScopeQueriesRun, ScopeQueriesRead, ScopeRunsRead}) {
		return invalid("/scopes", "A token that is bound to saved queries has no scopes but %s, %s and %s.", ScopeQueriesRun, ScopeQueriesRead, ScopeRunsRead)
	}
	for i, s := range in.CIDRs {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, err := netip.ParseAddr(s)
			if err != nil || a.Zone() != "" {
				return invalid("/cidrs", "Networks are written as 10.1.0.0/16 or 10.1.2.3.")
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		in.CIDRs[i] = p.Masked().String()
	}
	return nil
}

func joined(set []Scope) string {
	var out []string
	for _, s := range set {
		out = append(out, string(s))
	}
	return strings.Join(out, " ")
}

// AddToken makes a token. The secret is shown this once. What it may do is
// never more than its holder may, now and at each use, nor more than the proof
// the caller came with.
func (o *Office) AddToken(ctx context.Context, c *Caller, in NewToken) (Secret, *Token, error) {
	in.CIDRs, in.Targets = slices.Clone(in.CIDRs), slices.Clone(in.Targets)
	if err := in.validate(); err != nil {
		return Secret{}, nil, err
	}
	if err := o.bindable(ctx, c, in.Queries); err != nil {
		return Secret{}, nil, err
	}
	var secret Secret
	t := &Token{ID: NewID(PrefixToken), Name: in.Name, Scopes: in.Scopes, Targets: in.Targets, Queries: in.Queries, CIDRs: in.CIDRs, By: c.Login}
	err := o.change(ctx, c, func(tx Tx) (note, error) {
		holder, err := o.holder(ctx, tx, c, in.Service)
		if err != nil {
			return note{}, err
		}
		if err := in.allowed(ctx, tx, c, holder); err != nil {
			return note{}, err
		}
		if t.Expires, t.ParentID, err = c.lifetime(ctx, tx, tx.Now().AddDate(0, 0, in.Days)); err != nil {
			return note{}, err
		}
		secret = NewTokenText(holder.Kind)
		t.HolderID, t.Hash, t.Created = holder.ID, digest(secret), tx.Now()
		words := "made " + t.ID + " " + joined(t.Scopes) + " until " + t.Expires.Format(time.DateOnly)
		return note{kind: audit.KindToken, what: "token of " + holder.Login, message: words}, tx.AddToken(ctx, t)
	})
	if err != nil {
		return Secret{}, nil, err
	}
	return secret, t.shown(), nil
}

// bindable refuses queries that are not the caller's to bind a token to: by
// their ids alone they would be open to whoever has the token.
func (o *Office) bindable(ctx context.Context, c *Caller, queries map[string]int) error {
	if len(queries) == 0 {
		return nil
	}
	if o.cfg.Queries == nil {
		return invalid("/queries", "There are no saved queries here.")
	}
	return o.cfg.Queries.Bindable(ctx, c, queries)
}

// shown is the token without its hash.
func (t *Token) shown() *Token {
	out := *t
	out.Hash = nil
	return &out
}

// holder returns whom a new proof is for: the caller, or a service they hold.
func (o *Office) holder(ctx context.Context, tx Tx, c *Caller, service string) (*Principal, error) {
	if err := c.Need(ScopeTokens); err != nil {
		return nil, err
	}
	if c.Actor != nil {
		return nil, Errorf(Forbidden, "forbidden", "Who acts on behalf of somebody makes no tokens and passwords for them.")
	}
	if service != "" {
		p, err := o.held(ctx, tx, c, service)
		return p, orAbsent(err, "/service", "There is no such service among those of your teams.")
	}
	p, err := tx.Principal(ctx, c.ID)
	return p, orAbsent(err, "/service", "Name the service it is for.")
}

// allowed returns an error unless the token is within the holder's rights and
// the caller's.
func (in *NewToken) allowed(ctx context.Context, tx Tx, c *Caller, holder *Principal) error {
	s, err := standingOf(ctx, tx, holder.ID)
	if err != nil {
		return err
	}
	for _, t := range in.Targets {
		if roleAt(s.roles, t) == RoleNone {
			return invalid("/targets", "The holder has no role at %q.", t)
		}
	}
	entitled := Entitled(only(s.roles, in.Targets))
	for _, scope := range in.Scopes {
		if team, ok := scope.impersonates(); ok {
			if err := c.mayImpersonate(ctx, tx, holder, team); err != nil {
				return err
			}
			continue
		}
		if !entitled.Has(scope) {
			return beyond(scope, "The holder's roles do not allow the scope %q.")
		}
		if !c.Scopes.Has(scope) {
			return beyond(scope, "You may not give the scope %q: you do not have it yourself.")
		}
	}
	live, err := liveTokens(ctx, tx, holder.ID)
	live = slices.DeleteFunc(live, func(t Token) bool { return t.lent() })
	if err == nil && len(live) >= maxLiveTokens {
		return Errorf(Quota, "quota-exceeded", "There are %d live tokens. Revoke one first.", maxLiveTokens)
	}
	return err
}

func beyond(s Scope, format string) error {
	e := Errorf(Forbidden, "scope-missing", format, s)
	e.Extra = map[string]any{"scope": string(s)}
	return e
}

// mayImpersonate: only admins let a service act for people of a team.
func (c *Caller) mayImpersonate(ctx context.Context, tx Tx, holder *Principal, team string) error {
	if c.mayAdminister() != nil {
		return beyond(ScopeImpersonate+Scope(team), "Only admins give the scope %q.")
	}
	if holder.Kind != KindService {
		return invalid("/scopes", "Only a service acts on behalf of people.")
	}
	_, err := teamByName(ctx, tx, team)
	return orAbsent(err, "/scopes", "There is no team %q.", team)
}

// lifetime bounds what is made with a token by that token: it does not live
// longer, and a token that is bound makes nothing that is not.
func (c *Caller) lifetime(ctx context.Context, tx Tx, until time.Time) (expires time.Time, parent string, err error) {
	if c.Token == "" {
		return until, "", nil
	}
	t, err := tx.Token(ctx, c.Token)
	if err != nil {
		return time.Time{}, "", err
	}
	if len(t.Targets) > 0 || t.Queries != nil || len(t.CIDRs) > 0 {
		return time.Time{}, "", Errorf(Forbidden, "forbidden", "A token that is bound to warehouses, queries or networks makes no others. Use the page.")
	}
	if t.Expires.Before(until) {
		until = t.Expires
	}
	return until, t.ID, nil
}

func liveTokens(ctx context.Context, tx Tx, holderID string) ([]Token, error) {
	all, err := tx.Tokens(ctx, holderID)
	return onlyLive(all, tx.Now()), err
}

func onlyLive(all []Token, now time.Time) []Token {
	return slices.DeleteFunc(all, func(t Token) bool { return !t.Live(now) })
}

// Tokens lists the live tokens of the caller, or of a service they hold.
func (o *Office) Tokens(ctx context.Context, c *Caller, service string) ([]Token, error) {
	var out []Token
	err := o.viewOf(ctx, c, service, func(tx Tx, id string) error {
		live, err := liveTokens(ctx, tx, id)
		for _, t := range live {
			out = append(out, *t.shown())
		}
		return err
	})
	return out, err
}

// RevokeToken ends a token, what was made with it, and what goes on under them:
// one's own, one of a service one holds, any for an admin.
func (o *Office) RevokeToken(ctx context.Context, c *Caller, id string) error {
	return o.endProof(ctx, c, PrefixToken, id, func(tx Tx) (proof, error) {
		t, err := tx.Token(ctx, id)
		if err != nil {
			return proof{}, err
		}
		revoke := func() ([]string, error) { return revokeToken(ctx, tx, t) }
		return proof{what: "token", holderID: t.HolderID, over: !t.Revoked.IsZero(), revoke: revoke}, nil
	})
}

// revokeToken revokes a token and all that was made with it, and returns the ids.
func revokeToken(ctx context.Context, tx Tx, t *Token) ([]string, error) {
	t.Revoked = tx.Now()
	if err := tx.SetToken(ctx, t); err != nil {
		return nil, err
	}
	ids := []string{t.ID}
	passwords, err := tx.DBPasswordsMadeWith(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	for _, d := range passwords {
		if !d.Revoked.IsZero() {
			continue
		}
		d.Revoked = tx.Now()
		if err := tx.SetDBPassword(ctx, &d); err != nil {
			return nil, err
		}
		ids = append(ids, d.ID)
	}
	children, err := tx.TokensMadeWith(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	for _, child := range children {
		if !child.Revoked.IsZero() {
			continue
		}
		more, err := revokeToken(ctx, tx, &child)
		if err != nil {
			return nil, err
		}
		ids = append(ids, more...)
	}
	return ids, nil
}
