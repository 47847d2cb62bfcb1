package proxy

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/lockkeeper/lockkeeper/proxy/backend"
	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// This file is what a visitor is told when a login fails through no fault of
// theirs: the log has the cause, the visitor has words that tell a stranger
// nothing about the house.

// directoryFailed refuses a login the directory could not speak about. Letting
// it go on as an unknown login would say "wrong password" to people whose
// password is right.
func (v *visitor) directoryFailed(ctx context.Context, err error) error {
	v.srv.cfg.Log.ErrorContext(ctx, "login directory is unavailable", slog.Any("error", err))
	return v.failed(ctx, directoryUnavailable(), "directory", "directory unavailable")
}

// dialFailed tells why there is no way to the warehouse.
func (v *visitor) dialFailed(ctx context.Context, login pgauth.Login, err error) error {
	v.srv.cfg.Log.WarnContext(ctx, "warehouse refused or unreachable", slog.Any("error", err))
	if refusal, ok := errors.AsType[*backend.ServerError](err); ok {
		return v.warehouseSaid(ctx, login, refusal)
	}
	if errors.Is(err, backend.ErrUnreachable) {
		return v.failed(ctx, warehouseUnreachable(), "unreachable", "warehouse unreachable")
	}
	return v.failed(ctx, warehouseMisconfigured(), "misconfigured", "warehouse misconfigured")
}

// warehouseSaid passes the warehouse's own words on where they are about the
// client. A service login is none of the client's business: what names it is
// said in our words.
func (v *visitor) warehouseSaid(ctx context.Context, login pgauth.Login, refusal *backend.ServerError) error {
	aboutClient := login.User == v.user ||
		!strings.HasPrefix(refusal.SQLState, "28") && !bytes.Contains(refusal.Frame, []byte(login.User))
	if aboutClient {
		v.recordLogin(ctx, refusal.SQLState, "warehouse refused")
		v.srv.metrics.logins.WithLabelValues("warehouse").Inc()
		_ = v.write(refusal.Frame)
		return errRefused
	}
	n := warehouseUnreachable()
	switch {
	case strings.HasPrefix(refusal.SQLState, "28"):
		n = warehouseRefused()
	case refusal.SQLState == stateTooMany:
		n = tooManyClients()
	}
	return v.failed(ctx, n, "warehouse", "warehouse refused")
}

func (v *visitor) failed(ctx context.Context, n *pgwire.Notice, result, reason string) error {
	v.srv.metrics.logins.WithLabelValues(result).Inc()
	v.recordLogin(ctx, n.Code, reason)
	return v.refuse(n)
}
