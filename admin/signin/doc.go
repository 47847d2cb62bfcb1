// Package signin finds out who stands before the office. Each way of proving
// it ends in a value, mostly an Identity, or in an Error whose Text may be
// shown to strangers and whose Error() is for the log.
//
//	OIDC           browser ─► Begin ─► provider ─► Finish ─► Identity
//	               later:  Refresh, so that a lost group is noticed
//	Workload       JWT of a configured issuer ─► Verify ─► Machine, and its rule
//	TrustedHeader  a proxy that has already asked ─► FromRequest ─► Identity
//	Password       argon2id for the first admin; OneUse links to set it
//	Limiter        who may try now, and who has to wait
//
// A login with OIDC goes like this; the cookie binds the answer to the browser
// that asked, and whatever is not exactly as agreed ends it:
//
//	Begin    state, nonce, PKCE verifier, return path ─► sealed into the cookie
//	         state, nonce, S256 challenge             ─► in the redirect
//	Finish   cookie opens, is young, state equal, never seen before
//	         code + verifier ─► token endpoint ─► ID token
//	         signature (asymmetric only), iss, aud, azp, exp, iat, nonce
//	         login, groups (from userinfo if the token is thin) ─► Identity
//
// The provider is asked lazily, so the office starts while it is away.
// Persons are to be known by Issuer and Subject; Login is a name that a
// provider may give to somebody else later.
//
// What it does not do: it sets no cookie, opens no session, stores nothing and
// gives nobody a right.
package signin
