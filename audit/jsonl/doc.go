// Package jsonl keeps the record in files: segments of JSON lines in one
// directory, chained by hash over all of them.
//
//	DIR/00000001.jsonl   a header line, then one event per line
//	DIR/00000002.jsonl   its header names segment 1's last hash
//	DIR/retained.json    where the chain begins, once old segments are deleted
//
// [Open] gives the one writer, an audit.Sink; the directory is locked against a
// second one. [NewReader], [Head] and [Verify] need no lock and work beside the
// writer, on a copy, or years later.
//
// What holds after a crash: a last line without an end is cut off at the next
// Open, which is recorded, and the chain goes on. A line with an end whose hash
// is wrong is never touched: it may be evidence. The log then goes on in a new
// segment, says so, and Verify names the place for ever.
//
// What holds on a full disk: the part of a batch that was written is cut back
// to the end of the last whole batch, and the batch can be given again.
package jsonl
