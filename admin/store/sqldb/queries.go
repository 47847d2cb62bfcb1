package sqldb

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/query"
)

// savedRow is a saved query with what is searched for in it.
type savedRow struct {
	query.SavedRecord

	search string
}

var saved = Table[savedRow]{ //nolint:gochecknoglobals // a constant
	Name: "queries", Keys: 1,
	Columns: []string{
		"id", "owner_id", "owner_login", "owner_name", "title", "description", "text", "params", "chart", "tags", "team", "draft", "target",
		"version", "rev", "working", "created", "updated", "search",
	},
	Fields: func(r *savedRow) []any {
		return []any{
			&r.ID, &r.OwnerID, &r.OwnerLogin, &r.OwnerName, &r.Title, &r.Description, &r.SQL, JSON(&r.Params), JSON(&r.Chart), JSON(&r.Tags), &r.Team, Flag(&r.Draft), &r.Target,
			&r.Version, &r.Rev, JSON(&r.Working), Micros(&r.Created), Micros(&r.Updated), &r.search,
		}
	},
}

func rowOf(r *query.SavedRecord) *savedRow {
	text := []string{r.Title, r.Description, r.SQL, r.OwnerLogin, r.OwnerName}
	return &savedRow{*r, strings.ToLower(strings.Join(append(text, r.Tags...), "\n"))}
}

func (tx queryTx) Saved(ctx context.Context, id string) (*query.SavedRecord, error) {
	r, err := saved.Get(ctx, tx.Tx, "id = $1", id)
	if err != nil {
		return nil, err
	}
	return r.record(), nil
}

// record gives back what was put in: no chart is nil.
func (r *savedRow) record() *query.SavedRecord {
	r.Chart = chart(r.Chart)
	if r.Working != nil {
		r.Working.Chart = chart(r.Working.Chart)
	}
	return &r.SavedRecord
}

func chart(c json.RawMessage) json.RawMessage {
	if string(c) == "null" {
		return nil
	}
	return c
}

func (tx queryTx) AddSaved(ctx context.Context, r *query.SavedRecord) error {
	if err := saved.Add(ctx, tx.Tx, rowOf(r)); err != nil {
		return err
	}
	return tx.setTags(ctx, r)
}

func (tx queryTx) SetSaved(ctx context.Context, r *query.SavedRecord) error {
	if err := saved.Set(ctx, tx.Tx, rowOf(r)); err != nil {
		return err
	}
	return tx.setTags(ctx, r)
}

type tagRow struct{ id, tag string }

var queryTags = Table[tagRow]{ //nolint:gochecknoglobals // a constant
	Name: "query_tags", Keys: 2, Columns: []string{"query_id", "tag"},
	Fields: func(t *tagRow) []any { return []any{&t.id, &t.tag} },
}

func (tx queryTx) setTags(ctx context.Context, r *query.SavedRecord) error {
	if _, err := queryTags.Remove(ctx, tx.Tx, "query_id = $1", r.ID); err != nil {
		return err
	}
	for _, tag := range r.Tags {
		if err := queryTags.Put(ctx, tx.Tx, &tagRow{r.ID, tag}); err != nil {
			return err
		}
	}
	return nil
}

func (tx queryTx) RemoveSaved(ctx context.Context, id string) error {
	return tx.ExecOne(ctx, "DELETE FROM queries WHERE id = $1", id)
}

func (tx queryTx) SavedBy(ctx context.Context, f query.SavedRecordFilter) ([]query.SavedRecord, error) {
	draft := int64(-1)
	if f.Draft != nil {
		draft = number(*f.Draft)
	}
	args := []any{
		f.ReaderID, number(f.Mine), f.Team, number(f.Starred), f.Tag, draft, Contains(f.Text), micro(f.BeforeRev), f.BeforeID, bound(f.Limit), admin.Everyone, number(f.MyTeams),
	}
	marks := []string{"$11"}
	for _, team := range f.Teams {
		args = append(args, team)
		marks = append(marks, "$"+strconv.Itoa(len(args)))
	}
	teams := strings.Join(marks, ", ")
	rows, err := saved.List(ctx, tx.Tx, `WHERE (owner_id = $1 OR CAST($2 AS BIGINT) = 0 AND draft = 0 AND team IN (`+teams+`))
		AND ($3 = '' OR team = $3) AND (CAST($12 AS BIGINT) = 0 OR team <> $11 AND team IN (`+teams+`)) AND (CAST($4 AS BIGINT) = 0 OR id IN (SELECT query_id FROM query_stars WHERE person_id = $1))
		AND ($5 = '' OR id IN (SELECT query_id FROM query_tags WHERE tag = $5)) AND (CAST($6 AS BIGINT) < 0 OR draft = $6)
		AND ($7 = '' OR search LIKE $7 ESCAPE '!') AND (CAST($8 AS BIGINT) = 0 OR updated < $8 OR updated = $8 AND id < $9)
		ORDER BY updated DESC, id DESC LIMIT $10`, args...)
	out := make([]query.SavedRecord, 0, len(rows))
	for i := range rows {
		out = append(out, *rows[i].record())
	}
	return out, err
}

