package signin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// Workload lets machines in that bring a token of an issuer we know (a
// Kubernetes service account, a CI job), so that they need no secret of ours.
type Workload struct {
	issuers map[string]workloadIssuer
}

type workloadIssuer struct {
	cfg    WorkloadIssuer
	source *source
}

// NewWorkload returns a Workload. It does not ask the issuers yet.
func NewWorkload(cfg WorkloadConfig) (*Workload, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	w := &Workload{issuers: map[string]workloadIssuer{}}
	for _, is := range cfg.Issuers {
		w.issuers[is.Issuer] = workloadIssuer{cfg: is, source: newSource(is.Issuer, cfg.HTTPClient, cfg.Timeout, cfg.Now)}
	}
	return w, nil
}

// VerifyBearer returns who stands in a bearer token. Of a token that names an
// issuer we do not know nothing else is read, and nobody is asked about it.
// The token may be shown again until it expires, as bearer tokens may.
func (w *Workload) VerifyBearer(ctx context.Context, token string) (Identity, error) {
	is, found := w.issuers[unverifiedIssuer(token)]
	if !found {
		return Identity{}, refuse(KindToken, "not a JWT of a configured issuer")
	}
	t, c, err := is.source.verify(ctx, token, is.cfg.Audience)
	if err != nil {
		return Identity{}, err
	}
	if life := t.Expiry.Sub(t.IssuedAt); life > is.cfg.MaxLife {
		return Identity{}, refuse(KindToken, "the token lives %s; at most %s are allowed", life, is.cfg.MaxLife)
	}
	for name, want := range is.cfg.Require {
		if got, err := c.text(name); err != nil || got != want {
			return Identity{}, refuse(KindGroup, "claim %s of subject %q is not %q", name, t.Subject, want)
		}
	}
	id := Identity{Issuer: is.cfg.Issuer, Subject: t.Subject, IssuedAt: t.IssuedAt, Expires: t.Expiry}
	r := reading{login: is.cfg.LoginClaim, groups: is.cfg.GroupsClaim, mapping: is.cfg.Map}
	if err := r.identity(c, &id); err != nil {
		return Identity{}, err
	}
	return id, nil
}

// unverifiedIssuer reads which issuer a token claims to be from; verify believes
// it only if that issuer's keys do.
func unverifiedIssuer(token string) string {
	if len(token) > maxToken {
		return ""
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var c struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(body, &c) != nil {
		return ""
	}
	return c.Issuer
}
