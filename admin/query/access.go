package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/policy"
)

// access decides who may open a run. The zero value with cfg is ready.
type access struct {
	cfg *Config
	log *slog.Logger

	mu    sync.Mutex // guards known
	known map[string]answer

	silence silence
}

// answer is what the warehouse said of somebody's privileges.
type answer struct {
	may   bool
	until time.Time
}

const (
	answerLife = time.Minute
	maxAnswers = 10_000
)

// standing is what somebody is to a run.
type standing uint8

const (
	stranger standing = iota
	reader            // policy and privileges let him
	viewer            // named by the owner
	owner
)

// of says what a caller is to a run. A proof that is bound to targets or saved
// queries sees no other's.
func (a *access) of(ctx context.Context, c *admin.Caller, rec *Record) (standing, error) {
	if !a.proofReaches(c, rec) {
		return stranger, nil
	}
	if c.ID == rec.OwnerID {
		return owner, a.actorMay(ctx, c, rec)
	}
	if !c.Scopes.Has(admin.ScopeRunsRead) || c.Queries != nil || !mayUse(c, rec.Target) {
		return stranger, nil
	}
	var named bool
	err := a.cfg.Store.View(ctx, func(tx Tx) error {
		all, err := tx.Viewers(ctx, rec.ID)
		named = slices.ContainsFunc(all, func(v RunViewer) bool { return v.ViewerID == c.ID })
		return err
	})
	if err != nil {
		return stranger, fmt.Errorf("find viewers: %w", err)
	}
	if rec.Origin == nil {
		return stranger, nil
	}
	open, err := a.policyLets(ctx, subjectOf(c), rec)
	switch {
	case err != nil || !open:
		return stranger, err
	case named:
		return viewer, a.actorMay(ctx, c, rec)
	case rec.Origin.OwnerOnly != "" || rec.State != StateSucceeded: // an error may quote what a row holds
		return stranger, nil
	}
	if open, err = a.warehouseLets(ctx, c.Login, rec); err != nil || !open {
		return stranger, err
	}
	return reader, a.actorMay(ctx, c, rec)
}

// errActor: the service that acts for the caller may not read it itself.
var errActor = errors.New("the actor may not")

// actorMay asks for the service that acts for the caller as well: of what it did
// not run itself it sees what the policy lets it read, and nothing that is its
// owner's alone.
func (a *access) actorMay(ctx context.Context, c *admin.Caller, rec *Record) error {
	if c.Actor == nil || c.ID == rec.OwnerID && c.Actor.ID == rec.ActorID {
		return nil
	}
	if rec.Origin == nil || rec.Origin.OwnerOnly != "" {
		return errActor
	}
	open, err := a.policyLets(ctx, subjectOf(c.Actor), rec)
	if err == nil && !open {
		return errActor
	}
	return err
}

// proofReaches reports whether the token in use may touch the run at all.
func (a *access) proofReaches(c *admin.Caller, rec *Record) bool {
	if len(c.Targets) > 0 && !slices.Contains(c.Targets, rec.Target) {
		return false
	}
	if c.Queries != nil {
		if _, bound := c.Queries[rec.QueryID]; !bound {
			return false
		}
	}
	return slices.ContainsFunc([]admin.Scope{admin.ScopeRunsRead, admin.ScopeRunsWrite, admin.ScopeQueriesRun}, c.Scopes.Has)
}

func (a *access) target(name string) (Target, bool) {
	i := slices.IndexFunc(a.cfg.Targets, func(t Target) bool { return t.Name == name })
	if i < 0 {
		return Target{}, false
	}
	return a.cfg.Targets[i], true
}

// policyLets asks the policy, as it is now, for what the run read.
func (a *access) policyLets(ctx context.Context, who policy.Subject, rec *Record) (bool, error) {
	t, found := a.target(rec.Target)
	if a.cfg.Rights == nil || !found {
		return false, nil
	}
	o := rec.Origin
	if o == nil {
		return false, nil
	}
	may, err := a.cfg.Rights.MayRead(ctx, who, t, o.relations(t.Database), o.functions())
	if err != nil {
		return false, fmt.Errorf("ask the policy about a result: %w", err)
	}
	return may, nil
}

// warehouseLets asks the warehouse, at most once a minute for each person and
// set of relations.
func (a *access) warehouseLets(ctx context.Context, login string, rec *Record) (bool, error) {
	t, found := a.target(rec.Target)
	if a.cfg.Privileges == nil || !found {
		return false, nil
	}
	if len(rec.Origin.Relations) == 0 {
		return true, nil
	}
	key, now := login+"\x00"+t.Name+"\x00"+strings.Join(rec.Origin.Relations, "\x00"), a.cfg.Now()
	a.mu.Lock()
	had, ok := a.known[key]
	a.mu.Unlock()
	if ok && now.Before(had.until) {
		return had.may, nil
	}
	may, err := a.ask(ctx, login, t, rec.Origin.relations(t.Database))
	if err != nil {
		return false, fmt.Errorf("ask the warehouse for privileges: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil || len(a.known) >= maxAnswers {
		a.known = map[string]answer{}
	}
	a.known[key] = answer{may, now.Add(answerLife)}
	return may, nil
}
