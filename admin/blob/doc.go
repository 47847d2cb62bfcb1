// Package blob is the port to where the office keeps bytes that are too large
// for its store: the chunks of results. Folder [dir] and S3-compatible service
// [s3] are the two places there are.
//
//	Create(name) ──► Write … Write ──► Commit: there, whole, on disk
//	                      │       └──► Abort: never was
//	                      └ no room: ErrFull, then Abort
//
// What a [Store] promises, and blobtest checks:
//
//   - A blob is there whole or not at all. Nobody sees one before its Commit,
//     and once Commit returned a crash does not take it away.
//   - A blob does not change under a reader: what Open returned reads the bytes
//     of that moment, or fails with ErrGone when they are no longer kept.
//   - No room is ErrFull, whether the disk or the store's own bound has none.
//     What there is stays readable, and Delete makes room.
//   - What a writer left that died is swept at a later start.
//
// What it does not do: it encrypts nothing (package secret does, before), it
// knows no owners, and it keeps no order of age beyond the time in [Info].
// One process writes to a place at a time; the office's lease sees to that.
//
// [dir]: https://pkg.go.dev/github.com/lockkeeper/lockkeeper/admin/blob/dir
// [s3]: https://pkg.go.dev/github.com/lockkeeper/lockkeeper/admin/blob/s3
package blob
