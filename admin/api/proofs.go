package api

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

// boundQuery is a saved query that a token is bound to.
type boundQuery struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
}

type tokenOut struct {
	ID       string       `json:"id"`
	Name     string       `json:"name"`
	Scopes   []string     `json:"scopes"`
	Targets  []string     `json:"targets" doc:"Empty: all."`
	Queries  []boundQuery `json:"queries" doc:"Empty: not bound."`
	CIDRs    []string     `json:"cidrs" doc:"Empty: from anywhere."`
	Service  *string      `json:"service" doc:"Id of the service it speaks for; null: you."`
	Created  time.Time    `json:"created"`
	By       string       `json:"by"`
	Expires  time.Time    `json:"expires_at"`
	LastUsed *time.Time   `json:"last_used"`
	LastAddr string       `json:"last_addr"`
}

func showToken(t *admin.Token) tokenOut {
	out := tokenOut{
		ID: t.ID, Name: t.Name, Scopes: words(t.Scopes), Targets: t.Targets, CIDRs: t.CIDRs, Created: t.Created, By: t.By, Expires: t.Expires,
		LastUsed: unlessZero(t.Used), LastAddr: t.UsedAddr,
	}
	for _, id := range slices.Sorted(maps.Keys(t.Queries)) {
		out.Queries = append(out.Queries, boundQuery{id, t.Queries[id]})
	}
	if admin.IsID(admin.PrefixService, t.HolderID) {
		out.Service = &t.HolderID
	}
	return out
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

type newTokenBody struct {
	Name    string       `json:"name" minLength:"1" maxLength:"200" doc:"Where it is used."`
	Scopes  []string     `json:"scopes" minItems:"1" maxItems:"100"`
	Targets []string     `json:"targets,omitempty" maxItems:"100"`
	Queries []boundQuery `json:"queries,omitempty" maxItems:"100" doc:"The only saved queries it runs, each in one version."`
	CIDRs   []string     `json:"cidrs,omitempty" maxItems:"100"`
	Days    int          `json:"expires_in_days" minimum:"1" maximum:"365"`
	Service string       `json:"service,omitempty" maxLength:"64" doc:"Id of the service it is for; empty: you."`
}

type madeToken struct {
	Body struct {
		Token string   `json:"token" doc:"Shown this once."`
		Item  tokenOut `json:"item"`
	}
}

type dbPasswordOut struct {
	ID       string     `json:"id"`
	Tool     string     `json:"tool"`
	Created  time.Time  `json:"created"`
	Expires  time.Time  `json:"expires_at"`
	LastUsed *time.Time `json:"last_used"`
	LastAddr string     `json:"last_addr"`
	UsedBy   string     `json:"used_by" doc:"What the tool calls itself."`
}

func showDBPassword(d *admin.DBPassword) dbPasswordOut {
	return dbPasswordOut{ID: d.ID, Tool: d.Tool, Created: d.Created, Expires: d.Expires, LastUsed: unlessZero(d.Used), LastAddr: d.UsedAddr, UsedBy: d.UsedBy}
}

type madeDBPassword struct {
	Body struct {
		Password string        `json:"password" doc:"Shown this once."`
		Login    string        `json:"login"`
		Item     dbPasswordOut `json:"item"`
	}
}

type forService struct {
	Service string `query:"service" maxLength:"64" doc:"Those of a service that you hold; empty: yours."`
}

func (a *API) proofRoutes() {
	scopes := []admin.Scope{admin.ScopeTokens}
	register(a, route{id: "list-tokens", method: "GET", path: "/tokens", summary: "List live tokens", tag: "tokens", scopes: scopes}, a.listTokens)
	register(a, route{id: "make-token", method: "POST", path: "/tokens", summary: "Make a token", tag: "tokens", scopes: scopes, status: 201}, a.makeToken)
	register(a, route{id: "revoke-token", method: "DELETE", path: "/tokens/{id}", summary: "Revoke a token", tag: "tokens", scopes: scopes}, a.revokeToken)
	register(a, route{id: "list-db-passwords", method: "GET", path: "/db-passwords", summary: "List live database passwords", tag: "tokens", scopes: scopes}, a.listDBPasswords)
	register(a, route{id: "make-db-password", method: "POST", path: "/db-passwords", summary: "Make a database password for a tool", tag: "tokens", scopes: scopes, status: 201}, a.makeDBPassword)
	register(a, route{id: "revoke-db-password", method: "DELETE", path: "/db-passwords/{id}", summary: "Revoke a database password", tag: "tokens", scopes: scopes}, a.revokeDBPassword)
}

func (a *API) listTokens(ctx context.Context, c *admin.Caller, in *forService) (*listOf[tokenOut], error) {
	all, err := a.cfg.Office.Tokens(ctx, c, in.Service)
	return list(each(all, showToken), ""), err
}

// each turns what a use case gives into what an answer shows.
func each[T, U any](in []T, show func(*T) U) []U {
	out := make([]U, len(in))
	for i := range in {
		out[i] = show(&in[i])
	}
	return out
}

func (a *API) makeToken(ctx context.Context, c *admin.Caller, in *struct{ Body newTokenBody }) (*madeToken, error) {
	b := in.Body
	n := admin.NewToken{Name: b.Name, Targets: b.Targets, CIDRs: b.CIDRs, Days: b.Days, Service: b.Service}
	for _, s := range b.Scopes {
		n.Scopes = append(n.Scopes, admin.Scope(s))
	}
	for _, q := range b.Queries {
		if n.Queries == nil {
			n.Queries = map[string]int{}
		}
		if _, twice := n.Queries[q.ID]; twice {
			return nil, badParameter("/queries", "Each query once.")
		}
		n.Queries[q.ID] = q.Version
	}
	secret, t, err := a.cfg.Office.AddToken(ctx, c, n)
	if err != nil {
		return nil, err
	}
	out := &madeToken{}
	out.Body.Token, out.Body.Item = secret.Reveal(), showToken(t)
	return out, nil
}

func (a *API) revokeToken(ctx context.Context, c *admin.Caller, in *proofID) (*nothing, error) {
	return nil, a.cfg.Office.RevokeToken(ctx, c, in.ID)
}

type proofID struct {
	ID string `path:"id" maxLength:"64"`
}

func (a *API) listDBPasswords(ctx context.Context, c *admin.Caller, in *forService) (*listOf[dbPasswordOut], error) {
	all, err := a.cfg.Office.DBPasswords(ctx, c, in.Service)
	return list(each(all, showDBPassword), ""), err
}

func (a *API) makeDBPassword(ctx context.Context, c *admin.Caller, in *struct {
	Body struct {
		Tool    string `json:"tool" minLength:"1" maxLength:"200"`
		Hours   int    `json:"hours,omitempty" minimum:"0" maximum:"720" doc:"Until it expires; 0: 12."`
		Service string `json:"service,omitempty" maxLength:"64"`
	}
},
) (*madeDBPassword, error) {
	secret, d, err := a.cfg.Office.AddDBPassword(ctx, c, admin.NewDBPassword{Tool: in.Body.Tool, Hours: in.Body.Hours, Service: in.Body.Service})
	if err != nil {
		return nil, err
	}
	out := &madeDBPassword{}
	out.Body.Password, out.Body.Login, out.Body.Item = secret.Reveal(), c.Login, showDBPassword(d)
	if in.Body.Service != "" {
		s, err := a.cfg.Office.Service(ctx, c, in.Body.Service)
		if err != nil {
			return nil, err
		}
		out.Body.Login = s.Login
	}
	return out, nil
}

func (a *API) revokeDBPassword(ctx context.Context, c *admin.Caller, in *proofID) (*nothing, error) {
	return nil, a.cfg.Office.RevokeDBPassword(ctx, c, in.ID)
}
