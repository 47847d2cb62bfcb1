package audit

// Sink stores events in order. Append is called by one goroutine at a time, and
// so is Sync; the two may be called at the same time.
type Sink interface {
	// Append stores events in the order given, fills in their ID and Seq, and
	// returns how many of them it has stored. When n < len(events) the error
	// says why, and nothing is left behind of the events from n on: they can
	// be given again. The sink keeps nothing of the slice.
	Append(events []Event) (n int, err error)

	// Sync forces everything to disk whose Append had returned before. When it
	// fails, records appended since the last good Sync began may or may not be
	// there; the sink continues in a fresh place and can be tried again.
	Sync() error
}
