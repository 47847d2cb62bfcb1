package sqldb

import (
	"context"
	"strings"

	"github.com/lockkeeper/lockkeeper/admin"
)

// People is the store of admin: who there is and what they may do.
type People struct{ db *DB }

// NewPeople returns the store of people in a database.
func NewPeople(db *DB) *People { return &People{db} }

// Update runs fn as the only writer.
func (p *People) Update(ctx context.Context, fn func(admin.Tx) error) error {
	return p.db.Tx(ctx, func(tx *Tx) error { return fn(peopleTx{tx}) })
}

// View runs fn on one moment.
func (p *People) View(ctx context.Context, fn func(admin.Tx) error) error {
	return p.db.View(ctx, func(tx *Tx) error { return fn(peopleTx{tx}) })
}

// peopleTx meets admin.Tx.
type peopleTx struct{ *Tx }

func (tx peopleTx) Revision(ctx context.Context) (int64, error) {
	var n int64
	err := tx.Row(ctx, "SELECT value FROM revisions WHERE name = 'people'", nil, []any{&n})
	return n, err
}

func (tx peopleTx) Bump(ctx context.Context) error {
	return tx.ExecOne(ctx, "UPDATE revisions SET value = value + 1 WHERE name = 'people'")
}

var principals = Table[admin.Principal]{ //nolint:gochecknoglobals // nobody writes to it
	Name: "principals", Keys: 1,
	Columns: []string{"id", "kind", "login", "name", "email", "about", "team_id", "disabled", "barred", "password", "salt", "created", "signed_in"},
	Fields: func(p *admin.Principal) []any {
		return []any{
			&p.ID, &p.Kind, &p.Login, &p.Name, &p.Email, &p.About, Null(&p.TeamID), Flag(&p.Disabled), Flag(&p.Barred),
			&p.Password, &p.Salt, Micros(&p.Created), Micros(&p.SignedIn),
		}
	},
}

var identities = Table[admin.Identity]{ //nolint:gochecknoglobals // nobody writes to it
	Name: "identities", Keys: 2, Columns: []string{"issuer", "subject", "principal_id"},
	Fields: func(i *admin.Identity) []any { return []any{&i.Issuer, &i.Subject, &i.PrincipalID} },
}

var renewals = Table[admin.Renewal]{ //nolint:gochecknoglobals // nobody writes to it
	Name: "renewals", Keys: 2, Columns: []string{"issuer", "subject", "sealed", "version", "checked", "due"},
	Fields: func(r *admin.Renewal) []any {
		return []any{&r.Issuer, &r.Subject, &r.Sealed, &r.Version, Micros(&r.Checked), Micros(&r.Due)}
	},
}

var teams = Table[admin.Team]{ //nolint:gochecknoglobals // nobody writes to it
	Name: "teams", Keys: 1, Columns: []string{"id", "name", "created"},
	Fields: func(t *admin.Team) []any { return []any{&t.ID, &t.Name, Micros(&t.Created)} },
}

func (tx peopleTx) Principal(ctx context.Context, id string) (*admin.Principal, error) {
	return principals.Get(ctx, tx.Tx, "id = $1", id)
}

func (tx peopleTx) PrincipalByLogin(ctx context.Context, login string) (*admin.Principal, error) {
	return principals.Get(ctx, tx.Tx, "login = $1", login)
}

// unlimited is more rows than there will ever be.
const unlimited = 1 << 40

func (tx peopleTx) Principals(ctx context.Context, f admin.PrincipalFilter) ([]admin.Principal, error) {
	limit := int64(f.Limit)
	if limit <= 0 {
		limit = unlimited
	}
	return principals.List(ctx, tx.Tx, `WHERE login > $1 AND ($2 = '' OR kind = $2) AND ($3 = '' OR team_id = $3)
		AND ($4 = '' OR login LIKE $4 ESCAPE '!' OR lower(name) LIKE $4 ESCAPE '!' OR CAST($6 AS BIGINT) = 1 AND lower(email) LIKE $4 ESCAPE '!')
		ORDER BY login LIMIT $5`, f.After, string(f.Kind), f.TeamID, Contains(f.Search), limit, number(f.Emails))
}

// Contains returns the pattern for LIKE … ESCAPE '!' that finds a text in
// lower case, empty for an empty text.
func Contains(s string) string {
	if s == "" {
		return ""
	}
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.ToLower(s)) + "%"
}

func (tx peopleTx) AddPrincipal(ctx context.Context, p *admin.Principal) error {
	return principals.Add(ctx, tx.Tx, p)
}

func (tx peopleTx) SetPrincipal(ctx context.Context, p *admin.Principal) error {
	return principals.Set(ctx, tx.Tx, p)
}

func (tx peopleTx) RemovePrincipal(ctx context.Context, id string) error {
	return tx.ExecOne(ctx, "DELETE FROM principals WHERE id = $1", id)
}

func (tx peopleTx) IdentityOf(ctx context.Context, issuer, subject string) (*admin.Identity, error) {
	return identities.Get(ctx, tx.Tx, "issuer = $1 AND subject = $2", issuer, subject)
}

func (tx peopleTx) Identities(ctx context.Context, principalID string) ([]admin.Identity, error) {
	return identities.List(ctx, tx.Tx, "WHERE principal_id = $1 ORDER BY issuer, subject", principalID)
}

func (tx peopleTx) AddIdentity(ctx context.Context, i *admin.Identity) error {
	return identities.Add(ctx, tx.Tx, i)
}

func (tx peopleTx) Renewal(ctx context.Context, issuer, subject string) (*admin.Renewal, error) {
	return renewals.Get(ctx, tx.Tx, "issuer = $1 AND subject = $2", issuer, subject)
}

func (tx peopleTx) DueRenewals(ctx context.Context, issuer string, most int) ([]admin.Renewal, error) {
	return renewals.List(ctx, tx.Tx, "WHERE issuer = $1 AND due <= $2 ORDER BY due, subject LIMIT $3", issuer, tx.now.UnixMicro(), int64(most))
}

func (tx peopleTx) SetRenewal(ctx context.Context, r *admin.Renewal) error {
	return renewals.Put(ctx, tx.Tx, r)
}

func (tx peopleTx) RemoveRenewal(ctx context.Context, issuer, subject string) error {
	_, err := renewals.Remove(ctx, tx.Tx, "issuer = $1 AND subject = $2", issuer, subject)
	return err
}

func (tx peopleTx) Team(ctx context.Context, id string) (*admin.Team, error) {
	return teams.Get(ctx, tx.Tx, "id = $1", id)
}

func (tx peopleTx) TeamByName(ctx context.Context, name string) (*admin.Team, error) {
	return teams.Get(ctx, tx.Tx, "name = $1", name)
}

func (tx peopleTx) Teams(ctx context.Context) ([]admin.Team, error) {
	return teams.List(ctx, tx.Tx, "ORDER BY name")
}

func (tx peopleTx) AddTeam(ctx context.Context, t *admin.Team) error { return teams.Add(ctx, tx.Tx, t) }

func (tx peopleTx) SetTeam(ctx context.Context, t *admin.Team) error { return teams.Set(ctx, tx.Tx, t) }

func (tx peopleTx) RemoveTeam(ctx context.Context, id string) error {
	return tx.ExecOne(ctx, "DELETE FROM teams WHERE id = $1", id)
}
