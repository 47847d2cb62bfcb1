package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/lockkeeper/lockkeeper/admin"
)

// demoPeople are let into the office; each goes on to the warehouse under the
// login of the same name.
var demoPeople = []struct{ login, name, team string }{
	{"admin", "Ada Admin", "trust"},
	{"analyst", "Ann Analyst", "analytics"},
}

// welcome lets the demo's people in and returns their sign-in links, in order.
func (d *demo) welcome(ctx context.Context, o *office) ([]string, error) {
	local := admin.Operator()
	links := make([]string, 0, len(demoPeople))
	for _, p := range demoPeople {
		_, err := o.people.AddTeam(ctx, local, p.team)
		person, err2 := o.people.AddPerson(ctx, local, admin.NewPerson{Login: p.login, Name: p.name, Teams: []string{p.team}})
		if err := errors.Join(err, err2); err != nil {
			return nil, fmt.Errorf("let %s into the office: %w", p.login, err)
		}
		_, err = o.people.AddGrant(ctx, local, admin.NewGrant{
			Principal: person.ID, Target: target, Role: admin.RoleMember, WarehouseLogin: p.login, WarehousePassword: admin.NewSecret(p.login),
		})
		if err != nil {
			return nil, fmt.Errorf("grant %s the warehouse: %w", p.login, err)
		}
		var link admin.Secret
		if p.login == "admin" {
			link, err = o.people.FirstAdmin(ctx, p.login)
		} else {
			link, err = o.people.NewLink(ctx, local, person.ID)
		}
		if err != nil {
			return nil, fmt.Errorf("make a link for %s: %w", p.login, err)
		}
		links = append(links, o.cfg.Web.external()+"/signin#link="+link.Reveal())
	}
	return links, nil
}
