// Package audit is the record: what was asked, what was decided and what came
// of it, one flat [Event] each.
//
// An event is made by the door before the act it describes leaves the house,
// handed to a [Recorder], and written by one goroutine, in batches, to a
// [Sink]. The words of an event are its own: the package imports nothing but
// the standard library, so that a record can be read long after the code that
// made it has changed.
//
//	Record ──► bounded queue ──► Run: take all ──► Sink.Append ──► Sink.Sync
//	  │ ordered: returns here          (encode, chain, write)        │
//	  └ durable: returns when ◄──────────────────────────────────────┘
//
// What the package promises:
//
//   - A record acknowledged in durable mode is on disk. One acknowledged in
//     ordered mode is written within the flush interval and in the order of
//     acknowledgement.
//   - A record is never lost in silence. When the sink fails, each event obeys
//     its [FailMode]; what could not be kept is counted and is itself recorded
//     as a loss when the sink works again.
//   - Every stored line carries the hash of all lines before it (see [Chain]).
//     With a [Head] that was exported to another place, [Verifier] finds every
//     edit, every removed line and every cut.
//
// What it does not do: it does not decide what is worth recording, it does not
// parse SQL, and it does not hide literals by itself. Text and parameters
// arrive as the caller wants them stored ([Hasher] and [Truncate] help).
package audit
