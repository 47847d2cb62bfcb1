package signin

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func jsonInto(s string, v any) error { return json.Unmarshal([]byte(s), v) }

// bearer is a token as a CI system makes it.
func (h *hostile) bearer(change map[string]any) string {
	h.claims = map[string]any{"aud": "lockkeeper", "sub": "repo:org/etl:ref:refs/heads/main", "repository_owner": "org", "email": nil, "email_verified": nil, "sid": nil, "name": nil, "groups": nil}
	maps.Copy(h.claims, change)
	return h.sign(h, h.rightClaims(""))
}

func (h *hostile) workload(t *testing.T) *Workload {
	t.Helper()
	w, err := NewWorkload(WorkloadConfig{
		Issuers: []WorkloadIssuer{{Issuer: h.URL, Audience: "lockkeeper", Rules: []WorkloadRule{
			{Require: map[string]string{"repository_owner": "org", "environment": "production"}, Token: "production"},
			{Require: map[string]string{"repository_owner": "org"}, Token: "any"},
			{Require: map[string]string{"kubernetes.io.namespace": "ml"}, Token: "cluster"},
		}}},
		Now: h.clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestBearer(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	w := h.workload(t)
	for _, c := range []struct {
		claims map[string]any
		want   string
	}{
		{nil, "any"},
		{map[string]any{"environment": "staging"}, "any"},
		{map[string]any{"environment": "production"}, "production"},
		{map[string]any{"repository_owner": nil, "kubernetes.io": map[string]any{"namespace": "ml"}}, "cluster"},
	} {
		got, err := w.Verify(t.Context(), h.bearer(c.claims))
		if err != nil {
			t.Fatal(err)
		}
		if got.Issuer != h.URL || got.Subject != "repo:org/etl:ref:refs/heads/main" || got.Rule.Token != c.want {
			t.Errorf("%v: %+v", c.claims, got)
		}
	}
}

func TestHostileBearers(t *testing.T) {
	t.Parallel()
	now := newClock().Now()
	with := func(name string, value any) func(*hostile) string {
		return func(h *hostile) string { return h.bearer(map[string]any{name: value}) }
	}
	for name, test := range map[string]struct {
		token func(*hostile) string
		want  Kind
	}{
		"empty":           {func(*hostile) string { return "" }, KindToken},
		"no JWT":          {func(*hostile) string { return "a.b.c" }, KindToken},
		"without end":     {func(*hostile) string { return strings.Repeat("x", maxToken+1) }, KindToken},
		"unknown issuer":  {with("iss", "https://evil.example"), KindToken},
		"audience":        {with("aud", "others"), KindToken},
		"no audience":     {with("aud", nil), KindToken},
		"ours among them": {with("aud", []string{"others", "lockkeeper"}), ""},
		"expired":         {with("exp", now.Add(-time.Second).Unix()), KindToken},
		"no expiry":       {with("exp", nil), KindToken},
		"for a year":      {with("exp", now.AddDate(1, 0, 0).Unix()), KindToken},
		"from the future": {with("iat", now.Add(time.Hour).Unix()), KindToken},
		"other owner":     {with("repository_owner", "evil"), KindGroup},
		"no owner":        {with("repository_owner", nil), KindGroup},
		"owner no string": {with("repository_owner", []string{"org"}), KindGroup},
		"alg none":        {func(h *hostile) string { h.bearer(nil); return unsigned(`{"alg":"none"}`, h.rightClaims("")) }, KindToken},
		"HS256":           {func(h *hostile) string { h.sign = withPublicKey; return h.bearer(nil) }, KindToken},
		"key in header":   {func(h *hostile) string { h.sign = embedded; return h.bearer(nil) }, KindToken},
		"changed":         {func(h *hostile) string { h.sign = changed; return h.bearer(nil) }, KindToken},
		"another's key": {func(h *hostile) string {
			h.sign = func(_ *hostile, c map[string]any) string {
				return signed(jose.SigningKey{Algorithm: jose.RS256, Key: otherKey()}, "k1", c)
			}
			return h.bearer(nil)
		}, KindToken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			_, err := h.workload(t).Verify(t.Context(), test.token(h))
			if got := kindOf(t, err); got != test.want {
				t.Errorf("got %q (%v), want %q", got, err, test.want)
			}
		})
	}
}

func TestWorkloadConfig(t *testing.T) {
	t.Parallel()
	rules := func(require map[string]string) []WorkloadRule { return []WorkloadRule{{Require: require}} }
	good := rules(map[string]string{"sub": "x"})
	if _, err := NewWorkload(WorkloadConfig{Issuers: []WorkloadIssuer{{Issuer: "https://a.example", Audience: "x", Rules: good}}}); err != nil {
		t.Error(err)
	}
	for name, issuers := range map[string][]WorkloadIssuer{
		"no audience": {{Issuer: "https://a.example", Rules: good}},
		"plain http":  {{Issuer: "http://a.example", Audience: "x", Rules: good}},
		"twice":       {{Issuer: "https://a.example", Audience: "x", Rules: good}, {Issuer: "https://a.example", Audience: "y", Rules: good}},
		"negative":    {{Issuer: "https://a.example", Audience: "x", MaxLife: -1, Rules: good}},
		"no rule":     {{Issuer: "https://a.example", Audience: "x"}},
		"everybody":   {{Issuer: "https://a.example", Audience: "x", Rules: rules(nil)}},
		"all of it":   {{Issuer: "https://a.example", Audience: "x", Rules: rules(map[string]string{"iss": "https://a.example"})}},
		"what is not": {{Issuer: "https://a.example", Audience: "x", Rules: rules(map[string]string{"sub": ""})}},
	} {
		if _, err := NewWorkload(WorkloadConfig{Issuers: issuers}); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
