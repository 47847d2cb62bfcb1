// Package result keeps what a run returned: the rows as the server sent them,
// stored once, from which every page, download and chart is made. Nothing is
// ever run again for a download.
//
// A cell is the bytes of Postgres' text format, or nil for NULL. Columns are a
// list and rows are lists, so that columns of one name stay two columns.
//
//	Write(row) ──► chunk of ≤ 1 MiB ──► zstd ──► Sealer ──► io.Writer
//	                                                            │
//	Rows(offset, limit) ◄── parse ◄── zstd ◄── Opener ◄── io.ReaderAt
//
// The file:
//
//	"LKROWS\x00\x01"
//	chunk 0, chunk 1, …    sealed, each with its index
//	index                  sealed as the final part: columns, and for each
//	                       chunk its rows, its length and its checksum
//	number of chunks, length and checksum of the sealed index, "LKRIDX\x00\x01"
//
// In a chunk a cell is a uvarint, 0 for NULL, else its length plus one, and
// then its bytes. A row lies in one chunk; only a row that no chunk can hold
// takes several, and then it has them for itself. So a cell of any size is
// written with the memory of a chunk.
//
// What the package promises:
//
//   - What was written is what is read, byte by byte, NULL and ” apart.
//   - A file that was cut, changed or put together from parts of others is an
//     error ([ErrDamaged]) that says where. With a [Sealer] that binds the
//     index of a part, this holds against malice too.
//   - Memory follows the size of a chunk and of the widest row, never the size
//     of the file. A damaged file cannot make it grow by claiming a length.
//   - Reading from any row costs one chunk.
//
// What it does not do: it holds no keys, knows no place to store files, and
// does not ask who may read. It renders no format ([format] does) and computes
// nothing over rows ([transform] does).
//
// [format]: github.com/lockkeeper/lockkeeper/admin/result/format
// [transform]: github.com/lockkeeper/lockkeeper/admin/result/transform
package result
