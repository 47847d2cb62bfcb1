package sqlite_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
	"github.com/lockkeeper/lockkeeper/admin/store/storetest"
)

// A store of schema 1, as it lay on a disk, is brought to the newest schema with
// all that is in it.
func TestFixture(t *testing.T) {
	t.Parallel()
	dump, err := os.ReadFile("testdata/schema-v1.db.sql")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "office.db")
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.ExecContext(t.Context(), string(dump)); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	storetest.Fixture(t, sqldb.NewPeople(open(t, path, func() time.Time { return storetest.Epoch })))
}
