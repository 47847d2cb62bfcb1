package backup_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/admin/backup"
	"github.com/lockkeeper/lockkeeper/admin/blob/dir"
	"github.com/lockkeeper/lockkeeper/admin/store/postgres"
	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
	"github.com/lockkeeper/lockkeeper/admin/store/sqlite"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

func TestMain(m *testing.M) { proxytest.Main(m) }

// office is a store with its blobs.
type office struct {
	engine string
	db     *sqldb.DB
	blobs  *dir.Store
}

var engines = []string{"sqlite", "postgres"}

// newOffice opens an empty office with the zoo: tables that refer to each
// other in a circle and to themselves, and hold what columns can hold.
func newOffice(t testing.TB, engine string) office {
	t.Helper()
	o := office{engine: engine}
	var err error
	if engine == "postgres" {
		pg := proxytest.StartPostgres(t)
		o.db, err = postgres.Open(t.Context(), postgres.Config{URL: pg.URL(proxytest.Superuser, pg.CreateDatabase(t))})
	} else {
		o.db, err = sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "office.db")})
	}
	if err != nil {
		t.Fatal(err)
	}
	if o.blobs, err = dir.New(dir.Config{Dir: filepath.Join(t.TempDir(), "blobs")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.db.Close(); err != nil {
			t.Error(err)
		}
		if err := o.blobs.Close(); err != nil {
			t.Error(err)
		}
	})
	text, bytes := "TEXT", "BLOB"
	if engine == "postgres" {
		text, bytes = `TEXT COLLATE "C"`, "BYTEA"
	}
	o.exec(t, "CREATE TABLE animals (id "+text+" PRIMARY KEY, mother "+text+" REFERENCES animals (id), n BIGINT, small SMALLINT, said "+text+", raw "+bytes+", cage BIGINT)")
	o.exec(t, `CREATE TABLE "select" (id BIGINT PRIMARY KEY, "Keeper of" `+text+` REFERENCES animals (id), blob `+text+`)`) // the worst of names
	return o
}

// close the circle, where the engine must be told later.
func (o office) circle(t testing.TB) office {
	t.Helper()
	if o.engine == "postgres" {
		o.exec(t, `ALTER TABLE animals ADD FOREIGN KEY (cage) REFERENCES "select" (id)`)
	}
	return o
}

func (o office) exec(t testing.TB, query string, args ...any) {
	t.Helper()
	err := o.db.Tx(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.Exec(t.Context(), query, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (o office) put(t testing.TB, name string, content []byte) {
	t.Helper()
	w, err := o.blobs.Create(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123, time.UTC)

func (o office) source(keys ...string) backup.Source {
	return backup.Source{Tables: sqldb.NewTables(o.db), Blobs: o.blobs, Keys: keys, By: "test", Time: noon}
}

func (o office) backUp(t testing.TB, keys ...string) ([]byte, backup.Manifest) {
	t.Helper()
	var file bytes.Buffer
	m, err := backup.Write(t.Context(), &file, o.source(keys...))
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), m
}

func (o office) restore(ctx context.Context, file io.Reader, keys ...string) (backup.Manifest, error) {
	return backup.Restore(ctx, file, backup.Destination{Tables: sqldb.NewTables(o.db), Blobs: o.blobs, Keys: keys})
}

// rows are those of all tables, as JSON, sorted.
func (o office) rows(t testing.TB) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	err := sqldb.NewTables(o.db).Read(t.Context(), func(r backup.Reading) error {
		tables, err := r.Tables(t.Context())
		if err != nil {
			return err
		}
		for _, table := range tables {
			err := r.Rows(t.Context(), table, func(row []any) error {
				all[table.Name] = append(all[table.Name], show(row))
				return nil
			})
			if err != nil {
				return err
			}
			slices.Sort(all[table.Name])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// show tells text from bytes, NULL from both when empty, and is short.
func show(row []any) string {
	var b strings.Builder
	for _, v := range row {
		switch v := v.(type) {
		case []byte:
			fmt.Fprintf(&b, "bytes %s | ", digest(v))
		case string:
			fmt.Fprintf(&b, "text %.20q %s | ", v, digest([]byte(v)))
		default:
			fmt.Fprintf(&b, "%v | ", v)
		}
	}
	return b.String()
}

// content is a sum of each blob.
func (o office) content(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	list, err := o.blobs.List(t.Context(), "", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range list {
		b, err := o.blobs.Open(t.Context(), info.Name)
		if err != nil {
			t.Fatal(err)
		}
		content := make([]byte, b.Size())
		if _, err := b.ReadAt(content, 0); err != nil && err != io.EOF { //nolint:errorlint // ReadAt's own
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		all[info.Name] = digest(content)
	}
	return all
}

func digest(b []byte) string { return fmt.Sprintf("%d bytes %x", len(b), sha256.Sum256(b)) }

// wantEmpty: what a failed restore leaves.
func (o office) wantEmpty(t testing.TB) {
	t.Helper()
	rows := o.rows(t)
	if d := cmp.Diff(map[string][]string{"revisions": {show([]any{"people", int64(1)})}}, rows); d != "" {
		t.Errorf("a failed restore leaves rows: %s", d)
	}
	if list, err := o.blobs.List(t.Context(), "", "", 0); err != nil || len(list) > 0 {
		t.Errorf("a failed restore leaves blobs %v, %v", list, err)
	}
}

func sameJSON(t testing.TB, what string, got, want any) {
	t.Helper()
	g, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	w, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(g, w) {
		t.Errorf("%s: %s, want %s", what, g, w)
	}
}
