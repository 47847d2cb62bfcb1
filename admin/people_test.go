package admin_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/audit"
)

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestFirstAdmin(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if !h.root.IsAdmin() || h.root.Via != admin.ViaWeb || !h.root.Scopes.Has(admin.ScopeAdmin) || h.root.Login != "root" {
		t.Errorf("the first admin: %+v", h.root)
	}
	// Again, it is the same person, with another link.
	link, err := h.FirstAdmin(t.Context(), " Root ")
	if err != nil {
		t.Fatal(err)
	}
	if in := h.enter(link); in.Caller.ID != h.root.ID {
		t.Errorf("somebody else: %s", in.Caller.ID)
	}
	ops := admin.Operator()
	if _, err := h.AddTeam(t.Context(), ops, "bi"); err != nil {
		t.Errorf("the operator may not: %v", err)
	}
	if e := h.journal.last(); e.User != "local" || e.Via != "cli" || e.Kind != audit.KindAdminChange {
		t.Errorf("recorded as %+v", e)
	}
}

func TestPeople(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.team("bi")
	ana := h.person("Ana@Example.com", admin.RoleMember, "bi").Caller
	if ana.Login != "ana@example.com" || len(ana.Teams) != 1 || ana.Role("any") != admin.RoleMember {
		t.Errorf("ana: %+v", ana)
	}
	bob := h.person("bob", admin.RoleNone).Caller
	for what, in := range map[string]admin.NewPerson{
		"taken": {Login: "ana@example.com"}, "empty": {}, "space": {Login: "a b"}, "long": {Login: strings.Repeat("a", 64)},
		"operator": {Login: "local"}, "role": {Login: "x", Role: "god"}, "team": {Login: "x", Teams: []string{"none"}},
		"name": {Login: "x", Name: strings.Repeat("x", 201)}, "control": {Login: "x", Email: "a\x00b"}, "utf8": {Login: "x", Name: "\xff"},
	} {
		want := admin.Invalid
		if what == "taken" {
			want = admin.Conflict
		}
		_, err := h.AddPerson(t.Context(), h.root, in)
		code(t, what, err, want)
	}
	// Everybody sees who there is, and only that.
	people, err := h.People(t.Context(), bob, admin.Page{Search: "ANA@"})
	if err != nil || len(people) != 1 {
		t.Fatalf("people: %v, %v", people, err)
	}
	same(t, "ana for bob", people[0], admin.Person{Principal: admin.Principal{ID: ana.ID, Kind: admin.KindPerson, Login: ana.Login, Name: "Ana@Example.com"}})
	p, err := h.Person(t.Context(), h.root, ana.ID)
	if err != nil || len(p.Teams) != 1 || p.Roles["*"] != admin.RoleMember || p.Password != "" || p.Salt != nil {
		t.Errorf("ana for an admin: %+v, %v", p, err)
	}
	_, err = h.Person(t.Context(), h.root, "p_\x00")
	code(t, "no id", err, admin.NotFound)
}

