package admin

import (
	"context"
	"slices"

	"github.com/lockkeeper/lockkeeper/audit"
)

// NewService is a program to be let in.
type NewService struct {
	Login string
	Team  string // the name of the team that holds it
	About string
}

// AddService lets a program in. The team that holds it makes its tokens; what
// it may do is granted to it alone.
func (o *Office) AddService(ctx context.Context, c *Caller, in NewService) (*Service, error) {
	if err := c.mayAdminister(); err != nil {
		return nil, err
	}
	p := &Principal{ID: NewID(PrefixService), Kind: KindService, Salt: newSalt()}
	var err error
	if p.Login, err = CleanLogin(in.Login); err != nil {
		return nil, err
	}
	if p.About, err = text("/description", in.About, maxAbout); err != nil {
		return nil, err
	}
	p.Name = p.Login
	var out *Service
	err = o.change(ctx, c, func(tx Tx) (note, error) {
		t, err := teamByName(ctx, tx, in.Team)
		if err != nil {
			return note{}, orAbsent(err, "/team", "There is no team %q. Make it first.", in.Team)
		}
		p.TeamID, p.Created = t.ID, tx.Now()
		if err := tx.AddPrincipal(ctx, p); err != nil {
			return note{}, orTaken(err, "The login %q is in use.", p.Login)
		}
		out, err = serviceOf(ctx, tx, p)
		return note{kind: audit.KindAdminChange, what: "service " + p.Login, message: "added, held by " + t.Name}, err
	})
	return out, err
}

// ServiceChange is what to change; nil stays as it is.
type ServiceChange struct {
	Team     *string // name
	About    *string
	Disabled *bool
}

// ChangeService changes a service.
func (o *Office) ChangeService(ctx context.Context, c *Caller, id string, in ServiceChange) (*Service, error) {
	if err := c.mayAdminister(); err != nil {
		return nil, err
	}
	var out *Service
	err := o.change(ctx, c, func(tx Tx) (note, error) {
		p, err := principal(ctx, tx, id, KindService)
		if err != nil {
			return note{}, err
		}
		n := note{kind: audit.KindAdminChange, what: "service " + p.Login, message: "changed"}
		if in.Team != nil {
			t, err := teamByName(ctx, tx, *in.Team)
			if err != nil {
				return note{}, orAbsent(err, "/team", "There is no team %q. Make it first.", *in.Team)
			}
			p.TeamID = t.ID
			n.message += ", held by " + t.Name
		}
		if in.About != nil {
			if p.About, err = text("/description", *in.About, maxAbout); err != nil {
				return note{}, err
			}
		}
		if in.Disabled != nil && *in.Disabled != p.Disabled {
			p.Disabled = *in.Disabled
			n.message += map[bool]string{true: ", disabled", false: ", enabled"}[p.Disabled]
			if p.Disabled {
				n.revoked = []string{p.ID}
			}
		}
		if err := tx.SetPrincipal(ctx, p); err != nil {
			return note{}, err
		}
		out, err = serviceOf(ctx, tx, p)
		return n, err
	})
	return out, err
}

// RemoveService removes a service with its tokens and grants.
func (o *Office) RemoveService(ctx context.Context, c *Caller, id string) error {
	if err := c.mayAdminister(); err != nil {
		return err
	}
	// Shut out first: what goes on under its login is found by the service, which
	// is not there any more after the second step.
	out := true
	if _, err := o.ChangeService(ctx, c, id, ServiceChange{Disabled: &out}); err != nil {
		return err
	}
	return o.change(ctx, c, func(tx Tx) (note, error) {
		p, err := principal(ctx, tx, id, KindService)
		if err != nil {
			return note{}, err
		}
		n := note{kind: audit.KindAdminChange, what: "service " + p.Login, message: "removed"}
		return n, tx.RemovePrincipal(ctx, id)
	})
}

// Services lists the services that the caller may hold: an admin all, others
// those of their teams.
func (o *Office) Services(ctx context.Context, c *Caller, page Page) ([]Service, error) {
	f, err := page.filter(KindService)
	if err != nil {
		return nil, err
	}
	limit := f.Limit
	f.Limit = 0 // those of others do not count
	var out []Service
	err = o.view(ctx, func(tx Tx) error {
		ps, err := tx.Principals(ctx, f)
		for i := range ps {
			if len(out) == limit {
				break
			}
			holds, err := c.holds(ctx, tx, &ps[i])
			if err != nil {
				return err
			}
			if !holds {
				continue
			}
			s, err := serviceOf(ctx, tx, &ps[i])
			if err != nil {
				return err
			}
			out = append(out, *s)
		}
		return err
	})
	return out, err
}

// Service returns one service that the caller may hold.
func (o *Office) Service(ctx context.Context, c *Caller, id string) (*Service, error) {
	var out *Service
	err := o.view(ctx, func(tx Tx) error {
		p, err := o.held(ctx, tx, c, id)
		if err != nil {
			return err
		}
		out, err = serviceOf(ctx, tx, p)
		return err
	})
	return out, err
}

// Held reports, by the error Missing, whether the caller holds a service: is in
// its team, or an admin. Whoever holds it releases queries to it.
func (o *Office) Held(ctx context.Context, c *Caller, id string) error {
	return o.view(ctx, func(tx Tx) error {
		_, err := o.held(ctx, tx, c, id)
		return err
	})
}

// ServiceID returns the id of a service that the caller holds, by its id or its
// login.
func (o *Office) ServiceID(ctx context.Context, c *Caller, service string) (string, error) {
	if IsID(PrefixService, service) {
		return service, o.Held(ctx, c, service)
	}
	login, err := CleanLogin(service)
	if err != nil {
		return "", err
	}
	err = o.view(ctx, func(tx Tx) error {
		p, err := tx.PrincipalByLogin(ctx, login)
		if err != nil {
			return err
		}
		p, err = o.held(ctx, tx, c, p.ID) // a person's id is no service's
		if err == nil {
			service = p.ID
		}
		return err
	})
	return service, err
}

func (o *Office) held(ctx context.Context, tx Tx, c *Caller, id string) (*Principal, error) {
	p, err := principal(ctx, tx, id, KindService)
	if err != nil {
		return nil, err
	}
	holds, err := c.holds(ctx, tx, p)
	if err == nil && !holds {
		return nil, ErrAbsent
	}
	return p, err
}

func (c *Caller) holds(ctx context.Context, tx Tx, service *Principal) (bool, error) {
	if c.mayAdminister() == nil {
		return true, nil
	}
	if c.Kind != KindPerson || c.Actor != nil {
		return false, nil
	}
	members, err := membersOf(ctx, tx, service.TeamID)
	return slices.Contains(members, c.ID), err
}

func serviceOf(ctx context.Context, tx Tx, p *Principal) (*Service, error) {
	s, err := standingOf(ctx, tx, p.ID)
	if err != nil {
		return nil, err
	}
	t, err := tx.Team(ctx, p.TeamID)
	if err != nil {
		return nil, err
	}
	shown := *p
	shown.Salt = nil
	return &Service{Principal: shown, Team: t.Name, Roles: s.roles}, nil
}
