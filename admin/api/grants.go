package api

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

type grantOut struct {
	ID             string    `json:"id"`
	Principal      string    `json:"principal" doc:"Id of a person, service or team."`
	Target         string    `json:"target" doc:"A warehouse, or * for all."`
	Role           string    `json:"role"`
	WarehouseLogin *string   `json:"warehouse_login" doc:"As whom they log in there; null: as configured."`
	Created        time.Time `json:"created"`
	By             string    `json:"by"`
}

func showGrant(g *admin.Grant) grantOut {
	out := grantOut{ID: g.ID, Principal: g.Subject(), Target: g.Target, Role: string(g.Role), Created: g.Created, By: g.By}
	if g.WarehouseLogin != "" {
		out.WarehouseLogin = &g.WarehouseLogin
	}
	return out
}

type oneGrant struct{ Body grantOut }

func (a *API) grantRoutes() {
	decide := []admin.Scope{admin.ScopeAdmin}
	register(a, route{id: "list-grants", method: "GET", path: "/grants", summary: "List grants", tag: "grants", scopes: decide}, a.listGrants)
	register(a, route{id: "add-grant", method: "POST", path: "/grants", summary: "Give somebody a role at a warehouse", tag: "grants", scopes: decide, status: 201}, a.addGrant)
	register(a, route{id: "remove-grant", method: "DELETE", path: "/grants/{id}", summary: "Take a grant away", tag: "grants", scopes: decide}, a.removeGrant)
}

func (a *API) listGrants(ctx context.Context, c *admin.Caller, _ *nothing) (*listOf[grantOut], error) {
	all, err := a.cfg.Office.Grants(ctx, c)
	return list(each(all, showGrant), ""), err
}

func (a *API) addGrant(ctx context.Context, c *admin.Caller, in *struct {
	Body struct {
		Principal string `json:"principal" minLength:"1" maxLength:"64" doc:"Id of a person, service or team."`
		Target    string `json:"target" minLength:"1" maxLength:"63" doc:"A warehouse, or * for all."`
		Role      string `json:"role" enum:"member,operator,admin"`
		Login     string `json:"warehouse_login,omitempty" maxLength:"63"`
		Password  string `json:"warehouse_password,omitempty" maxLength:"1024" doc:"Sealed, and never shown again."`
	}
},
) (*oneGrant, error) {
	b := in.Body
	if !a.hasTarget(b.Target) && b.Target != admin.AllTargets {
		return nil, badParameter("/target", "There is no such warehouse.")
	}
	g, err := a.cfg.Office.AddGrant(ctx, c, admin.NewGrant{
		Principal: b.Principal, Target: b.Target, Role: admin.Role(b.Role), WarehouseLogin: b.Login, WarehousePassword: admin.NewSecret(b.Password),
	})
	if err != nil {
		return nil, err
	}
	return &oneGrant{showGrant(g)}, nil
}

func (a *API) removeGrant(ctx context.Context, c *admin.Caller, in *proofID) (*nothing, error) {
	return nil, a.cfg.Office.RemoveGrant(ctx, c, in.ID)
}
