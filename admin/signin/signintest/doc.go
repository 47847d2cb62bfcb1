// Package signintest runs an OpenID provider that others wrote (npm
// oidc-provider), for tests of everything that stands behind a sign-in.
//
//	Start ─► Provider.Issuer, Client, Secret ─► what the office is configured with
//	Know   tells it who people are, and when they lose a group or are gone
//	Visit  does there what a person with a browser does
//
// Refresh tokens rotate and one that is used twice ends the whole login, so
// that whoever loses the newest one is noticed.
//
// The provider needs Node and, once for each lock file, an npm registry. What
// this package does not do: it knows nothing of package signin.
package signintest
