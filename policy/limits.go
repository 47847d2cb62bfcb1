package policy

import "time"

// DefaultClientStall is how long a client may leave its result unread when no
// limit of its class says otherwise.
const DefaultClientStall = 5 * time.Minute

// Activity is what a session is doing as far as time limits care.
type Activity uint8

// The activities.
const (
	ActIdle     Activity = iota // between units; TxState says whether in a transaction
	ActUnit                     // Flush without Sync: idle, and may hold locks
	ActRunning                  // a statement runs
	ActCopyWait                 // COPY FROM STDIN waits for the client
	ActStalled                  // the client does not read its result
)

// WatchState is what Limits.Next looks at.
type WatchState struct {
	Activity Activity
	Since    time.Time // statement clock, or start of the stall, or last activity when idle
	Tx       TxState
	TxSince  time.Time // start of the open transaction; zero: none
	Steps    int       // remedies already applied to this statement
	LastStep time.Time // when the last one was
	Released bool      // the transaction was already released: the client may take its time
}

// Remedy is what to do when a limit has passed; each waiting state has its own
// way to do it, which the session machine knows.
type Remedy uint8

// The remedies.
const (
	RemedyNone       Remedy = iota
	RemedyCancel            // statement time-out: cancel, again if it was trapped
	RemedyTerminate         // end the backend through the operator login
	RemedyClose             // close upstream, answer the client, close
	RemedyStall             // the client does not read: cancel and drain
	RemedyReleaseTx         // idle in transaction too long: the class's ladder
	RemedyEndTx             // transaction too long
	RemedyEndSession        // idle session too long
)

var remedyNames = [...]string{"none", "cancel", "terminate", "close", "stall", "release_tx", "end_tx", "end_session"}

// String returns the remedy's word for metrics.
func (r Remedy) String() string { return remedyNames[r] }

// StallAfter returns how long a client of these limits may leave its result
// unread.
func (l *Limits) StallAfter() time.Duration {
	switch {
	case l.ClientStall > 0:
		return l.ClientStall
	case l.QueryExecutionTime > 0:
		return l.QueryExecutionTime
	}
	return DefaultClientStall
}

// Next returns when the next limit passes and what is to be done then; a zero
// time means never. A time not after now is due. Grace is the time between two
// rungs of the ladder for a statement that does not end.
func (l *Limits) Next(st *WatchState, plan *ReleasePlan, grace time.Duration) (time.Time, Remedy) {
	at, r := l.statement(st, grace)
	if l.TransactionTime > 0 && !st.TxSince.IsZero() && !st.Released && st.Steps == 0 {
		at, r = earlier(at, r, st.TxSince.Add(l.TransactionTime), RemedyEndTx)
	}
	if st.Activity != ActIdle && st.Activity != ActUnit {
		return at, r
	}
	if plan != nil && plan.MaxIdleTx > 0 && !st.Released && !plan.Observe && (st.Tx != TxIdle || st.Activity == ActUnit) {
		at, r = earlier(at, r, st.Since.Add(plan.MaxIdleTx), RemedyReleaseTx)
	}
	if l.IdleSession > 0 && st.Activity == ActIdle && (st.Tx == TxIdle || st.Released) {
		at, r = earlier(at, r, st.Since.Add(l.IdleSession), RemedyEndSession)
	}
	return at, r
}

func (l *Limits) statement(st *WatchState, grace time.Duration) (time.Time, Remedy) {
	switch st.Activity {
	case ActIdle, ActUnit:
		return time.Time{}, RemedyNone
	case ActRunning, ActCopyWait, ActStalled:
	}
	if st.Steps > 0 {
		return st.LastStep.Add(grace), rung(st.Steps)
	}
	if st.Activity == ActStalled {
		return st.Since.Add(l.StallAfter()), RemedyStall
	}
	if l.QueryExecutionTime > 0 {
		return st.Since.Add(l.QueryExecutionTime), RemedyCancel
	}
	return time.Time{}, RemedyNone
}

// rung is the ladder for a statement that does not end: cancel twice, then
// terminate the backend, then close.
func rung(steps int) Remedy {
	switch steps {
	case 1:
		return RemedyCancel
	case 2:
		return RemedyTerminate
	}
	return RemedyClose
}

func earlier(a time.Time, ra Remedy, b time.Time, rb Remedy) (time.Time, Remedy) {
	if ra == RemedyNone || b.Before(a) {
		return b, rb
	}
	return a, ra
}
