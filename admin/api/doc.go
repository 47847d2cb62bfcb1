// Package api is HTTP in front of the office's use cases, and nothing else.
//
//	request ─► edge ─► who? ─► operation ─► use case
//	            │        │         │
//	          host,    cookie    the one table of routes: scope, input, output;
//	          token    or        the OpenAPI document is made from it
//	          in URL   bearer
//
// What the package promises:
//
//   - Every route below /api/v1 is an operation of the OpenAPI document, and a
//     test says so. What a body or a query holds beyond it is refused (400).
//   - Every error is a problem (RFC 9457) made in problem.go. What is not meant
//     for the caller shows an id only, and the log holds no SQL and no values.
//   - What does not exist and what is not open to the caller have one answer,
//     byte for byte but for the request's id.
//   - No byte of a result leaves before the use case has recorded the access; a
//     304 is an access too.
//   - Whoever loses their rights loses their streams and downloads within
//     seconds, in the middle of them if need be.
//   - A cookie counts only from our own pages (cross-origin protection and a
//     JSON type), a token only from the Authorization header, a proxy's headers
//     only on their own listener (HeaderHandler).
//
// What it does not do: it decides no rights beyond the scope of a proof, keeps
// nothing but counters, and starts no goroutine.
package api
