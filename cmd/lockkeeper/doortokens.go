package main

import (
	"context"
	"errors"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy"
	"github.com/lockkeeper/lockkeeper/proxy/directory"
	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

// doorTokens lets API tokens come in at the door as passwords.
type doorTokens struct {
	config *directory.Directory
	people *admin.Office
	target string
}

// Bearer implements proxy.Tokens. A token lets in the principal that it speaks
// for, under its own login, with the scope to submit runs; without the one to
// write, the session is read-only. One that is bound to saved queries or to other
// warehouses opens nothing here, and none opens a login of the configuration.
func (t *doorTokens) Bearer(ctx context.Context, c proxy.Credential) (*policy.Principal, bool, error) {
	text := c.Text.Reveal()
	if !admin.LooksLikeToken(text) {
		return nil, false, nil
	}
	if _, err := t.config.Lookup(ctx, c.Login, c.Database); !errors.Is(err, pgauth.ErrUnknownLogin) {
		return nil, true, err
	}
	caller, err := t.people.ByTokenAtDoor(ctx, admin.NewSecret(text), c.Addr)
	switch {
	case admin.CodeOf(err) == admin.Unauthenticated:
		return nil, true, nil
	case err != nil:
		return nil, true, err
	case caller.Login != c.Login || caller.Queries != nil || caller.Role(t.target) == admin.RoleNone || !caller.Scopes.Has(admin.ScopeRunsWrite):
		return nil, true, nil
	}
	return &policy.Principal{
		Subject: policy.Subject{User: caller.Login, Groups: caller.Teams, ClientIP: c.Addr, Via: proxy.ViaWire},
		Via:     proxy.ViaWire, TokenID: caller.Token, ReadOnly: !caller.Scopes.Has(admin.ScopeRunsWriteDML),
	}, true, nil
}
