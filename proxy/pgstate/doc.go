// Package pgstate is the state machine of one session between a client and
// its warehouse connection. It is a value: messages in, moves out; no socket,
// no clock, no goroutine. The session calls it under its mutex.
//
// The machine keeps one queue: what went up and still owes an answer, the
// client's messages and our own. From the queue follow all questions the
// session has:
//
//	may this client message go up now?           Admit
//	what went up                                 Push
//	whose answer is this server message?         Server → forward, swallow, replace
//	what is the server doing?                    Phase
//
// A unit is what ends in one ReadyForQuery: a Query, a FunctionCall, or all
// extended-protocol messages up to a Sync. A unit goes up only when the one
// before has been answered in full, so that a cancel, a refusal or the release
// of a lock always knows which unit it meets. Within a unit messages are
// pipelined as the client sent them.
//
//	client          door                               warehouse
//	P B E S   ───►  Push P, B, E, Sync            ───►
//	          ◄───  Server '1' → Forward          ◄───  1
//	P' B' …         Admit → Wait (unit in flight)
//	          ◄───  Server 'Z' → Forward, unit over ◄──  2 D C Z
//	                Admit → Go
//
// A refused message is replaced by a poison: Describe of a statement that
// cannot exist. The server fails at exactly that place, skips to Sync, keeps
// savepoints, aborts what an error aborts; we only put our words into the
// error that answers the poison.
//
// After CopyInResponse the server ignores Sync until the copy ends, so how
// many ReadyForQuery are owed follows from what the server does; see copy.go.
package pgstate
