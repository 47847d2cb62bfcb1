// Package pgtext says what a cell of a result means: the types Postgres and
// Redshift send, by their OID, and the text form in which each is written.
//
// A cell stays the bytes that the server sent. What this package makes of them
// is used to compare, to add up and to pick a typed form in another format; if
// a cell does not read as its type says, the answer is "no", never a guess.
// Dates are read in the ISO style only, bytea in hex only.
//
// Nothing here allocates by the length a cell claims to have, and nothing here
// keeps a cell.
package pgtext
