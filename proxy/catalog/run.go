package catalog

import (
	"context"
	"log/slog"
	"time"
)

// Times of the loop.
const (
	settle    = 200 * time.Millisecond // from a Refresh to the read: a migration is many statements
	gap       = time.Second            // between the ends and beginnings of two reads
	firstWait = 2 * time.Second        // after a read that failed, doubling up to Every
)

// Refresh asks for a read soon. It never blocks; many calls are one read.
func (r *Reader) Refresh() {
	select {
	case r.poke <- struct{}{}:
	default:
	}
}

// Run reads at once, then every interval and after each Refresh, until ctx
// ends; it returns nil then. A read that fails is logged and tried again; what
// was published before stays.
func (r *Reader) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var due, last time.Time // when the timer fires; when the last read ended
	wait := firstWait
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.poke:
			now := r.cfg.Now()
			at := later(now.Add(settle), last.Add(gap))
			if at.Before(due) {
				due = at
				timer.Reset(at.Sub(now))
			}
			continue
		case <-timer.C:
		}
		err := r.Read(ctx)
		last = r.cfg.Now()
		pause := r.cfg.Every
		if err == nil {
			wait = firstWait
		} else if ctx.Err() == nil {
			pause = min(wait, r.cfg.Every)
			wait = min(2*wait, r.cfg.Every)
			r.cfg.Log.WarnContext(ctx, "catalog not read, the last one stays", slog.Any("error", err), slog.Duration("next_attempt_in", pause))
		}
		due = last.Add(pause)
		timer.Reset(pause)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
