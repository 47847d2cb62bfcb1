package postgres_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/store/postgres"
	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
	"github.com/lockkeeper/lockkeeper/admin/store/storetest"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// The rows of the fixture of schema 1, in a store that the first migration made,
// are brought to the newest schema.
func TestFixture(t *testing.T) {
	t.Parallel()
	dump, err := os.ReadFile("../sqlite/testdata/schema-v1.db.sql")
	if err != nil {
		t.Fatal(err)
	}
	pg := proxytest.StartPostgres(t)
	url := pg.URL(proxytest.Superuser, pg.CreateDatabase(t))
	old, err := postgres.Open(t.Context(), postgres.Config{URL: url, Schema: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	proxytest.Exec(t, proxytest.Connect(t, url), append([]string{"DELETE FROM revisions"}, inserts(string(dump))...)...)
	db := open(t, url, func() time.Time { return storetest.Epoch })
	storetest.Fixture(t, sqldb.NewPeople(db))
}

// inserts are those of a dump of SQLite, in the words of Postgres.
func inserts(dump string) []string {
	bytes := regexp.MustCompile(`X'([0-9a-f]*)'`)
	var out []string
	for line := range strings.Lines(dump) {
		if strings.HasPrefix(line, "INSERT INTO ") && !strings.Contains(line, "goose_db_version") {
			out = append(out, strings.ReplaceAll(bytes.ReplaceAllString(line, `'\x$1'::bytea`), "char(10)", "chr(10)"))
		}
	}
	return out
}
