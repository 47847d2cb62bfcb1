package admin_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/audit"
)

func TestToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ana := h.person("ana", admin.RoleMember).Caller
	secret, token, err := h.AddToken(t.Context(), ana, admin.NewToken{
		Name: " ci ", Scopes: admin.Scopes{admin.ScopeRunsWrite, admin.ScopeRunsRead, admin.ScopeRunsRead}, Days: 30, CIDRs: []string{"10.1.9.9/16", "::1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if token.Hash != nil || token.Name != "ci" || !token.Expires.Equal(h.clock.Now().AddDate(0, 0, 30)) || token.HolderID != ana.ID {
		t.Errorf("token: %+v", token)
	}
	same(t, "networks", token.CIDRs, []string{"10.1.0.0/16", "::1/128"})
	if e := h.journal.last(); e.Kind != audit.KindToken || !strings.Contains(e.Message, token.ID) || strings.Contains(e.Message, "lk_") {
		t.Errorf("recorded as %+v", e)
	}
	c, err := h.ByToken(t.Context(), secret, netip.MustParseAddr("::ffff:10.1.255.1"))
	if err != nil {
		t.Fatal(err)
	}
	if c.ID != ana.ID || c.Token != token.ID || c.Session != "" || c.Via != admin.ViaAPI || c.Need(admin.ScopeRunsRead) != nil {
		t.Errorf("caller: %+v", c)
	}
	code(t, "a scope it lacks", c.Need(admin.ScopeTokens), admin.Forbidden)
	_, err = h.ByToken(t.Context(), secret, netip.MustParseAddr("10.2.0.1"))
	out(t, "from elsewhere", err)
	_, err = h.ByToken(t.Context(), secret, netip.Addr{})
	out(t, "from nowhere", err)
	_, err = h.ByToken(t.Context(), admin.NewTokenText(admin.KindPerson), somewhere)
	out(t, "another", err)
	tokens, err := h.Tokens(t.Context(), ana, "")
	if err != nil || len(tokens) != 1 || tokens[0].UsedAddr != "::ffff:10.1.255.1" || !tokens[0].Used.Equal(h.clock.Now()) {
		t.Errorf("tokens: %+v, %v", tokens, err)
	}
}

// A use is written once a minute.
func TestTokenUse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ana := h.person("ana", admin.RoleMember).Caller
	secret, _ := h.token(ana, "", admin.ScopeRunsRead)
	first := h.clock.Now()
	for _, step := range []struct {
		after time.Duration
		want  time.Time
	}{{0, first}, {59 * time.Second, first}, {time.Second, first.Add(time.Minute)}} {
		h.clock.advance(step.after)
		if _, err := h.ByToken(t.Context(), secret, somewhere); err != nil {
			t.Fatal(err)
		}
		if tokens, err := h.Tokens(t.Context(), ana, ""); err != nil || !tokens[0].Used.Equal(step.want) {
			t.Errorf("after %v: used %v, want %v (%v)", step.after, tokens[0].Used, step.want, err)
		}
	}
}

func TestTokenEnds(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.team("bi")
	in := h.person("ana", admin.RoleMember)
	ana, bob := in.Caller, h.person("bob", admin.RoleMember).Caller
	robot := h.service("robot", "bi", admin.RoleMember)
	personal, token := h.token(ana, "", admin.ScopeRunsRead)
	service, _ := h.token(h.root, robot.ID, admin.ScopeRunsRead)
	// It sleeps until its person comes by; a service's does not.
	h.clock.advance(30*24*time.Hour - time.Second)
	if _, err := h.ByToken(t.Context(), personal, somewhere); err != nil {
		t.Errorf("before 30 days: %v", err)
	}
	h.clock.advance(time.Second)
	_, err := h.ByToken(t.Context(), personal, somewhere)
	out(t, "asleep", err)
	if _, err := h.ByToken(t.Context(), service, somewhere); err != nil {
		t.Errorf("a service sleeps: %v", err)
	}
	h.again(ana.ID)
	if _, err := h.ByToken(t.Context(), personal, somewhere); err != nil {
		t.Errorf("after a sign-in: %v", err)
	}
	// Others cannot end it, nor see that it is there.
	code(t, "by another", h.RevokeToken(t.Context(), bob, token.ID), admin.NotFound)
	code(t, "no id", h.RevokeToken(t.Context(), bob, "k_x"), admin.NotFound)
	h.revoker.took()
	if err := h.RevokeToken(t.Context(), ana, token.ID); err != nil {
		t.Fatal(err)
	}
	h.revoker.wasRevoked(t, "revoked", token.ID)
	_, err = h.ByToken(t.Context(), personal, somewhere)
	out(t, "revoked", err)
	code(t, "twice", h.RevokeToken(t.Context(), ana, token.ID), admin.NotFound)
	h.clock.advance(335 * 24 * time.Hour)
	_, err = h.ByToken(t.Context(), service, somewhere)
	out(t, "expired", err)
}

func TestTokenRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.team("bi")
	ana := h.person("ana", admin.RoleMember, "bi").Caller
	robot := h.service("robot", "bi", admin.RoleAdmin)
	read := admin.Scopes{admin.ScopeRunsRead}
	query := "q_0123456789ABCDEF"
	for what, p := range map[string]struct {
		c    *admin.Caller
		in   admin.NewToken
		want admin.Code
	}{
		"no expiry":            {ana, admin.NewToken{Name: "x", Scopes: read}, admin.Invalid},
		"over a year":          {ana, admin.NewToken{Name: "x", Scopes: read, Days: 366}, admin.Invalid},
		"no name":              {ana, admin.NewToken{Scopes: read, Days: 1}, admin.Invalid},
		"no scope":             {ana, admin.NewToken{Name: "x", Days: 1}, admin.Invalid},
		"unknown scope":        {ana, admin.NewToken{Name: "x", Days: 1, Scopes: admin.Scopes{"all"}}, admin.Invalid},
		"network":              {ana, admin.NewToken{Name: "x", Days: 1, Scopes: read, CIDRs: []string{"fe80::1%eth0"}}, admin.Invalid},
		"query without id":     {ana, admin.NewToken{Name: "x", Days: 1, Scopes: read, Queries: map[string]int{"x": 1}}, admin.Invalid},
		"query and SQL":        {ana, admin.NewToken{Name: "x", Days: 1, Scopes: admin.Scopes{admin.ScopeRunsWrite}, Queries: map[string]int{query: 1}}, admin.Invalid},
		"query without a pin":  {ana, admin.NewToken{Name: "x", Days: 1, Scopes: read, Queries: map[string]int{query: 0}}, admin.Invalid},
		"admin by a member":    {ana, admin.NewToken{Name: "x", Days: 1, Scopes: admin.Scopes{admin.ScopeAdmin}}, admin.Forbidden},
		"activity by a member": {ana, admin.NewToken{Name: "x", Days: 1, Scopes: admin.Scopes{admin.ScopeActivitySQL}}, admin.Forbidden},
		"through a service":    {ana, admin.NewToken{Name: "x", Days: 1, Scopes: admin.Scopes{admin.ScopeAdmin}, Service: robot.ID}, admin.Forbidden},
		"impersonation":        {ana, admin.NewToken{Name: "x", Days: 1, Scopes: admin.Scopes{"impersonate:bi"}, Service: robot.ID}, admin.Forbidden},
		"a person's":           {h.root, admin.NewToken{Name: "x", Days: 1, Scopes: admin.Scopes{"impersonate:bi"}}, admin.Invalid},
		"of no team":           {h.root, admin.NewToken{Name: "x", Days: 1, Scopes: admin.Scopes{"impersonate:none"}, Service: robot.ID}, admin.Invalid},
		"a bound admin":        {h.root, admin.NewToken{Name: "x", Days: 1, Scopes: admin.Scopes{admin.ScopeAdmin}, Targets: []string{"warehouse"}}, admin.Forbidden},
		"the operator's own":   {admin.Operator(), admin.NewToken{Name: "x", Days: 1, Scopes: read}, admin.Invalid},
	} {
		_, _, err := h.AddToken(t.Context(), p.c, p.in)
		code(t, what, err, p.want)
	}
	poor := h.person("poor", admin.RoleNone).Caller
	_, _, err := h.AddToken(t.Context(), poor, admin.NewToken{Name: "x", Days: 1, Scopes: read})
	code(t, "no role", err, admin.Forbidden)
}

