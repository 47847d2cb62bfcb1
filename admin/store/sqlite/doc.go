// Package sqlite opens the office's store in a file: the default, for one node.
//
// It promises that the file is its owner's alone (0600), that a commit is on
// disk when it returns, and that readers never wait for the writer (WAL). What
// the store holds and how is sqldb's matter.
package sqlite
