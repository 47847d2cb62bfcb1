// Package format renders a stored result as a file: csv, tsv, json, ndjson,
// xlsx, parquet. It streams: memory follows the widest row (and, for parquet,
// one group of rows), never the number of rows.
//
//	Formats(src) ──► what can hold this result
//	Render(ctx, out, src, options) ──► refusal before the first byte, or all of it
//
// What the package promises:
//
//   - Whatever a format cannot hold as a value is written as the server's text.
//     Nothing is rounded, and NULL and ” stay apart where the format has two
//     words for them.
//   - Columns of one name stay two columns.
//   - A result that a format cannot hold is refused before the first byte.
//
// The mapping of each type in each format stands in docs/results.md, and a
// test per line says that it is so.
package format
