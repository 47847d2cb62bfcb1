// Package lockwatch asks a Postgres warehouse who blocks whom, and ends
// backends, through one connection of the operator's login.
//
// It is asked on suspicion only: about backends whose statement has run for
// longer than it should. Of those the ones that do wait for a lock are found
// first (by pg_stat_activity for a login with pg_monitor, by pg_locks for any
// other, to whom wait events are NULL); only for them pg_blocking_pids is
// called, which stops the lock manager for a moment. Blockers that wait
// themselves are followed, so that the edges lead to the roots: those who hold
// and wait for nobody. A third read names what waiter and blocker meet on.
//
//	Edges([4711])          4711 ──soft──► 4712 ──► 4713
//	                       select         truncate  idle in transaction
//
// The reads are not one moment: an edge may be gone when it is reported, and
// the next look does not show it any more. Whoever acts on an edge looks again.
//
// Names and operators in the queries are written out (pg_catalog.…), and the
// connection's search_path is pg_catalog: nothing that others create can stand
// in for the catalog.
//
// What it does not do: it decides nothing (policy.Release does), it does not
// poll, and it does not read Redshift's lock tables.
package lockwatch
