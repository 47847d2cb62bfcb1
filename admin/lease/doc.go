// Package lease sees to it that one office works on a store at a time. The
// others stand by.
//
//	Keeper.Run: Acquire ──ErrHeld──► wait, again
//	               │ Grant{Epoch, TTL}
//	               ▼
//	            Term on Terms() ──► the office starts, and writes Epoch with
//	               │                what it writes
//	            Renew, three times a TTL
//	               │ ErrLost, or silence for a TTL
//	               ▼
//	            Term.Lost closes ──► the office stops
//
// Each grant has an epoch greater than all before it. A holder that was stopped
// for an hour in the middle of a write does not know that it is none any more;
// the store does, when it refuses an epoch below the greatest it has seen. So
// the channel is for stopping early, the epoch for being right.
//
// A [Lease] is kept where the store is: [File] for a store on one machine, a row
// with an expiry for one that many reach. leasetest holds what both must do.
package lease
