package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/audit"
)

const (
	maxReason  = 500
	maxViewers = 100
)

// entry begins an event about a run.
func (s *Runs) entry(c *admin.Caller, kind audit.Kind, rec *Record) audit.Event {
	e := c.Entry(kind)
	e.Run, e.Target = rec.ID, rec.Target
	return e
}

// journal records before an act takes effect.
func (s *Runs) journal(ctx context.Context, e *audit.Event) error {
	return recorded(ctx, s.cfg.Journal, e)
}

// recorded records an act, without which there is none.
func recorded(ctx context.Context, to admin.Journal, e *audit.Event) error {
	if err := to.Record(ctx, e); err != nil {
		out := admin.Errorf(admin.Unavailable, "audit-unavailable", "The record is unavailable, so nothing was done. Try again in a moment.")
		out.Err = err
		return out
	}
	return nil
}

// Cancel ends a run: the caller's own, or another's with activity:cancel and
// the operator's role. It is idempotent, and recorded. The run may take a
// moment to end.
func (s *Runs) Cancel(ctx context.Context, c *admin.Caller, id, reason string) (Run, error) {
	rec, st, err := s.find(ctx, c, id)
	own := err == nil && st == owner
	if rec == nil || !own && !mayCancelOthers(c, rec.Target) {
		switch {
		case err != nil:
			return Run{}, err
		default:
			return Run{}, admin.Errorf(admin.Forbidden, "forbidden", "Only its owner or an operator can cancel this run.")
		}
	}
	if own && !canWrite(c) {
		return Run{}, c.Need(admin.ScopeRunsWrite)
	}
	if utf8.RuneCountInString(reason) > maxReason {
		return Run{}, admin.Errorf(admin.Invalid, "bad-request", "The reason has more than %d characters.", maxReason)
	}
	if l := s.liveRun(id); l != nil {
		if err := s.cancel(ctx, c, l, rec, own, reason); err != nil {
			return Run{}, err
		}
	}
	out, err := s.view(ctx, c, rec, st)
	if st == stranger { // an operator sees that it ends, not what it was
		out.SQL, out.Params, out.Statements, out.Error, out.Can.SQL, out.Can.Rows = nil, []Param{}, []Statement{}, nil, false, false
		out.Title, out.Tags, out.Query, out.Progress = "", map[string]string{}, nil, nil
	}
	return out, err
}

// cancel records that somebody ends a live run, and ends it.
func (s *Runs) cancel(ctx context.Context, c *admin.Caller, l *live, rec *Record, own bool, reason string) error {
	if now, _ := l.snapshot(); now.Cancel == nil {
		e := s.entry(c, audit.KindCancel, rec)
		if !own {
			e.Kind = audit.KindOperatorAction
		}
		e.What, e.Reason = "cancel run", reason
		if err := s.journal(ctx, &e); err != nil {
			return err
		}
		by := c.Login
		if c.Actor != nil {
			by = c.Actor.Login
		}
		s.happen(l, cancelAsked{by: by, reason: reason})
	}
	l.stop(errCanceled)
	return nil
}

// Lease says that somebody looks at an interactive run.
func (s *Runs) Lease(ctx context.Context, c *admin.Caller, id string) error {
	if _, _, err := s.find(ctx, c, id); err != nil {
		return err
	}
	if l := s.liveRun(id); l != nil {
		l.mu.Lock()
		l.seen = s.now()
		l.mu.Unlock()
	}
	return nil
}

// owned finds a run for a change that is its owner's to make.
func (s *Runs) owned(ctx context.Context, c *admin.Caller, id string) (*Record, error) {
	rec, st, err := s.find(ctx, c, id)
	if err != nil {
		return nil, err
	}
	if st != owner {
		return nil, admin.Errorf(admin.Forbidden, "forbidden", "Only its owner can change this run.")
	}
	if !canWrite(c) {
		return nil, c.Need(admin.ScopeRunsWrite)
	}
	return rec, nil
}

