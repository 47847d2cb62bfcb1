package catalog

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Names of all schemas but the server's own short-lived ones. Those of
// pg_catalog and information_schema are read for the views that stand on them.
const relationsSQL = `
SELECT c.oid, n.nspname::pg_catalog.text, c.relname::pg_catalog.text, c.relkind::pg_catalog.text
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
 WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,v,m,f,S,p}'::pg_catalog."char"[])
   AND c.relpersistence OPERATOR(pg_catalog.<>) 't'::pg_catalog."char"
   AND NOT pg_catalog.starts_with(n.nspname::pg_catalog.text, 'pg_toast')
 ORDER BY c.oid LIMIT $1`

const inheritsSQL = `
SELECT i.inhparent, i.inhrelid FROM pg_catalog.pg_inherits AS i ORDER BY i.inhparent, i.inhrelid`

// The oids of relations and functions in a stored parse tree. A string within
// a tree has its blanks escaped and cannot look like a field.
const (
	treeRelations = `ARRAY(SELECT DISTINCT m[1]::pg_catalog.oid FROM pg_catalog.regexp_matches(%[1]s::pg_catalog.text, ':relid (\d+)', 'g') AS m ORDER BY 1)`
	treeFunctions = `ARRAY(SELECT DISTINCT m[1]::pg_catalog.oid FROM pg_catalog.regexp_matches(%[1]s::pg_catalog.text, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') AS m ORDER BY 1)`
	treeDomains   = `pg_catalog.strpos(%[1]s::pg_catalog.text, '{COERCETODOMAIN') OPERATOR(pg_catalog.>) 0`
	treeOther     = `%[1]s::pg_catalog.text OPERATOR(pg_catalog.~) ':commandType [02-9]'` // something but a SELECT
)

// View definitions: ON SELECT rules.
const viewsSQL = `
SELECT r.ev_class, ` + treeRelations + `, ` + treeFunctions + `, ` + treeDomains + `
  FROM pg_catalog.pg_rewrite AS r
  JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) r.ev_class
 WHERE r.ev_type OPERATOR(pg_catalog.=) '1'::pg_catalog."char"
   AND c.relnamespace OPERATOR(pg_catalog.<>) ALL ($1)
 ORDER BY r.ev_class`

// What row level security calls when a table is read.
const policiesSQL = `
SELECT p.polrelid, ` + treeFunctions + `, ` + treeDomains + `
  FROM pg_catalog.pg_policy AS p
 WHERE p.polqual IS NOT NULL
 ORDER BY p.oid`

// Functions that can be called by name. The body of standard SQL exists since
// version 14.
const functionsSQL = `
SELECT p.oid, n.nspname::pg_catalog.text, p.proname::pg_catalog.text, p.provolatile::pg_catalog.text,
       l.lanname::pg_catalog.text, p.prokind::pg_catalog.text,
       CASE WHEN a.aggfnoid IS NULL THEN '{}'
            ELSE ARRAY[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,
                       a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]::pg_catalog.oid[] END,
       %[1]s IS NOT NULL AND NOT coalesce(%[2]s, false) AND NOT coalesce(%[3]s, false), %[4]s, %[5]s
  FROM pg_catalog.pg_proc AS p
  JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
  JOIN pg_catalog.pg_language AS l ON l.oid OPERATOR(pg_catalog.=) p.prolang
  LEFT JOIN pg_catalog.pg_aggregate AS a ON a.aggfnoid::pg_catalog.oid OPERATOR(pg_catalog.=) p.oid
 WHERE p.pronamespace OPERATOR(pg_catalog.<>) ALL ($1)
   AND NOT pg_catalog.starts_with(n.nspname::pg_catalog.text, 'pg_temp_')
   AND p.prorettype OPERATOR(pg_catalog.<>) ALL (ARRAY['pg_catalog.trigger', 'pg_catalog.event_trigger']::pg_catalog.regtype[]::pg_catalog.oid[])
 ORDER BY p.oid LIMIT $2`

