package admin

import (
	"context"
	"slices"
	"strings"
)

// Entitled returns the scopes that roles entitle to: the most a proof may
// allow. Impersonation is never among them; an admin gives it to a token.
func Entitled(roles map[string]Role) Scopes {
	best := RoleNone
	for _, r := range roles {
		if r.AtLeast(best) {
			best = r
		}
	}
	var set Scopes
	for _, s := range AllScopes() {
		if best.AtLeast(s.needs()) && (s != ScopeAdmin || roles[AllTargets] == RoleAdmin) {
			set = append(set, s)
		}
	}
	return sorted(set)
}

// needs returns the role that a scope asks for.
func (s Scope) needs() Role {
	switch s {
	case ScopeActivityRead, ScopeActivitySQL, ScopeActivityCancel:
		return RoleOperator
	case ScopeAdmin:
		return RoleAdmin
	default:
		return RoleMember
	}
}

// impersonates reports whether s allows acting for people of a team, and of which.
func (s Scope) impersonates() (team string, ok bool) {
	return strings.CutPrefix(string(s), string(ScopeImpersonate))
}

// within returns what of the set others allow. Impersonation stays: it
// was an admin's to give, and is no right of the holder.
func (set Scopes) within(allowed Scopes) Scopes {
	var out Scopes
	for _, s := range set {
		if _, ok := s.impersonates(); ok || allowed.Has(s) {
			out = append(out, s)
		}
	}
	return out
}

func sorted(set Scopes) Scopes {
	slices.Sort(set)
	return slices.Compact(set)
}

// standing is what follows from a principal's memberships and grants.
type standing struct {
	teams []Team
	roles map[string]Role
}

func (s standing) names() []string {
	var out []string
	for _, t := range s.teams {
		out = append(out, t.Name)
	}
	slices.Sort(out)
	return out
}

// standingOf reads it.
func standingOf(ctx context.Context, tx Tx, principalID string) (standing, error) {
	var s standing
	members, err := tx.Memberships(ctx, "", principalID)
	if err != nil {
		return s, err
	}
	subjects := []string{principalID}
	for _, m := range members {
		if slices.Contains(subjects, m.TeamID) {
			continue // by two sources
		}
		subjects = append(subjects, m.TeamID)
		t, err := tx.Team(ctx, m.TeamID)
		if err != nil {
			return s, err
		}
		s.teams = append(s.teams, *t)
	}
	grants, err := tx.Grants(ctx, subjects...)
	s.roles = rolesOf(grants)
	return s, err
}

// rolesOf joins grants: the highest role at each target.
func rolesOf(grants []Grant) map[string]Role {
	roles := map[string]Role{}
	for _, g := range grants {
		if r := roles[g.Target]; !r.AtLeast(g.Role) {
			roles[g.Target] = g.Role
		}
	}
	return roles
}

// roleAt returns the role at a target, with what holds for all.
func roleAt(roles map[string]Role, target string) Role {
	return (&Caller{Roles: roles}).Role(target)
}

// only narrows roles to targets; no targets narrow nothing.
func only(roles map[string]Role, targets []string) map[string]Role {
	if len(targets) == 0 {
		return roles
	}
	out := map[string]Role{}
	for _, t := range targets {
		if r := roleAt(roles, t); r != RoleNone {
			out[t] = r
		}
	}
	return out
}

// both returns what two have at once.
func both(a, b map[string]Role) map[string]Role {
	out := map[string]Role{}
	for _, roles := range []map[string]Role{a, b} {
		for target := range roles {
			lower, other := roleAt(a, target), roleAt(b, target)
			if lower.AtLeast(other) {
				lower = other
			}
			if lower != RoleNone {
				out[target] = lower
			}
		}
	}
	return out
}

// mayAdminister returns an error unless the caller decides about people.
func (c *Caller) mayAdminister() error {
	if !c.IsAdmin() || c.Actor != nil {
		return Errorf(Forbidden, "forbidden", "Only admins of all warehouses do this. Ask one of them.")
	}
	return c.Need(ScopeAdmin)
}

// MayAdminister reports whether the caller decides for all: as an admin of all
// warehouses, by a proof that says so, and for nobody else.
func (c *Caller) MayAdminister() bool { return c.mayAdminister() == nil }

// keepsAdmin does what may take an admin away, and refuses if it takes the last
// one: nobody could undo it.
func keepsAdmin(ctx context.Context, tx Tx, act func() error) error {
	before, err := countAdmins(ctx, tx)
	if err != nil {
		return err
	}
	if err := act(); err != nil {
		return err
	}
	after, err := countAdmins(ctx, tx)
	if err == nil && before > 0 && after == 0 {
		return Errorf(Conflict, "last-admin", "This would leave nobody who decides about people. Make somebody else an admin of all warehouses first.")
	}
	return err
}

// countAdmins counts the people who can come in and are admins of all targets.
func countAdmins(ctx context.Context, tx Tx) (int, error) {
	grants, err := tx.Grants(ctx)
	if err != nil {
		return 0, err
	}
	found := map[string]bool{}
	for _, g := range grants {
		if g.Target != AllTargets || g.Role != RoleAdmin {
			continue
		}
		if g.TeamID == "" {
			found[g.PrincipalID] = true
			continue
		}
		members, err := tx.Memberships(ctx, g.TeamID, "")
		if err != nil {
			return 0, err
		}
		for _, m := range members {
			found[m.PrincipalID] = true
		}
	}
	n := 0
	for id := range found {
		p, err := tx.Principal(ctx, id)
		if err != nil {
			return 0, err
		}
		if p.Kind == KindPerson && p.Live() {
			n++
		}
	}
	return n, nil
}