// Update changes title, pin, or whether a run goes on when nobody looks. It is recorded before it happens.
func (s *Runs) Update(ctx context.Context, c *admin.Caller, id string, ch Change) (Run, error) {
	rec, err := s.owned(ctx, c, id)
	if err != nil {
		return Run{}, err
	}
	if ch.Title != nil && utf8.RuneCountInString(*ch.Title) > MaxTitle {
		return Run{}, admin.Errorf(admin.Invalid, "bad-request", "The title has more than %d characters.", MaxTitle)
	}
	err = s.cfg.Store.Update(ctx, func(tx Tx) (err error) {
		if rec, err = tx.Run(ctx, id); err != nil {
			return err
		}
		if rec.Deleted {
			return deleted()
		}
		if ch.Pinned != nil && *ch.Pinned && !rec.Pinned {
			if err := s.roomToPin(ctx, tx, rec); err != nil {
				return err
			}
		}
		if what := ch.words(rec); what != "" {
			e := s.entry(c, audit.KindAdminChange, rec)
			e.What = what
			if err := s.journal(ctx, &e); err != nil {
				return err
			}
		}
		if ch.Title != nil {
			rec.Title = *ch.Title
		}
		if ch.Pinned != nil && *ch.Pinned != rec.Pinned {
			rec.Pinned = *ch.Pinned
			if rec.RowsKey != nil && !rec.Pinned {
				rec.Expires = s.now().Add(s.cfg.Bounds.KeepRows)
			}
		}
		set(&rec.Keep, ch.Keep)
		rec.Version++
		return tx.SetRun(ctx, rec)
	})
	if err != nil {
		return Run{}, err
	}
	if l := s.liveRun(id); l != nil && ch.Keep != nil {
		s.publish(l, l.keepOn(*ch.Keep))
	}
	return s.view(ctx, c, rec, owner)
}

// words say what a change does to a run; empty: nothing. A title stays out of
// the record: it may be a piece of the SQL, and goes with it.
func (ch *Change) words(rec *Record) string {
	var out []string
	if ch.Title != nil && *ch.Title != rec.Title {
		out = append(out, "name run")
	}
	if ch.Pinned != nil && *ch.Pinned != rec.Pinned {
		out = append(out, map[bool]string{true: "pin run", false: "unpin run"}[*ch.Pinned])
	}
	if ch.Keep != nil && *ch.Keep != rec.Keep {
		out = append(out, map[bool]string{true: "keep run running", false: "let run end"}[*ch.Keep])
	}
	return strings.Join(out, ", ")
}

func deleted() error { return admin.Errorf(admin.Gone, "result-expired", "This run was deleted.") }

// Delete destroys the keys of a run, and with them its rows, SQL, parameters,
// outcome and title, and all copies of them; that it ran stays. A run that goes
// on is to be cancelled first.
func (s *Runs) Delete(ctx context.Context, c *admin.Caller, id string) error {
	rec, st, err := s.find(ctx, c, id)
	if rec == nil || st != owner && !c.MayAdminister() {
		if err == nil {
			err = admin.Errorf(admin.Forbidden, "forbidden", "Only its owner or an admin can delete this run.")
		}
		return err
	}
	if !canWrite(c) {
		return c.Need(admin.ScopeRunsWrite)
	}
	if !rec.State.Terminal() {
		return admin.Errorf(admin.Conflict, "run-not-finished", "It still runs. Cancel it first.")
	}
	e := s.entry(c, audit.KindAdminChange, rec)
	e.What = "delete run"
	if err := s.journal(ctx, &e); err != nil {
		return err
	}
	err = s.cfg.Store.Update(ctx, func(tx Tx) error {
		now, err := tx.Run(ctx, id)
		if err != nil {
			return err
		}
		now.Deleted, now.TextKey, now.RowsKey = true, nil, nil
		now.SQL, now.Params, now.Outcome, now.Bytes = nil, nil, nil, 0
		now.Title, now.Tags, now.Origin = "", nil, nil
		now.Version++
		return tx.SetRun(ctx, now)
	})
	if err != nil {
		return fmt.Errorf("delete the run: %w", err)
	}
	s.dropBlobs(ctx, id)
	s.unpurged.Store(true)
	if err := s.purge(ctx); err != nil { // the next sweep tries again
		s.cfg.Log.WarnContext(ctx, "keys of a deleted run may linger in the store's journal", slog.String("run", id), slog.Any("error", err))
	}
	return nil
}

