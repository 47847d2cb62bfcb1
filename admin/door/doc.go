// Package door is the office as a client of the door: it opens sessions at the
// proxy as the people who use the office, and speaks the extended protocol.
//
// Who somebody is goes with the connection as a value (policy.Principal), never
// as text in it; so there is no password and no TLS here, and the dialer that
// cmd gives leads into the same process.
//
//	Open ─► Conn ─► Query ─► Sink.Columns, Sink.Row …, Sink.Notice
//	          └───► Cancel (another goroutine): returns when the statement has ended
//
// What the package promises:
//
//   - Rows stream: a row is in memory once, however many there are.
//   - A cancel is a cancel: it is sent again until the statement has ended, and
//     Cancel says so when it has not. A later statement never meets it.
//   - When a statement's context ends, the statement is cancelled, and the
//     connection is closed if it does not end for that.
//
// What it does not do: it decides nothing, keeps nothing, and never sends more
// than one statement at a time.
package door
