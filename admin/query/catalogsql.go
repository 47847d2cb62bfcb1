package query

import "github.com/lockkeeper/lockkeeper/policy/sqllex"

// catalogSQL are the statements that a dialect's catalog is read with. They run
// as the caller, so has_table_privilege is his.
type catalogSQL struct {
	tables      string // $1 pattern, $2 schema.name to begin after, $3 limit → schema, name, kind, rows, comment
	table       string // $1 schema, $2 name → the same and bytes
	columns     string // $1 schema, $2 name → name, type, nullable, comment, position
	completions string // → schema, table, kind, column, type, sorted
	functions   string // → name
	path        string // → schemas of the search path, with commas
}

// oneRow makes a look at the catalog of what reads no table: such a look never
// waits in a queue behind what the caller is running.
const oneRow = ` FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog'`

func (t Target) catalog() catalogSQL {
	if t.Dialect == sqllex.Redshift.String() {
		return redshiftCatalog()
	}
	return postgresCatalog()
}

func postgresCatalog() catalogSQL {
	const kind = `CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'table' END`
	const from = `
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
   AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp%'
   AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
   AND (pg_catalog.has_table_privilege(c.oid, 'SELECT') OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT'))`
	const system = ` AND n.nspname NOT IN ('pg_catalog', 'information_schema')`
	const rows = `CASE WHEN c.relkind IN ('v', 'f') OR c.reltuples < 0 THEN NULL ELSE c.reltuples::bigint END`
	const comment = `pg_catalog.obj_description(c.oid, 'pg_class')`
	return catalogSQL{
		tables: `SELECT n.nspname, c.relname, ` + kind + `, ` + rows + `, ` + comment + from + system + `
   AND (lower(n.nspname || '.' || c.relname) LIKE $1 ESCAPE '!' OR lower(coalesce(` + comment + `, '')) LIKE $1 ESCAPE '!')
   AND n.nspname || '.' || c.relname > $2 COLLATE "C"
 ORDER BY (n.nspname || '.' || c.relname) COLLATE "C" LIMIT $3::text::bigint`,
		table: `SELECT n.nspname, c.relname, ` + kind + `, ` + rows + `, ` + comment + `,
       CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_total_relation_size(c.oid) END` + from + ` AND n.nspname = $1 AND c.relname = $2`,
		columns: `SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, pg_catalog.col_description(c.oid, a.attnum), a.attnum
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
		completions: `SELECT n.nspname, c.relname, ` + kind + `, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
   AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
   AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
   AND (pg_catalog.has_table_privilege(c.oid, 'SELECT') OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT'))
 ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", a.attnum`,
		functions: `SELECT DISTINCT p.proname FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE p.prokind IN ('f', 'a', 'w') AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE') AND p.prorettype NOT IN (2279, 3838)
   AND n.nspname <> 'information_schema' AND p.proname !~ '(in|out|recv|send|sel|joinsel|cmp|eq|ne|lt|le|gt|ge)$' AND p.proname !~ '^(pg_|_|bt|hash|gin_|gist_|brin_|spg_|array_sub|RI_)'
 ORDER BY 1`,
		path: `SELECT pg_catalog.array_to_string(pg_catalog.current_schemas(false), ',')` + oneRow,
	}
}

// Redshift keeps an old catalog; sizes are in svv_table_info, which shows only
// tables that the asker owns or may see.
func redshiftCatalog() catalogSQL {
	const kind = `CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END`
	const from = `
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_description d ON d.objoid = c.oid AND d.objsubid = 0
 WHERE c.relkind IN ('r', 'v') AND n.nspname NOT LIKE 'pg!_%' ESCAPE '!'
   AND has_schema_privilege(n.nspname, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')`
	const system = ` AND n.nspname <> 'information_schema'`
	const rows = `CASE WHEN c.relkind = 'r' THEN c.reltuples::bigint END`
	return catalogSQL{
		tables: `SELECT n.nspname, c.relname, ` + kind + `, ` + rows + `, d.description` + from + system + `
   AND (lower(n.nspname || '.' || c.relname) LIKE $1 ESCAPE '!' OR lower(coalesce(d.description, '')) LIKE $1 ESCAPE '!')
   AND n.nspname || '.' || c.relname > $2
 ORDER BY n.nspname || '.' || c.relname LIMIT $3::bigint`,
		table: `SELECT n.nspname, c.relname, ` + kind + `, ` + rows + `, d.description, NULL` + from + ` AND n.nspname = $1 AND c.relname = $2`,
		columns: `SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, d.description, a.attnum
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_description d ON d.objoid = c.oid AND d.objsubid = a.attnum
 WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
		completions: `SELECT n.nspname, c.relname, ` + kind + `, a.attname, format_type(a.atttypid, a.atttypmod)
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relkind IN ('r', 'v') AND n.nspname NOT LIKE 'pg!_%' ESCAPE '!' AND n.nspname <> 'information_schema'
   AND has_schema_privilege(n.nspname, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
 ORDER BY n.nspname, c.relname, a.attnum`,
		functions: `SELECT DISTINCT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname <> 'information_schema' AND p.proname NOT LIKE 'pg!_%' ESCAPE '!' ORDER BY 1`,
		path: `SELECT array_to_string(current_schemas(false), ',')` + oneRow,
	}
}