// Viewers lists who else may open a run.
func (s *Runs) Viewers(ctx context.Context, c *admin.Caller, id string) ([]Viewer, error) {
	if _, _, err := s.find(ctx, c, id); err != nil {
		return nil, err
	}
	out := []Viewer{}
	err := s.cfg.Store.View(ctx, func(tx Tx) error {
		all, err := tx.Viewers(ctx, id)
		for _, v := range all {
			out = append(out, Viewer{ID: v.ViewerID, Login: v.Login, Name: v.Name, By: v.By, At: v.At})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list viewers: %w", err)
	}
	return out, nil
}

// AddViewer lets somebody open a run, if the policy lets him read what it read.
func (s *Runs) AddViewer(ctx context.Context, c *admin.Caller, id, login string) error {
	rec, err := s.owned(ctx, c, id)
	if err != nil {
		return err
	}
	if rec.Origin == nil {
		return admin.Errorf(admin.Conflict, "share-not-yet", "Nobody can tell yet what this run read. Share it when it has ended; one that never began can't be shown to others.")
	}
	p, err := s.cfg.People.PersonByLogin(ctx, login)
	if errors.Is(err, admin.ErrAbsent) {
		return admin.Errorf(admin.Unprocessable, "person-unknown", "There is nobody with the login %q, or they may not come in.", clip(login, maxTag))
	}
	if err != nil {
		return fmt.Errorf("find the viewer: %w", err)
	}
	v := admin.Caller{Kind: admin.KindPerson, ID: p.ID, Login: p.Login, Teams: p.Teams, Roles: p.Roles}
	may := mayUse(&v, rec.Target)
	if may {
		if may, err = s.access.policyLets(ctx, subjectOf(&v), rec); err != nil {
			return err
		}
	}
	if !may {
		return admin.Errorf(admin.Forbidden, "share-not-allowed", "%q may not read what this run read, so it can't be shown to them. Ask an admin for a grant.", p.Login)
	}
	e := s.entry(c, audit.KindShare, rec)
	e.Grantee, e.What = "user:"+p.Login, "share"
	if err := s.journal(ctx, &e); err != nil {
		return err
	}
	return s.cfg.Store.Update(ctx, func(tx Tx) error {
		all, err := tx.Viewers(ctx, id)
		if err != nil {
			return fmt.Errorf("list viewers: %w", err)
		}
		if slices.ContainsFunc(all, func(v RunViewer) bool { return v.ViewerID == p.ID }) {
			return nil
		}
		if len(all) >= maxViewers {
			return admin.Errorf(admin.Unprocessable, "too-many-viewers", "A run has at most %d named viewers.", maxViewers)
		}
		return tx.PutViewer(ctx, &RunViewer{RunID: id, ViewerID: p.ID, Login: p.Login, Name: p.Name, By: c.Login, At: s.now()})
	})
}

// RemoveViewer takes that back. That somebody was none is no error.
func (s *Runs) RemoveViewer(ctx context.Context, c *admin.Caller, id, login string) error {
	rec, err := s.owned(ctx, c, id)
	if err != nil {
		return err
	}
	e := s.entry(c, audit.KindShare, rec)
	e.Grantee, e.What = "user:"+clip(login, maxTag), "unshare"
	if err := s.journal(ctx, &e); err != nil {
		return err
	}
	return s.cfg.Store.Update(ctx, func(tx Tx) error {
		all, err := tx.Viewers(ctx, id)
		if err != nil {
			return fmt.Errorf("list viewers: %w", err)
		}
		for _, v := range all {
			if v.Login == login {
				return tx.RemoveViewer(ctx, id, v.ViewerID)
			}
		}
		return nil
	})
}