var queryVersions = Table[query.VersionRecord]{ //nolint:gochecknoglobals // a constant
	Name: "query_versions", Keys: 2, Columns: []string{"query_id", "version", "text", "params", "chart", "by_login", "at", "title"},
	Fields: func(v *query.VersionRecord) []any {
		return []any{&v.QueryID, &v.Version.Version, &v.SQL, JSON(&v.Params), JSON(&v.Chart), &v.By, Micros(&v.At), &v.Title}
	},
}

func (tx queryTx) SavedVersion(ctx context.Context, id string, version int) (*query.VersionRecord, error) {
	return queryVersions.Get(ctx, tx.Tx, "query_id = $1 AND version = $2", id, version)
}

func (tx queryTx) SavedVersions(ctx context.Context, id string) ([]query.VersionRecord, error) {
	return queryVersions.List(ctx, tx.Tx, "WHERE query_id = $1 ORDER BY version DESC", id)
}

func (tx queryTx) PutSavedVersion(ctx context.Context, v *query.VersionRecord) error {
	return queryVersions.Put(ctx, tx.Tx, v)
}

type starRow struct{ id, person string }

var queryStars = Table[starRow]{ //nolint:gochecknoglobals // a constant
	Name: "query_stars", Keys: 2, Columns: []string{"query_id", "person_id"},
	Fields: func(s *starRow) []any { return []any{&s.id, &s.person} },
}

func (tx queryTx) Starred(ctx context.Context, id, personID string) (bool, error) {
	_, err := queryStars.Get(ctx, tx.Tx, "query_id = $1 AND person_id = $2", id, personID)
	none, err := absent(err)
	return !none && err == nil, err
}

func (tx queryTx) SetStar(ctx context.Context, id, personID string, on bool) error {
	if on {
		return queryStars.Put(ctx, tx.Tx, &starRow{id, personID})
	}
	_, err := queryStars.Remove(ctx, tx.Tx, "query_id = $1 AND person_id = $2", id, personID)
	return err
}

var queryReleases = Table[query.ReleaseRecord]{ //nolint:gochecknoglobals // a constant
	Name: "query_releases", Keys: 3, Columns: []string{"query_id", "service", "version", "by_login", "at"},
	Fields: func(r *query.ReleaseRecord) []any {
		return []any{&r.QueryID, &r.Service, &r.Version, &r.By, Micros(&r.At)}
	},
}

func (tx queryTx) Releases(ctx context.Context, id string) ([]query.ReleaseRecord, error) {
	return queryReleases.List(ctx, tx.Tx, "WHERE query_id = $1 ORDER BY service, version", id)
}

func (tx queryTx) PutRelease(ctx context.Context, r *query.ReleaseRecord) error {
	return queryReleases.Put(ctx, tx.Tx, r)
}

func (tx queryTx) SavedSize(ctx context.Context, ownerID string) (queries, chars int64, err error) {
	var versions int64
	err = errors.Join(
		tx.Row(ctx, "SELECT count(*), CAST(coalesce(sum(length(text) + length(working)), 0) AS BIGINT) FROM queries WHERE owner_id = $1", []any{ownerID}, []any{&queries, &chars}),
		tx.Row(ctx, "SELECT CAST(coalesce(sum(length(text)), 0) AS BIGINT) FROM query_versions WHERE query_id IN (SELECT id FROM queries WHERE owner_id = $1)", []any{ownerID}, []any{&versions}),
	)
	return queries, chars + versions, err
}

func (tx queryTx) SavedUse(ctx context.Context, id, ownerID string, since time.Time) (*query.LastRun, int, error) {
	var n int
	if err := tx.Row(ctx, "SELECT count(*) FROM runs WHERE query_id = $1 AND submitted >= $2", []any{id, micro(since)}, []any{&n}); err != nil {
		return nil, 0, err
	}
	var last query.LastRun
	err := tx.Row(ctx, "SELECT id, state, submitted FROM runs WHERE query_id = $1 AND owner_id = $2 ORDER BY submitted DESC, id DESC LIMIT 1",
		[]any{id, ownerID}, []any{&last.ID, &last.State, Micros(&last.At)})
	if none, err := absent(err); none || err != nil {
		return nil, n, err
	}
	return &last, n, nil
}
