package api

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

// Person is somebody as the API shows them.
type Person struct {
	ID       string            `json:"id"`
	Login    string            `json:"login"`
	Name     string            `json:"name"`
	Email    string            `json:"email"`
	Teams    []string          `json:"teams"`
	Roles    map[string]string `json:"roles"`
	Admin    bool              `json:"admin"`
	Disabled bool              `json:"disabled"`
	Barred   bool              `json:"barred" doc:"The identity provider's required group is missing."`
	Created  *time.Time        `json:"created"`
	LastSeen *time.Time        `json:"last_seen" doc:"The last sign-in."`
}

func showPerson(p *admin.Person) Person {
	out := Person{
		ID: p.ID, Login: p.Login, Name: p.Name, Email: p.Email, Teams: p.Teams, Roles: map[string]string{},
		Admin: p.Roles[admin.AllTargets] == admin.RoleAdmin, Disabled: p.Disabled, Barred: p.Barred,
		Created: unlessZero(p.Created), LastSeen: unlessZero(p.SignedIn),
	}
	for target, role := range p.Roles {
		out.Roles[target] = string(role)
	}
	return out
}

// newPersonOut is a person just let in, with the link by which they come.
type newPersonOut struct {
	Person

	Link string `json:"link" doc:"Signs them in once. Shown this once."`
}

type onePerson struct{ Body Person }

type oneNewPerson struct{ Body newPersonOut }

type linkOut struct {
	Body struct {
		Link string `json:"link" doc:"Signs them in once. Shown this once."`
	}
}

// PersonID names one person in a path.
type PersonID struct {
	ID string `path:"id" maxLength:"64" doc:"p_ and 16 characters."`
}

// Search is what a list of people or services takes.
type Search struct {
	Page

	Q string `query:"q" maxLength:"200" doc:"Part of login, name or email."`
}

func (in *Search) admin() admin.Page {
	return admin.Page{Search: in.Q, After: in.Cursor, Limit: in.Limit}
}

// after is the cursor of the next page: the last login, if the page is full.
func after[T any](all []T, in *Search, login func(*T) string) string {
	if len(all) < in.Limit || len(all) == 0 {
		return ""
	}
	return login(&all[len(all)-1])
}

func (a *API) peopleRoutes() {
	decide := []admin.Scope{admin.ScopeAdmin}
	register(a, route{id: "list-people", method: "GET", path: "/people", summary: "List people", tag: "people"}, a.listPeople)
	register(a, route{id: "add-person", method: "POST", path: "/people", summary: "Let somebody in", tag: "people", scopes: decide, status: 201}, a.addPerson)
	register(a, route{id: "get-person", method: "GET", path: "/people/{id}", summary: "Read one person", tag: "people"}, a.getPerson)
	register(a, route{id: "update-person", method: "PATCH", path: "/people/{id}", summary: "Change or disable somebody", tag: "people", scopes: decide}, a.updatePerson)
	register(a, route{id: "make-link", method: "POST", path: "/people/{id}/link", summary: "Make a one-use link to sign in", tag: "people", scopes: decide, status: 201}, a.makeLink)
	register(a, route{id: "end-sessions", method: "DELETE", path: "/people/{id}/sessions", summary: "Sign somebody out everywhere", tag: "people", scopes: []admin.Scope{admin.ScopeTokens, admin.ScopeAdmin}}, a.endSessions)
}

func (a *API) listPeople(ctx context.Context, c *admin.Caller, in *Search) (*listOf[Person], error) {
	all, err := a.cfg.Office.People(ctx, c, in.admin())
	return list(each(all, showPerson), after(all, in, func(p *admin.Person) string { return p.Login })), err
}

func (a *API) addPerson(ctx context.Context, c *admin.Caller, in *struct {
	Body struct {
		Login string   `json:"login" minLength:"1" maxLength:"63"`
		Name  string   `json:"name,omitempty" maxLength:"200"`
		Email string   `json:"email,omitempty" maxLength:"254"`
		Teams []string `json:"teams,omitempty" maxItems:"100"`
		Role  string   `json:"role,omitempty" enum:"member,operator,admin" doc:"At all warehouses; absent: what the teams give."`
	}
},
) (*oneNewPerson, error) {
	b := in.Body
	p, err := a.cfg.Office.AddPerson(ctx, c, admin.NewPerson{Login: b.Login, Name: b.Name, Email: b.Email, Teams: b.Teams, Role: admin.Role(b.Role)})
	if err != nil {
		return nil, err
	}
	secret, err := a.cfg.Office.NewLink(ctx, c, p.ID)
	if err != nil {
		return nil, err
	}
	return &oneNewPerson{newPersonOut{showPerson(p), a.link(secret)}}, nil
}

// link is the address of the page that signs in; what follows # stays in the browser.
func (a *API) link(secret admin.Secret) string { return a.out.url + "/signin#link=" + secret.Reveal() }

func (a *API) getPerson(ctx context.Context, c *admin.Caller, in *PersonID) (*onePerson, error) {
	p, err := a.cfg.Office.Person(ctx, c, in.ID)
	if err != nil {
		return nil, err
	}
	return &onePerson{showPerson(p)}, nil
}

func (a *API) updatePerson(ctx context.Context, c *admin.Caller, in *struct {
	PersonID

	Body struct {
		Name     *string   `json:"name,omitempty" maxLength:"200"`
		Email    *string   `json:"email,omitempty" maxLength:"254"`
		Teams    *[]string `json:"teams,omitempty" maxItems:"100"`
		Disabled *bool     `json:"disabled,omitempty"`
	}
},
) (*onePerson, error) {
	p, err := a.cfg.Office.ChangePerson(ctx, c, in.ID, admin.PersonChange(in.Body))
	if err != nil {
		return nil, err
	}
	return &onePerson{showPerson(p)}, nil
}

func (a *API) makeLink(ctx context.Context, c *admin.Caller, in *PersonID) (*linkOut, error) {
	secret, err := a.cfg.Office.NewLink(ctx, c, in.ID)
	out := &linkOut{}
	out.Body.Link = a.link(secret)
	return out, err
}

func (a *API) endSessions(ctx context.Context, c *admin.Caller, in *PersonID) (*nothing, error) {
	return nil, a.cfg.Office.EndSessions(ctx, c, in.ID)
}
