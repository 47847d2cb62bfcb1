package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/api"
	"github.com/lockkeeper/lockkeeper/admin/signin"
	"github.com/lockkeeper/lockkeeper/proxy"
)

// rechecker asks the identity provider about those who came in by it; nil
// without one.
func (o *office) rechecker(oidc *signin.OIDC, server *proxy.Server) (*admin.Rechecker, error) {
	if oidc == nil {
		return nil, nil //nolint:nilnil // nobody to ask is no error
	}
	return admin.NewRechecker(admin.RecheckConfig{
		Office: o.people, Issuer: o.cfg.Web.OIDC.Issuer, Provider: officeProvider{oidc}, Presence: officePresence{server}, Log: o.log,
	})
}

// officeProvider asks an OpenID provider.
type officeProvider struct{ oidc *signin.OIDC }

// Ask implements admin.Provider.
func (p officeProvider) Ask(ctx context.Context, subject string, refresh admin.Secret, keep func(next admin.Secret) error) (admin.Proof, error) {
	id, err := p.oidc.Refresh(ctx, subject, refresh, keep)
	proof := api.Proof(admin.MethodOIDC, &id)
	refusal, ok := errors.AsType[*signin.Error](err)
	if !ok {
		return proof, err
	}
	switch refusal.Kind { //nolint:exhaustive // the others are no answers to this question
	case signin.KindGroup:
		proof.NoGroup = true
		return proof, nil
	case signin.KindRevoked:
		return proof, admin.ErrRefused
	case signin.KindToken, signin.KindClaims:
		return proof, fmt.Errorf("%w: %w", admin.ErrUnclear, err)
	default:
		return proof, err
	}
}

// officePresence knows who is at the door.
type officePresence struct{ server *proxy.Server }

// Present implements admin.Presence.
func (p officePresence) Present(login string) bool {
	for _, s := range p.server.Snapshot().Sessions {
		if s.User == login {
			return true
		}
	}
	return false
}
