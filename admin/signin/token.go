package signin

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// leeway is how far the clocks of the provider and ours may differ.
const leeway = 5 * time.Minute

// asymmetric are the algorithms we accept: with "none" anybody signs, with HS*
// whoever knows a public key or a client secret.
func asymmetric() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512,
		jose.PS256, jose.PS384, jose.PS512, jose.EdDSA,
	}
}

// keyList checks signatures with the keys it holds.
type keyList []jose.JSONWebKey

// VerifySignature returns the payload if one of the keys that the token may
// mean has signed it.
func (k keyList) VerifySignature(_ context.Context, raw string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(raw, asymmetric())
	if err != nil {
		return nil, errors.New("not a JWT signed with an allowed algorithm")
	}
	head := jws.Signatures[0].Header
	for _, key := range k {
		if head.KeyID != "" && key.KeyID != head.KeyID || key.Algorithm != "" && key.Algorithm != head.Algorithm {
			continue
		}
		if payload, err := jws.Verify(&key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("signed by none of the issuer's keys")
}

// verify checks signature, issuer, audience, exp, nbf and iat, and returns the
// token with its claims.
func (s *source) verify(ctx context.Context, raw, audience string) (*oidc.IDToken, claims, error) {
	if len(raw) > maxToken {
		return nil, nil, refuse(KindToken, "token of %d bytes", len(raw))
	}
	jws, err := jose.ParseSignedCompact(raw, asymmetric())
	if err != nil {
		return nil, nil, refuse(KindToken, "not a JWT signed with an allowed algorithm")
	}
	keys, err := s.keysFor(ctx, jws.Signatures[0].Header.KeyID)
	if err != nil {
		return nil, nil, err
	}
	algs := make([]string, 0, len(asymmetric()))
	for _, a := range asymmetric() {
		algs = append(algs, string(a))
	}
	verifier := oidc.NewVerifier(s.issuer, keyList(keys), &oidc.Config{ClientID: audience, SupportedSigningAlgs: algs, Now: s.now})
	token, err := verifier.Verify(ctx, raw)
	if err != nil {
		return nil, nil, &Error{Kind: KindToken, Err: err}
	}
	if token.IssuedAt.IsZero() || token.IssuedAt.After(s.now().Add(leeway)) {
		return nil, nil, refuse(KindToken, "iat is missing or in the future")
	}
	if token.Subject == "" {
		return nil, nil, refuse(KindToken, "sub is missing")
	}
	var c claims
	if err := token.Claims(&c); err != nil {
		return nil, nil, refuse(KindToken, "claims: %w", err)
	}
	return token, c, nil
}

// authorizedParty checks azp: whoever is named there asked for the token, and
// with several audiences somebody must be.
func authorizedParty(token *oidc.IDToken, c claims, client string) error {
	var azp string
	if raw, found := c["azp"]; found && json.Unmarshal(raw, &azp) != nil {
		return refuse(KindToken, "azp is not a string")
	}
	others := slices.ContainsFunc(token.Audience, func(a string) bool { return a != client })
	if azp != client && (azp != "" || others) {
		return refuse(KindToken, "the token was made for %q, not for us (azp)", azp)
	}
	return nil
}
