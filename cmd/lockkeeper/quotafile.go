package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"
)

// quotaKeeper is the part of the engine that remembers.
type quotaKeeper interface {
	ExportQuotas() []byte
	ImportQuotas(data []byte) error
	QuotaDirty() uint64
}

// quotaFile keeps what was used of the quotas over a restart. A crash forgets
// at most the last second.
type quotaFile struct {
	path   string
	keeper quotaKeeper
	log    *slog.Logger
	saved  uint64 // generation on disk
}

// load gives the engine what the last run left. A file that cannot be read is
// set aside: a server that does not start would help nobody's quota.
func (q *quotaFile) load(ctx context.Context) error {
	raw, err := os.ReadFile(q.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("quotas: %w", err)
	}
	if err := q.keeper.ImportQuotas(raw); err != nil {
		aside := q.path + ".bad"
		q.log.ErrorContext(ctx, "quotas of the last run are unreadable and count from zero", slog.String("kept_as", aside), slog.Any("error", err))
		return os.Rename(q.path, aside)
	}
	q.saved = q.keeper.QuotaDirty()
	return nil
}

// run saves once a second while there is something to save, and at the end.
func (q *quotaFile) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			if err := q.save(); err != nil {
				q.log.ErrorContext(ctx, "save quotas", slog.Any("error", err))
			}
			return
		case <-tick.C:
			err := q.save()
			if err != nil && !failing {
				q.log.ErrorContext(ctx, "save quotas; trying again each second", slog.Any("error", err))
			}
			failing = err != nil
		}
	}
}

func (q *quotaFile) save() error {
	now := q.keeper.QuotaDirty()
	if now == q.saved {
		return nil
	}
	if err := writeAtomic(q.path, q.keeper.ExportQuotas()); err != nil {
		return err
	}
	q.saved = now
	return nil
}
