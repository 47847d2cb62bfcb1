// Package sqllex cuts SQL text into tokens, for PostgreSQL and for Amazon
// Redshift, without ever failing.
//
// It knows what a server's scanner knows and nothing of grammar: where strings,
// quoted names, dollar quotes, nested comments, numbers, parameters and operators
// begin and end. From that follow the four things this package offers:
//
//	New       the tokens one by one; together they tile the input without a gap
//	Split     the statements of a string, at the semicolons that separate them
//	Comments  the comments and where they are, for tags that tools write there
//	Mask      the text without a single literal, short enough to keep
//	Binds     the :names of an office query, to be bound by value
//
// The one dangerous question is what a backslash means in a plain '…' literal: on
// Postgres it depends on standard_conforming_strings, on Redshift it always
// escapes. A reader who guesses wrong sees one harmless literal where the server
// sees a second statement. The caller says which it is (Mode.Backslash), and can
// ask whether the answer matters at all (Ambiguous).
//
// All functions are pure, run in time linear in the input, and keep no memory of
// it. What they do not do: check that the text is valid SQL, decode character
// sets (the input is bytes; all bytes above 127 count as letters, as they do in
// the server), or decide anything.
package sqllex
