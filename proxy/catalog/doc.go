// Package catalog keeps policy.Catalog, the snapshot of the warehouse's names,
// views and functions, fresh.
//
//	Run ──► every interval, or soon after Refresh (a DDL went through)
//	          │ one read-only transaction, as the operator
//	          ▼
//	        relations, inheritance, view definitions, functions
//	          │ changed?
//	          ▼
//	        Publish(*policy.Catalog)   immutable, with a growing version
//
// What a view or a function reads and calls is taken from its stored parse
// tree, not from pg_depend: dependencies on the server's own tables and
// functions, pg_authid or set_config for example, are not recorded there.
//
// A function is trusted to do no more than its tree says if it has one (a body
// in standard SQL that only selects), if it is an aggregate of functions, or if
// it is immutable code in C, which a superuser has installed. All else, a body
// that is a string above all, nobody can see through. A view has effects if it
// calls a volatile function of the server that is not known to be harmless: a
// new server version may bring new ones.
//
// What it does not do: it needs no right beyond connecting; it does not look
// into pg_catalog and information_schema, into the expressions of domains
// (their use counts as an effect), or at other databases, and it does not speak Redshift. A catalog larger than
// MaxObjects is not published, for one that lacks a view lies.
package catalog
