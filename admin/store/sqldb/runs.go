package sqldb

import (
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/query"
)

// Queries is the store of runs and saved queries.
type Queries struct{ db *DB }

// NewQueries returns the store of runs and saved queries in a database.
func NewQueries(db *DB) *Queries { return &Queries{db} }

// Update runs fn as the only writer.
func (q *Queries) Update(ctx context.Context, fn func(query.Tx) error) error {
	return q.db.Tx(ctx, func(tx *Tx) error { return fn(queryTx{tx}) })
}

// Purge removes from the files of the database what was written over.
func (q *Queries) Purge(ctx context.Context) error { return q.db.Purge(ctx) }

// View runs fn on one moment.
func (q *Queries) View(ctx context.Context, fn func(query.Tx) error) error {
	return q.db.View(ctx, func(tx *Tx) error { return fn(queryTx{tx}) })
}

// queryTx meets query.Tx.
type queryTx struct{ *Tx }

var runs = Table[query.Record]{ //nolint:gochecknoglobals // a constant
	Name: "runs", Keys: 1,
	Columns: []string{
		"id", "owner_id", "kind", "login", "name", "actor_id", "actor", "token", "target", "state", "via", "title", "access", "urgency", "on_limit",
		"limits", "tags", "multi", "keep", "pinned", "deleted", "query_id", "query_version", "query_title", "submitted", "started", "finished",
		"expires", "version", "sql_sealed", "params", "outcome", "rows_key", "bytes", "origin", "title_sealed",
	},
	Fields: func(r *query.Record) []any {
		return []any{
			&r.ID, &r.OwnerID, &r.Kind, &r.Login, &r.Name, &r.ActorID, &r.Actor, &r.Token, &r.Target, &r.State, &r.Via, &r.Title, &r.Access, &r.Urgency, &r.OnLimit,
			JSON(&r.Limits), JSON(&r.Tags), Flag(&r.Multi), Flag(&r.Keep), Flag(&r.Pinned), Flag(&r.Deleted), &r.QueryID, &r.QueryVersion, &r.QueryTitle,
			Micros(&r.Submitted), Micros(&r.Started), Micros(&r.Finished), Micros(&r.Expires), &r.Version, &r.SQL, &r.Params, &r.Outcome, &r.RowsKey, &r.Bytes, JSON(&r.Origin), &r.SealedTitle,
		}
	},
}

func (tx queryTx) Run(ctx context.Context, id string) (*query.Record, error) {
	r, err := runs.Get(ctx, tx.Tx, "id = $1", id)
	if err != nil {
		return nil, err
	}
	one := []query.Record{*r}
	err = tx.findSecrets(ctx, one)
	return &one[0], err
}

func (tx queryTx) Runs(ctx context.Context, f query.RecordFilter) ([]query.Record, error) {
	before, until := micro(f.Before), micro(f.Until)
	return tx.listRuns(ctx, `WHERE ($1 = '' OR owner_id = $1 OR $2 <> '' AND id IN (SELECT run_id FROM run_viewers WHERE viewer_id = $2))
		AND ($3 = '' OR login = $3) AND ($4 = '' OR state = $4) AND ($5 = '' OR query_id = $5) AND ($6 = '' OR target = $6)
		AND ($7 = '' OR via = $7) AND submitted >= $8 AND (CAST($9 AS BIGINT) = 0 OR submitted < $9)
		AND (CAST($10 AS BIGINT) = 0 OR pinned = 1) AND (CAST($11 AS BIGINT) = 0 OR submitted < $11 OR submitted = $11 AND id < $12)
		ORDER BY submitted DESC, id DESC LIMIT $13`,
		f.OwnerID, f.ViewerID, f.Login, string(f.State), f.QueryID, f.Target, f.Via, micro(f.Since), until, number(f.Pinned), before, f.BeforeID, bound(f.Limit))
}

// micro is a moment as it is stored.
func micro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func bound(limit int) int64 {
	if limit <= 0 {
		return unlimited
	}
	return int64(limit)
}

func (tx queryTx) OpenRuns(ctx context.Context) ([]query.Record, error) {
	return tx.listRuns(ctx, "WHERE state IN ('queued', 'running') ORDER BY submitted, id")
}