// Whoever is no admin changes nothing about people, whatever they try.
func TestOnlyAdmins(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	team := h.team("bi")
	ana := h.person("ana", admin.RoleOperator)
	service := h.service("etl", "bi", admin.RoleAdmin)
	bound, _, err := h.AddToken(t.Context(), h.root, admin.NewToken{Name: "x", Days: 1, Scopes: admin.Scopes{admin.ScopeRunsRead}})
	if err != nil {
		t.Fatal(err)
	}
	scopeless, err := h.ByToken(t.Context(), bound, somewhere)
	if err != nil {
		t.Fatal(err)
	}
	h.grant(ana.Caller.ID, "warehouse", admin.RoleAdmin) // of one target only
	single := h.again(ana.Caller.ID).Caller
	for who, c := range map[string]*admin.Caller{"operator": ana.Caller, "admin of one": single, "token without the scope": scopeless} {
		ctx := t.Context()
		acts := map[string]func() error{
			"AddPerson":    func() error { _, err := h.AddPerson(ctx, c, admin.NewPerson{Login: "x"}); return err },
			"ChangePerson": func() error { _, err := h.ChangePerson(ctx, c, c.ID, admin.PersonChange{}); return err },
			"NewLink":      func() error { _, err := h.NewLink(ctx, c, c.ID); return err },
			"AddTeam":      func() error { _, err := h.AddTeam(ctx, c, "x"); return err },
			"RenameTeam":   func() error { _, err := h.RenameTeam(ctx, c, team.ID, "x"); return err },
			"RemoveTeam":   func() error { return h.RemoveTeam(ctx, c, team.ID) },
			"AddMember":    func() error { return h.AddMember(ctx, c, team.ID, c.Login) },
			"RemoveMember": func() error { return h.RemoveMember(ctx, c, team.ID, c.Login) },
			"AddGrant": func() error {
				_, err := h.AddGrant(ctx, c, admin.NewGrant{Principal: c.ID, Target: "*", Role: admin.RoleAdmin})
				return err
			},
			"RemoveGrant":   func() error { return h.RemoveGrant(ctx, c, "g_0000000000000000") },
			"Grants":        func() error { _, err := h.Grants(ctx, c); return err },
			"AddService":    func() error { _, err := h.AddService(ctx, c, admin.NewService{Login: "x", Team: "bi"}); return err },
			"ChangeService": func() error { _, err := h.ChangeService(ctx, c, service.ID, admin.ServiceChange{}); return err },
			"RemoveService": func() error { return h.RemoveService(ctx, c, service.ID) },
			"EndSessions":   func() error { return h.EndSessions(ctx, c, "p_0000000000000000") },
		}
		for name, act := range acts {
			code(t, who+" "+name, act(), admin.Forbidden)
		}
	}
}

// What is not in the record does not happen.
func TestRecordFirst(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ana := h.person("ana", admin.RoleMember)
	h.journal.breaks(true)
	yes := true
	_, err := h.ChangePerson(t.Context(), h.root, ana.Caller.ID, admin.PersonChange{Disabled: &yes})
	code(t, "ChangePerson", err, admin.Unavailable)
	_, err = h.AddPerson(t.Context(), h.root, admin.NewPerson{Login: "bob"})
	code(t, "AddPerson", err, admin.Unavailable)
	_, _, err = h.AddToken(t.Context(), ana.Caller, admin.NewToken{Name: "x", Days: 1, Scopes: admin.Scopes{admin.ScopeRunsRead}})
	code(t, "AddToken", err, admin.Unavailable)
	code(t, "SignOut", h.SignOut(t.Context(), ana.Caller), admin.Unavailable)
	if got := h.revoker.took(); len(got) > 0 {
		t.Errorf("revoked %v", got)
	}
	h.journal.breaks(false)
	if _, err := h.BySession(t.Context(), ana.Secret, somewhere); err != nil {
		t.Errorf("ana was shut out: %v", err)
	}
	if people, err := h.People(t.Context(), h.root, admin.Page{}); err != nil || len(people) != 2 {
		t.Errorf("people: %v, %v", people, err)
	}
	if tokens, err := h.Tokens(t.Context(), ana.Caller, ""); err != nil || len(tokens) != 0 {
		t.Errorf("tokens: %v, %v", tokens, err)
	}
}

