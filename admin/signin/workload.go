package signin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
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
		w.issuers[is.Issuer] = workloadIssuer{cfg: is, source: newSource(is.Issuer, is.HTTPClient, cfg.Timeout, cfg.Now)}
	}
	return w, nil
}

// Machine is a machine that an issuer vouches for.
type Machine struct {
	Issuer, Subject string
	Rule            WorkloadRule // the first that holds
}

// Verify returns which machine stands in a token. Of a token that names an
// issuer we do not know nothing else is read, and nobody is asked about it.
// The token may be shown again until it expires, as bearer tokens may.
func (w *Workload) Verify(ctx context.Context, token string) (Machine, error) {
	is, found := w.issuers[unverifiedIssuer(token)]
	if !found {
		return Machine{}, refuse(KindToken, "not a JWT of a configured issuer")
	}
	t, c, err := is.source.verify(ctx, token, is.cfg.Audience)
	if err != nil {
		return Machine{}, err
	}
	if life := t.Expiry.Sub(t.IssuedAt); life > is.cfg.MaxLife {
		return Machine{}, refuse(KindToken, "the token lives %s; at most %s are allowed", life, is.cfg.MaxLife)
	}
	m := Machine{Issuer: is.cfg.Issuer, Subject: t.Subject}
	var refusal error
	for _, m.Rule = range is.cfg.Rules {
		if refusal = m.Rule.holds(c, t.Subject); refusal == nil {
			return m, nil
		}
	}
	return Machine{}, refusal
}

func (r *WorkloadRule) holds(c claims, subject string) error {
	for _, name := range slices.Sorted(maps.Keys(r.Require)) { // in order, so that the log says the same each time
		if got, err := c.text(name); err != nil || got != r.Require[name] {
			return refuse(KindGroup, "claim %s of subject %q is not %q", name, subject, r.Require[name])
		}
	}
	return nil
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
