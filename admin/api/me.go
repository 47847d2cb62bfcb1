package api

import (
	"context"

	"github.com/lockkeeper/lockkeeper/admin"
)

// Me is the caller, as they see themselves.
type Me struct {
	ID      string            `json:"id"`
	Kind    string            `json:"kind" enum:"person,service,job,workspace"`
	Login   string            `json:"login"`
	Name    string            `json:"name"`
	Email   string            `json:"email"`
	Teams   []string          `json:"teams"`
	Roles   map[string]string `json:"roles" doc:"By target; * is all."`
	Scopes  []string          `json:"scopes"`
	Admin   bool              `json:"admin"`
	Targets []targetOut       `json:"targets"`
	Actor   *actor            `json:"actor" doc:"The service that acts on your behalf; null: you do."`
}

type actor struct {
	ID    string `json:"id"`
	Login string `json:"login"`
}

func (a *API) me(c *admin.Caller) Me {
	m := Me{
		ID: c.ID, Kind: string(c.Kind), Login: c.Login, Name: c.Name, Email: c.Email, Teams: c.Teams, Roles: map[string]string{},
		Scopes: words(c.Scopes), Admin: c.IsAdmin(), Targets: a.targetsOf(c),
	}
	for target, role := range c.Roles {
		m.Roles[target] = string(role)
	}
	if c.Actor != nil {
		m.Actor = &actor{ID: c.Actor.ID, Login: c.Actor.Login}
	}
	return m
}

func words[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, w := range in {
		out[i] = string(w)
	}
	return out
}

type meOut struct{ Body Me }

// connectOut is what tools are told to connect to.
type connectOut struct {
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Database string `json:"database"`
	SSLMode  string `json:"sslmode"`
	Login    string `json:"login"`
	WebURL   string `json:"web_url"`
}

type connectAnswer struct{ Body connectOut }

func (a *API) meRoutes() {
	register(a, route{id: "get-me", method: "GET", path: "/me", summary: "Who you are and what you may do", tag: "me"}, a.getMe)
	register(a, route{id: "set-password", method: "PUT", path: "/me/password", summary: "Set or change your local password", tag: "me"}, a.setPassword)
	register(a, route{id: "get-connect", method: "GET", path: "/connect", summary: "What to tell a tool that connects to the warehouse", tag: "me"}, a.getConnect)
}

func (a *API) getMe(_ context.Context, c *admin.Caller, _ *nothing) (*meOut, error) {
	return &meOut{a.me(c)}, nil
}

func (a *API) setPassword(ctx context.Context, c *admin.Caller, in *struct {
	Body struct {
		Current string `json:"current,omitempty" maxLength:"1024" doc:"Not needed where there is none yet."`
		New     string `json:"new" minLength:"1" maxLength:"1024"`
	}
},
) (*nothing, error) {
	if !a.cfg.Passwords {
		return nil, admin.Missing()
	}
	addr := a.address(requestOf(ctx))
	if wait, ok := a.cfg.Limiter.Allow(a.cfg.Now(), c.Login, addr); !ok {
		e := fail("too-many-tries", "Too many tries. Wait, then try again.")
		e.RetryAfter = wait
		return nil, e
	}
	if err := a.cfg.Office.SetPassword(ctx, c, admin.NewSecret(in.Body.Current), admin.NewSecret(in.Body.New)); err != nil {
		return nil, err
	}
	a.cfg.Limiter.Succeed(a.cfg.Now(), c.Login, addr)
	return nil, nil //nolint:nilnil // no content
}

func (a *API) getConnect(_ context.Context, c *admin.Caller, _ *nothing) (*connectAnswer, error) {
	k := a.cfg.Connect
	return &connectAnswer{connectOut{Host: k.Host, Port: k.Port, Database: a.cfg.Targets[0].Database, SSLMode: k.SSLMode, Login: c.Login, WebURL: a.out.url}}, nil
}
