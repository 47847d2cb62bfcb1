// Package secret keeps what must not be read from the office's disk: logins of
// warehouses, client secrets, and the keys under which stored results lie.
//
// There is one key file, which only the server's user may read. Everything
// else hangs on it:
//
//	key file ──► Vault.Seal("login:<id>", password) ──► a column in the store
//	         └─► Vault.SealKey("run:<id>", key) ──────► a column in the store
//	                                      key ──► Chunks ──► the run's blobs
//
// A run has a [Key] of its own, so that destroying one sealed key of sixty
// bytes destroys its results wherever copies of them lie, backups too.
//
// What the package promises:
//
//   - What was sealed for one purpose opens for no other. A purpose names the
//     kind and the row ("run:r_01"), so that rows cannot be swapped in the store.
//   - Chunks of a stream cannot be changed, reordered, left out at the end or
//     taken from another stream: each is bound to its place.
//   - Keys rotate: a new one is written before the old ones ([Rotate]); what
//     they sealed still opens, and [Vault.Rewrap] moves it to the newest.
//   - [Secret] and [Key] show nothing in a log, in JSON or in a %v, not even
//     inside another struct.
//
// What it does not do: it stores nothing but its key file, and does not wipe
// memory. Whoever reads the server's memory reads its secrets.
package secret
