// Package postgres opens the office's store in a Postgres database, where
// another node can take over.
//
// It promises what sqldb does: writers come one after the other, by a lock that
// lives as long as their transaction. The database should belong to the office
// alone; never is it the warehouse.
package postgres
