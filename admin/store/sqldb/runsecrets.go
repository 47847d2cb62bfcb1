package sqldb

import (
	"bytes"
	"context"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/admin/query"
)

// The keys of a run lie in a table of their own, whose rows all have one length
// and are never removed: a key is destroyed by zeros of its length, which SQLite
// writes over it in place. In a row that grows, as one of runs does, it would
// move, and leave copies in the unused parts of pages.
//
// In rows_key of runs itself stands inSecrets where there is a key, so that SQL
// can ask for it; of runs from before this table, the key.
type runSecret struct {
	runID            string
	textKey, rowsKey []byte
}

var runSecrets = Table[runSecret]{ //nolint:gochecknoglobals // a constant
	Name: "run_secrets", Keys: 1, Columns: []string{"run_id", "text_key", "rows_key"},
	Fields: func(s *runSecret) []any { return []any{&s.runID, &s.textKey, &s.rowsKey} },
}

// inSecrets stands for a key in the column of another table.
const inSecrets = "\x00"

// fixed is a key as it is stored.
func fixed(key []byte) []byte {
	if key == nil {
		return make([]byte, query.SealedKeySize)
	}
	return key
}

// loose is a stored key as it was; nil: there is none.
func loose(key []byte) []byte {
	if len(bytes.Trim(key, "\x00")) == 0 {
		return nil
	}
	return key
}

func secretOf(r *query.Record) *runSecret {
	return &runSecret{r.ID, fixed(r.TextKey), fixed(r.RowsKey)}
}

// marked is a record as it is stored beside its keys.
func marked(r *query.Record) *query.Record {
	out := *r
	if out.RowsKey != nil {
		out.RowsKey = []byte(inSecrets)
	}
	return &out
}

func (tx queryTx) AddRun(ctx context.Context, r *query.Record) error {
	if err := runs.Add(ctx, tx.Tx, marked(r)); err != nil {
		return err
	}
	return runSecrets.Add(ctx, tx.Tx, secretOf(r))
}

func (tx queryTx) SetRun(ctx context.Context, r *query.Record) error {
	none, err := absent(runSecrets.Set(ctx, tx.Tx, secretOf(r)))
	if err != nil {
		return err
	}
	if none { // from before there were any
		return runs.Set(ctx, tx.Tx, r)
	}
	return runs.Set(ctx, tx.Tx, marked(r))
}

func (tx queryTx) listRuns(ctx context.Context, tail string, args ...any) ([]query.Record, error) {
	list, err := runs.List(ctx, tx.Tx, tail, args...)
	if err != nil {
		return nil, err
	}
	return list, tx.findSecrets(ctx, list)
}

// mostSecrets is how many keys are asked for at once.
const mostSecrets = 500

// findSecrets puts the keys of records into them.
func (tx queryTx) findSecrets(ctx context.Context, list []query.Record) error {
	for len(list) > mostSecrets {
		if err := tx.findSecrets(ctx, list[:mostSecrets]); err != nil {
			return err
		}
		list = list[mostSecrets:]
	}
	if len(list) == 0 {
		return nil
	}
	at, args, marks := map[string]*query.Record{}, make([]any, len(list)), make([]string, len(list))
	for i := range list {
		at[list[i].ID], args[i], marks[i] = &list[i], list[i].ID, "$"+strconv.Itoa(i+1)
	}
	secrets, err := runSecrets.List(ctx, tx.Tx, "WHERE run_id IN ("+strings.Join(marks, ", ")+")", args...)
	for i := range secrets {
		r := at[secrets[i].runID]
		r.TextKey, r.RowsKey = loose(secrets[i].textKey), loose(secrets[i].rowsKey)
	}
	return err
}
