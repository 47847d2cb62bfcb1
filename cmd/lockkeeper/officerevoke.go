package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/proxy"
)

// officeRevoker ends what goes on under rights that are gone: event streams and
// downloads, runs, and the sessions that tools have at the door.
type officeRevoker struct {
	office *office
	store  admin.Store
	server *proxy.Server // nil until the door stands
	runs   interface{ Revoke(ids ...string) int }
	login  time.Duration // that a login takes at most
	log    *slog.Logger

	mu     sync.Mutex // guards recent
	recent []takenBack
}

// takenBack is a right that is gone, by those who may come in by it.
type takenBack struct {
	at     time.Time
	logins map[string]bool
	tokens []string
}

// revokeTime bounds the end of sessions at the door.
const revokeTime = 5 * time.Second

// Revoke implements admin.Revoker.
func (r *officeRevoker) Revoke(ids ...string) {
	r.office.revocations.Revoke(ids...)
	if r.runs != nil {
		r.runs.Revoke(ids...)
	}
	if r.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), revokeTime)
	defer cancel()
	r.takeBack(ctx, takenBack{at: time.Now(), logins: r.logins(ctx, ids), tokens: ids})
}

// lost ends the sessions at this door of logins that lost a right. An office
// that stands by learns it so: another server took it, and told its own door.
func (r *officeRevoker) lost(logins []string) {
	if r.server == nil || r.office.works() {
		return // who works on the store was told by Revoke
	}
	gone := map[string]bool{}
	for _, login := range logins {
		gone[login] = true
	}
	ctx, cancel := context.WithTimeout(context.Background(), revokeTime)
	defer cancel()
	r.takeBack(ctx, takenBack{at: time.Now(), logins: gone})
}

// takeBack ends who came in by a right that is gone, now and, of those whose
// login was under way, as soon as they are in.
func (r *officeRevoker) takeBack(ctx context.Context, t takenBack) {
	r.mu.Lock()
	r.recent = append(r.recent, t)
	r.mu.Unlock()
	r.endAtTheDoor(ctx, t)
}

// How often who came late is looked for, and, while the office stands by, whether
// the tokens of the sessions at its door still hold.
const (
	latecomerLook = time.Second
	standbyLook   = 3 * time.Second
)

// watch ends the sessions at this door that began to log in before their right
// was taken back, and were let in after; and those of tokens that were revoked
// elsewhere, while the office stands by.
func (r *officeRevoker) watch(ctx context.Context) {
	late, look := time.NewTicker(latecomerLook), time.NewTicker(standbyLook)
	defer late.Stop()
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-late.C:
			for _, t := range r.stillRecent(time.Now()) {
				r.endAtTheDoor(ctx, t)
			}
		case <-look.C:
			if r.server == nil || r.office.fence == nil || r.office.works() {
				continue
			}
			if gone := r.revokedTokens(ctx); len(gone) > 0 {
				r.endAtTheDoor(ctx, takenBack{at: time.Now(), tokens: gone})
			}
		}
	}
}

// stillRecent returns what was taken back while logins that are under way may
// have begun, and forgets the rest.
func (r *officeRevoker) stillRecent(now time.Time) []takenBack {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recent = slices.DeleteFunc(r.recent, func(t takenBack) bool { return now.Sub(t.at) > r.login+revokeTime })
	return slices.Clone(r.recent)
}

// revokedTokens returns those of the sessions at this door that were revoked.
func (r *officeRevoker) revokedTokens(ctx context.Context) (gone []string) {
	held := map[string]bool{}
	for _, s := range r.server.Snapshot().Sessions {
		if s.Via == proxy.ViaWire && s.Token != "" {
			held[s.Token] = true
		}
	}
	if len(held) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, revokeTime)
	defer cancel()
	err := r.store.View(ctx, func(tx admin.Tx) error {
		for id := range held {
			t, err := tx.Token(ctx, id)
			if errors.Is(err, admin.ErrAbsent) || err == nil && !t.Revoked.IsZero() {
				gone = append(gone, id)
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		r.log.WarnContext(ctx, "cannot find whether the tokens at the door still hold", slog.Any("error", err))
	}
	return gone
}

// endAtTheDoor ends the sessions that came to the door before a right was taken
// back, by it. Who came after was asked anew.
func (r *officeRevoker) endAtTheDoor(ctx context.Context, t takenBack) {
	for _, s := range r.server.Snapshot().Sessions {
		if s.Via == proxy.ViaWire && !s.Connected.After(t.at) && (t.logins[s.User] || s.Token != "" && slices.Contains(t.tokens, s.Token)) {
			r.end(ctx, s)
		}
	}
}

func (r *officeRevoker) end(ctx context.Context, s proxy.SessionInfo) {
	err := r.server.Act(ctx, proxy.Action{
		Act: proxy.ActTerminate, Session: s.Name, By: "lockkeeper", Reason: "the right to be here was taken back",
	})
	if err != nil {
		r.log.WarnContext(ctx, "a session whose rights were revoked could not be ended", slog.String("session", s.Name), slog.Any("error", err))
	}
}

// logins are those whose sessions at the door end: of people and services that
// lost a right, and of whom a database password was taken.
func (r *officeRevoker) logins(ctx context.Context, ids []string) map[string]bool {
	gone := map[string]bool{}
	err := r.store.View(ctx, func(tx admin.Tx) error {
		for _, id := range ids {
			holder := id
			if strings.HasPrefix(id, admin.PrefixDBPassword) {
				d, err := tx.DBPassword(ctx, id)
				if err != nil {
					continue // pruned meanwhile: nobody came in with it
				}
				holder = d.PrincipalID
			}
			if p, err := tx.Principal(ctx, holder); err == nil {
				gone[p.Login] = true
			}
		}
		return nil
	})
	if err != nil {
		r.log.ErrorContext(ctx, "cannot find whose sessions to end", slog.Any("error", err))
	}
	return gone
}
