// Package pgwire is the one place that knows the letters, codes and lengths of
// the Postgres wire protocol (PostgreSQL manual, "Frontend/Backend Protocol").
//
// A frame is a five byte head and a body. Reader hands out frames where they
// lie in its buffer: nothing is copied, and what does not fit is streamed
// through. Writer sends whole frames, so that two goroutines may speak to one
// client without cutting into each other's words. Decoders look only into the
// dozen messages a governing proxy must understand; all else passes as opaque
// bytes, because Redshift's messages are longer than Postgres's.
//
// What it does not do: it keeps no protocol state (package pgstate does) and
// decides nothing.
//
// Bytes from a Reader are valid until the next call of a method that reads or
// discards; to keep is to copy.
package pgwire
