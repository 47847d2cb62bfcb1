package admin

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/audit"
)

// NewGrant is a right to be given.
type NewGrant struct {
	Principal string // id of a person, service or team
	Target    string // or AllTargets
	Role      Role

	// WarehouseLogin is as whom they log in to the warehouse; empty: as the
	// configuration says. Its password is sealed and never shown again.
	WarehouseLogin    string
	WarehousePassword Secret
}

// maxTarget bounds a target's name, in bytes.
const maxTarget = 63

func (in *NewGrant) validate() error {
	if in.Target == "" || len(in.Target) > maxTarget || !utf8.ValidString(in.Target) || strings.ContainsFunc(in.Target, func(r rune) bool { return r <= ' ' || r == '\x7f' }) {
		return invalid("/target", "Name a warehouse, or * for all.")
	}
	if !in.Role.known() {
		return invalid("/role", "A role is member, operator or admin.")
	}
	if len(in.WarehouseLogin) > maxLogin || !utf8.ValidString(in.WarehouseLogin) || strings.ContainsFunc(in.WarehouseLogin, func(r rune) bool { return r < ' ' || r == '\x7f' }) {
		return invalid("/warehouse_login", "A warehouse login has at most %d bytes.", maxLogin)
	}
	if len(in.WarehousePassword.Reveal()) > maxSecret {
		return invalid("/warehouse_password", "At most %d bytes.", maxSecret)
	}
	if in.WarehouseLogin == "" && !in.WarehousePassword.IsZero() {
		return invalid("/warehouse_login", "A warehouse password needs the login it belongs to.")
	}
	return nil
}

// AddGrant gives a right. There is one for each subject and target; to change
// it, remove it and give another.
func (o *Office) AddGrant(ctx context.Context, c *Caller, in NewGrant) (*Grant, error) {
	if err := c.mayAdminister(); err != nil {
		return nil, err
	}
	if err := in.validate(); err != nil {
		return nil, err
	}
	g := &Grant{ID: NewID(PrefixGrant), Target: in.Target, Role: in.Role, WarehouseLogin: in.WarehouseLogin, By: c.Login}
	if !in.WarehousePassword.IsZero() {
		var err error
		if g.WarehouseSecret, err = o.cfg.Vault.Seal(g.purpose(), []byte(in.WarehousePassword.Reveal())); err != nil {
			return nil, err
		}
	}
	err := o.change(ctx, c, func(tx Tx) (note, error) {
		g.Created = tx.Now()
		name, err := in.subject(ctx, tx, g)
		if err != nil {
			return note{}, err
		}
		n := note{kind: audit.KindGrant, what: name, message: "granted " + g.words()}
		return n, orTaken(tx.AddGrant(ctx, g), "There is a grant for %s at %q. Remove it first.", name, g.Target)
	})
	if err != nil {
		return nil, err
	}
	return g.shown(), nil
}

// purpose binds the sealed password to this grant: copied to another it does not open.
func (g *Grant) purpose() string { return "grant/" + g.ID }

// shown is the grant without its sealed password.
func (g *Grant) shown() *Grant {
	out := *g
	out.WarehouseSecret = nil
	return &out
}

func (g *Grant) words() string {
	s := string(g.Role) + " at " + g.Target
	if g.WarehouseLogin != "" {
		s += " as " + g.WarehouseLogin
	}
	return s
}

// subject finds whom the grant is for and returns what to call them.
func (in *NewGrant) subject(ctx context.Context, tx Tx, g *Grant) (string, error) {
	if IsID(PrefixTeam, in.Principal) {
		t, err := tx.Team(ctx, in.Principal)
		if err != nil {
			return "", orAbsent(err, "/principal", "There is no such team.")
		}
		g.TeamID = t.ID
		return "team " + t.Name, nil
	}
	var p *Principal
	err := ErrAbsent
	if IsID(PrefixPerson, in.Principal) || IsID(PrefixService, in.Principal) {
		p, err = tx.Principal(ctx, in.Principal)
	}
	if err != nil {
		return "", orAbsent(err, "/principal", "There is no such person, service or team.")
	}
	g.PrincipalID = p.ID
	return string(p.Kind) + " " + p.Login, nil
}

// RemoveGrant takes a right away, and ends what goes on under it.
func (o *Office) RemoveGrant(ctx context.Context, c *Caller, id string) error {
	if err := c.mayAdminister(); err != nil {
		return err
	}
	return o.change(ctx, c, func(tx Tx) (note, error) {
		if err := known(PrefixGrant, id); err != nil {
			return note{}, err
		}
		g, err := tx.Grant(ctx, id)
		if err != nil {
			return note{}, err
		}
		name, revoked := "", []string{g.PrincipalID}
		if g.TeamID != "" {
			revoked, err = membersOf(ctx, tx, g.TeamID)
		}
		if err == nil {
			name, err = (&NewGrant{Principal: g.Subject()}).subject(ctx, tx, &Grant{})
		}
		if err != nil {
			return note{}, err
		}
		err = keepsAdmin(ctx, tx, func() error { return tx.RemoveGrant(ctx, id) })
		return note{kind: audit.KindGrant, what: name, message: "took away " + g.words(), revoked: revoked}, err
	})
}

// Grants lists all grants, for admins.
func (o *Office) Grants(ctx context.Context, c *Caller) ([]Grant, error) {
	if err := c.mayAdminister(); err != nil {
		return nil, err
	}
	var out []Grant
	err := o.view(ctx, func(tx Tx) error {
		all, err := tx.Grants(ctx)
		for _, g := range all {
			out = append(out, *g.shown())
		}
		return err
	})
	return out, err
}
