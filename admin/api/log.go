package api

import (
	"context"
	"errors"
	"log/slog"

	"github.com/lockkeeper/lockkeeper/admin/notify"
)

func slogRequest(ctx context.Context) slog.Attr { return slog.String("request_id", requestID(ctx)) }

func slogCause(err error) slog.Attr { return slog.String("cause", cause(err)) }

func slogCount(n uint64) slog.Attr { return slog.Uint64("count", n) }

func isRevoked(err error) bool { return errors.Is(err, notify.ErrRevoked) }
