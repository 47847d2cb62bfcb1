package admin_test

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/admin"
)

// Addresses are not shown to all, and are not found by all: piece by piece they
// could be guessed.
func TestEmailsAreFoundByAdmins(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ann := h.person("ann", admin.RoleMember).Caller
	if _, err := h.AddPerson(t.Context(), h.root, admin.NewPerson{Login: "bob", Email: "robert.q@private.example"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		who  *admin.Caller
		want int
	}{{ann, 0}, {h.root, 1}} {
		got, err := h.People(t.Context(), c.who, admin.Page{Search: "robert.q@"})
		if err != nil || len(got) != c.want {
			t.Errorf("%s finds %d, %v", c.who.Login, len(got), err)
		}
	}
}

// Nobody becomes everyone by a team of that name.
func TestNoTeamIsEveryone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, err := h.AddTeam(t.Context(), h.root, "Everyone")
	code(t, "a team", err, admin.Invalid)
}
