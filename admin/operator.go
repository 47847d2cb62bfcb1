package admin

import (
	"context"
	"errors"

	"github.com/lockkeeper/lockkeeper/audit"
)

// Operator is whoever works at the machine itself: they can write the store's
// file, so there is nothing to keep from them. What they do is recorded as any
// other's.
func Operator() *Caller {
	return &Caller{
		Kind: KindPerson, ID: operatorLogin, Login: operatorLogin, Name: "operator of the machine", Via: ViaCLI,
		Roles: map[string]Role{AllTargets: RoleAdmin}, Scopes: sorted(AllScopes()),
	}
}

// AtTheMachine reports whether the caller is the operator of the machine itself.
func (c *Caller) AtTheMachine() bool { return c.Via == ViaCLI && c.ID == operatorLogin }

// FirstAdmin makes a login an admin of all targets, adds the person if they are
// not there, and returns the secret of a link by which they sign in. It is how
// a house begins, and how it opens again when no admin is left.
func (o *Office) FirstAdmin(ctx context.Context, login string) (Secret, error) {
	login, err := CleanLogin(login)
	if err != nil {
		return Secret{}, err
	}
	c := Operator()
	var secret Secret
	err = o.change(ctx, c, func(tx Tx) (note, error) {
		p, err := tx.PrincipalByLogin(ctx, login)
		if errors.Is(err, ErrAbsent) {
			p = &Principal{ID: NewID(PrefixPerson), Kind: KindPerson, Login: login, Salt: newSalt(), Created: tx.Now()}
			err = tx.AddPrincipal(ctx, p)
		}
		if err != nil {
			return note{}, err
		}
		if p.Kind != KindPerson {
			return note{}, invalid("/login", "%q is a service. An admin is a person.", login)
		}
		if err := o.grantAll(ctx, tx, c, p); err != nil {
			return note{}, err
		}
		secret, err = newLink(ctx, tx, c, p)
		return note{kind: audit.KindGrant, what: "person " + login, message: "made admin at *, with a sign-in link"}, err
	})
	if err != nil {
		return Secret{}, err
	}
	return secret, nil
}

// grantAll makes somebody an admin of all targets.
func (o *Office) grantAll(ctx context.Context, tx Tx, c *Caller, p *Principal) error {
	own, err := tx.Grants(ctx, p.ID)
	if err != nil {
		return err
	}
	for _, g := range own {
		if g.Target != AllTargets {
			continue
		}
		if g.Role == RoleAdmin {
			return nil
		}
		if err := tx.RemoveGrant(ctx, g.ID); err != nil {
			return err
		}
	}
	return tx.AddGrant(ctx, &Grant{ID: NewID(PrefixGrant), PrincipalID: p.ID, Target: AllTargets, Role: RoleAdmin, Created: tx.Now(), By: c.Login})
}
