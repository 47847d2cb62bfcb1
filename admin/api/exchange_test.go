package api_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/api"
	"github.com/lockkeeper/lockkeeper/admin/signin"
	"github.com/lockkeeper/lockkeeper/audit"
)

// machines believes whatever begins with its word; what follows is the token
// that the rule lends. Real signatures are signin's, and the server's own tests'.
type machines struct{}

// Verify implements api.Machines.
func (machines) Verify(_ context.Context, assertion string) (signin.Machine, error) {
	token, known := strings.CutPrefix(assertion, "signed.")
	switch {
	case assertion == "away":
		return signin.Machine{}, &signin.Error{Kind: signin.KindUnavailable, Err: errors.New("no route")}
	case !known:
		return signin.Machine{}, &signin.Error{Kind: signin.KindToken, Err: errors.New("not signed by whom it says")}
	}
	return signin.Machine{Issuer: "https://ci.example", Subject: "repo:acme/ab", Rule: signin.WorkloadRule{Token: token, Lifetime: time.Hour}}, nil
}

// lendable returns an assertion for the token of a new service.
func (h *house) lendable() string {
	h.Helper()
	service := (&things{h: h}).make("services")
	h.root.call("POST", "/grants", map[string]any{"principal": service, "target": "warehouse", "role": "member"}).want(201)
	a := h.root.call("POST", "/tokens", map[string]any{"name": "nightly", "scopes": []string{"runs:write", "runs:read"}, "expires_in_days": 30, "service": service}).want(201)
	return "signed." + a.object()["item"].(map[string]any)["id"].(string)
}

// TestExchange: a job comes in without a secret of ours, with what the service's
// token allows, and is out when that is revoked.
func TestExchange(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.root.call("POST", "/teams", map[string]any{"name": "data"}).want(201)
	assertion := h.lendable()
	stranger := &browser{h: h}
	before := h.journal.count(audit.KindToken)
	a := stranger.call("POST", "/token-exchange", map[string]any{"assertion": assertion}).want(201).object()
	item := a["item"].(map[string]any)
	if h.journal.count(audit.KindToken) != before+1 || item["name"] != "repo:acme/ab" || item["service"] == nil {
		t.Errorf("%v", a)
	}
	until, err := time.Parse(time.RFC3339Nano, item["expires_at"].(string))
	if left := time.Until(until); err != nil || left > time.Hour || left < 50*time.Minute {
		t.Errorf("for %s, %v", left, err)
	}
	job := &browser{h: h, token: a["token"].(string)}
	job.call("POST", "/runs", map[string]any{"sql": "select 1"}, header{"Idempotency-Key": "1"}).want(201)
	job.call("GET", "/tokens", nil).code(403, "scope-missing")
	h.root.call("DELETE", "/tokens/"+strings.TrimPrefix(assertion, "signed."), nil).want(204)
	job.call("GET", "/me", nil).code(401, "unauthenticated")
	if strings.Contains(h.log.String(), job.token) {
		t.Error("the token is in the log")
	}
}

// TestExchangeRefused: whatever is wrong, a stranger reads the same; an issuer
// that is away says nothing about the job.
func TestExchangeRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.root.call("POST", "/teams", map[string]any{"name": "data"}).want(201)
	gone := h.lendable()
	h.root.call("DELETE", "/tokens/"+strings.TrimPrefix(gone, "signed."), nil).want(204)
	mine := h.root.call("POST", "/tokens", map[string]any{"name": "t", "scopes": []string{"runs:read"}, "expires_in_days": 1}).want(201).object()["item"].(map[string]any)["id"].(string)
	stranger := &browser{h: h}
	before := h.state()
	first := ""
	for name, assertion := range map[string]string{"unsigned": "e30.e30.", "of a revoked token": gone, "of none": "signed." + admin.NewID("k_"), "of a person's": "signed." + mine} {
		a := stranger.call("POST", "/token-exchange", map[string]any{"assertion": assertion}).code(401, "assertion-refused")
		said := strings.ReplaceAll(a.anonymous(), "\n", "")
		if first == "" {
			first = said
		}
		if said != first {
			t.Errorf("%s: %s\nwant %s", name, said, first)
		}
	}
	if h.state()["recorded"] != before["recorded"] || !strings.Contains(h.log.String(), "not signed by whom it says") {
		t.Errorf("%s\n%s", h.state(), h.log)
	}
	stranger.call("POST", "/token-exchange", map[string]any{"assertion": "away"}).code(503, "sign-in-unavailable")
	stranger.call("POST", "/token-exchange", map[string]any{"assertion": strings.Repeat("x", 16385)}).code(400, "bad-request")
	stranger.call("POST", "/token-exchange", map[string]any{"assertion": gone}, header{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}).code(403, "cross-origin")
	deaf := newHouse(t, func(c *api.Config) { c.Machines = nil })
	(&browser{h: deaf}).call("POST", "/token-exchange", map[string]any{"assertion": gone}).code(404, "not-found")
}
