// Package transform makes views of a stored result: filtered, sorted,
// aggregated for a chart. The SQL is never run again; what is said is said of
// the rows that are stored, and says so.
//
//	ParseFilter ──► Filter(src) ──► Source ─┐
//	ParseSort ────► Sort(src) ────► Source ─┼──► pages, downloads
//	ParseSpec ────► Aggregate(src) ► Data ──┴──► a chart
//
// Values are compared and added as their column's type says: numbers exactly
// and with all their digits, moments on the calendar, text by its bytes. A cell
// that does not read as its type says is a [CellError], not a guess. NULL is
// never a value: it matches no comparison, counts for nothing, and is a group
// of its own, apart from ”.
//
// Everything is bounded: the texts of the specs, the rows that can be sorted,
// the groups and the points of a chart. Beyond a bound there is an error that
// says the bound.
package transform
