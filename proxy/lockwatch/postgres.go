package lockwatch

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

// What the login may do. A right that a role has but does not inherit is none.
const capsSQL = `
SELECT r.rolname::pg_catalog.text,
       r.rolsuper,
       r.rolsuper OR pg_catalog.pg_has_role(r.oid, m.oid, 'USAGE'),
       r.rolsuper OR pg_catalog.pg_has_role(r.oid, s.oid, 'USAGE'),
       pg_catalog.current_setting('server_version_num')::pg_catalog.int4
  FROM pg_catalog.pg_roles AS r, pg_catalog.pg_roles AS m, pg_catalog.pg_roles AS s
 WHERE r.rolname OPERATOR(pg_catalog.=) CURRENT_USER
   AND m.rolname OPERATOR(pg_catalog.=) 'pg_read_all_stats'::pg_catalog.name
   AND s.rolname OPERATOR(pg_catalog.=) 'pg_signal_backend'::pg_catalog.name`

// Who of $1 waits, and for whom: for a login that sees wait events. A parallel
// worker waits in its leader's name.
const blockedMonitorSQL = `
SELECT coalesce(a.leader_pid, a.pid), pg_catalog.pg_blocking_pids(a.pid)
  FROM pg_catalog.pg_stat_activity AS a
 WHERE (a.pid OPERATOR(pg_catalog.=) ANY ($1) OR a.leader_pid OPERATOR(pg_catalog.=) ANY ($1))
   AND a.wait_event_type OPERATOR(pg_catalog.=) 'Lock'::pg_catalog.text`

// The same for a login that does not.
const blockedSQL = `
SELECT w.pid, pg_catalog.pg_blocking_pids(w.pid)
  FROM (SELECT DISTINCT l.pid
          FROM pg_catalog.pg_locks AS l
         WHERE NOT l.granted AND l.pid OPERATOR(pg_catalog.=) ANY ($1)) AS w`

// The locks by which the backends of $1, and prepared transactions, meet: what
// one of them waits for, whoever has it, and what they write to. The tag tells
// two locks apart; a relation of another database has no name here.
const locksSQL = `
WITH l AS MATERIALIZED (
  SELECT coalesce(k.pid, 0) AS pid, k.locktype, k.mode, k.granted, k.relation, k.database,
         ROW(k.locktype, k.database, k.relation, k.page, k.tuple, k.virtualxid, k.transactionid,
             k.classid, k.objid, k.objsubid)::pg_catalog.text AS tag
    FROM pg_catalog.pg_locks AS k
   WHERE k.pid IS NULL OR k.pid OPERATOR(pg_catalog.=) ANY ($1))
SELECT l.pid, l.tag, l.mode, l.granted, l.locktype,
       coalesce(n.nspname::pg_catalog.text, ''), coalesce(c.relname::pg_catalog.text, ''),
       coalesce(c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,m,f}'::pg_catalog."char"[]), false)
  FROM l
  LEFT JOIN pg_catalog.pg_class AS c
    ON c.oid OPERATOR(pg_catalog.=) l.relation
   AND (l.database OPERATOR(pg_catalog.=) 0::pg_catalog.oid
        OR l.database OPERATOR(pg_catalog.=)
           (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()))
  LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
 WHERE EXISTS (SELECT 1 FROM l AS w WHERE NOT w.granted AND w.tag OPERATOR(pg_catalog.=) l.tag)
    OR l.locktype OPERATOR(pg_catalog.=) 'tuple'::pg_catalog.text
    OR (l.locktype OPERATOR(pg_catalog.=) 'relation'::pg_catalog.text
        AND l.mode OPERATOR(pg_catalog.<>) 'AccessShareLock'::pg_catalog.text)
 LIMIT 10000`

const terminateSQL = `SELECT pg_catalog.pg_terminate_backend($1)`

// session is a live connection and what it may do.
type session struct {
	conn *pgx.Conn
	caps Caps
}

