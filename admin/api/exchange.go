package api

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/signin"
)

func (a *API) exchangeRoutes() {
	register(a, route{id: "exchange-token", method: "POST", path: "/token-exchange", summary: "Get a service's token for a while, with a JWT of a CI system or cluster", tag: "tokens", open: true, status: 201}, a.exchangeToken)
}

// exchangeToken lends a service's token to a machine that an issuer vouches for.
// A stranger is told the same whatever was wrong; the log has it. Signatures
// cannot be guessed, so that the rate of an address is the only bound on tries.
func (a *API) exchangeToken(ctx context.Context, _ *admin.Caller, in *struct {
	Body struct {
		Assertion string `json:"assertion" minLength:"1" maxLength:"16384" doc:"The JWT, as the CI system or cluster gives it to the job."`
	}
},
) (*madeToken, error) {
	if a.cfg.Machines == nil {
		return nil, admin.Missing()
	}
	addr := a.address(requestOf(ctx))
	m, err := a.cfg.Machines.Verify(ctx, in.Body.Assertion)
	if err != nil {
		return nil, a.refuseMachine(ctx, err, slog.String("address", addr.String()))
	}
	secret, t, err := a.cfg.Office.Lend(ctx, admin.Loan{TokenID: m.Rule.Token, Issuer: m.Issuer, Subject: m.Subject, Lifetime: m.Rule.Lifetime, Addr: addr})
	if err != nil {
		return nil, a.refuseMachine(ctx, err, slog.String("address", addr.String()), slog.String("issuer", m.Issuer), slog.String("subject", m.Subject), slog.String("token", m.Rule.Token))
	}
	out := &madeToken{}
	out.Body.Token, out.Body.Item = secret.Reveal(), showToken(t)
	return out, nil
}

// refuseMachine turns why a machine did not come in into what it is told.
func (a *API) refuseMachine(ctx context.Context, err error, about ...slog.Attr) error {
	e, verifying := errors.AsType[*signin.Error](err)
	switch {
	case ctx.Err() != nil, !verifying && admin.CodeOf(err) != admin.Unauthenticated:
		return err
	case verifying && e.Kind == signin.KindUnavailable:
		a.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "the keys of who vouches for machines cannot be read", append(about, slog.Any("error", err))...)
		away := fail("sign-in-unavailable", "The keys of the assertion's issuer cannot be read now. Try again in a minute.")
		away.RetryAfter = time.Minute
		return away
	}
	a.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "a machine was refused", append(about, slog.Any("error", err))...)
	return fail("assertion-refused", "The assertion is not accepted: it is of no issuer that is known here, made for another server, expired, or of a job that may not come in. This server's log says which.")
}
