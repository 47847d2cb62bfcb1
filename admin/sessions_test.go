package admin_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/audit"
)

// Each sign-in has a session of its own, whatever cookie the browser came with.
func TestFixation(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ana, eve := h.person("ana", admin.RoleMember), h.person("eve", admin.RoleMember)
	link, err := h.NewLink(t.Context(), h.root, ana.Caller.ID)
	if err != nil {
		t.Fatal(err)
	}
	in, err := h.SignInLink(t.Context(), link, admin.Visit{Addr: somewhere, Previous: eve.Secret, Agent: strings.Repeat("ü", 200) + "\x00"})
	if err != nil {
		t.Fatal(err)
	}
	if in.Secret.Reveal() == eve.Secret.Reveal() || in.Session.ID == eve.Session.ID || in.Caller.Login != "ana" || in.Session.Hash != nil {
		t.Errorf("signed in as %+v", in)
	}
	if n := len(in.Session.Agent); n != 200 {
		t.Errorf("%d bytes of the agent are kept", n)
	}
	_, err = h.BySession(t.Context(), eve.Secret, somewhere)
	out(t, "the session that the browser came with", err)
	if e := h.journal.last(); e.Kind != audit.KindLogin || e.Verdict != audit.VerdictAllow || e.User != "ana" || e.ClientAddr != "10.1.2.3" {
		t.Errorf("recorded as %+v", e)
	}
	for _, s := range []admin.Secret{{}, admin.NewSecret("x"), admin.NewSecret(strings.Repeat("x", 1<<20))} {
		_, err = h.BySession(t.Context(), s, somewhere)
		out(t, "nonsense", err)
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	idle, busy := h.person("idle", admin.RoleMember), h.person("busy", admin.RoleMember)
	for elapsed := time.Duration(0); elapsed < 7*24*time.Hour-4*time.Hour; elapsed += 4 * time.Hour {
		if _, err := h.BySession(t.Context(), busy.Secret, somewhere); err != nil {
			t.Fatalf("busy after %v: %v", elapsed, err)
		}
		if elapsed == 8*time.Hour {
			// idle has 12 hours, and is not looked at.
			if list, err := h.Sessions(t.Context(), idle.Caller); err != nil || len(list) != 1 {
				t.Errorf("sessions: %v, %v", list, err)
			}
		}
		h.clock.advance(4 * time.Hour)
	}
	_, err := h.BySession(t.Context(), idle.Secret, somewhere)
	out(t, "idle", err)
	if list, err := h.Sessions(t.Context(), idle.Caller); err != nil || len(list) != 0 {
		t.Errorf("sessions: %v, %v", list, err)
	}
	h.clock.advance(4 * time.Hour)
	_, err = h.BySession(t.Context(), busy.Secret, somewhere)
	out(t, "after a week", err)
	if err := h.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	one := h.person("ana", admin.RoleMember)
	two, bob := h.again(one.Caller.ID), h.person("bob", admin.RoleMember)
	child, err := h.DeriveSession(t.Context(), one.Caller, admin.Visit{})
	if err != nil || child.Session.ParentID != one.Session.ID {
		t.Fatalf("derived: %+v, %v", child, err)
	}
	if list, err := h.Sessions(t.Context(), one.Caller); err != nil || len(list) != 3 || list[0].Hash != nil {
		t.Errorf("sessions: %v, %v", list, err)
	}
	code(t, "somebody else's", h.EndSession(t.Context(), bob.Caller, one.Session.ID), admin.NotFound)
	h.revoker.took()
	if err := h.SignOut(t.Context(), one.Caller); err != nil {
		t.Fatal(err)
	}
	h.revoker.wasRevoked(t, "revoked", one.Session.ID, child.Session.ID)
	if e := h.journal.last(); e.Kind != audit.KindLogout || e.User != "ana" {
		t.Errorf("recorded as %+v", e)
	}
	for what, s := range map[string]*admin.SignedIn{"signed out": one, "derived": child} {
		_, err := h.BySession(t.Context(), s.Secret, somewhere)
		out(t, what, err)
	}
	if _, err := h.BySession(t.Context(), two.Secret, somewhere); err != nil {
		t.Errorf("the other one: %v", err)
	}
	if err := h.EndSessions(t.Context(), h.root, one.Caller.ID); err != nil {
		t.Fatal(err)
	}
	_, err = h.BySession(t.Context(), two.Secret, somewhere)
	out(t, "signed out everywhere", err)
}

// A link works once, however many come at the same time, and for ten minutes.
func TestLink(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p, err := h.AddPerson(t.Context(), h.root, admin.NewPerson{Login: "ana"})
	if err != nil {
		t.Fatal(err)
	}
	newLink := func() admin.Secret {
		link, err := h.NewLink(t.Context(), h.root, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		return link
	}
	old, link := newLink(), newLink()
	_, err = h.SignInLink(t.Context(), old, admin.Visit{})
	code(t, "a link made before", err, admin.Unauthenticated)
	var won, lost atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			switch _, err := h.SignInLink(t.Context(), link, admin.Visit{}); {
			case err == nil:
				won.Add(1)
			case admin.CodeOf(err) == admin.Unauthenticated:
				lost.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 7 {
		t.Errorf("%d came in, %d did not", won.Load(), lost.Load())
	}
	link = newLink()
	h.clock.advance(10 * time.Minute)
	_, err = h.SignInLink(t.Context(), link, admin.Visit{})
	code(t, "late", err, admin.Unauthenticated)
}

func TestPassword(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ana := h.person("ana", admin.RoleMember)
	other := h.again(ana.Caller.ID)
	none, good, better := admin.Secret{}, admin.NewSecret("correct horse battery"), admin.NewSecret("staple staple staple")
	code(t, "short", h.SetPassword(t.Context(), ana.Caller, none, admin.NewSecret("short")), admin.Invalid)
	if err := h.SetPassword(t.Context(), ana.Caller, none, good); err != nil {
		t.Fatal(err)
	}
	_, err := h.BySession(t.Context(), other.Secret, somewhere)
	out(t, "the other session", err)
	if _, err := h.BySession(t.Context(), ana.Secret, somewhere); err != nil {
		t.Errorf("the own session: %v", err)
	}
	for _, wrong := range []admin.Secret{none, better} {
		code(t, "without the old one", h.SetPassword(t.Context(), ana.Caller, wrong, better), admin.Forbidden)
	}
	if err := h.SetPassword(t.Context(), ana.Caller, good, better); err != nil {
		t.Fatal(err)
	}
	again := h.again(ana.Caller.ID) // who forgot it is sent a link, which serves for one password
	if err := h.SetPassword(t.Context(), again.Caller, none, good); err != nil {
		t.Fatal(err)
	}
	code(t, "a second one by the same link", h.SetPassword(t.Context(), again.Caller, none, better), admin.Forbidden)
	late := h.again(ana.Caller.ID)
	h.clock.advance(15 * time.Minute)
	code(t, "long after the link", h.SetPassword(t.Context(), late.Caller, none, better), admin.Forbidden)
	if err := h.SetPassword(t.Context(), late.Caller, good, better); err != nil {
		t.Fatal(err)
	}
	in, err := h.SignInPassword(t.Context(), " ANA ", better, admin.Visit{Addr: somewhere})
	if err != nil || in.Caller.ID != ana.Caller.ID || in.Session.Method != "password" {
		t.Fatalf("signed in: %+v, %v", in, err)
	}
	h.service("robot", h.team("bi").Name, admin.RoleMember)
	var texts []string
	for _, p := range []struct {
		login  string
		secret admin.Secret
	}{{"ana", good}, {"ana", none}, {"root", better}, {"nobody", better}, {"robot", better}, {"\x00", better}, {"ana", admin.NewSecret(strings.Repeat("x", 2000))}} {
		_, err := h.SignInPassword(t.Context(), p.login, p.secret, admin.Visit{})
		code(t, "sign in as "+p.login, err, admin.Unauthenticated)
		texts = append(texts, err.Error())
	}
	for _, text := range texts {
		if text != texts[0] {
			t.Errorf("answers differ: %q", texts)
		}
	}
	_, _ = h.SignInPassword(t.Context(), "nobody", better, admin.Visit{Addr: somewhere})
	if e := h.journal.last(); e.Kind != audit.KindLogin || e.Verdict != audit.VerdictDeny || e.User != "nobody" || e.SQLState != "28P01" {
		t.Errorf("recorded as %+v", e)
	}
	secret, _ := h.token(in.Caller, "", admin.ScopeTokens)
	c, err := h.ByToken(t.Context(), secret, somewhere)
	if err != nil {
		t.Fatal(err)
	}
	code(t, "by a token", h.SetPassword(t.Context(), c, better, good), admin.Forbidden)
}

// A hash of old parameters is made anew at the next sign-in.
func TestRehash(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ana := h.person("ana", admin.RoleMember)
	good := admin.NewSecret("correct horse battery")
	if err := h.SetPassword(t.Context(), ana.Caller, admin.Secret{}, good); err != nil {
		t.Fatal(err)
	}
	stored := func(change func(string) string) (now string) {
		err := h.store.Update(t.Context(), func(tx admin.Tx) error {
			p, err := tx.Principal(t.Context(), ana.Caller.ID)
			if err != nil {
				return err
			}
			p.Password = change(p.Password)
			now = p.Password
			return tx.SetPrincipal(t.Context(), p)
		})
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	stored(func(s string) string { return "$old" + strings.TrimPrefix(s, "$new") })
	if _, err := h.SignInPassword(t.Context(), "ana", good, admin.Visit{}); err != nil {
		t.Fatal(err)
	}
	if now := stored(func(s string) string { return s }); !strings.HasPrefix(now, "$new$") {
		t.Errorf("the hash is still %s", now)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *admin.Config) {
		c.RequiredGroup, c.Provision, c.GroupTeams = "staff", true, map[string]string{"g-bi": "bi", "g-x": "none", "g-etl": "etl"}
	})
	bi := h.team("bi")
	h.team("etl")
	h.grant(bi.ID, "warehouse", admin.RoleMember)
	proof := admin.Proof{Method: "oidc", Issuer: "https://id", Subject: "1", Login: "Ana@x.org", Name: "Ana", Email: "ana@x.org", Groups: []string{"staff", "g-bi", "g-x", "bi"}}
	in, err := h.SignInIdentity(t.Context(), proof, admin.Visit{Addr: somewhere})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "teams", in.Caller.Teams, []string{"bi"})
	if in.Caller.Login != "ana@x.org" || in.Caller.Role("warehouse") != admin.RoleMember {
		t.Errorf("ana: %+v", in.Caller)
	}
	code(t, "a local password", h.SetPassword(t.Context(), in.Caller, admin.Secret{}, admin.NewSecret("correct horse battery")), admin.Conflict)
	// Known by the subject, whatever the login is now.
	proof.Login, proof.Groups = "ana.married@x.org", []string{"staff", "g-etl"}
	h.revoker.took()
	again, err := h.SignInIdentity(t.Context(), proof, admin.Visit{Previous: in.Secret})
	if err != nil || again.Caller.ID != in.Caller.ID || again.Caller.Login != "ana@x.org" {
		t.Fatalf("again: %+v, %v", again, err)
	}
	same(t, "teams", again.Caller.Teams, []string{"etl"})
	h.revoker.wasRevoked(t, "revoked for the team lost", in.Caller.ID)
	if a, err := h.dir.Lookup("ana@x.org"); err != nil || len(a.Groups) != 1 || a.Groups[0] != "etl" {
		t.Errorf("at the door: %+v, %v", a, err)
	}
	// Another subject does not become ana by her login.
	thief := proof
	thief.Subject, thief.Login = "2", "ana@x.org"
	_, err = h.SignInIdentity(t.Context(), thief, admin.Visit{})
	code(t, "another subject", err, admin.Unauthenticated)
	_, err = h.SignInIdentity(t.Context(), admin.Proof{Method: "oidc", Issuer: "https://id", Groups: []string{"staff"}}, admin.Visit{})
	code(t, "no subject", err, admin.Unauthenticated)
}

// Who loses the required group loses everything, and has it again with the group.
func TestRequiredGroup(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *admin.Config) { c.RequiredGroup = "staff" })
	p, err := h.AddPerson(t.Context(), h.root, admin.NewPerson{Login: "ana", Role: admin.RoleMember})
	if err != nil {
		t.Fatal(err)
	}
	proof := admin.Proof{Method: "oidc", Issuer: "https://id", Subject: "1", Login: "ana", Groups: []string{"staff"}}
	in, err := h.SignInIdentity(t.Context(), proof, admin.Visit{})
	if err != nil || in.Caller.ID != p.ID {
		t.Fatalf("joined to another: %+v, %v", in, err)
	}
	token, _ := h.token(in.Caller, "", admin.ScopeRunsRead)
	if _, _, err := h.AddDBPassword(t.Context(), in.Caller, admin.NewDBPassword{Tool: "psql"}); err != nil {
		t.Fatal(err)
	}
	h.revoker.took()
	proof.Groups = nil
	for range 2 {
		_, err = h.SignInIdentity(t.Context(), proof, admin.Visit{})
		code(t, "without the group", err, admin.Unauthenticated)
	}
	h.revoker.wasRevoked(t, "revoked, once", p.ID)
	_, err = h.BySession(t.Context(), in.Secret, somewhere)
	out(t, "session", err)
	_, err = h.ByToken(t.Context(), token, somewhere)
	out(t, "token", err)
	if a, err := h.dir.Lookup("ana"); err != nil || !a.Disabled || len(a.Verifiers) != 0 {
		t.Errorf("at the door: %+v, %v", a, err)
	}
	proof.Groups = []string{"staff"}
	if _, err := h.SignInIdentity(t.Context(), proof, admin.Visit{}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ByToken(t.Context(), token, somewhere); err != nil {
		t.Errorf("token: %v", err)
	}
	// Nobody unknown is let in: Provision is off.
	proof.Subject, proof.Login = "2", "bob"
	_, err = h.SignInIdentity(t.Context(), proof, admin.Visit{})
	code(t, "unknown", err, admin.Unauthenticated)
	// An admin's word counts more than the provider's.
	yes := true
	if _, err := h.ChangePerson(t.Context(), h.root, p.ID, admin.PersonChange{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	proof.Subject, proof.Login = "1", "ana"
	_, err = h.SignInIdentity(t.Context(), proof, admin.Visit{})
	code(t, "disabled", err, admin.Unauthenticated)
}

// broken is a store that is away.
type broken struct{ admin.Store }

var errAway = errors.New("store away")

func (broken) View(context.Context, func(admin.Tx) error) error   { return errAway }
func (broken) Update(context.Context, func(admin.Tx) error) error { return errAway }

// A store that is away is no proof that fails: nobody is signed out by it.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	office, err := admin.New(t.Context(), admin.Config{
		Store: broken{}, Journal: h.journal, Vault: h.vault, Passwords: passwords{}, Verifiers: verifiers{}, Log: discard(),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, bySession := office.BySession(t.Context(), admin.NewSecret("x"), somewhere)
	_, byToken := office.ByToken(t.Context(), admin.NewTokenText(admin.KindPerson), somewhere)
	_, byPassword := office.SignInPassword(t.Context(), "ana", admin.NewSecret("x"), admin.Visit{})
	for _, err := range []error{bySession, byToken, byPassword} {
		if !errors.Is(err, errAway) || admin.CodeOf(err) == admin.Unauthenticated {
			t.Errorf("%v", err)
		}
	}
}
