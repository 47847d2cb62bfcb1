// Package pgauth is how somebody proves who they are, on both sides of the
// door: our clients to us (Authenticator) and we to the warehouse
// (ScramClient, MD5Response).
//
//	client                         Authenticator
//	  StartupMessage  ───────────►   (Rules.Match: which Method)
//	  ◄─────────────── SASL: SCRAM-SHA-256-PLUS, SCRAM-SHA-256
//	  SASLInitialResponse ───────►
//	  ◄─────────────── SASLContinue: nonce, salt, iterations
//	  SASLResponse: proof  ──────►   any Verifier of the Account
//	  ◄─────────────── SASLFinal: server signature
//
// The answer stops there: AuthenticationOk is the session's word, said once
// the warehouse has let it in too.
//
// No password is stored: a Verifier is a SCRAM verifier, an md5 hash or, where
// a list of clear passwords exists already, that. An unknown login gets the
// same messages as a known one, made of a salt that stays the same for it, and
// costs the same work; then it fails with the same words.
//
// What it does not do: it opens no socket and sets no deadline (the session's
// start-up deadline ends a slow exchange), it keeps no accounts (package
// directory does) and decides nothing beyond who somebody is.
package pgauth
