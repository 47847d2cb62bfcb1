package proxy_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/policy"
	pt "github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

func denyForbidden() policy.Source {
	return policy.Source{Rules: []policy.RuleSource{{ID: "no-forbidden", When: policy.Condition{Reads: []string{"*.forbidden"}}, Deny: "closed here"}}}
}

// A refusal has exactly the effect that an error of the server at that message
// would have.
func TestRefusalIsAnErrorOfTheServer(t *testing.T) {
	t.Parallel()
	d := open(t, denyForbidden())
	c := d.client()

	// Simple protocol, idle: nothing runs, also of a string with an innocent part.
	want(t, c.Query("SELECT * FROM forbidden"), "E(42501) Z(I)")
	want(t, c.Query("CREATE TABLE never(); SELECT * FROM forbidden"), "E(42501) Z(I)")
	want(t, c.Query("SELECT to_regclass('never')"), "T D C(SELECT 1) Z(I)")
	want(t, c.Rows()[0][0], "<null>")

	// In a transaction the server fails, and savepoints survive.
	want(t, c.Query("BEGIN"), "C(BEGIN) Z(T)")
	want(t, c.Query("SAVEPOINT a"), "C(SAVEPOINT) Z(T)")
	want(t, c.Query("SELECT * FROM forbidden"), "E(42501) Z(E)")
	want(t, c.Errors()[0].Message, "closed here")
	want(t, c.Query("SELECT 1"), "E(25P02) Z(E)")
	want(t, c.Query("ROLLBACK TO a"), "C(ROLLBACK) Z(T)")
	want(t, c.Query("SELECT 1"), "T D C(SELECT 1) Z(T)")
	want(t, c.Query("COMMIT"), "C(COMMIT) Z(I)")

	// Extended, alone: answered by us, discarded to Sync.
	want(t, c.Do(pt.Parse("", "SELECT 2 AS forbidden"), pt.Bind("", ""), pt.Describe('P', ""), pt.Execute("", 0), pt.Sync()), "1 E(42501) Z(I)")
	want(t, c.Do(pt.Parse("f", "SELECT 1 AS forbidden"), pt.Sync()), "1 Z(I)")
	want(t, c.Do(pt.Bind("", "f"), pt.Execute("", 0), pt.Sync()), "E(42501) Z(I)")

	// In a pipeline: what came before is undone with the implicit transaction,
	// what comes after is discarded.
	want(t, c.Query("CREATE TEMP TABLE w(a int)"), "C(CREATE TABLE) Z(I)")
	want(t, c.Do(
		pt.Parse("", "INSERT INTO w VALUES (1)"), pt.Bind("", ""), pt.Execute("", 0),
		pt.Bind("", "f"), pt.Execute("", 0),
		pt.Parse("", "INSERT INTO w VALUES (2)"), pt.Bind("", ""), pt.Execute("", 0),
		pt.Sync(),
	), "1 2 C(INSERT 0 1) E(42501) Z(I)")
	want(t, c.One("SELECT count(*) FROM w"), "0")

	// An earlier error of the client stands; ours is not said.
	want(t, c.Do(
		pt.Parse("", "SELECT 1/0"), pt.Bind("", ""), pt.Execute("", 0),
		pt.Bind("", "f"), pt.Execute("", 0), pt.Sync(),
	), "1 E(22012) Z(I)")

	// The client's unnamed statement survives a refusal.
	want(t, c.Query("BEGIN"), "C(BEGIN) Z(T)")
	want(t, c.Query("SAVEPOINT s"), "C(SAVEPOINT) Z(T)")
	want(t, c.Do(pt.Parse("", "SELECT 5"), pt.Sync()), "1 Z(T)")
	want(t, c.Do(pt.Bind("", "f"), pt.Execute("", 0), pt.Sync()), "E(42501) Z(E)")
	want(t, c.Do(pt.Parse("rb", "ROLLBACK TO s"), pt.Bind("", "rb"), pt.Execute("", 0), pt.Sync()), "1 2 C(ROLLBACK) Z(T)")
	want(t, c.Do(pt.Bind("", ""), pt.Execute("", 0), pt.Sync()), "2 D C(SELECT 1) Z(T)")
	want(t, c.Query("ROLLBACK"), "C(ROLLBACK) Z(I)")

	// COPY refused at once; what the client sends all the same is dropped.
	c.Send(pt.Query("COPY forbidden FROM STDIN"), pt.CopyData("1\n"), pt.CopyDone(), pt.Query("SELECT 1"))
	want(t, c.Receive(), "E(42501) Z(I)")
	want(t, c.Receive(), "T D C(SELECT 1) Z(I)")
	c.Close()
}

func TestCopyProtocol(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{})
	c := d.client()
	want(t, c.Query("CREATE TEMP TABLE w(a int)"), "C(CREATE TABLE) Z(I)")
	c.Send(pt.Query("COPY w FROM STDIN"))
	want(t, c.ReceiveUntil('G'), "G")
	want(t, c.Do(pt.CopyData("1\n2\n"), pt.CopyData("3\n"), pt.CopyDone()), "C(COPY 3) Z(I)")
	want(t, c.Query("COPY w TO STDOUT"), "H d*3 c C(COPY 3) Z(I)")
	// Extended: the first Sync is ignored during the copy, one Z for two Syncs.
	c.Send(pt.Parse("", "COPY w FROM STDIN"), pt.Bind("", ""), pt.Execute("", 0), pt.Sync())
	want(t, c.ReceiveUntil('G'), "1 2 G")
	want(t, c.Do(pt.CopyData("4\n"), pt.CopyDone(), pt.Sync()), "C(COPY 1) Z(I)")
	want(t, c.One("SELECT count(*) FROM w"), "4")
	// A failing row.
	c.Send(pt.Query("COPY w FROM STDIN"), pt.CopyData("x\n"), pt.CopyData("5\n"), pt.CopyDone())
	want(t, c.Receive(), "G E(22P02) Z(I)")
	want(t, c.One("SELECT 1"), "1")
	// A BEFORE STATEMENT trigger that fails leaves the early Sync to be answered: two Z.
	want(t, c.Query("CREATE FUNCTION pg_temp.no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no'; END$$"), "C(CREATE FUNCTION) Z(I)")
	want(t, c.Query("CREATE TRIGGER no BEFORE INSERT ON w EXECUTE FUNCTION pg_temp.no()"), "C(CREATE TRIGGER) Z(I)")
	c.Send(pt.Parse("", "COPY w FROM STDIN"), pt.Bind("", ""), pt.Execute("", 0), pt.Sync())
	want(t, c.Receive(), "1 2 G E(P0001) Z(I)")
	want(t, c.Do(pt.CopyData("4\n"), pt.CopyDone(), pt.Sync()), "Z(I)")
	// A Query during COPY fails the copy.
	want(t, c.Query("DROP TRIGGER no ON w"), "C(DROP TRIGGER) Z(I)")
	c.Send(pt.Query("COPY w FROM STDIN"))
	want(t, c.ReceiveUntil('G'), "G")
	want(t, c.Do(pt.Query("SELECT 1")), "E(57014) Z(I)")
	want(t, c.One("SELECT count(*) FROM w"), "4")
	c.Close()
}
