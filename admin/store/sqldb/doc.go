// Package sqldb is the office's store over database/sql, once for both
// engines: SQLite (package sqlite) and Postgres (package postgres), which open
// it and tell it what differs (Engine).
//
// SQL is written once, in what both understand: placeholders $1, $2, …; times
// as BIGINT microseconds of Unix time in UTC, 0 for none (Micros); truth as
// SMALLINT (Flag); lists as JSON text (JSON); "none" of a reference as NULL
// (Null). Where a type differs, migrations say {{text}} and {{blob}}.
//
// What it promises:
//
//   - Tx: one writer at a time over all processes. SQLite has no other way, and
//     on Postgres each Tx takes one lock, so that a use case reasons the same
//     way on both: what it read stays true until it is committed.
//   - View: one moment, read only, beside writers.
//   - Now is the same during the whole transaction.
//   - Behind a Fence, no Tx writes before a term of the Lease has begun, nor after
//     another office was given the store.
//   - A unique violation is an *admin.TakenError, no row is admin.ErrAbsent.
//
// To add tables for another use case: a migration of your own number under
// migrations/, a file here with a Table for each kind of row, and a type around
// *DB that meets your port (see People).
//
// What it does not do: retry. Whoever calls knows whether that is safe.
package sqldb