// The server's own functions by which a definition may do more than its tree
// says: volatile ones, and those that run a text as SQL.
const builtinsSQL = `
SELECT p.oid, p.proname::pg_catalog.text, p.provolatile OPERATOR(pg_catalog.=) 'v'::pg_catalog."char"
  FROM pg_catalog.pg_proc AS p
 WHERE p.pronamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace::pg_catalog.oid
   AND (p.provolatile OPERATOR(pg_catalog.=) 'v'::pg_catalog."char"
        OR pg_catalog.strpos(p.proname::pg_catalog.text, '_to_xml') OPERATOR(pg_catalog.>) 0)`

// A number for each table of the catalog that changes with every row: looking
// for a change costs a hundredth of reading all parse trees.
const stampSQL = `
SELECT pg_catalog.concat_ws('/',
  (SELECT pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws('/', t.oid, t.xmin), 0)) FROM pg_catalog.pg_class AS t
    WHERE t.relpersistence OPERATOR(pg_catalog.<>) 't'::pg_catalog."char"),
  (SELECT pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws('/', t.inhparent, t.inhrelid, t.xmin), 0)) FROM pg_catalog.pg_inherits AS t),
  (SELECT pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws('/', t.oid, t.xmin), 0)) FROM pg_catalog.pg_rewrite AS t),
  (SELECT pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws('/', t.oid, t.xmin), 0)) FROM pg_catalog.pg_policy AS t),
  (SELECT pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws('/', t.oid, t.xmin), 0)) FROM pg_catalog.pg_proc AS t),
  (SELECT pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws('/', t.oid, t.xmin), 0)) FROM pg_catalog.pg_namespace AS t
    WHERE NOT pg_catalog.starts_with(t.nspname::pg_catalog.text, 'pg_')))`

const systemSQL = `
SELECT pg_catalog.current_database()::pg_catalog.text, pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
       ARRAY(SELECT n.oid FROM pg_catalog.pg_namespace AS n
              WHERE n.nspname OPERATOR(pg_catalog.=) ANY ('{pg_catalog,information_schema}'::pg_catalog.name[]))`

// sqlBodyVersion is the first server_version_num with pg_proc.prosqlbody.
const sqlBodyVersion = 140000

// rows is what the queries return.
type rows struct {
	database  string
	relations []relationRow
	inherits  []inheritsRow
	views     []treeRow
	policies  []treeRow
	functions []functionRow
	builtins  map[uint32]builtin
}

type relationRow struct {
	oid          uint32
	schema, name string
	kind         string
}

type inheritsRow struct{ parent, child uint32 }

// treeRow is what a stored parse tree names.
type treeRow struct {
	of                   uint32
	relations, functions []uint32
	domains              bool // it coerces to a domain, whose checks are not in the tree
}

type functionRow struct {
	oid                           uint32
	schema, name                  string
	volatility, language, prokind string
	parts                         []uint32 // of an aggregate
	selects                       bool     // it has a tree, which only selects
	tree                          treeRow
}

type builtin struct {
	name     string
	volatile bool
}

// fetch reads everything in one snapshot, or nothing if the stamp is still the
// one before: then the contents are nil.
func (r *Reader) fetch(ctx context.Context, before string) (out *contents, stamp string, err error) {
	conn, err := pgx.ConnectConfig(ctx, r.conf)
	if err != nil {
		return nil, "", fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, conn, options, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, stampSQL).Scan(&stamp); err != nil {
			return fmt.Errorf("look for changes: %w", err)
		}
		if stamp == before {
			return nil
		}
		q := query{tx: tx, max: r.cfg.MaxObjects}
		if err := q.all(ctx); err != nil {
			return err
		}
		out = build(&q.rows)
		if n := len(out.relations) + len(out.functions); n > r.cfg.MaxObjects {
			return fmt.Errorf("%w: over %d", ErrTooLarge, r.cfg.MaxObjects)
		}
		return nil
	})
	if err != nil {
		return nil, "", err //nolint:wrapcheck // Read names the act
	}
	return out, stamp, nil
}
