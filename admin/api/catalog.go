package api

import (
	"context"
	"net/http"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/query"
)

// targetOut is a warehouse as its users see it.
type targetOut struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Dialect  string `json:"dialect"`
	Database string `json:"database"`
	Role     string `json:"role"`
}

// targetsOf returns those at which the caller has a role.
func (a *API) targetsOf(c *admin.Caller) []targetOut {
	var out []targetOut
	for _, t := range a.cfg.Targets {
		if role := c.Role(t.Name); role != admin.RoleNone {
			out = append(out, targetOut{Name: t.Name, Title: t.Title, Dialect: t.Dialect, Database: t.Database, Role: string(role)})
		}
	}
	return out
}

// TargetID names one warehouse in a path.
type TargetID struct {
	Target string `path:"target" maxLength:"63"`
}

type tableOut struct{ Body query.TableDetail }

type completionsOut struct {
	Status int
	ETag   string `header:"ETag"`
	Cache  string `header:"Cache-Control"`
	Body   *query.Completions
}

func (a *API) targetRoutes() {
	read := []admin.Scope{admin.ScopeCatalogRead}
	register(a, route{id: "list-targets", method: "GET", path: "/targets", summary: "List the warehouses open to you", tag: "targets"}, a.listTargets)
	register(a, route{id: "list-tables", method: "GET", path: "/targets/{target}/tables", summary: "Search tables", tag: "targets", scopes: read}, a.listTables)
	register(a, route{id: "get-table", method: "GET", path: "/targets/{target}/tables/{schema}/{table}", summary: "Read one table's columns", tag: "targets", scopes: read}, a.getTable)
	register(a, route{id: "get-completions", method: "GET", path: "/targets/{target}/completions", summary: "Read all names for an editor", tag: "targets", scopes: read, also: []int{304}}, a.completions)
}

func (a *API) listTargets(_ context.Context, c *admin.Caller, _ *nothing) (*listOf[targetOut], error) {
	return list(a.targetsOf(c), ""), nil
}

// openTarget refuses a target that there is not, or not for the caller.
func (a *API) openTarget(c *admin.Caller, name string) error {
	if !a.hasTarget(name) || c.Role(name) == admin.RoleNone {
		return admin.Missing()
	}
	return nil
}

func (a *API) listTables(ctx context.Context, c *admin.Caller, in *struct {
	TargetID
	Page

	Q string `query:"q" maxLength:"200"`
},
) (*listOf[query.Table], error) {
	if err := a.openTarget(c, in.Target); err != nil {
		return nil, err
	}
	found, err := a.cfg.Catalog.Tables(ctx, c, in.Target, in.Q, in.Cursor, in.Limit)
	return list(found.Items, found.Next), err
}

func (a *API) getTable(ctx context.Context, c *admin.Caller, in *struct {
	TargetID

	Schema string `path:"schema" maxLength:"127"`
	Table  string `path:"table" maxLength:"127"`
},
) (*tableOut, error) {
	if err := a.openTarget(c, in.Target); err != nil {
		return nil, err
	}
	t, err := a.cfg.Catalog.Table(ctx, c, in.Target, in.Schema, in.Table)
	return &tableOut{t}, err
}

func (a *API) completions(ctx context.Context, c *admin.Caller, in *struct {
	TargetID

	NoneMatch string `header:"If-None-Match"`
},
) (*completionsOut, error) {
	if err := a.openTarget(c, in.Target); err != nil {
		return nil, err
	}
	all, err := a.cfg.Catalog.Completions(ctx, c, in.Target)
	if err != nil {
		return nil, err
	}
	out := &completionsOut{Status: http.StatusOK, ETag: quoted(all.Version), Cache: privateCache, Body: &all}
	if noneMatch(in.NoneMatch, out.ETag) {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return out, nil
}
