package sqldb

import (
	"context"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/admin"
)

var memberships = Table[admin.Membership]{ //nolint:gochecknoglobals // nobody writes to it
	Name: "memberships", Keys: 3, Columns: []string{"team_id", "principal_id", "source"},
	Fields: func(m *admin.Membership) []any { return []any{&m.TeamID, &m.PrincipalID, &m.Source} },
}

var grants = Table[admin.Grant]{ //nolint:gochecknoglobals // nobody writes to it
	Name: "grants", Keys: 1,
	Columns: []string{"id", "principal_id", "team_id", "target", "role", "warehouse_login", "warehouse_secret", "created", "by_login"},
	Fields: func(g *admin.Grant) []any {
		return []any{&g.ID, Null(&g.PrincipalID), Null(&g.TeamID), &g.Target, &g.Role, &g.WarehouseLogin, &g.WarehouseSecret, Micros(&g.Created), &g.By}
	},
}

func (tx peopleTx) Memberships(ctx context.Context, teamID, principalID string) ([]admin.Membership, error) {
	return memberships.List(ctx, tx.Tx, `WHERE ($1 = '' OR team_id = $1) AND ($2 = '' OR principal_id = $2)
		ORDER BY team_id, principal_id, source`, teamID, principalID)
}

func (tx peopleTx) AddMembership(ctx context.Context, m admin.Membership) error {
	return memberships.Put(ctx, tx.Tx, &m)
}

func (tx peopleTx) RemoveMembership(ctx context.Context, m admin.Membership) error {
	return tx.ExecOne(ctx, "DELETE FROM memberships WHERE team_id = $1 AND principal_id = $2 AND source = $3",
		m.TeamID, m.PrincipalID, string(m.Source))
}

func (tx peopleTx) Grant(ctx context.Context, id string) (*admin.Grant, error) {
	return grants.Get(ctx, tx.Tx, "id = $1", id)
}

func (tx peopleTx) Grants(ctx context.Context, subjects ...string) ([]admin.Grant, error) {
	if len(subjects) == 0 {
		return grants.List(ctx, tx.Tx, "ORDER BY id")
	}
	marks, args := make([]string, len(subjects)), make([]any, len(subjects))
	for i, s := range subjects {
		marks[i], args[i] = "$"+strconv.Itoa(i+1), s
	}
	in := " IN (" + strings.Join(marks, ", ") + ")"
	return grants.List(ctx, tx.Tx, "WHERE principal_id"+in+" OR team_id"+in+" ORDER BY id", args...)
}

func (tx peopleTx) AddGrant(ctx context.Context, g *admin.Grant) error {
	return grants.Add(ctx, tx.Tx, g)
}

func (tx peopleTx) RemoveGrant(ctx context.Context, id string) error {
	return tx.ExecOne(ctx, "DELETE FROM grants WHERE id = $1", id)
}
