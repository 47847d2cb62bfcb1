// Command lockkeeper is the door between people's tools and a Postgres or
// Redshift warehouse: a proxy that speaks the Postgres protocol on both sides
// and, on the way, ends what runs too long, frees locks that block others,
// keeps quotas and records everything.
//
//	lockkeeper serve            run the proxy
//	lockkeeper check            validate a configuration and the policy it names
//	lockkeeper demo             a sample warehouse behind the proxy, to try it
//	lockkeeper policy …         check, explain and test a policy
//	lockkeeper audit …          read and verify the record
//	lockkeeper user add         make a line for the user file
//	lockkeeper sessions, kill, release, cancel, observe, reload
//	                            talk to a running server through its console
//
// This is the only package that reads files, environment and flags. It builds
// every part, gives each what it needs and starts and stops them in order (see
// house in run.go); the parts know nothing of each other beyond the values
// that cross their walls.
package main
