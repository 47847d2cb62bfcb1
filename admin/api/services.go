package api

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

type serviceOut struct {
	ID          string            `json:"id"`
	Name        string            `json:"name" doc:"Its login."`
	Team        *string           `json:"team"`
	Description string            `json:"description"`
	Roles       map[string]string `json:"roles"`
	Disabled    bool              `json:"disabled"`
	Created     time.Time         `json:"created"`
}

func showService(s *admin.Service) serviceOut {
	out := serviceOut{ID: s.ID, Name: s.Login, Description: s.About, Roles: map[string]string{}, Disabled: s.Disabled, Created: s.Created}
	if s.Team != "" {
		out.Team = &s.Team
	}
	for target, role := range s.Roles {
		out.Roles[target] = string(role)
	}
	return out
}

type oneService struct{ Body serviceOut }

// ServiceID names one service in a path.
type ServiceID struct {
	ID string `path:"id" maxLength:"64" doc:"s_ and 16 characters."`
}

func (a *API) serviceRoutes() {
	decide := []admin.Scope{admin.ScopeAdmin}
	register(a, route{id: "list-services", method: "GET", path: "/services", summary: "List the services you hold", tag: "services"}, a.listServices)
	register(a, route{id: "add-service", method: "POST", path: "/services", summary: "Let a program in", tag: "services", scopes: decide, status: 201}, a.addService)
	register(a, route{id: "get-service", method: "GET", path: "/services/{id}", summary: "Read one service", tag: "services"}, a.getService)
	register(a, route{id: "update-service", method: "PATCH", path: "/services/{id}", summary: "Change or disable a service", tag: "services", scopes: decide}, a.updateService)
	register(a, route{id: "remove-service", method: "DELETE", path: "/services/{id}", summary: "Remove a service with its tokens", tag: "services", scopes: decide}, a.removeService)
}

func (a *API) listServices(ctx context.Context, c *admin.Caller, in *Search) (*listOf[serviceOut], error) {
	all, err := a.cfg.Office.Services(ctx, c, in.admin())
	next := after(all, in, func(s *admin.Service) string { return s.Login })
	return list(each(all, showService), next), err
}

func (a *API) addService(ctx context.Context, c *admin.Caller, in *struct {
	Body struct {
		Name        string `json:"name" minLength:"1" maxLength:"63" doc:"Its login."`
		Team        string `json:"team" minLength:"1" maxLength:"63" doc:"The name of the team that holds it."`
		Description string `json:"description,omitempty" maxLength:"2000"`
	}
},
) (*oneService, error) {
	s, err := a.cfg.Office.AddService(ctx, c, admin.NewService{Login: in.Body.Name, Team: in.Body.Team, About: in.Body.Description})
	return answerService(s, err)
}

func answerService(s *admin.Service, err error) (*oneService, error) {
	if err != nil {
		return nil, err
	}
	return &oneService{showService(s)}, nil
}

func (a *API) getService(ctx context.Context, c *admin.Caller, in *ServiceID) (*oneService, error) {
	return answerService(a.cfg.Office.Service(ctx, c, in.ID))
}

func (a *API) updateService(ctx context.Context, c *admin.Caller, in *struct {
	ServiceID

	Body struct {
		Team        *string `json:"team,omitempty" maxLength:"63"`
		Description *string `json:"description,omitempty" maxLength:"2000"`
		Disabled    *bool   `json:"disabled,omitempty"`
	}
},
) (*oneService, error) {
	return answerService(a.cfg.Office.ChangeService(ctx, c, in.ID, admin.ServiceChange{Team: in.Body.Team, About: in.Body.Description, Disabled: in.Body.Disabled}))
}

func (a *API) removeService(ctx context.Context, c *admin.Caller, in *ServiceID) (*nothing, error) {
	return nil, a.cfg.Office.RemoveService(ctx, c, in.ID)
}
