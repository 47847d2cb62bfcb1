package sqldb

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

var webSessions = Table[admin.WebSession]{ //nolint:gochecknoglobals // nobody writes to it
	Name: "web_sessions", Keys: 1,
	Columns: []string{"id", "principal_id", "hash", "method", "addr", "agent", "parent_id", "created", "seen", "expires", "ended"},
	Fields: func(w *admin.WebSession) []any {
		return []any{
			&w.ID, &w.PrincipalID, &w.Hash, &w.Method, &w.Addr, &w.Agent, &w.ParentID,
			Micros(&w.Created), Micros(&w.Seen), Micros(&w.Expires), Micros(&w.Ended),
		}
	},
}

var links = Table[admin.OneUseLink]{ //nolint:gochecknoglobals // nobody writes to it
	Name: "links", Keys: 1, Columns: []string{"hash", "principal_id", "created", "by_login", "expires", "used"},
	Fields: func(l *admin.OneUseLink) []any {
		return []any{&l.Hash, &l.PrincipalID, Micros(&l.Created), &l.By, Micros(&l.Expires), Micros(&l.Used)}
	},
}

var sightings = Table[admin.Sighting]{ //nolint:gochecknoglobals // nobody writes to it
	Name: "sightings", Keys: 3, Columns: []string{"principal_id", "tool", "addr", "name", "at"},
	Fields: func(s *admin.Sighting) []any { return []any{&s.PrincipalID, &s.Tool, &s.Addr, &s.Name, Micros(&s.At)} },
}

// keptSightings is how many a principal has at most: the tool's name is the client's word.
const keptSightings = 20

func (tx peopleTx) Session(ctx context.Context, id string) (*admin.WebSession, error) {
	return webSessions.Get(ctx, tx.Tx, "id = $1", id)
}

func (tx peopleTx) SessionByHash(ctx context.Context, hash []byte) (*admin.WebSession, error) {
	return webSessions.Get(ctx, tx.Tx, "hash = $1", hash)
}

func (tx peopleTx) Sessions(ctx context.Context, principalID string) ([]admin.WebSession, error) {
	return webSessions.List(ctx, tx.Tx, "WHERE principal_id = $1 AND ended = 0 AND expires > $2 ORDER BY created DESC, id",
		principalID, tx.now.UnixMicro())
}

func (tx peopleTx) AddSession(ctx context.Context, w *admin.WebSession) error {
	return webSessions.Add(ctx, tx.Tx, w)
}

func (tx peopleTx) SetSession(ctx context.Context, w *admin.WebSession) error {
	return webSessions.Set(ctx, tx.Tx, w)
}

func (tx peopleTx) AddLink(ctx context.Context, l *admin.OneUseLink) error {
	return links.Add(ctx, tx.Tx, l)
}

func (tx peopleTx) UseLink(ctx context.Context, hash []byte) (*admin.OneUseLink, error) {
	now := tx.now.UnixMicro()
	if err := tx.ExecOne(ctx, "UPDATE links SET used = $2 WHERE hash = $1 AND used = 0 AND expires > $2", hash, now); err != nil {
		return nil, err
	}
	return links.Get(ctx, tx.Tx, "hash = $1", hash)
}

func (tx peopleTx) DropLinks(ctx context.Context, principalID string) error {
	_, err := links.Remove(ctx, tx.Tx, "principal_id = $1 AND used = 0", principalID)
	return err
}

func (tx peopleTx) Sightings(ctx context.Context, principalID string) ([]admin.Sighting, error) {
	return sightings.List(ctx, tx.Tx, "WHERE principal_id = $1 ORDER BY at DESC, tool, addr", principalID)
}

func (tx peopleTx) SetSighting(ctx context.Context, s *admin.Sighting) error {
	if err := sightings.Put(ctx, tx.Tx, s); err != nil {
		return err
	}
	all, err := tx.Sightings(ctx, s.PrincipalID)
	if err != nil || len(all) <= keptSightings {
		return err
	}
	for _, old := range all[keptSightings:] {
		if _, err := sightings.Remove(ctx, tx.Tx, "principal_id = $1 AND tool = $2 AND addr = $3", old.PrincipalID, old.Tool, old.Addr); err != nil {
			return err
		}
	}
	return nil
}

func (tx peopleTx) Prune(ctx context.Context, before time.Time) error {
	at := before.UnixMicro()
	for _, t := range []struct{ table, ended string }{
		{"web_sessions", "ended"}, {"tokens", "revoked"}, {"db_passwords", "revoked"}, {"links", "used"},
	} {
		q := "DELETE FROM " + t.table + " WHERE expires < $1 OR " + t.ended + " <> 0 AND " + t.ended + " < $1"
		if _, err := tx.Exec(ctx, q, at); err != nil {
			return err
		}
	}
	_, err := renewals.Remove(ctx, tx.Tx, "checked < $1", at)
	return err
}