// Who is disabled is out at once, by every way.
func TestDisable(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ana := h.person("ana", admin.RoleMember)
	token, _ := h.token(ana.Caller, "", admin.ScopeRunsRead)
	if _, _, err := h.AddDBPassword(t.Context(), ana.Caller, admin.NewDBPassword{Tool: "psql"}); err != nil {
		t.Fatal(err)
	}
	link, err := h.NewLink(t.Context(), h.root, ana.Caller.ID)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := h.dir.Lookup("ana"); err != nil || len(a.Verifiers) != 1 || a.Disabled {
		t.Fatalf("at the door: %+v, %v", a, err)
	}
	h.revoker.took()
	yes, no := true, false
	if _, err := h.ChangePerson(t.Context(), h.root, ana.Caller.ID, admin.PersonChange{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	h.revoker.wasRevoked(t, "revoked", ana.Caller.ID)
	if e := h.journal.last(); e.Kind != audit.KindAdminChange || e.What != "person ana" || e.Message != "disabled" || e.User != "root" {
		t.Errorf("recorded as %+v", e)
	}
	_, err = h.BySession(t.Context(), ana.Secret, somewhere)
	out(t, "session", err)
	_, err = h.ByToken(t.Context(), token, somewhere)
	out(t, "token", err)
	_, err = h.Still(t.Context(), ana.Caller)
	out(t, "what lasts", err)
	_, err = h.SignInLink(t.Context(), link, admin.Visit{})
	code(t, "link", err, admin.Unauthenticated)
	_, err = h.NewLink(t.Context(), h.root, ana.Caller.ID)
	code(t, "a new link", err, admin.Conflict)
	if a, err := h.dir.Lookup("ana"); err != nil || len(a.Verifiers) != 0 || !a.Disabled {
		t.Errorf("at the door: %+v, %v", a, err)
	}
	// Enabled again, the old session stays dead.
	if _, err := h.ChangePerson(t.Context(), h.root, ana.Caller.ID, admin.PersonChange{Disabled: &no}); err != nil {
		t.Fatal(err)
	}
	_, err = h.BySession(t.Context(), ana.Secret, somewhere)
	out(t, "the old session", err)
}

// Nobody takes away the last admin, by whatever way.
func TestLastAdmin(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	bosses := h.team("bosses")
	teamGrant := h.grant(bosses.ID, admin.AllTargets, admin.RoleAdmin)
	ana := h.person("ana", admin.RoleNone, "bosses")
	h.service("robot", "bosses", admin.RoleAdmin) // does not count: it cannot sign in
	ctx, yes, none := t.Context(), true, []string{}
	own := func() string {
		grants, err := h.Grants(ctx, h.root)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range grants {
			if g.PrincipalID == h.root.ID {
				return g.ID
			}
		}
		t.Fatal("root has no grant")
		return ""
	}()
	// With ana as an admin by her team, root may go; then she may not.
	if _, err := h.ChangePerson(ctx, ana.Caller, h.root.ID, admin.PersonChange{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	for what, act := range map[string]func() error{
		"disable": func() error {
			_, err := h.ChangePerson(ctx, ana.Caller, ana.Caller.ID, admin.PersonChange{Disabled: &yes})
			return err
		},
		"leave": func() error {
			_, err := h.ChangePerson(ctx, ana.Caller, ana.Caller.ID, admin.PersonChange{Teams: &none})
			return err
		},
		"remove member": func() error { return h.RemoveMember(ctx, ana.Caller, bosses.ID, "ana") },
		"remove grant":  func() error { return h.RemoveGrant(ctx, ana.Caller, teamGrant.ID) },
		"operator":      func() error { return h.RemoveGrant(ctx, admin.Operator(), teamGrant.ID) },
	} {
		code(t, what, act(), admin.Conflict)
	}
	if err := h.RemoveGrant(ctx, ana.Caller, own); err != nil { // of one who is disabled: it counts for nothing
		t.Error(err)
	}
	if c, err := h.BySession(ctx, ana.Secret, somewhere); err != nil || !c.IsAdmin() {
		t.Errorf("ana: %+v, %v", c, err)
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	bi, etl := h.team("bi"), h.team("etl")
	ana := h.person("ana", admin.RoleNone, "bi", "etl")
	h.grant(bi.ID, "a", admin.RoleMember)
	h.grant(etl.ID, "a", admin.RoleOperator)
	own := h.grant(ana.Caller.ID, "b", admin.RoleMember)
	c, err := h.BySession(t.Context(), ana.Secret, somewhere)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "roles", c.Roles, map[string]admin.Role{"a": admin.RoleOperator, "b": admin.RoleMember})
	same(t, "teams", c.Teams, []string{"bi", "etl"})
	_, err = h.AddGrant(t.Context(), h.root, admin.NewGrant{Principal: ana.Caller.ID, Target: "b", Role: admin.RoleAdmin})
	code(t, "a second grant", err, admin.Conflict)
	h.revoker.took()
	for what, step := range map[string]struct {
		act  func() error
		want []string
	}{
		"grant":    {func() error { return h.RemoveGrant(t.Context(), h.root, own.ID) }, []string{ana.Caller.ID}},
		"team":     {func() error { return h.RemoveTeam(t.Context(), h.root, etl.ID) }, []string{ana.Caller.ID}},
		"member":   {func() error { return h.RemoveMember(t.Context(), h.root, bi.ID, "ana") }, []string{ana.Caller.ID}},
		"newcomer": {func() error { return h.AddMember(t.Context(), h.root, h.team("new").ID, "ana") }, nil},
		"no member": {func() error {
			code(t, "member", h.RemoveMember(t.Context(), h.root, bi.ID, "root"), admin.NotFound)
			return nil
		}, nil},
	} {
		if err := step.act(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		h.revoker.wasRevoked(t, "revoked by "+what, step.want...)
	}
	c, err = h.Still(t.Context(), c)
	if err != nil || len(c.Roles) != 0 || len(c.Scopes) != 0 {
		t.Errorf("ana has still %+v, %v", c, err)
	}
}

func TestServices(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	team := h.team("etl")
	h.team("bi")
	s := h.service("loader", "etl", admin.RoleMember)
	holder, other := h.person("ana", admin.RoleMember, "etl").Caller, h.person("bob", admin.RoleMember, "bi").Caller
	if got, err := h.Service(t.Context(), holder, s.ID); err != nil || got.Team != "etl" || got.Roles["*"] != admin.RoleMember {
		t.Errorf("service: %+v, %v", got, err)
	}
	_, err := h.Service(t.Context(), other, s.ID)
	code(t, "somebody else's", err, admin.NotFound)
	code(t, "Held", h.Held(t.Context(), other, s.ID), admin.NotFound)
	for who, want := range map[*admin.Caller]int{holder: 1, other: 0, h.root: 1} {
		if got, err := h.Services(t.Context(), who, admin.Page{}); err != nil || len(got) != want {
			t.Errorf("services of %s: %v, %v", who.Login, got, err)
		}
	}
	_, _, err = h.AddToken(t.Context(), other, admin.NewToken{Name: "x", Days: 1, Scopes: admin.Scopes{admin.ScopeRunsRead}, Service: s.ID})
	code(t, "a token by somebody else", err, admin.Invalid)
	secret, _ := h.token(holder, s.ID, admin.ScopeRunsRead)
	if !strings.HasPrefix(secret.Reveal(), "lk_svc_") {
		t.Error("not the token of a service")
	}
	_, err = h.AddPerson(t.Context(), h.root, admin.NewPerson{Login: "loader"})
	code(t, "a person of its login", err, admin.Conflict)
	code(t, "its team", h.RemoveTeam(t.Context(), h.root, team.ID), admin.Conflict)
	bi := "bi"
	if got, err := h.ChangeService(t.Context(), h.root, s.ID, admin.ServiceChange{Team: &bi}); err != nil || got.Team != "bi" {
		t.Errorf("given away: %+v, %v", got, err)
	}
	code(t, "no longer held", h.Held(t.Context(), holder, s.ID), admin.NotFound)
	h.revoker.took()
	if err := h.RemoveService(t.Context(), h.root, s.ID); err != nil {
		t.Fatal(err)
	}
	h.revoker.wasRevoked(t, "revoked", s.ID)
	_, err = h.ByToken(t.Context(), secret, somewhere)
	out(t, "its token", err)
}
