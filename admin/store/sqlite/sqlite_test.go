package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
	"github.com/lockkeeper/lockkeeper/admin/store/sqlite"
	"github.com/lockkeeper/lockkeeper/admin/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, path string, now func() time.Time) *sqldb.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, now func() time.Time) admin.Store {
		return sqldb.NewPeople(open(t, filepath.Join(t.TempDir(), "office.db"), now))
	})
}

// The file is its owner's alone, also one that was not, and the files beside it.
func TestPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "of#fi ce?.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	db := open(t, path, time.Now)
	err := db.Tx(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.Exec(t.Context(), "UPDATE revisions SET value = value + 1")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("files %v: %v", files, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
	}
}

// What two processes write does not get lost, and each sees the other's.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "office.db")
	for _, db := range []*sqldb.DB{open(t, path, time.Now), open(t, path, time.Now)} {
		err := sqldb.NewPeople(db).Update(t.Context(), func(tx admin.Tx) error { return tx.Bump(t.Context()) })
		if err != nil {
			t.Fatal(err)
		}
	}
	err := sqldb.NewPeople(open(t, path, time.Now)).View(t.Context(), func(tx admin.Tx) error {
		n, err := tx.Revision(t.Context())
		if n != 3 {
			t.Errorf("revision %d, want 3", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLease(t *testing.T) {
	t.Parallel()
	storetest.RunLease(t, func(t *testing.T) *sqldb.DB { return open(t, filepath.Join(t.TempDir(), "office.db"), time.Now) })
}

// A purge gives way to a reader at once: whoever writes stands behind it.
func TestPurgeWaitsForNobody(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "office.db"), nil)
	people := sqldb.NewPeople(db)
	bump := func() {
		if err := people.Update(t.Context(), func(tx admin.Tx) error { return tx.Bump(t.Context()) }); err != nil {
			t.Fatal(err)
		}
	}
	bump()
	err := people.View(t.Context(), func(tx admin.Tx) error {
		if _, err := tx.Revision(t.Context()); err != nil {
			return err
		}
		bump() // so that there is something the reader does not see
		began := time.Now()
		if err := db.Purge(t.Context()); err == nil {
			t.Error("purged under a reader")
		}
		if d := time.Since(began); d > 3*time.Second { // the store's patience is 5
			t.Errorf("it stood in the way of writers for %s", d)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Purge(t.Context()); err != nil {
		t.Errorf("without a reader: %v", err)
	}
}
