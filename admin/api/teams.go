package api

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

type teamOut struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Members []string  `json:"members" doc:"Logins; for admins only."`
	Created time.Time `json:"created"`
}

type oneTeam struct{ Body teamOut }

// TeamID names one team in a path.
type TeamID struct {
	ID string `path:"id" maxLength:"64" doc:"t_ and 16 characters."`
}

type memberID struct {
	TeamID

	Login string `path:"login" maxLength:"63"`
}

// TeamBody is the name of a team.
type TeamBody struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"63"`
	}
}

func (a *API) teamRoutes() {
	decide := []admin.Scope{admin.ScopeAdmin}
	a.serviceRoutes()
	register(a, route{id: "list-teams", method: "GET", path: "/teams", summary: "List teams", tag: "teams"}, a.listTeams)
	register(a, route{id: "add-team", method: "POST", path: "/teams", summary: "Make a team", tag: "teams", scopes: decide, status: 201}, a.addTeam)
	register(a, route{id: "rename-team", method: "PATCH", path: "/teams/{id}", summary: "Rename a team", tag: "teams", scopes: decide}, a.renameTeam)
	register(a, route{id: "remove-team", method: "DELETE", path: "/teams/{id}", summary: "Remove a team with its grants", tag: "teams", scopes: decide}, a.removeTeam)
	register(a, route{id: "add-member", method: "PUT", path: "/teams/{id}/members/{login}", summary: "Put somebody into a team", tag: "teams", scopes: decide}, a.addMember)
	register(a, route{id: "remove-member", method: "DELETE", path: "/teams/{id}/members/{login}", summary: "Take somebody out of a team", tag: "teams", scopes: decide}, a.removeMember)
}

func (a *API) listTeams(ctx context.Context, c *admin.Caller, _ *nothing) (*listOf[teamOut], error) {
	all, err := a.cfg.Office.Teams(ctx, c)
	return list(each(all, func(t *admin.TeamMembers) teamOut {
		return teamOut{ID: t.ID, Name: t.Name, Members: t.Members, Created: t.Created}
	}), ""), err
}

func answerTeam(t *admin.Team, err error) (*oneTeam, error) {
	if err != nil {
		return nil, err
	}
	return &oneTeam{teamOut{ID: t.ID, Name: t.Name, Created: t.Created}}, nil
}

func (a *API) addTeam(ctx context.Context, c *admin.Caller, in *TeamBody) (*oneTeam, error) {
	return answerTeam(a.cfg.Office.AddTeam(ctx, c, in.Body.Name))
}

func (a *API) renameTeam(ctx context.Context, c *admin.Caller, in *struct {
	TeamID
	TeamBody
},
) (*oneTeam, error) {
	return answerTeam(a.cfg.Office.RenameTeam(ctx, c, in.ID, in.Body.Name))
}

func (a *API) removeTeam(ctx context.Context, c *admin.Caller, in *TeamID) (*nothing, error) {
	return nil, a.cfg.Office.RemoveTeam(ctx, c, in.ID)
}

func (a *API) addMember(ctx context.Context, c *admin.Caller, in *memberID) (*nothing, error) {
	return nil, a.cfg.Office.AddMember(ctx, c, in.ID, in.Login)
}

func (a *API) removeMember(ctx context.Context, c *admin.Caller, in *memberID) (*nothing, error) {
	return nil, a.cfg.Office.RemoveMember(ctx, c, in.ID, in.Login)
}
