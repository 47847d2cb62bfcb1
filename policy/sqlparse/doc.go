// Package sqlparse turns the SQL of a client into facts for the policy: what a
// string does, which tables it reads and writes, which functions it calls, what
// becomes of the transaction and the session.
//
//	bytes ─▶ cache ─▶ decode ─▶ sqllex.Split ─▶ each statement ─▶ policy.Batch
//	          hit: no allocation                 Postgres: libpg_query, walk.go
//	                                             Redshift: redshift.go's keyword table, libpg_query, tokens
//	                                             neither:  tokens, and all is unknown
//
// Its promise: Parse never fails and never looks away. What cannot be read is of
// kind unknown with every fact unknown, which a policy treats as the worst it could
// be. Facts may say more than a statement does, never less, as far as its text
// tells: a table behind a view, a function, a trigger, a foreign key or a DROP …
// CASCADE of a table is not in the text. Only the catalog knows those, and only
// GRANT is a boundary.
//
// What the same bytes mean depends on the server: the dialect, what a backslash
// does in a literal, the client's encoding. That is Env, and it is part of the
// cache's key. Where the caller does not know how literals end, both readings are
// made and merged into the stricter.
//
// A text that is new but for plain numbers is known too, by its shape (shape.go):
// the same bytes with other digits where no fact can hang on them.
//
// libpg_query is C and the only cgo of the house. It is given only what it can
// bear: statements up to MaxParseBytes, which a list of a million values does not
// reach since only its first ones are shown to the grammar, trees up to maxChain deep, MaxParallel at once.
package sqlparse
