// Package directory knows who may log in and as whom they go on to the
// warehouse: from a user file (PgBouncer's userlist format), from a query
// asked of a database (auth_query), or from both, the file first.
//
//	login ─► UserFile ─► AuthQuery (cached, also "no such login") ─► *pgauth.Account
//	              └─ role= ─┐
//	                        Mapping: user, group, default, as client
//
// A user file is an immutable snapshot; Reload swaps it whole. The query runs
// through a login of its own with search_path pinned to pg_catalog, so that no
// table of a user can stand in for pg_shadow.
//
// What it does not do: it reads no file (cmd passes bytes in), checks no
// password (package pgauth does) and gives nobody any right beyond a name.
package directory
