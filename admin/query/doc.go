// Package query is what the office does with SQL: runs, their stored results,
// saved queries, the tables people look for, and what a statement would do.
//
// A run is SQL that somebody submitted, kept word by word, with what became of
// it. It goes through the door like every client's (Door), as the person who
// submitted it, over one connection, statement by statement:
//
//	Submit ─► queued ─► running ─► succeeded | failed | canceled
//	             │          │
//	           door's     rows ─► result snapshot ─► sealed chunks in the blob store
//	           queue
//
// Nothing is ever run again for a page of rows, a chart or a download: all are
// rendered from the snapshot.
//
//	Runs      submit, watch, cancel, read, share, pin, delete
//	Library   saved queries and drafts, with versions and releases
//	Catalog   tables, columns, completions, as the caller may see them
//	Explainer what a text would do, before it is run
//
// What the package promises:
//
//   - The text that runs is the text that was submitted, but for :names, which
//     become bound parameters. No limit rewrites it. A limit ends a statement
//     only when the facts prove that it only reads; otherwise the statement goes
//     to its end, and what is kept says that it was cut.
//   - Terminal states never change, and no run stays running for ever: after a
//     crash it is failed, connection lost.
//   - A result is shown only to its owner, and to whom policy and the warehouse
//     let read each relation it came from, now. Each page, chart and download is
//     recorded before its first byte.
//   - Who may not see a thing learns nothing of it (admin.Missing).
//
// What it does not do: it speaks no HTTP and no wire protocol, opens no file,
// and parses no SQL; store, door and parser are ports.
package query
