package api

import (
	"context"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/query"
)

type explainBody struct {
	Target string     `json:"target,omitempty" maxLength:"63"`
	SQL    string     `json:"sql"`
	Params []runParam `json:"params,omitempty" maxItems:"200"`
}

type explainOut struct{ Body query.Explanation }

func (a *API) explainRoutes() {
	register(a, route{id: "explain", method: "POST", path: "/explain", summary: "Say what SQL would do, without running it", tag: "runs", scopes: []admin.Scope{admin.ScopeRunsWrite, admin.ScopeRunsWriteDML}, maxBody: maxSQLBody}, a.explain)
}

func (a *API) explain(ctx context.Context, c *admin.Caller, in *struct{ Body explainBody }) (*explainOut, error) {
	if err := boundSQL(in.Body.SQL); err != nil {
		return nil, err
	}
	x, err := a.cfg.Explainer.Explain(ctx, c, query.ExplainRequest{Target: a.target(in.Body.Target), SQL: in.Body.SQL, Params: params(in.Body.Params)})
	return &explainOut{x}, err
}
