package admin_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/audit"
)

// What is lent may do what the service's token may, for a while, and ends with it.
func TestLoan(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.team("ml")
	robot := h.service("scorer", "ml", admin.RoleMember)
	_, own, err := h.AddToken(t.Context(), h.root, admin.NewToken{
		Name: "nightly", Scopes: admin.Scopes{admin.ScopeRunsWrite, admin.ScopeRunsRead}, Days: 30, CIDRs: []string{"10.0.0.0/8"}, Service: robot.ID,
	})
	if err != nil {
		t.Fatal(err)
	}
	inside := netip.MustParseAddr("10.1.2.3")
	loan := admin.Loan{TokenID: own.ID, Issuer: "https://ci.example", Subject: "repo:acme/ab\x1b:ref", Lifetime: 15 * time.Minute, Addr: inside}
	secret, lent, err := h.Lend(t.Context(), loan)
	if err != nil {
		t.Fatal(err)
	}
	if lent.Hash != nil || lent.HolderID != robot.ID || lent.ParentID != own.ID || lent.Name != "repo:acme/ab:ref" || !lent.Expires.Equal(h.clock.Now().Add(15*time.Minute)) {
		t.Errorf("lent: %+v", lent)
	}
	e := h.journal.last()
	if e.Kind != audit.KindToken || e.User != "scorer" || e.Token != own.ID || e.OnFailure != audit.Closed || !strings.Contains(e.Message, "repo:acme/ab:ref of https://ci.example") || strings.Contains(e.Message, "lk_") {
		t.Errorf("recorded as %+v", e)
	}
	c, err := h.ByToken(t.Context(), secret, inside)
	if err != nil {
		t.Fatal(err)
	}
	if c.ID != robot.ID || c.Token != lent.ID || c.Need(admin.ScopeRunsRead) != nil {
		t.Errorf("caller: %+v", c)
	}
	code(t, "a scope that the service's token lacks", c.Need(admin.ScopeTokens), admin.Forbidden)
	_, err = h.ByToken(t.Context(), secret, netip.MustParseAddr("192.0.2.1"))
	out(t, "from outside", err)
	if live, err := h.Tokens(t.Context(), h.root, robot.ID); err != nil || len(live) != 2 {
		t.Errorf("listed: %+v, %v", live, err)
	}

	h.clock.advance(15 * time.Minute)
	_, err = h.ByToken(t.Context(), secret, inside)
	out(t, "after its time", err)
	h.clock.advance(2 * time.Hour)
	h.revoker.took()
	if err := h.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.revoker.wasRevoked(t, "when it is forgotten", lent.ID)
	if secret, lent, err = h.Lend(t.Context(), loan); err != nil {
		t.Fatal(err)
	}
	h.revoker.took()
	if err := h.RevokeToken(t.Context(), h.root, own.ID); err != nil {
		t.Fatal(err)
	}
	h.revoker.wasRevoked(t, "what was lent", own.ID, lent.ID)
	_, err = h.ByToken(t.Context(), secret, inside)
	out(t, "after the service's token", err)
	_, _, err = h.Lend(t.Context(), loan)
	out(t, "of a revoked one", err)
}

// Nothing is lent of what is not a service's, does not hold, or was lent itself,
// nor more than a number at once; and it is not counted among the service's own.
func TestLoanRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.team("ml")
	robot := h.service("scorer", "ml", admin.RoleMember)
	_, own := h.token(h.root, robot.ID, admin.ScopeRunsRead)
	lend := func(id string, life time.Duration) (*admin.Token, error) {
		_, lent, err := h.Lend(t.Context(), admin.Loan{TokenID: id, Issuer: "https://ci.example", Subject: "s", Lifetime: life, Addr: somewhere})
		return lent, err
	}
	_, hers := h.token(h.root, "", admin.ScopeRunsRead)
	_, err := lend(hers.ID, time.Hour)
	out(t, "a person's", err)
	_, err = lend("k_0123456789ABCDEF", time.Hour)
	out(t, "none", err)
	for _, life := range []time.Duration{0, -time.Hour, 25 * time.Hour} {
		_, err = lend(own.ID, life)
		code(t, life.String(), err, admin.Internal)
	}
	lent, err := lend(own.ID, 24*time.Hour)
	if err != nil || lent.Expires.After(own.Expires) {
		t.Fatalf("%+v, %v", lent, err)
	}
	_, err = lend(lent.ID, time.Hour)
	out(t, "of one that was lent", err)

	h.journal.breaks(true)
	_, err = lend(own.ID, time.Hour)
	code(t, "without a record", err, admin.Unavailable)
	h.journal.breaks(false)

	for n := 1; n < 200; n++ {
		if _, err := lend(own.ID, time.Hour); err != nil {
			t.Fatalf("%d: %v", n, err)
		}
	}
	_, err = lend(own.ID, time.Hour)
	code(t, "the 201st", err, admin.Quota)
	h.token(h.root, robot.ID, admin.ScopeRunsRead)

	disabled := true
	if _, err := h.ChangeService(t.Context(), h.root, robot.ID, admin.ServiceChange{Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	_, err = lend(own.ID, time.Hour)
	out(t, "of a disabled service", err)
}
