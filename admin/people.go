package admin

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/audit"
)

// NewPerson is somebody to be let in.
type NewPerson struct {
	Login string
	Name  string
	Email string
	Teams []string // names
	Role  Role     // at all targets; empty: what the teams give
}

// AddPerson lets somebody in. They sign in by a link (NewLink), or as the
// identity provider knows them.
func (o *Office) AddPerson(ctx context.Context, c *Caller, in NewPerson) (*Person, error) {
	if err := c.mayAdminister(); err != nil {
		return nil, err
	}
	p, err := in.principal()
	if err != nil {
		return nil, err
	}
	var person *Person
	err = o.change(ctx, c, func(tx Tx) (note, error) {
		p.Created = tx.Now()
		if err := tx.AddPrincipal(ctx, p); err != nil {
			return note{}, orTaken(err, "The login %q is in use.", p.Login)
		}
		if _, err := setTeams(ctx, tx, p.ID, in.Teams); err != nil {
			return note{}, err
		}
		if in.Role != RoleNone {
			g := &Grant{ID: NewID(PrefixGrant), PrincipalID: p.ID, Target: AllTargets, Role: in.Role, Created: tx.Now(), By: c.Login}
			if err := tx.AddGrant(ctx, g); err != nil {
				return note{}, err
			}
		}
		person, err = personOf(ctx, tx, p)
		return note{kind: audit.KindAdminChange, what: "person " + p.Login, message: "added" + withTeams(in.Teams) + withRole(in.Role)}, err
	})
	return person, err
}

// principal checks what was typed.
func (in *NewPerson) principal() (*Principal, error) {
	p := &Principal{ID: NewID(PrefixPerson), Kind: KindPerson, Salt: newSalt()}
	var err error
	if p.Login, err = CleanLogin(in.Login); err != nil {
		return nil, err
	}
	if p.Name, err = text("/name", in.Name, maxName); err != nil {
		return nil, err
	}
	if p.Email, err = text("/email", in.Email, maxEmail); err != nil {
		return nil, err
	}
	if !in.Role.known() && in.Role != RoleNone {
		return nil, invalid("/role", "A role is member, operator or admin.")
	}
	return p, nil
}

// known reports whether r is a role that can be granted.
func (r Role) known() bool { return r.rank() > 0 }

func newSalt() []byte {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails
	return salt
}

func withTeams(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ", teams " + strings.Join(names, " ")
}

func withRole(r Role) string {
	if r == RoleNone {
		return ""
	}
	return ", " + string(r) + " at *"
}

// PersonChange is what to change; nil stays as it is.
type PersonChange struct {
	Name     *string
	Email    *string
	Teams    *[]string // names: all local memberships
	Disabled *bool
}

// ChangePerson changes somebody. Who is disabled, or leaves a team, loses what
// goes on under their name.
func (o *Office) ChangePerson(ctx context.Context, c *Caller, id string, in PersonChange) (*Person, error) {
	if err := c.mayAdminister(); err != nil {
		return nil, err
	}
	var person *Person
	err := o.change(ctx, c, func(tx Tx) (note, error) {
		p, err := principal(ctx, tx, id, KindPerson)
		if err != nil {
			return note{}, err
		}
		n := note{kind: audit.KindAdminChange, what: "person " + p.Login}
		if err := keepsAdmin(ctx, tx, func() error { return in.apply(ctx, tx, p, &n) }); err != nil {
			return note{}, err
		}
		if p.Disabled {
			if err := endSessions(ctx, tx, p.ID, ""); err != nil {
				return note{}, err
			}
		}
		person, err = personOf(ctx, tx, p)
		return n, err
	})
	return person, err
}

// apply writes the change and notes it.
func (in *PersonChange) apply(ctx context.Context, tx Tx, p *Principal, n *note) error {
	var done []string
	for _, f := range []struct {
		pointer  string
		from, to *string
		limit    int
	}{{"/name", in.Name, &p.Name, maxName}, {"/email", in.Email, &p.Email, maxEmail}} {
		if f.from == nil {
			continue
		}
		s, err := text(f.pointer, *f.from, f.limit)
		if err != nil {
			return err
		}
		*f.to = s
		done = append(done, "changed "+f.pointer[1:])
	}
	if in.Disabled != nil && *in.Disabled != p.Disabled {
		p.Disabled = *in.Disabled
		done = append(done, map[bool]string{true: "disabled", false: "enabled"}[p.Disabled])
		if p.Disabled {
			n.revoked = append(n.revoked, p.ID)
		}
	}
	if err := tx.SetPrincipal(ctx, p); err != nil {
		return err
	}
	if in.Teams != nil {
		lost, err := setTeams(ctx, tx, p.ID, *in.Teams)
		if err != nil {
			return err
		}
		if lost && !slices.Contains(n.revoked, p.ID) {
			n.revoked = append(n.revoked, p.ID)
		}
		done = append(done, "teams now: "+strings.Join(*in.Teams, " "))
	}
	n.message = strings.Join(done, ", ")
	return nil
}

