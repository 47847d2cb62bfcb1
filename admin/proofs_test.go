package admin_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/admin"
)

// All that lets somebody in ends at once, of people and of services, and the
// door of another process hears of it. What had ended before is not counted.
func TestRevokeProofs(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.team("bi")
	in := h.person("ana", admin.RoleMember)
	personal, _ := h.token(in.Caller, "", admin.ScopeRunsRead)
	_, ended := h.token(in.Caller, "", admin.ScopeRunsRead)
	service, _ := h.token(h.root, h.service("robot", "bi", admin.RoleMember).ID, admin.ScopeRunsRead)
	if _, _, err := h.AddDBPassword(t.Context(), in.Caller, admin.NewDBPassword{Tool: "psql"}); err != nil {
		t.Fatal(err)
	}
	if err := h.RevokeToken(t.Context(), in.Caller, ended.ID); err != nil {
		t.Fatal(err)
	}
	link, err := h.NewLink(t.Context(), h.root, in.Caller.ID)
	if err != nil {
		t.Fatal(err)
	}
	there := admin.LiveProofs{Tokens: 2, DBPasswords: 1, Sessions: 2}
	for _, what := range []struct {
		name string
		do   func() (admin.LiveProofs, error)
		want admin.LiveProofs
	}{
		{"count", func() (admin.LiveProofs, error) { return admin.CountProofs(t.Context(), h.store) }, there},
		{"revoke", func() (admin.LiveProofs, error) { return admin.RevokeProofs(t.Context(), h.store) }, there},
		{"again", func() (admin.LiveProofs, error) { return admin.RevokeProofs(t.Context(), h.store) }, admin.LiveProofs{}},
	} {
		n, err := what.do()
		if err != nil {
			t.Fatal(err)
		}
		same(t, what.name, n, what.want)
	}
	for name, secret := range map[string]admin.Secret{"a person's": personal, "a service's": service} {
		_, err := h.ByToken(t.Context(), secret, somewhere)
		out(t, name, err)
	}
	_, err = h.BySession(t.Context(), in.Secret, somewhere)
	out(t, "a session", err)
	_, err = h.SignInLink(t.Context(), link, admin.Visit{Addr: somewhere})
	code(t, "a link", err, admin.Unauthenticated)
	if err := h.dir.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, err := h.dir.Lookup("ana"); err != nil || len(a.Verifiers) > 0 {
		t.Errorf("at the door: %+v, %v", a, err)
	}
}
