// Command bench measures what stands between a client and the warehouse, from
// outside, as a user would: the same load goes to Postgres directly, through
// Lockkeeper with policy and audit on, and through PgBouncer.
//
// It starts all three itself on loopback, runs each scenario interleaved over
// the peers and several times, takes medians, and prints one markdown table a
// scenario. The raw samples go to results/latest.txt in the format that
// benchstat reads.
//
//	pgbench   pgbench -S, simple and prepared, 1, 8 and 32 clients: tps, and
//	          CPU time of the proxy per transaction
//	copy      COPY OUT of narrow and of wide rows: MB/s, CPU time per byte
//	connect   pgbench -C: connections a second, CPU time per connection
//	idle      1000 idle plaintext connections: memory per connection
//
// It proves nothing about a network, TLS, or more cores than the machine has;
// README.md says how to read the numbers.
package main
