// Package drivers is the client matrix: the drivers and programs that people
// use, each in its own language, through a Lockkeeper with a policy in force.
//
// A client is one script (python/, node/, java/, perl/, sh/, pgx/). All run
// the same named checks and print a line for each: "ok NAME MILLISECONDS",
// "FAIL NAME reason" or "skip NAME reason", where a skip means that the driver
// has no such thing. They do not know whether they talk to Lockkeeper or to
// Postgres itself, but for the words of a refusal: a user who is cut off after
// two seconds is cut off by a class here and by statement_timeout there, and
// the table nobody may read is closed by a rule here and by GRANT there. So
// what a client expects is first true of Postgres (run --direct), and then has
// to be true of the proxy.
//
// The script install fetches the drivers into a cache outside the tree; run
// starts Postgres, the proxies and the clients, and prints the table:
//
//	               plain-trust  plain-scram  tls-trust  tls-scram
//	psycopg        ok 22        ok 22        ok 22      ok 22
//
// Plain `go test` runs a few checks with pgx and psql alone.
package drivers