// What is made with a token ends with it, lives no longer and may no more.
func TestTokenChildren(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ana := h.person("ana", admin.RoleMember).Caller
	secret, parent, err := h.AddToken(t.Context(), ana, admin.NewToken{Name: "x", Days: 2, Scopes: admin.Scopes{admin.ScopeTokens, admin.ScopeRunsRead, admin.ScopeRunsWrite, admin.ScopeRunsWriteDML}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := h.ByToken(t.Context(), secret, somewhere)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = h.AddToken(t.Context(), c, admin.NewToken{Name: "x", Days: 2, Scopes: admin.Scopes{admin.ScopeCatalogRead}})
	code(t, "more than the parent", err, admin.Forbidden)
	narrow, narrower := h.token(c, "", admin.ScopeTokens)
	nc, err := h.ByToken(t.Context(), narrow, somewhere)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = h.AddDBPassword(t.Context(), nc, admin.NewDBPassword{Tool: "psql"})
	code(t, "a password, which runs anything, from one that runs nothing", err, admin.Forbidden)
	childSecret, child := h.token(c, "", admin.ScopeTokens, admin.ScopeRunsWrite, admin.ScopeRunsWriteDML)
	if child.Expires.After(parent.Expires) {
		t.Errorf("the child lives until %v, its parent until %v", child.Expires, parent.Expires)
	}
	cc, err := h.ByToken(t.Context(), childSecret, somewhere)
	if err != nil {
		t.Fatal(err)
	}
	_, password, err := h.AddDBPassword(t.Context(), cc, admin.NewDBPassword{Tool: "psql", Hours: 720})
	if err != nil || password.Expires.After(parent.Expires) {
		t.Fatalf("password: %+v, %v", password, err)
	}
	bound, _, err := h.AddToken(t.Context(), ana, admin.NewToken{Name: "x", Days: 2, Scopes: admin.Scopes{admin.ScopeTokens}, CIDRs: []string{"10.0.0.0/8"}})
	if err != nil {
		t.Fatal(err)
	}
	bc, err := h.ByToken(t.Context(), bound, somewhere)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = h.AddToken(t.Context(), bc, admin.NewToken{Name: "x", Days: 1, Scopes: admin.Scopes{admin.ScopeTokens}})
	code(t, "free from a bound one", err, admin.Forbidden)
	_, _, err = h.AddDBPassword(t.Context(), bc, admin.NewDBPassword{Tool: "psql"})
	code(t, "password from a bound one", err, admin.Forbidden)

	h.revoker.took()
	if err := h.RevokeToken(t.Context(), ana, parent.ID); err != nil {
		t.Fatal(err)
	}
	h.revoker.wasRevoked(t, "revoked", parent.ID, child.ID, narrower.ID, password.ID)
	_, err = h.ByToken(t.Context(), childSecret, somewhere)
	out(t, "the child", err)
	if a, err := h.dir.Lookup("ana"); err != nil || len(a.Verifiers) != 0 {
		t.Errorf("the password still opens: %+v, %v", a, err)
	}
}

// Whatever is asked, a token's scopes and roles are within its holder's and its
// maker's, when it is made and at each use after rights shrank.
func TestTokenWithinRights(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test's choices
	roles := []admin.Role{admin.RoleNone, admin.RoleMember, admin.RoleOperator, admin.RoleAdmin}
	targets := []string{"*", "a", "b"}
	made := 0
	for i := range 24 {
		p := h.person(fmt.Sprint("p", i), admin.RoleNone)
		var grants []*admin.Grant
		for _, target := range targets {
			if r := roles[rnd.IntN(len(roles))]; r != admin.RoleNone {
				grants = append(grants, h.grant(p.Caller.ID, target, r))
			}
		}
		now, err := h.Still(t.Context(), p.Caller)
		if err != nil {
			t.Fatal(err)
		}
		in := admin.NewToken{Name: "x", Days: 1}
		for _, s := range append(admin.AllScopes(), "impersonate:bi") {
			if rnd.IntN(6) == 0 {
				in.Scopes = append(in.Scopes, s)
			}
		}
		if rnd.IntN(3) == 0 {
			in.Targets = []string{"a"}
		}
		secret, token, err := h.AddToken(t.Context(), now, in)
		if err != nil {
			if c := admin.CodeOf(err); c != admin.Forbidden && c != admin.Invalid {
				t.Fatal(err)
			}
			continue
		}
		made++
		if !token.Scopes.Subset(admin.Entitled(now.Roles)) || !token.Scopes.Subset(now.Scopes) {
			t.Errorf("%v for %v", token.Scopes, now.Roles)
		}
		for len(grants) > 0 {
			c, err := h.ByToken(t.Context(), secret, somewhere)
			if err != nil {
				t.Fatal(err)
			}
			holder, err := h.Still(t.Context(), p.Caller)
			if err != nil {
				t.Fatal(err)
			}
			if !c.Scopes.Subset(admin.Entitled(holder.Roles)) || !c.Scopes.Subset(admin.Entitled(c.Roles)) || !c.Scopes.Subset(token.Scopes) {
				t.Errorf("%v of %v for %v", c.Scopes, token.Scopes, holder.Roles)
			}
			for _, target := range targets {
				if !holder.Role(target).AtLeast(c.Role(target)) || len(in.Targets) > 0 && target != "a" && c.Role(target) != admin.RoleNone {
					t.Errorf("%v at %s, the holder %v, bound to %v", c.Role(target), target, holder.Roles, in.Targets)
				}
			}
			if err := h.RemoveGrant(t.Context(), h.root, grants[0].ID); err != nil {
				t.Fatal(err)
			}
			grants = grants[1:]
		}
	}
	if made < 5 {
		t.Errorf("only %d tokens were made: this tests little", made)
	}
}

func TestOnBehalf(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.team("bi")
	h.team("etl")
	ana, eve := h.person("ana", admin.RoleAdmin, "bi"), h.person("eve", admin.RoleMember, "etl")
	robot := h.service("robot", "bi", admin.RoleNone)
	h.grant(robot.ID, "warehouse", admin.RoleMember)
	secret, token, err := h.AddToken(t.Context(), h.root, admin.NewToken{
		Name: "x", Days: 1, Service: robot.ID,
		Scopes: admin.Scopes{admin.ScopeRunsRead, admin.ScopeRunsWrite, admin.ScopeTokens, "impersonate:bi"},
	})
	if err != nil {
		t.Fatal(err)
	}
	actor, err := h.ByToken(t.Context(), secret, somewhere)
	if err != nil {
		t.Fatal(err)
	}
	c, err := h.OnBehalf(t.Context(), actor, "ANA")
	if err != nil {
		t.Fatal(err)
	}
	if c.ID != ana.Caller.ID || c.Actor != actor || c.Token != token.ID || c.IsAdmin() {
		t.Errorf("caller: %+v", c)
	}
	same(t, "roles", c.Roles, map[string]admin.Role{"warehouse": admin.RoleMember})
	same(t, "scopes", c.Scopes, admin.Scopes{admin.ScopeRunsRead, admin.ScopeRunsWrite})
	if e := c.Entry(audit.KindToken); e.User != "ana" || e.Actor != "robot" {
		t.Errorf("recorded as %+v", e)
	}
	// Who is not theirs, who is shut out, who does not exist: one answer.
	yes := true
	bob := h.person("bob", admin.RoleMember, "bi")
	if _, err := h.ChangePerson(t.Context(), h.root, bob.Caller.ID, admin.PersonChange{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, login := range []string{"eve", "bob", "nobody", "robot", "", "\x00"} {
		_, err := h.OnBehalf(t.Context(), actor, login)
		code(t, login, err, admin.Forbidden)
		texts = append(texts, err.Error())
	}
	if len(slices.Compact(texts)) != 1 {
		t.Errorf("answers differ: %q", texts)
	}
	for what, who := range map[string]*admin.Caller{"a person": eve.Caller, "on behalf twice": c} {
		_, err := h.OnBehalf(t.Context(), who, "ana")
		code(t, what, err, admin.Forbidden)
	}
	_, _, err = h.AddToken(t.Context(), c, admin.NewToken{Name: "x", Days: 1, Scopes: admin.Scopes{admin.ScopeRunsRead}})
	code(t, "a token for the person", err, admin.Forbidden)
	// It ends with any of the two.
	if _, err := h.Still(t.Context(), c); err != nil {
		t.Errorf("still: %v", err)
	}
	if err := h.RevokeToken(t.Context(), h.root, token.ID); err != nil {
		t.Fatal(err)
	}
	_, err = h.Still(t.Context(), c)
	out(t, "after the token", err)
}

// What parses is what was made; one wrong character is seen.
func FuzzParseToken(f *testing.F) {
	f.Add("lk_pat_")
	f.Add(admin.NewTokenText(admin.KindPerson).Reveal())
	f.Add(admin.NewTokenText(admin.KindService).Reveal() + "0")
	f.Add(strings.ToLower(admin.NewTokenText(admin.KindService).Reveal()))
	f.Fuzz(func(t *testing.T, s string) {
		secret, kind, err := admin.ParseToken(s)
		if err != nil {
			if strings.Contains(err.Error(), s) && len(s) > 8 {
				t.Errorf("the error shows %q", s)
			}
			return
		}
		prefix := map[admin.Kind]string{admin.KindPerson: "lk_pat_", admin.KindService: "lk_svc_"}[kind]
		if secret.Reveal() != s || !strings.HasPrefix(s, prefix) || len(s) != 46 || !admin.LooksLikeToken("x "+s) {
			t.Fatalf("%q parsed as %s", s, kind)
		}
		for i := range len(s) {
			wrong := []byte(s)
			wrong[i] ^= 1
			if _, _, err := admin.ParseToken(string(wrong)); err == nil {
				t.Fatalf("%q parses too", wrong)
			}
		}
	})
}

// A service is named by its id or its login, to those who hold it only.
func TestServiceID(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	team := h.team("growth")
	svc := h.service("mailer", team.Name, admin.RoleNone)
	ana, bob := h.person("ana", admin.RoleMember, "growth"), h.person("bob", admin.RoleMember)
	for _, name := range []string{svc.ID, "mailer", "Mailer"} {
		if got, err := h.ServiceID(t.Context(), ana.Caller, name); err != nil || got != svc.ID {
			t.Errorf("%s: %s %v", name, got, err)
		}
		_, err := h.ServiceID(t.Context(), bob.Caller, name)
		code(t, "not held: "+name, err, admin.NotFound)
	}
	for _, name := range []string{"nobody", "ana", "s_0000000000000000", ana.Caller.ID} {
		_, err := h.ServiceID(t.Context(), h.root, name)
		code(t, name, err, admin.NotFound)
	}
}

// bindable is a library of saved queries that lets a token be bound to one.
type bindable string

func (b bindable) Bindable(_ context.Context, _ *admin.Caller, queries map[string]int) error {
	for id := range queries {
		if id != string(b) {
			return admin.Errorf(admin.Unprocessable, "version-unknown", "There is no such query.")
		}
	}
	return nil
}

// A token is bound only to what the library lets its maker bind it to.
func TestTokensAreBoundToWhatIsOpen(t *testing.T) {
	t.Parallel()
	open, shut := admin.NewID(admin.PrefixQuery), admin.NewID(admin.PrefixQuery)
	h := newHouse(t, func(c *admin.Config) { c.Queries = bindable(open) })
	token := func(id string) admin.NewToken {
		return admin.NewToken{Name: "x", Days: 1, Scopes: admin.Scopes{admin.ScopeQueriesRun}, Queries: map[string]int{id: 1}}
	}
	if _, _, err := h.AddToken(t.Context(), h.root, token(open)); err != nil {
		t.Error(err)
	}
	if _, _, err := h.AddToken(t.Context(), h.root, token(shut)); admin.CodeOf(err) != admin.Unprocessable {
		t.Errorf("shut: %v", err)
	}
	without := newHouse(t)
	if _, _, err := without.AddToken(t.Context(), without.root, token(open)); admin.CodeOf(err) != admin.Invalid {
		t.Errorf("without saved queries: %v", err)
	}
}
