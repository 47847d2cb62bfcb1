package sqldb

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

var tokens = Table[admin.Token]{ //nolint:gochecknoglobals // nobody writes to it
	Name: "tokens", Keys: 1,
	Columns: []string{
		"id", "holder_id", "name", "hash", "scopes", "targets", "queries", "cidrs",
		"created", "by_login", "parent_id", "expires", "revoked", "used", "used_addr",
	},
	Fields: func(t *admin.Token) []any {
		return []any{
			&t.ID, &t.HolderID, &t.Name, &t.Hash, JSON(&t.Scopes), JSON(&t.Targets), JSON(&t.Queries), JSON(&t.CIDRs),
			Micros(&t.Created), &t.By, &t.ParentID, Micros(&t.Expires), Micros(&t.Revoked), Micros(&t.Used), &t.UsedAddr,
		}
	},
}

var dbPasswords = Table[admin.DBPassword]{ //nolint:gochecknoglobals // nobody writes to it
	Name: "db_passwords", Keys: 1,
	Columns: []string{"id", "principal_id", "tool", "verifier", "created", "parent_id", "expires", "revoked", "used", "used_addr", "used_by"},
	Fields: func(d *admin.DBPassword) []any {
		return []any{
			&d.ID, &d.PrincipalID, &d.Tool, &d.Verifier, Micros(&d.Created), &d.ParentID, Micros(&d.Expires), Micros(&d.Revoked),
			Micros(&d.Used), &d.UsedAddr, &d.UsedBy,
		}
	},
}

func (tx peopleTx) Token(ctx context.Context, id string) (*admin.Token, error) {
	return tokens.Get(ctx, tx.Tx, "id = $1", id)
}

func (tx peopleTx) TokenByHash(ctx context.Context, hash []byte) (*admin.Token, error) {
	return tokens.Get(ctx, tx.Tx, "hash = $1", hash)
}

func (tx peopleTx) Tokens(ctx context.Context, holderID string) ([]admin.Token, error) {
	return tokens.List(ctx, tx.Tx, "WHERE holder_id = $1 ORDER BY created DESC, id", holderID)
}

func (tx peopleTx) TokensMadeWith(ctx context.Context, parentID string) ([]admin.Token, error) {
	return tokens.List(ctx, tx.Tx, "WHERE parent_id = $1 ORDER BY created DESC, id", parentID)
}

func (tx peopleTx) AddToken(ctx context.Context, t *admin.Token) error {
	return tokens.Add(ctx, tx.Tx, t)
}

func (tx peopleTx) SetToken(ctx context.Context, t *admin.Token) error {
	return tokens.Set(ctx, tx.Tx, t)
}

func (tx peopleTx) PruneTokens(ctx context.Context, by string, before time.Time) (ids []string, err error) {
	const over = "by_login = $1 AND expires < $2"
	all, err := tokens.List(ctx, tx.Tx, "WHERE "+over, by, before.UnixMicro())
	if err != nil {
		return nil, err
	}
	for i := range all {
		ids = append(ids, all[i].ID)
	}
	_, err = tokens.Remove(ctx, tx.Tx, over, by, before.UnixMicro())
	return ids, err
}

func (tx peopleTx) DBPassword(ctx context.Context, id string) (*admin.DBPassword, error) {
	return dbPasswords.Get(ctx, tx.Tx, "id = $1", id)
}

func (tx peopleTx) DBPasswords(ctx context.Context, principalID string) ([]admin.DBPassword, error) {
	return dbPasswords.List(ctx, tx.Tx, "WHERE ($1 = '' OR principal_id = $1) AND revoked = 0 AND expires > $2 ORDER BY created DESC, id",
		principalID, tx.now.UnixMicro())
}

func (tx peopleTx) DBPasswordsMadeWith(ctx context.Context, parentID string) ([]admin.DBPassword, error) {
	return dbPasswords.List(ctx, tx.Tx, "WHERE parent_id = $1 ORDER BY created DESC, id", parentID)
}

func (tx peopleTx) AddDBPassword(ctx context.Context, d *admin.DBPassword) error {
	return dbPasswords.Add(ctx, tx.Tx, d)
}

func (tx peopleTx) SetDBPassword(ctx context.Context, d *admin.DBPassword) error {
	return dbPasswords.Set(ctx, tx.Tx, d)
}