// setTeams makes the local memberships those named, and reports whether one was lost.
func setTeams(ctx context.Context, tx Tx, principalID string, names []string) (lost bool, err error) {
	want := map[string]bool{}
	for _, name := range names {
		t, err := teamByName(ctx, tx, name)
		if err != nil {
			return false, orAbsent(err, "/teams", "There is no team %q. Make it first.", name)
		}
		want[t.ID] = true
	}
	return syncTeams(ctx, tx, principalID, SourceLocal, want)
}

// syncTeams makes the memberships of one source those wanted.
func syncTeams(ctx context.Context, tx Tx, principalID string, source Source, want map[string]bool) (lost bool, err error) {
	have, err := tx.Memberships(ctx, "", principalID)
	if err != nil {
		return false, err
	}
	for _, m := range have {
		if m.Source == source && !want[m.TeamID] {
			if err := tx.RemoveMembership(ctx, m); err != nil {
				return false, err
			}
			lost = true
		}
	}
	for id := range want {
		if err := tx.AddMembership(ctx, Membership{TeamID: id, PrincipalID: principalID, Source: source}); err != nil {
			return false, err
		}
	}
	return lost, nil
}

// Page is a part of a list.
type Page struct {
	Search string
	After  string // the login that the last page ended with
	Limit  int    // 0: 50; at most 200
}

// Bounds of a page of a list.
const (
	defaultPage = 50
	maxPage     = 200
	maxSearch   = 200 // bytes
)

func (p Page) filter(kind Kind) (PrincipalFilter, error) {
	search, err := text("q", p.Search, maxSearch)
	if err != nil {
		return PrincipalFilter{}, err
	}
	after, err := text("cursor", p.After, maxLogin)
	if err != nil {
		return PrincipalFilter{}, err
	}
	if p.Limit <= 0 {
		p.Limit = defaultPage
	}
	return PrincipalFilter{Kind: kind, Search: search, After: after, Limit: min(p.Limit, maxPage)}, nil
}

// People lists people by login. Everybody may see who there is: to share a
// result one must name somebody. What others may do is for admins.
func (o *Office) People(ctx context.Context, c *Caller, page Page) ([]Person, error) {
	f, err := page.filter(KindPerson)
	if err != nil {
		return nil, err
	}
	f.Emails = c.MayAdminister() // to others they are not shown, and not by guesses either
	var out []Person
	err = o.view(ctx, func(tx Tx) error {
		ps, err := tx.Principals(ctx, f)
		for i := range ps {
			p, err := c.shown(ctx, tx, &ps[i])
			if err != nil {
				return err
			}
			out = append(out, *p)
		}
		return err
	})
	return out, err
}

// Person returns one person, as People shows them.
func (o *Office) Person(ctx context.Context, c *Caller, id string) (*Person, error) {
	var out *Person
	err := o.view(ctx, func(tx Tx) error {
		p, err := principal(ctx, tx, id, KindPerson)
		if err != nil {
			return err
		}
		out, err = c.shown(ctx, tx, p)
		return err
	})
	return out, err
}

// shown returns of a person what the caller may see.
func (c *Caller) shown(ctx context.Context, tx Tx, p *Principal) (*Person, error) {
	if c.mayAdminister() == nil || c.ID == p.ID {
		return personOf(ctx, tx, p)
	}
	return &Person{Principal: Principal{ID: p.ID, Kind: p.Kind, Login: p.Login, Name: p.Name}}, nil
}

// personOf adds what follows, and takes off what nobody needs to see.
func personOf(ctx context.Context, tx Tx, p *Principal) (*Person, error) {
	s, err := standingOf(ctx, tx, p.ID)
	if err != nil {
		return nil, err
	}
	shown := *p
	shown.Password, shown.Salt = "", nil
	return &Person{Principal: shown, Teams: s.names(), Roles: s.roles}, nil
}

// principal returns one of a kind.
func principal(ctx context.Context, tx Tx, id string, kind Kind) (*Principal, error) {
	prefix := PrefixPerson
	if kind == KindService {
		prefix = PrefixService
	}
	if err := known(prefix, id); err != nil {
		return nil, err
	}
	p, err := tx.Principal(ctx, id)
	if err == nil && p.Kind != kind {
		return nil, fmt.Errorf("%s %s: %w", kind, id, ErrAbsent)
	}
	return p, err
}
