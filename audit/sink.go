package audit

// Sink stores events in order. It is used by one goroutine at a time, the one
// that runs Recorder.Run.
type Sink interface {
	// Append stores events in the order given, fills in their ID and Seq, and
	// returns how many of them it has stored. When n < len(events) the error
	// says why, and nothing is left behind of the events from n on: they can
	// be given again. The sink keeps nothing of the slice.
	Append(events []Event) (n int, err error)

	// Sync forces everything stored so far to disk. When it fails, records
	// appended since the last good Sync may or may not be there; the sink
	// continues in a fresh place and can be tried again.
	Sync() error
}