func (tx queryTx) DueRuns(ctx context.Context, before time.Time, limit int) ([]query.Record, error) {
	return tx.listRuns(ctx, "WHERE expires > 0 AND expires <= $1 AND pinned = 0 AND rows_key IS NOT NULL ORDER BY expires LIMIT $2", micro(before), bound(limit))
}

func (tx queryTx) OldestRuns(ctx context.Context, ownerID string, limit int) ([]query.Record, error) {
	return tx.listRuns(ctx, `WHERE rows_key IS NOT NULL AND pinned = 0 AND state IN ('succeeded', 'failed', 'canceled') AND ($1 = '' OR owner_id = $1)
		ORDER BY submitted, id LIMIT $2`, ownerID, bound(limit))
}

func (tx queryTx) StoredBytes(ctx context.Context, ownerID string) (int64, error) {
	return tx.sumBytes(ctx, "", ownerID)
}

func (tx queryTx) PinnedBytes(ctx context.Context, ownerID string) (int64, error) {
	return tx.sumBytes(ctx, " AND pinned = 1", ownerID)
}

func (tx queryTx) sumBytes(ctx context.Context, which, ownerID string) (int64, error) {
	var n int64
	err := tx.Row(ctx, "SELECT CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM runs WHERE rows_key IS NOT NULL AND ($1 = '' OR owner_id = $1)"+which, []any{ownerID}, []any{&n})
	return n, err
}

func (tx queryTx) FullOwners(ctx context.Context, limit int64) ([]string, error) {
	var out []string
	err := tx.Rows(ctx, "SELECT owner_id FROM runs WHERE rows_key IS NOT NULL GROUP BY owner_id HAVING sum(bytes) > $1 ORDER BY owner_id", []any{limit},
		func(scan func(...any) error) error {
			var id string
			if err := scan(&id); err != nil {
				return err
			}
			out = append(out, id)
			return nil
		})
	return out, err
}

var runViewers = Table[query.RunViewer]{ //nolint:gochecknoglobals // a constant
	Name: "run_viewers", Keys: 2, Columns: []string{"run_id", "viewer_id", "login", "name", "by_login", "at"},
	Fields: func(v *query.RunViewer) []any {
		return []any{&v.RunID, &v.ViewerID, &v.Login, &v.Name, &v.By, Micros(&v.At)}
	},
}

func (tx queryTx) Viewers(ctx context.Context, runID string) ([]query.RunViewer, error) {
	return runViewers.List(ctx, tx.Tx, "WHERE run_id = $1 ORDER BY at, viewer_id", runID)
}

func (tx queryTx) PutViewer(ctx context.Context, v *query.RunViewer) error {
	return runViewers.Put(ctx, tx.Tx, v)
}

func (tx queryTx) RemoveViewer(ctx context.Context, runID, viewerID string) error {
	_, err := runViewers.Remove(ctx, tx.Tx, "run_id = $1 AND viewer_id = $2", runID, viewerID)
	return err
}

var runKeys = Table[query.KeyRecord]{ //nolint:gochecknoglobals // a constant
	Name: "run_keys", Keys: 1, Columns: []string{"hash", "body", "run_id", "at"},
	Fields: func(k *query.KeyRecord) []any { return []any{&k.Hash, &k.Body, &k.RunID, Micros(&k.At)} },
}

func (tx queryTx) Key(ctx context.Context, hash []byte) (*query.KeyRecord, error) {
	return runKeys.Get(ctx, tx.Tx, "hash = $1", hash)
}

func (tx queryTx) PutKey(ctx context.Context, k *query.KeyRecord) error {
	return runKeys.Put(ctx, tx.Tx, k)
}

func (tx queryTx) PruneKeys(ctx context.Context, before time.Time) error {
	_, err := runKeys.Remove(ctx, tx.Tx, "at < $1", micro(before))
	return err
}

// absent turns "there is none" into no error.
func absent(err error) (none bool, other error) {
	if errors.Is(err, admin.ErrAbsent) {
		return true, nil
	}
	return false, err
}
