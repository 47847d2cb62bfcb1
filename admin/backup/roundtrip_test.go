package backup_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/backup"
	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
	"github.com/lockkeeper/lockkeeper/admin/store/sqlite"
	"github.com/lockkeeper/lockkeeper/admin/store/storetest"
)

// animal is a row of the zoo.
type animal []any

// zoo makes rows of all kinds; those that refer to others come in any order.
func zoo(r *rand.Rand, n int) []animal {
	texts := []any{nil, "", "a\tb\r\n\"\\</script>", "Ünïcödé 🦁 \u2028\u200b", strings.Repeat("x", 5000), "[1,null]", `{"bytes":"AA=="}`}
	raws := []any{nil, []byte{}, []byte{0, 1, 255}, []byte("text"), bytes.Repeat([]byte{0}, 70_000)}
	numbers := []any{nil, int64(0), int64(-1), int64(math.MaxInt64), int64(math.MinInt64), int64(1<<53 + 1)}
	var out []animal
	for i := range n {
		a := animal{fmt.Sprintf("id%d", i), nil, numbers[r.IntN(len(numbers))], int64(r.IntN(1<<16) - 1<<15), texts[r.IntN(len(texts))], raws[r.IntN(len(raws))], nil}
		if r.IntN(3) > 0 {
			a[1] = fmt.Sprintf("id%d", r.IntN(n))
		}
		if r.IntN(3) > 0 {
			a[6] = int64(r.IntN(n))
		}
		out = append(out, a)
	}
	return out
}

