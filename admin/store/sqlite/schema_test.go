package sqlite_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
	"github.com/lockkeeper/lockkeeper/admin/store/sqlite"
	"github.com/lockkeeper/lockkeeper/admin/store/storetest"
)

// A store of the first schema opens with today's, and keeps all it held.
func TestSchemaV1(t *testing.T) {
	t.Parallel()
	dump, err := os.ReadFile("testdata/schema-v1.sql")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "office.db")
	old, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = old.ExecContext(t.Context(), string(dump))
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	storetest.CheckV1(t, sqldb.NewPeople(open(t, path, func() time.Time { return storetest.Epoch })))
}

// A run from before runs had keys of their own keeps what it had: the key of its
// rows stands in its row, and goes from there.
func TestRunsFromBeforeTextKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "office.db")
	old, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Schema: 3})
	if err != nil {
		t.Fatal(err)
	}
	err = old.Tx(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO runs VALUES ('r_1', 'p_1', 'person', 'ann', 'Ann', '', '', '', 'warehouse', 'succeeded', 'web', 'old title',
			'read_only', 'interactive', 'truncate', '{}', '{}', 0, 0, 0, 0, '', 0, '', 1, 2, 3, 4, 5, X'01', X'02', X'03', X'0405', 7, 'null')`)
		return err
	})
	if err := errors.Join(err, old.Close()); err != nil {
		t.Fatal(err)
	}
	store := sqldb.NewQueries(open(t, path, time.Now))
	err = store.Update(t.Context(), func(tx query.Tx) error {
		r, err := tx.Run(t.Context(), "r_1")
		if err != nil {
			return err
		}
		if r.Title != "old title" || string(r.RowsKey) != "\x04\x05" || r.TextKey != nil || r.SealedTitle != nil {
			t.Errorf("read as %+v", r)
		}
		r.Version++
		if err := tx.SetRun(t.Context(), r); err != nil {
			return err
		}
		if r, err = tx.Run(t.Context(), "r_1"); err != nil || string(r.RowsKey) != "\x04\x05" || r.Version != 6 {
			t.Errorf("after a change: %+v, %v", r, err)
		}
		r.RowsKey = nil
		if err := tx.SetRun(t.Context(), r); err != nil {
			return err
		}
		due, err := tx.DueRuns(t.Context(), time.UnixMicro(100), 10)
		if r, err2 := tx.Run(t.Context(), "r_1"); err2 != nil || r.RowsKey != nil || len(due) != 0 {
			t.Errorf("without the key: %+v, %v, %d due", r, err2, len(due))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
