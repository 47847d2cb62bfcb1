package proxy_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/policy"
)

// What Postgres' own suites have found: a client must not be able to tell that
// somebody stands in between.

// When the warehouse itself says goodbye, nothing is added to its words.
func TestFatalOfTheWarehouseIsTheLastWord(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{})
	c := d.client()
	want(t, c.Query("DO $$BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); END$$"), "E(57P01) EOF")
}

// Reading the search_path must not create the session's temporary schema: a
// transaction in which that happens cannot be prepared, and one in which it has
// happened before can.
func TestSearchPathIsReadWithoutATrace(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{})
	c := d.client()
	want(t, c.Query("SET search_path TO pg_temp"), "C(SET) Z(I)")
	want(t, c.Query("BEGIN"), "C(BEGIN) Z(T)")
	want(t, c.One("SELECT current_schema() ~ 'pg_temp'"), "t")
	want(t, c.Query("PREPARE TRANSACTION 'search_path'"), "E(0A000) Z(I)")
}
