package query

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lockkeeper/lockkeeper/admin"
)

// resolveSaved puts the text and the parameters of a saved query into a
// request, and says which version it is.
func resolveSaved(ctx context.Context, tx Tx, c *admin.Caller, req *Request) (QueryRef, error) {
	r, err := readable(ctx, tx, c, req.Query.ID)
	if err != nil {
		return QueryRef{}, err
	}
	n, err := versionToRun(ctx, tx, c, r, req.Query.Version)
	if err != nil {
		return QueryRef{}, err
	}
	v, err := tx.SavedVersion(ctx, r.ID, n)
	if errors.Is(err, admin.ErrAbsent) {
		return QueryRef{}, admin.Errorf(admin.Unprocessable, "version-unknown", "There is no version %d of this query.", n)
	}
	if err != nil {
		return QueryRef{}, fmt.Errorf("find the version: %w", err)
	}
	if req.Params, err = fill(v.Params, req.Params); err != nil {
		return QueryRef{}, err
	}
	req.SQL = v.SQL
	if req.Target == "" {
		req.Target = r.Target
	}
	if req.Title == "" {
		req.Title = v.Title
	}
	return QueryRef{ID: r.ID, Version: n, Title: v.Title}, checkSQL(req.SQL)
}

// versionToRun says which version a caller runs: what he names, else the
// newest. A token bound to queries runs the version it is bound to, or a later
// one that was released to its service; nothing else.
func versionToRun(ctx context.Context, tx Tx, c *admin.Caller, r *SavedRecord, asked int) (int, error) {
	if c.Queries == nil {
		if asked == 0 {
			return r.Version, nil
		}
		return asked, nil
	}
	service := c.ID
	if c.Actor != nil {
		service = c.Actor.ID
	}
	releases, err := tx.Releases(ctx, r.ID)
	if err != nil {
		return 0, fmt.Errorf("find releases: %w", err)
	}
	allowed := []int{c.Queries[r.ID]}
	for _, rel := range releases {
		if rel.Service == service {
			allowed = append(allowed, rel.Version)
		}
	}
	if asked == 0 {
		return slices.Max(allowed), nil
	}
	if !slices.Contains(allowed, asked) {
		return 0, admin.Errorf(admin.Forbidden, "version-not-released", "Version %d of this query is not released to this service. Whoever holds the service can release it.", asked)
	}
	return asked, nil
}

// fill gives the declared parameters their values: what was sent, else the
// default.
func fill(declared []SavedParam, sent []Param) ([]Param, error) {
	var out []Param
	for i := range declared {
		d := &declared[i]
		k := slices.IndexFunc(sent, func(p Param) bool { return p.Name == d.Name })
		p := Param{Name: d.Name, Type: d.Type, Value: d.Default}
		switch {
		case k >= 0:
			p.Value = sent[k].Value
		case d.Default == nil:
			e := admin.Errorf(admin.Unprocessable, "param-missing", "The parameter :%s has no value.", d.Name)
			e.Extra = map[string]any{"param": d.Name}
			return nil, e
		}
		if p.Value != nil && !d.allows(p.Value) {
			return nil, admin.Errorf(admin.Unprocessable, "param-choice", "The value of :%s is none of its choices.", d.Name)
		}
		out = append(out, p)
	}
	for _, p := range sent {
		if !slices.ContainsFunc(declared, func(d SavedParam) bool { return d.Name == p.Name }) {
			out = append(out, p) // a :name that was not declared
		}
	}
	return out, nil
}
