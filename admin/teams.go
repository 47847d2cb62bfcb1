package admin

import (
	"context"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/audit"
)

// maxTeam bounds a team's name, in bytes.
const maxTeam = 63

// Everyone can be shared with as if it were a team: all who may sign in.
const Everyone = "everyone"

// cleanTeam checks a team's name: policy and scopes name it, so it has no space.
func cleanTeam(s string) (string, error) {
	s = strings.TrimSpace(s)
	ok := s != "" && len(s) <= maxTeam && !strings.ContainsFunc(s, func(r rune) bool {
		plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !plain && !strings.ContainsRune(loginMarks+"/:", r)
	})
	if strings.EqualFold(s, Everyone) {
		return "", invalid("/name", "%q are all people; a team cannot be called so.", Everyone)
	}
	if !ok {
		return "", invalid("/name", "A team's name has 1 to %d letters, digits and %s.", maxTeam, loginMarks+"/:")
	}
	return s, nil
}

// teamByName returns a team, ErrAbsent also for what is no name.
func teamByName(ctx context.Context, tx Tx, name string) (*Team, error) {
	if clean, err := cleanTeam(name); err != nil || clean != name {
		return nil, ErrAbsent
	}
	return tx.TeamByName(ctx, name)
}

// teamByID returns a team, ErrAbsent also for what is no id.
func teamByID(ctx context.Context, tx Tx, id string) (*Team, error) {
	if err := known(PrefixTeam, id); err != nil {
		return nil, err
	}
	return tx.Team(ctx, id)
}

// AddTeam makes a team.
func (o *Office) AddTeam(ctx context.Context, c *Caller, name string) (*Team, error) {
	if err := c.mayAdminister(); err != nil {
		return nil, err
	}
	name, err := cleanTeam(name)
	if err != nil {
		return nil, err
	}
	t := &Team{ID: NewID(PrefixTeam), Name: name}
	err = o.change(ctx, c, func(tx Tx) (note, error) {
		t.Created = tx.Now()
		return note{kind: audit.KindAdminChange, what: "team " + name, message: "added"},
			orTaken(tx.AddTeam(ctx, t), "There is a team %q.", name)
	})
	return t, err
}

// RenameTeam gives a team another name. Scopes and policy go by names: what
// named the old one means nobody from now on, so what its members do ends.
func (o *Office) RenameTeam(ctx context.Context, c *Caller, id, name string) (*Team, error) {
	if err := c.mayAdminister(); err != nil {
		return nil, err
	}
	name, err := cleanTeam(name)
	if err != nil {
		return nil, err
	}
	var t *Team
	err = o.change(ctx, c, func(tx Tx) (note, error) {
		if t, err = teamByID(ctx, tx, id); err != nil {
			return note{}, err
		}
		old := t.Name
		t.Name = name
		if err := tx.SetTeam(ctx, t); err != nil {
			return note{}, orTaken(err, "There is a team %q.", name)
		}
		members, err := membersOf(ctx, tx, id)
		return note{kind: audit.KindAdminChange, what: "team " + old, message: "renamed to " + name, revoked: members}, err
	})
	return t, err
}

// RemoveTeam removes a team with its memberships and grants. One that holds
// services stays: they would be nobody's.
func (o *Office) RemoveTeam(ctx context.Context, c *Caller, id string) error {
	if err := c.mayAdminister(); err != nil {
		return err
	}
	return o.change(ctx, c, func(tx Tx) (note, error) {
		t, err := teamByID(ctx, tx, id)
		if err != nil {
			return note{}, err
		}
		held, err := tx.Principals(ctx, PrincipalFilter{TeamID: id, Limit: 1})
		if err != nil {
			return note{}, err
		}
		if len(held) > 0 {
			return note{}, Errorf(Conflict, "team-holds-services", "The team holds the service %q. Give it to another team first.", held[0].Login)
		}
		members, err := membersOf(ctx, tx, id)
		if err != nil {
			return note{}, err
		}
		err = keepsAdmin(ctx, tx, func() error { return tx.RemoveTeam(ctx, id) })
		return note{kind: audit.KindAdminChange, what: "team " + t.Name, message: "removed", revoked: members}, err
	})
}

// AddMember puts a person or a service into a team.
func (o *Office) AddMember(ctx context.Context, c *Caller, teamID, login string) error {
	return o.member(ctx, c, teamID, login, func(tx Tx, m Membership, n *note) error {
		n.message = "member " + login + " added"
		return tx.AddMembership(ctx, m)
	})
}

// RemoveMember takes somebody out of a team, as far as it is for us to say: who
// is in it by the identity provider's groups stays until those change.
func (o *Office) RemoveMember(ctx context.Context, c *Caller, teamID, login string) error {
	return o.member(ctx, c, teamID, login, func(tx Tx, m Membership, n *note) error {
		n.message, n.revoked = "member "+login+" removed", []string{m.PrincipalID}
		return keepsAdmin(ctx, tx, func() error { return tx.RemoveMembership(ctx, m) })
	})
}

func (o *Office) member(ctx context.Context, c *Caller, teamID, login string, act func(Tx, Membership, *note) error) error {
	if err := c.mayAdminister(); err != nil {
		return err
	}
	return o.change(ctx, c, func(tx Tx) (note, error) {
		t, err := teamByID(ctx, tx, teamID)
		if err != nil {
			return note{}, err
		}
		login, err := CleanLogin(login)
		if err != nil {
			return note{}, ErrAbsent
		}
		p, err := tx.PrincipalByLogin(ctx, login)
		if err != nil {
			return note{}, err
		}
		n := note{kind: audit.KindAdminChange, what: "team " + t.Name}
		err = act(tx, Membership{TeamID: t.ID, PrincipalID: p.ID, Source: SourceLocal}, &n)
		return n, err
	})
}

// TeamMembers is a team with who is in it.
type TeamMembers struct {
	Team

	Members []string // logins
}

// Teams lists teams by name. Everybody may see them; admins see who is in them.
func (o *Office) Teams(ctx context.Context, c *Caller) ([]TeamMembers, error) {
	var out []TeamMembers
	err := o.view(ctx, func(tx Tx) error {
		teams, err := tx.Teams(ctx)
		for _, t := range teams {
			shown := TeamMembers{Team: t}
			if c.mayAdminister() == nil {
				if shown.Members, err = loginsOf(ctx, tx, t.ID); err != nil {
					return err
				}
			}
			out = append(out, shown)
		}
		return err
	})
	return out, err
}

func loginsOf(ctx context.Context, tx Tx, teamID string) ([]string, error) {
	ids, err := membersOf(ctx, tx, teamID)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, id := range ids {
		p, err := tx.Principal(ctx, id)
		if err != nil {
			return nil, err
		}
		out = append(out, p.Login)
	}
	slices.Sort(out)
	return out, nil
}

// membersOf returns the ids of who is in a team, by whatever source.
func membersOf(ctx context.Context, tx Tx, teamID string) ([]string, error) {
	members, err := tx.Memberships(ctx, teamID, "")
	var ids []string
	for _, m := range members {
		if !slices.Contains(ids, m.PrincipalID) {
			ids = append(ids, m.PrincipalID)
		}
	}
	return ids, err
}
