package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy"
	"github.com/lockkeeper/lockkeeper/proxy/catalog"
	"github.com/lockkeeper/lockkeeper/proxy/lockwatch"
)

// operatorEyes are what the operator's login gives the door: who waits for
// whom, an end for backends that take no cancel, and the catalog of its
// database.
type operatorEyes struct {
	watcher *lockwatch.Watcher
	catalog *catalog.Reader
	log     *slog.Logger
}

// buildOperator gives the door its watcher when there is an operator's login.
func (h *house) buildOperator(cfg *proxy.Config) error {
	if h.cfg.Operator.URL.IsZero() {
		h.log.Info("no operator login: locks are watched by nobody, names are not looked up in the catalog, sessions that take no cancel are cut here and not ended there; --operator gives one")
		return nil
	}
	watcher, err := lockwatch.New(lockwatch.Config{ConnString: h.cfg.Operator.URL.DSN(), Log: h.log})
	if err != nil {
		return err
	}
	h.closers = append(h.closers, watcher.Close)
	names, err := catalog.New(catalog.Config{ConnString: h.cfg.Operator.URL.DSN(), Publish: h.engine.PublishCatalog, Log: h.log})
	if err != nil {
		return err
	}
	h.eyes = &operatorEyes{watcher: watcher, catalog: names, log: h.log}
	cfg.Watcher, cfg.CatalogChanged = watcher, names.Refresh
	return nil
}

// run keeps the catalog fresh until ctx ends.
func (e *operatorEyes) run(ctx context.Context) {
	var group sync.WaitGroup
	group.Go(func() { _ = e.catalog.Run(ctx) }) // logs its failures, returns with ctx
	e.greet(ctx)
	group.Wait()
}

// greet says once what the login may do, so that a missing grant is seen at the
// start and not at the first lock.
func (e *operatorEyes) greet(ctx context.Context) {
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		caps, err := e.watcher.Caps(ctx)
		if err == nil {
			e.tell(ctx, caps)
			return
		}
		if ctx.Err() == nil {
			e.log.WarnContext(ctx, "operator login does not work, trying again", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (e *operatorEyes) tell(ctx context.Context, caps lockwatch.Caps) {
	if !caps.Monitor {
		e.log.WarnContext(ctx, "operator login lacks pg_monitor: waits are found a little later", slog.String("login", caps.User), slog.String("hint", "GRANT pg_monitor TO "+caps.User))
	}
	if !caps.Terminate {
		e.log.WarnContext(ctx, "operator login lacks pg_signal_backend: it cannot end sessions", slog.String("login", caps.User), slog.String("hint", "GRANT pg_signal_backend TO "+caps.User))
	}
	e.log.InfoContext(ctx, "operator login is ready", slog.String("login", caps.User), slog.Bool("monitor", caps.Monitor), slog.Bool("terminate", caps.Terminate), slog.Int("server_version", caps.Version))
}
