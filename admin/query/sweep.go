package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/blob"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

const sweepBatch = 200

// orphansEvery is how many sweeps pass between two looks for orphans.
const (
	orphansEvery = 60
	orphansAct   = "remove what no run owns"
)

// sweep expires rows that are due, makes room where a bound is passed, forgets
// old idempotency keys, and purges the store of destroyed ones; the first and
// each sixtieth removes what no run owns. What fails is logged, and tried again
// with the next sweep.
func (s *Runs) sweep(ctx context.Context, n int) {
	for _, act := range []struct {
		name string
		do   func(context.Context) error
	}{{"expire rows", s.expire}, {"make room", s.makeRoom}, {orphansAct, s.orphans}, {"forget keys", s.pruneKeys}, {"purge the store", s.purge}} {
		if act.name == orphansAct && n%orphansEvery != 0 {
			continue
		}
		if err := act.do(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.ErrorContext(ctx, "sweep of runs", slog.String("act", act.name), slog.Any("error", err))
		}
	}
}

// expire removes the rows whose time has come.
func (s *Runs) expire(ctx context.Context) error {
	for {
		var due []Record
		err := s.raw.View(ctx, func(tx Tx) (err error) {
			due, err = tx.DueRuns(ctx, s.now(), sweepBatch)
			return err
		})
		if err != nil || len(due) == 0 {
			return err
		}
		for i := range due {
			if err := s.expireRun(ctx, due[i].ID, false); err != nil {
				return err
			}
		}
	}
}

// expireRun destroys the key of a run's rows, and then the rows: without the
// key no copy of them opens.
func (s *Runs) expireRun(ctx context.Context, id string, early bool) error {
	gone := false
	err := s.raw.Update(ctx, func(tx Tx) error {
		rec, err := tx.Run(ctx, id)
		if err != nil {
			return err
		}
		if rec.RowsKey == nil || rec.Pinned || !rec.State.Terminal() || !early && rec.Expires.After(s.now()) {
			return nil // pinned in between
		}
		gone = true
		rec.RowsKey, rec.Bytes, rec.Version = nil, 0, rec.Version+1
		return tx.SetRun(ctx, rec)
	})
	if err == nil && gone {
		s.unpurged.Store(true)
		s.dropBlobs(ctx, id)
	}
	return err
}

// purge lets the store remove keys that were destroyed since the last purge.
func (s *Runs) purge(ctx context.Context) error {
	if !s.unpurged.Swap(false) {
		return nil
	}
	if err := s.raw.Purge(ctx); err != nil {
		s.unpurged.Store(true)
		return fmt.Errorf("purge the store: %w", err)
	}
	return nil
}

// dropBlobs removes a run's rows. What stays behind is swept as an orphan.
func (s *Runs) dropBlobs(ctx context.Context, id string) {
	s.views.forget(id)
	prefix := strings.TrimSuffix(blobName(id, 0), "0")
	list, err := s.cfg.Blobs.List(ctx, prefix, "", 0)
	for _, info := range list {
		err = errors.Join(err, s.cfg.Blobs.Delete(ctx, info.Name))
	}
	if err != nil {
		s.cfg.Log.WarnContext(ctx, "rows of a run stay behind; no key opens them", slog.String("run", id), slog.Any("error", err))
	}
}

// makeRoom expires the oldest rows that are not pinned, of owners who pass
// their bound, and of all while all of them do.
func (s *Runs) makeRoom(ctx context.Context) error {
	if each := s.cfg.Bounds.EachBytes; each > 0 {
		var full []string
		err := s.raw.View(ctx, func(tx Tx) (err error) {
			full, err = tx.FullOwners(ctx, each)
			return err
		})
		if err != nil {
			return err
		}
		for _, owner := range full {
			if err := s.makeRoomFor(ctx, owner, each); err != nil {
				return err
			}
		}
	}
	if all := s.cfg.Bounds.TotalBytes; all > 0 {
		return s.makeRoomFor(ctx, "", all)
	}
	return nil
}

// makeRoomFor expires rows of one owner, or of all, down to a bound. What
// is pinned stays, also above it.
func (s *Runs) makeRoomFor(ctx context.Context, owner string, bound int64) error {
	for {
		var kept int64
		var oldest []Record
		err := s.raw.View(ctx, func(tx Tx) (err error) {
			if kept, err = tx.StoredBytes(ctx, owner); err != nil || kept <= bound {
				return err
			}
			oldest, err = tx.OldestRuns(ctx, owner, sweepBatch)
			return err
		})
		if err != nil || kept <= bound || len(oldest) == 0 {
			return err
		}
		for i := range oldest {
			if kept <= bound {
				return nil
			}
			if err := s.expireRun(ctx, oldest[i].ID, true); err != nil {
				return err
			}
			kept -= oldest[i].Bytes
		}
	}
}

// orphans removes blobs that no run can open: of runs that a crash cut, and
// what a deletion left behind.
func (s *Runs) orphans(ctx context.Context) error {
	after := ""
	for {
		list, err := s.cfg.Blobs.List(ctx, blobPrefix, after, 0)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, info := range list {
			after = info.Name
			if err := s.orphan(ctx, info); err != nil {
				return err
			}
		}
	}
}

func (s *Runs) orphan(ctx context.Context, info blob.Info) error {
	id := runOf(info.Name)
	if s.liveRun(id) != nil {
		return nil
	}
	needed := false
	err := s.raw.View(ctx, func(tx Tx) error {
		rec, err := tx.Run(ctx, id)
		if errors.Is(err, admin.ErrAbsent) {
			return nil
		}
		needed = err == nil && (rec.RowsKey != nil || !rec.State.Terminal())
		return err
	})
	if err != nil || needed {
		return err
	}
	return s.cfg.Blobs.Delete(ctx, info.Name)
}

// runOf is the run that a blob is of.
func runOf(blobName string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(blobName, blobPrefix), "/")
	return admin.PrefixRun + strings.ToUpper(name)
}

func (s *Runs) pruneKeys(ctx context.Context) error {
	return s.raw.Update(ctx, func(tx Tx) error { return tx.PruneKeys(ctx, s.now().Add(-keyLife)) })
}

// spans cuts the SQL of a stored run, in code points.
func (s *Runs) spans(rec *Record, sql string) [][2]int {
	t, _ := s.access.target(rec.Target)
	var out [][2]int
	for _, span := range sqllex.Split(sql, t.mode(), maxStatements) {
		out = append(out, rangeOf(sql, span))
	}
	return out
}
