// Package backup writes all that the office keeps into one file, and reads it
// back into an empty store, of the same engine or the other.
//
// The file is a tar, compressed with zstd, in this order:
//
//	backup.json                     format, schema, time, tables and their columns
//	tables/<table>/<n>.jsonl        rows, one JSON array a line
//	blobs/<name>                    results, sealed as they lie
//	sums/<n>.jsonl                  in between: SHA-256 of the members before
//	manifest.json                   counts, keys needed, SHA-256 of the sums
//	sums/<last>.jsonl               that of the manifest
//
// What it promises:
//
//   - Write may run while the office works. Rows are those of one moment, and
//     so is the list of blobs; a blob that is deleted before its turn is noted.
//   - Memory is bounded, whatever the size: a row, a sheet of sums and a buffer,
//     and some bytes for each blob's name.
//   - Restore fills an empty store or leaves it empty. What is not as it was
//     written, to the last byte, is ErrDamaged; nothing in a file can name a
//     table, a column or a path of its own.
//   - New tables are in it by themselves: the schema says what there is.
//
// What it does not do: it holds no key file, so that who finds a backup opens
// nothing that is sealed. Verifiers of passwords and hashes of tokens are in it
// as they are in the store: keep it as you keep that. Its sums find damage, not
// a forger; whoever can replace the file can replace the sums too.
package backup
