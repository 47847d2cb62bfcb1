package admin

import (
	"context"
	"errors"
	"slices"
)

// OnBehalf returns the caller that a service becomes when it acts for a person
// of a team: the person, with what both may do. Whoever is not in such a team,
// is shut out or does not exist gets one answer.
func (o *Office) OnBehalf(ctx context.Context, actor *Caller, login string) (*Caller, error) {
	if actor.Actor != nil || actor.Kind != KindService || actor.Token == "" {
		return nil, Errorf(Forbidden, "forbidden", "Only a service acts on behalf of people, by its token.")
	}
	login, err := CleanLogin(login)
	if err != nil {
		return nil, notForYou()
	}
	var out *Caller
	err = o.view(ctx, func(tx Tx) error {
		p, err := tx.PrincipalByLogin(ctx, login)
		if err != nil {
			return err
		}
		if p.Kind != KindPerson || !p.Live() {
			return ErrAbsent
		}
		if out, err = callerOf(ctx, tx, p); err != nil {
			return err
		}
		if !actor.actsFor(out.Teams) {
			return ErrAbsent
		}
		return nil
	})
	if CodeOf(err) == NotFound || errors.Is(err, ErrAbsent) {
		return nil, notForYou()
	}
	if err != nil {
		return nil, err
	}
	out.Roles = both(out.Roles, actor.Roles)
	out.Scopes = slices.DeleteFunc(actor.Scopes.within(Entitled(out.Roles)), func(s Scope) bool {
		_, ok := s.impersonates()
		return ok || s == ScopeTokens || s == ScopeAdmin // never for somebody else
	})
	out.Token, out.Via, out.Addr, out.Targets, out.Queries = actor.Token, actor.Via, actor.Addr, actor.Targets, actor.Queries
	out.Actor = actor
	return out, nil
}

// actsFor reports whether a scope names one of the teams.
func (c *Caller) actsFor(teams []string) bool {
	return slices.ContainsFunc(c.Scopes, func(s Scope) bool {
		team, ok := s.impersonates()
		return ok && slices.Contains(teams, team)
	})
}

func notForYou() *Error {
	e := Errorf(Forbidden, "scope-missing", "This token has no scope %q for a team of this person.", ScopeImpersonate)
	e.Extra = map[string]any{"scope": string(ScopeImpersonate)}
	return e
}