// waits maps a waiting backend to those that block it, 0 being a prepared
// transaction.
type waits map[uint32][]uint32

// lock is a row of pg_locks.
type lock struct {
	pid      uint32
	tag      string
	mode     string
	granted  bool
	kind     string
	relation string // schema.name; empty: none, or not known here
	table    bool   // relation is one that holds rows
}

func dial(ctx context.Context, conf *pgx.ConnConfig) (*session, error) {
	conn, err := pgx.ConnectConfig(ctx, conf)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	s := &session{conn: conn}
	row := conn.QueryRow(ctx, capsSQL)
	if err := row.Scan(&s.caps.User, &s.caps.Superuser, &s.caps.Monitor, &s.caps.Terminate, &s.caps.Version); err != nil {
		_ = conn.Close(ctx)
		return nil, fmt.Errorf("read rights: %w", err)
	}
	return s, nil
}

// blocked follows the waiters to the roots, one round trip a step.
func (s *session) blocked(ctx context.Context, waiters []uint32) (waits, error) {
	sql := blockedSQL
	if s.caps.Monitor {
		sql = blockedMonitorSQL
	}
	out, asked := waits{}, map[uint32]bool{0: true}
	for next := waiters; ; {
		var ask []int32
		for _, pid := range next {
			if !asked[pid] && len(asked) < maxPIDs {
				asked[pid] = true
				ask = append(ask, int32(pid)) //nolint:gosec // pids are positive int32 in the server
			}
		}
		if len(ask) == 0 {
			return out, nil
		}
		found, err := s.step(ctx, sql, ask)
		if err != nil {
			return nil, err
		}
		next = nil
		for waiter, holders := range found {
			out[waiter] = holders
			next = append(next, holders...)
		}
	}
}

func (s *session) step(ctx context.Context, sql string, pids []int32) (waits, error) {
	rows, err := s.conn.Query(ctx, sql, pids)
	if err != nil {
		return nil, fmt.Errorf("ask who waits: %w", err)
	}
	out := waits{}
	var waiter uint32
	var holders []uint32
	_, err = pgx.ForEachRow(rows, []any{&waiter, &holders}, func() error {
		// Parallel workers are reported by their leader's pid, each once.
		all := slices.Concat(out[waiter], holders)
		slices.Sort(all)
		all = slices.DeleteFunc(slices.Compact(all), func(h uint32) bool { return h == waiter })
		if len(all) > 0 {
			out[waiter] = all
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask who waits: %w", err)
	}
	return out, nil
}

func (s *session) locks(ctx context.Context, pids []int32) ([]lock, error) {
	rows, err := s.conn.Query(ctx, locksSQL, pids)
	if err != nil {
		return nil, fmt.Errorf("read locks: %w", err)
	}
	var out []lock
	var l lock
	var schema, name string
	_, err = pgx.ForEachRow(rows, []any{&l.pid, &l.tag, &l.mode, &l.granted, &l.kind, &schema, &name, &l.table}, func() error {
		l.relation = ""
		if name != "" {
			l.relation = schema + "." + name
		}
		out = append(out, l)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read locks: %w", err)
	}
	return out, nil
}

func (s *session) terminate(ctx context.Context, pid uint32) error {
	var sent bool
	if err := s.conn.QueryRow(ctx, terminateSQL, int32(pid)).Scan(&sent); err != nil { //nolint:gosec // as above
		return err //nolint:wrapcheck // the caller names the act
	}
	if !sent {
		return ErrNoBackend
	}
	return nil
}

// pids returns all that wait or block.
func (w waits) pids() []int32 {
	set := map[uint32]bool{}
	for waiter, holders := range w {
		set[waiter] = true
		for _, h := range holders {
			set[h] = true
		}
	}
	delete(set, 0)
	out := make([]int32, 0, len(set))
	for _, pid := range slices.Sorted(maps.Keys(set)) {
		out = append(out, int32(pid)) //nolint:gosec // as above
	}
	return out
}
