package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

func etag(id string, version int64) string {
	return `"` + id + "-" + strconv.FormatInt(version, 10) + `"`
}

// Get returns a run that is open to the caller.
func (s *Runs) Get(ctx context.Context, c *admin.Caller, id string) (Run, error) {
	rec, st, err := s.find(ctx, c, id)
	if err != nil {
		return Run{}, err
	}
	return s.view(ctx, c, rec, st)
}

// Wait returns the run as soon as its version is above the one given, or it has
// ended, or ctx ends; then it is returned as it is, without an error.
func (s *Runs) Wait(ctx context.Context, c *admin.Caller, id string, version int64) (Run, error) {
	run, err := s.Get(ctx, c, id)
	for err == nil && run.Version <= version && !run.State.Terminal() && ctx.Err() == nil {
		l := s.liveRun(id)
		if l == nil {
			break // it ended between the two looks, or is another's
		}
		now, changed := l.snapshot()
		if now.Version > version {
			return s.Get(context.WithoutCancel(ctx), c, id)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
		run, err = s.Get(context.WithoutCancel(ctx), c, id)
	}
	return run, err
}

// find returns a run's record, and what the caller is to it.
func (s *Runs) find(ctx context.Context, c *admin.Caller, id string) (*Record, standing, error) {
	if !admin.IsID(admin.PrefixRun, id) {
		return nil, stranger, admin.Missing()
	}
	var rec *Record
	err := s.cfg.Store.View(ctx, func(tx Tx) (err error) {
		rec, err = tx.Run(ctx, id)
		return err
	})
	if errors.Is(err, admin.ErrAbsent) {
		return nil, stranger, s.access.missing(ctx, c)
	}
	if err != nil {
		return nil, stranger, fmt.Errorf("find the run: %w", err)
	}
	s.refreshOrigin(ctx, rec)
	st, err := s.access.of(ctx, c, rec)
	switch {
	case errors.Is(err, errActor), err == nil && st == stranger:
		return rec, stranger, s.access.missing(ctx, c)
	case err != nil:
		return nil, stranger, err
	}
	return rec, st, nil
}

// originPatience is for how long the record of a run may come late.
const originPatience = time.Hour

// refreshOrigin looks again for where a result came from.
func (s *Runs) refreshOrigin(ctx context.Context, rec *Record) {
	if rec.Origin != nil || rec.Deleted || !rec.State.Terminal() || s.now().Sub(rec.Finished) > originPatience {
		return
	}
	run, err := s.load(rec)
	if err != nil {
		return // whoever needs it reads it again, and is told
	}
	o := s.access.origin(ctx, rec, run.Statements)
	if o == nil {
		return
	}
	rec.Origin = o
	_ = s.cfg.Store.Update(ctx, func(tx Tx) error { // if not now, the next look finds it
		now, err := tx.Run(ctx, rec.ID)
		if err != nil {
			return err
		}
		if now.Deleted {
			return nil
		}
		now.Origin = o
		return tx.SetRun(ctx, now)
	})
}

// view shows a record, or the live run that it begins, to a caller.
func (s *Runs) view(ctx context.Context, c *admin.Caller, rec *Record, st standing) (Run, error) {
	reason := ""
	if st >= viewer {
		reason = why(rec)
	}
	if l := s.liveRun(rec.ID); l != nil {
		run, _ := l.snapshot()
		return s.show(c, run, rec, l, reason), nil
	}
	if !rec.State.Terminal() { // it ended since the record was read
		err := s.cfg.Store.View(ctx, func(tx Tx) (err error) {
			rec, err = tx.Run(ctx, rec.ID)
			return err
		})
		if err != nil {
			return Run{}, fmt.Errorf("find the run: %w", err)
		}
	}
	run, err := s.load(rec)
	if err != nil {
		return Run{}, err
	}
	return s.show(c, run, rec, nil, reason), nil
}

// why tells why a run is its owner's and named viewers' alone; empty: it is not.
func why(rec *Record) string {
	switch {
	case rec.Deleted:
		return ""
	case rec.Origin == nil && rec.State.Terminal() && rec.State != StateSucceeded:
		return ownerUnrun
	case rec.Origin == nil:
		return ownerUnrecorded
	case rec.State != StateSucceeded && rec.Origin.OwnerOnly == "":
		return ownerFailed
	}
	return rec.Origin.OwnerOnly
}

// show makes a caller's view of a run.
func (s *Runs) show(c *admin.Caller, run *Run, rec *Record, l *live, why string) Run {
	out := *run
	out.Title, out.Pinned, out.Deleted = rec.Title, rec.Pinned, rec.Deleted
	if out.Pinned {
		out.ExpiresAt = nil
	}
	if !out.State.Terminal() {
		measure(&out, s.now())
	}
	out.Wait = out.Wait.shown(c, rec.Target)
	if why != "" {
		out.ViewersOnly = &why
	}
	mine := c.ID == rec.OwnerID
	out.Can = Can{
		Cancel: !out.State.Terminal() && (mine && canWrite(c) || mayCancelOthers(c, rec.Target)),
		Delete: !rec.Deleted && out.State.Terminal() && canWrite(c) && (mine || c.MayAdminister()),
		Pin:    mine && !rec.Deleted && canWrite(c), Share: mine && !rec.Deleted && canWrite(c),
		Rows: l == nil && rec.RowsKey != nil && !rec.Deleted, SQL: out.SQL != nil,
	}
	return out
}

// ownersView is a live run for events: as its owner sees it on the page.
func ownersView(r *Run) Run {
	out := *r
	out.Can = Can{Cancel: !r.State.Terminal(), Delete: r.State.Terminal(), Pin: true, Share: true, Rows: r.State.Terminal() && hadRows(r), SQL: r.SQL != nil}
	return out
}

func canWrite(c *admin.Caller) bool {
	return c.Scopes.Has(admin.ScopeRunsWrite) || c.Scopes.Has(admin.ScopeQueriesRun)
}

func mayCancelOthers(c *admin.Caller, target string) bool {
	return c.Scopes.Has(admin.ScopeActivityCancel) && mayUse(c, target) && c.Role(target).AtLeast(admin.RoleOperator)
}

func sortRuns(runs []Run) {
	slices.SortFunc(runs, func(a, b Run) int {
		if d := b.Times.Submitted.Compare(a.Times.Submitted); d != 0 {
			return d
		}
		return strings.Compare(b.ID, a.ID)
	})
}

// Live returns the caller's queued and running runs, the newest first.
func (s *Runs) Live(ctx context.Context, c *admin.Caller) ([]Run, error) {
	if !canWrite(c) {
		if err := c.Need(admin.ScopeRunsRead); err != nil {
			return nil, err
		}
	}
	var out []Run
	for _, r := range s.ownersLive(c.ID) {
		l := s.liveRun(r.ID)
		if l == nil {
			continue
		}
		st, err := s.access.of(ctx, c, &Record{Target: r.Target, QueryID: queryID(&r), OwnerID: l.rec.OwnerID, ActorID: l.rec.ActorID})
		if err == nil && st == owner { // not who acts for them, of what is not theirs
			out = append(out, r)
		}
	}
	return out, nil
}

func queryID(r *Run) string {
	if r.Query == nil {
		return ""
	}
	return r.Query.ID
}
