package proxy_test

import (
	"testing"

	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// psqlODBC puts a savepoint before each statement, into the same string, and
// goes back to it after an error. A refusal must leave it there.
func TestRefusedStringKeepsItsSavepoints(t *testing.T) {
	t.Parallel()
	d := open(t, denyForbidden())
	c := d.client()
	want(t, c.Query("CREATE TEMP TABLE w(a int)"), "C(CREATE TABLE) Z(I)")

	want(t, c.Query("BEGIN"), "C(BEGIN) Z(T)")
	want(t, c.Query("INSERT INTO w VALUES (1)"), "C(INSERT 0 1) Z(T)")
	want(t, c.Query("SAVEPOINT a; SELECT * FROM forbidden"), "C(SAVEPOINT) E(42501) Z(E)")
	want(t, c.Errors()[0].Message, "closed here")
	want(t, c.Query("ROLLBACK TO a"), "C(ROLLBACK) Z(T)")
	want(t, c.Query("RELEASE a; SAVEPOINT a; SELECT * FROM forbidden"), "C(RELEASE) C(SAVEPOINT) E(42501) Z(E)")
	want(t, c.Query("ROLLBACK TO a; INSERT INTO w VALUES (2)"), "C(ROLLBACK) C(INSERT 0 1) Z(T)")
	want(t, c.Query("COMMIT"), "C(COMMIT) Z(I)")
	want(t, c.One("SELECT count(*) FROM w"), "2")

	// What stands between is not run, nor is what comes after.
	want(t, c.Query("BEGIN"), "C(BEGIN) Z(T)")
	want(t, c.Query("SAVEPOINT b; INSERT INTO w VALUES (3); SAVEPOINT c; SELECT * FROM forbidden"), "C(SAVEPOINT) E(42501) Z(E)")
	want(t, c.Query("ROLLBACK TO c"), "E(3B001) Z(E)")
	want(t, c.Query("ROLLBACK TO b"), "C(ROLLBACK) Z(T)")
	want(t, c.One("SELECT count(*) FROM w"), "2")
	want(t, c.Query("ROLLBACK"), "C(ROLLBACK) Z(I)")

	// A savepoint that fails is the server's business: the rest is not reached.
	want(t, c.Query("BEGIN"), "C(BEGIN) Z(T)")
	want(t, c.Query("RELEASE nothing; SELECT * FROM forbidden"), "E(3B001) Z(E)")
	want(t, c.Query("SAVEPOINT a; SELECT * FROM forbidden"), "E(42501) Z(E)")
	want(t, c.Query("ROLLBACK"), "C(ROLLBACK) Z(I)")

	// Outside a transaction nothing goes up.
	want(t, c.Query("SAVEPOINT a; SELECT * FROM forbidden"), "E(42501) Z(I)")
	c.Close()
}

// A FunctionCall names what it calls by a number: a rule about tables refuses
// it, but for the functions of large objects, whose numbers everybody knows.
func TestFunctionCallUnderRule(t *testing.T) {
	t.Parallel()
	d := open(t, denyForbidden())
	c := d.client()
	want(t, c.Query("BEGIN"), "C(BEGIN) Z(T)")
	want(t, c.Do(pt.FunctionCall(715, "4711")), "V Z(T)")           // lo_create
	want(t, c.Do(pt.FunctionCall(952, "4711", "262144")), "V Z(T)") // lo_open
	want(t, c.Do(pt.FunctionCall(1397, "-5")), "E(42501) Z(E)")     // abs
	want(t, c.Query("ROLLBACK"), "C(ROLLBACK) Z(I)")
	c.Close()
}