// fill puts rows in without their references first.
func (o office) fill(t testing.TB, animals []animal) {
	t.Helper()
	err := o.db.Tx(t.Context(), func(tx *sqldb.Tx) error {
		for i, a := range animals {
			if _, err := tx.Exec(t.Context(), "INSERT INTO animals VALUES ($1, NULL, $2, $3, $4, $5, NULL)", a[0], a[2], a[3], a[4], a[5]); err != nil {
				return err
			}
			if _, err := tx.Exec(t.Context(), `INSERT INTO "select" VALUES ($1, $2, $3)`, int64(i), a[0], ""); err != nil {
				return err
			}
		}
		for _, a := range animals {
			if _, err := tx.Exec(t.Context(), "UPDATE animals SET mother = $2, cage = $3 WHERE id = $1", a[0], a[1], a[6]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// live makes the office one that has been used.
func (o office) live(t testing.TB) []animal {
	t.Helper()
	random := rand.NewChaCha8([32]byte{1})
	r := rand.New(random)
	animals := zoo(r, 300)
	o.fill(t, animals)
	err := sqldb.NewPeople(o.db).Update(t.Context(), func(tx admin.Tx) error {
		return errors.Join(tx.AddPrincipal(t.Context(), storetest.Somebody("ana")), tx.Bump(t.Context()))
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, size := range []int{0, 1, 511, 512, 513, 1 << 20, 1<<20 + 1, 20 << 20} {
		content := make([]byte, size)
		_, _ = random.Read(content) // never fails
		o.put(t, fmt.Sprintf("run/%d/rows-%d", i, size), content)
	}
	o.put(t, strings.Repeat("abcdefghi/", 25)+"long", []byte("name"))
	return animals
}

// What was there is there again, whatever the engines.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, from := range engines {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			src := newOffice(t, from).circle(t)
			animals := src.live(t)
			file, written := src.backUp(t)
			if written.Blobs.Count != 9 || written.Vanished.Count != 0 || len(written.Keys) != 0 {
				t.Errorf("manifest %+v", written)
			}
			rows, content := src.rows(t), src.content(t)
			var want []string
			for _, a := range animals {
				want = append(want, show(a))
			}
			slices.Sort(want)
			for _, to := range engines {
				dst := newOffice(t, to).circle(t)
				m, err := dst.restore(t.Context(), bytes.NewReader(file))
				if err != nil {
					t.Fatalf("to %s: %v", to, err)
				}
				sameJSON(t, "manifest", m, written)
				got := dst.rows(t)
				if d := cmp.Diff(want, got["animals"]); d != "" {
					t.Errorf("to %s: animals %s", to, d)
				}
				if d := cmp.Diff(rows, got); d != "" {
					t.Errorf("to %s: %s", to, d)
				}
				if d := cmp.Diff(content, dst.content(t)); d != "" {
					t.Errorf("to %s: blobs %s", to, d)
				}
				again, _ := dst.backUp(t)
				third := newOffice(t, from).circle(t)
				if _, err := third.restore(t.Context(), bytes.NewReader(again)); err != nil {
					t.Fatalf("%s to %s and back: %v", from, to, err)
				}
				if d := cmp.Diff(rows, third.rows(t)); d != "" {
					t.Errorf("%s to %s and back: %s", from, to, d)
				}
				dst.wantReferences(t)
			}
		})
	}
}

// wantReferences: a restore gives the engine's watch over references back.
func (o office) wantReferences(t testing.TB) {
	t.Helper()
	err := o.db.Tx(t.Context(), func(tx *sqldb.Tx) error {
		if _, err := tx.Exec(t.Context(), "UPDATE animals SET mother = 'nobody'"); err == nil {
			t.Errorf("%s: references are not checked at once any more", o.engine)
			return errors.New("undo")
		}
		return errors.New("undo")
	})
	if err == nil {
		t.Error("committed")
	}
}

// SQLite holds what is no UTF-8, and bytes in a column of text; they come back
// to it as they were. Postgres cannot hold them, and says where.
func TestNoUTF8(t *testing.T) {
	t.Parallel()
	src := newOffice(t, "sqlite")
	src.exec(t, "INSERT INTO animals (id, said) VALUES ($1, $2), ($3, CAST($4 AS BLOB))", "a", "\xff\x00", "b", "bytes")
	file, _ := src.backUp(t)
	same := newOffice(t, "sqlite")
	if _, err := same.restore(t.Context(), bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(src.rows(t), same.rows(t)); d != "" {
		t.Error(d)
	}
	pg := newOffice(t, "postgres")
	if _, err := pg.restore(t.Context(), bytes.NewReader(file)); err == nil || !strings.Contains(err.Error(), "tables/animals/000001.jsonl: one of rows 1 to 2") {
		t.Errorf("restored into Postgres: %v", err)
	}
	pg.wantEmpty(t)
}

// A reference that leads nowhere fails the restore, not the store.
func TestDangling(t *testing.T) {
	t.Parallel()
	src := newOffice(t, "postgres") // not a circle: cage refers to nothing
	src.exec(t, "ALTER TABLE animals DROP CONSTRAINT animals_mother_fkey")
	src.exec(t, "INSERT INTO animals (id, mother) VALUES ('a', 'nobody')")
	file, _ := src.backUp(t)
	for _, engine := range engines {
		dst := newOffice(t, engine)
		if _, err := dst.restore(t.Context(), bytes.NewReader(file)); err == nil || !strings.Contains(err.Error(), "animals") {
			t.Errorf("%s: %v", engine, err)
		}
		dst.wantEmpty(t)
		dst.exec(t, "INSERT INTO animals (id) VALUES ('still works')")
	}
}

// A restore takes nothing but an empty store, at the schema of the backup.
func TestRefuses(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		src := newOffice(t, engine)
		src.exec(t, "INSERT INTO animals (id) VALUES ('a')")
		file, _ := src.backUp(t)

		full := newOffice(t, engine)
		full.exec(t, "INSERT INTO animals (id) VALUES ('b')")
		before := full.rows(t)
		if _, err := full.restore(t.Context(), bytes.NewReader(file)); !errors.Is(err, backup.ErrNotEmpty) {
			t.Errorf("into rows: %v", err)
		}
		if d := cmp.Diff(before, full.rows(t)); d != "" {
			t.Error(d)
		}

		blobs := newOffice(t, engine)
		blobs.put(t, "a", nil)
		if _, err := blobs.restore(t.Context(), bytes.NewReader(file)); !errors.Is(err, backup.ErrNotEmpty) {
			t.Errorf("into blobs: %v", err)
		}
		if len(blobs.content(t)) != 1 {
			t.Error("took what was there")
		}

		other := newOffice(t, engine)
		other.exec(t, "ALTER TABLE animals ADD COLUMN legs BIGINT")
		if _, err := other.restore(t.Context(), bytes.NewReader(file)); !errors.Is(err, backup.ErrSchema) {
			t.Errorf("into other columns: %v", err)
		}

		odd := newOffice(t, engine)
		odd.exec(t, "ALTER TABLE animals ADD COLUMN legs REAL")
		if _, err := backup.Write(t.Context(), &bytes.Buffer{}, odd.source()); err == nil || !strings.Contains(err.Error(), "animals.legs") {
			t.Errorf("a type that nobody knows: %v", err)
		}
	}
}

// A restore that was killed leaves its mark; the next one clears it away.
func TestKilledRestore(t *testing.T) {
	t.Parallel()
	src, dst := newOffice(t, "sqlite"), newOffice(t, "sqlite")
	src.put(t, "run/1", []byte("x"))
	file, _ := src.backUp(t)
	dst.put(t, "restore-unfinished", nil)
	dst.put(t, "run/2", []byte("half"))
	if _, err := dst.restore(t.Context(), bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"run/1": digest([]byte("x"))}, dst.content(t)); d != "" {
		t.Error(d)
	}
}

// A backup of an older schema goes into a store that is opened at that schema,
// which the next start brings to the newest.
func TestOlderSchema(t *testing.T) {
	t.Parallel()
	open := func(path string, schema int64) *sqldb.DB {
		db, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Schema: schema})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	path := filepath.Join(t.TempDir(), "new.db")
	old, newest := open(filepath.Join(t.TempDir(), "old.db"), 1), open(filepath.Join(t.TempDir(), "newest.db"), 0)
	err := sqldb.NewPeople(old).Update(t.Context(), func(tx admin.Tx) error { return tx.AddPrincipal(t.Context(), storetest.Somebody("ana")) })
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := backup.Write(t.Context(), &file, backup.Source{Tables: sqldb.NewTables(old), Blobs: &memory{}, Time: noon}); err != nil {
		t.Fatal(err)
	}
	head, err := backup.Peek(bytes.NewReader(file.Bytes()))
	if err != nil || head.Schema != 1 {
		t.Fatalf("schema %d, %v", head.Schema, err)
	}
	if _, err := backup.Restore(t.Context(), bytes.NewReader(file.Bytes()), backup.Destination{Tables: sqldb.NewTables(newest), Blobs: &memory{}}); !errors.Is(err, backup.ErrSchema) {
		t.Errorf("into the newest: %v", err)
	}
	dst := open(path, head.Schema)
	if _, err := backup.Restore(t.Context(), &file, backup.Destination{Tables: sqldb.NewTables(dst), Blobs: &memory{}}); err != nil {
		t.Fatal(err)
	}
	upgraded := errors.Join(old.Close(), newest.Close(), dst.Close())
	dst = open(path, 0)
	err = sqldb.NewPeople(dst).View(t.Context(), func(tx admin.Tx) error {
		_, err := tx.PrincipalByLogin(t.Context(), "ana")
		return err
	})
	if err := errors.Join(upgraded, err, dst.Close()); err != nil {
		t.Error(err)
	}
}
