package admin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/audit"
)

const (
	issuer  = "https://id"
	recheck = 5 * time.Minute
)

// provider is an identity provider that rotates: each token opens once.
type provider struct {
	mu     sync.Mutex // guards what follows
	people map[string]*account
	asked  []string // subjects
	err    error    // to everything
	during func()   // runs after the question arrived, before the answer
	script func(keep func(admin.Secret) error) (admin.Proof, error)
	most   int // questions at one time
	now    int
}

// account is somebody there.
type account struct {
	token  int // the newest
	groups []string
	barred bool
	err    error // after the next token was given
}

var errProviderAway = errors.New("no route to host")

func (p *provider) secret(subject string) admin.Secret {
	return admin.NewSecret(fmt.Sprintf("refresh-%s-%d", subject, p.people[subject].token))
}

// Ask implements admin.Provider.
func (p *provider) Ask(_ context.Context, subject string, refresh admin.Secret, keep func(admin.Secret) error) (admin.Proof, error) {
	p.mu.Lock()
	p.now++
	p.most = max(p.most, p.now)
	p.asked = append(p.asked, subject)
	during, script := p.during, p.script
	p.mu.Unlock()
	if script != nil {
		return script(keep)
	}
	if during != nil {
		during()
	}
	p.mu.Lock()
	p.now--
	if p.err != nil {
		defer p.mu.Unlock()
		return admin.Proof{}, p.err
	}
	a := p.people[subject]
	if a == nil || refresh.Reveal() != p.secret(subject).Reveal() {
		defer p.mu.Unlock()
		return admin.Proof{}, admin.ErrRefused
	}
	a.token++
	next, answer, err := p.secret(subject), admin.Proof{Method: "oidc", Login: subject, Groups: a.groups, NoGroup: a.barred}, a.err
	p.mu.Unlock()
	if err := keep(next); err != nil {
		return admin.Proof{}, err
	}
	return answer, err
}

func (p *provider) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// took returns who was asked about, and forgets it.
func (p *provider) took() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.asked
	p.asked = nil
	return asked
}

// providerHouse is a house whose people come by a provider.
type providerHouse struct {
	*house
	*provider

	r *admin.Rechecker
}

func newProviderHouse(t *testing.T, change ...func(*admin.RecheckConfig)) *providerHouse {
	t.Helper()
	h := &providerHouse{house: newHouse(t, func(c *admin.Config) { c.Provision = true }), provider: &provider{people: map[string]*account{}}}
	cfg := admin.RecheckConfig{Office: h.Office, Issuer: issuer, Provider: h.provider, Log: h.logger, Now: h.clock.Now}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if h.r, err = admin.NewRechecker(cfg); err != nil {
		t.Fatal(err)
	}
	return h
}

// comes signs somebody in by the provider.
func (h *providerHouse) comes(login string, groups ...string) *admin.SignedIn {
	h.t.Helper()
	h.change(func() {
		token := 1
		if old := h.people[login]; old != nil {
			token = old.token + 1
		}
		h.people[login] = &account{token: token, groups: groups}
	})
	in, err := h.SignInIdentity(h.t.Context(), admin.Proof{
		Method: "oidc", Issuer: issuer, Subject: login, Login: login, Groups: groups, Refresh: h.secret(login),
	}, admin.Visit{Addr: somewhere})
	if err != nil {
		h.t.Fatal(err)
	}
	return in
}

// turn lets the time between two questions pass, and asks.
func (h *providerHouse) turn() {
	h.t.Helper()
	h.clock.advance(recheck)
	h.r.Turn(h.t.Context())
}

// kept reports whether a refresh token of somebody is kept.
func (h *providerHouse) kept(login string) bool {
	h.t.Helper()
	var err error
	if storeErr := h.store.View(h.t.Context(), func(tx admin.Tx) error {
		_, err = tx.Renewal(h.t.Context(), issuer, login)
		return nil
	}); storeErr != nil {
		h.t.Fatal(storeErr)
	}
	if err != nil && !errors.Is(err, admin.ErrAbsent) {
		h.t.Fatal(err)
	}
	return err == nil
}

// Who loses the group is out with all they have, without coming by; who is
// still in it keeps all, however long.
func TestRecheckBars(t *testing.T) {
	t.Parallel()
	h := newProviderHouse(t)
	ana, bob := h.comes("ana"), h.comes("bob")
	h.grant(ana.Caller.ID, "*", admin.RoleMember)
	now, err := h.Still(t.Context(), ana.Caller)
	if err != nil {
		t.Fatal(err)
	}
	token, _ := h.token(now, "", admin.ScopeRunsRead)
	if _, _, err := h.AddDBPassword(t.Context(), now, admin.NewDBPassword{Tool: "psql"}); err != nil {
		t.Fatal(err)
	}
	h.r.Turn(t.Context())
	if asked := h.took(); len(asked) != 0 {
		t.Errorf("asked before the time about %v", asked)
	}
	for range 3 {
		h.turn()
	}
	if n := len(h.took()); n != 6 {
		t.Errorf("asked %d times, want 6", n)
	}
	before := len(h.journal.events)
	h.revoker.took()
	h.change(func() { h.people["ana"].barred = true })
	h.turn()
	h.revoker.wasRevoked(t, "revoked", ana.Caller.ID)
	_, err = h.BySession(t.Context(), ana.Secret, somewhere)
	out(t, "session", err)
	_, err = h.ByToken(t.Context(), token, somewhere)
	out(t, "token", err)
	if a, err := h.dir.Lookup("ana"); err != nil || !a.Disabled || len(a.Verifiers) != 0 {
		t.Errorf("at the door: %+v, %v", a, err)
	}
	if e := h.journal.last(); len(h.journal.events) != before+1 || e.Kind != audit.KindAdminChange || e.What != "person ana" || e.Via != "provider" || !strings.Contains(e.Message, "required group") {
		t.Errorf("recorded as %+v", e)
	}
	if _, err := h.BySession(t.Context(), bob.Secret, somewhere); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	if h.kept("ana") || !h.kept("bob") {
		t.Errorf("kept of ana: %t, of bob: %t", h.kept("ana"), h.kept("bob"))
	}
	h.took()
	h.turn()
	same(t, "asked about", h.took(), []string{"bob"})
	// With the group again they come in again, and are asked about again.
	h.comes("ana")
	if _, err := h.ByToken(t.Context(), token, somewhere); err != nil || !h.kept("ana") {
		t.Errorf("in the group again: %v", err)
	}
}

// A refused refresh token ends the page sessions it came with, and no more.
func TestRecheckRefused(t *testing.T) {
	t.Parallel()
	h := newProviderHouse(t)
	ana := h.comes("ana")
	h.grant(ana.Caller.ID, "*", admin.RoleMember)
	child, err := h.DeriveSession(t.Context(), ana.Caller, admin.Visit{})
	if err != nil {
		t.Fatal(err)
	}
	byLink := h.again(ana.Caller.ID)
	token, _ := h.token(byLink.Caller, "", admin.ScopeRunsRead)
	h.change(func() { h.people["ana"] = nil })
	h.revoker.took()
	h.turn()
	revoked := h.revoker.took()
	if len(revoked) != 2 || !strings.Contains(strings.Join(revoked, " "), ana.Session.ID) || !strings.Contains(strings.Join(revoked, " "), child.Session.ID) {
		t.Errorf("revoked %v, want %s and %s", revoked, ana.Session.ID, child.Session.ID)
	}
	for what, s := range map[string]*admin.SignedIn{"by the provider": ana, "derived": child} {
		_, err := h.BySession(t.Context(), s.Secret, somewhere)
		out(t, what, err)
	}
	if _, err := h.BySession(t.Context(), byLink.Secret, somewhere); err != nil {
		t.Errorf("a session by a link: %v", err)
	}
	if _, err := h.ByToken(t.Context(), token, somewhere); err != nil {
		t.Errorf("a token: %v", err)
	}
	if e := h.journal.last(); e.Kind != audit.KindLogout || e.User != "ana" || e.Via != "provider" {
		t.Errorf("recorded as %+v", e)
	}
	if h.kept("ana") {
		t.Error("the refused token is kept")
	}
	if _, err := h.BySession(t.Context(), h.comes("ana").Secret, somewhere); err != nil {
		t.Errorf("signed in again: %v", err)
	}
}

// Groups become teams without a sign-in; nothing is written while nothing changes.
func TestRecheckTeams(t *testing.T) {
	t.Parallel()
	h := newProviderHouse(t)
	h.team("bi")
	h.team("etl")
	ana := h.comes("ana", "bi", "unknown")
	teams := func() []string {
		c, err := h.Still(t.Context(), ana.Caller)
		if err != nil {
			t.Fatal(err)
		}
		return c.Teams
	}
	for _, step := range []struct {
		groups, teams []string
		records       int
		lost          bool
	}{
		{[]string{"bi"}, []string{"bi"}, 0, false},
		{[]string{"bi", "etl"}, []string{"bi", "etl"}, 1, false},
		{nil, []string{"bi", "etl"}, 0, false}, // the provider does not tell
		{[]string{"etl"}, []string{"etl"}, 1, true},
		{[]string{}, nil, 1, true},
	} {
		before := len(h.journal.events)
		h.revoker.took()
		h.change(func() { h.people["ana"].groups = step.groups })
		h.turn()
		same(t, "teams", teams(), step.teams)
		var revoked []string
		if step.lost {
			revoked = []string{ana.Caller.ID}
		}
		same(t, "revoked", h.revoker.took(), revoked)
		if n := len(h.journal.events) - before; n != step.records {
			t.Errorf("%v: %d records, want %d", step.groups, n, step.records)
		}
	}
}

// What keeps a refresh token is whatever could be taken away.
func TestRecheckAlive(t *testing.T) {
	t.Parallel()
	at := &door{}
	h := newProviderHouse(t, func(c *admin.RecheckConfig) { c.Presence = at })
	h.grant(h.comes("ana").Caller.ID, "*", admin.RoleMember)
	ana := h.comes("ana")
	if err := h.EndSessions(t.Context(), h.root, ana.Caller.ID); err != nil {
		t.Fatal(err)
	}
	ana = h.comes("ana")
	if _, _, err := h.AddDBPassword(t.Context(), ana.Caller, admin.NewDBPassword{Tool: "psql", Hours: 2}); err != nil {
		t.Fatal(err)
	}
	if err := h.SignOut(t.Context(), ana.Caller); err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	for _, disabled := range []*bool{&yes, &no} { // an admin's no may be taken back, so it forgets nothing
		if _, err := h.ChangePerson(t.Context(), h.root, ana.Caller.ID, admin.PersonChange{Disabled: disabled}); err != nil {
			t.Fatal(err)
		}
		h.turn()
		same(t, "asked about who has a database password only", h.took(), []string{"ana"})
	}
	h.clock.advance(2 * time.Hour)
	at.login = "ana" // the password expired, the session that it opened has not
	h.turn()
	same(t, "asked about who is at the door only", h.took(), []string{"ana"})
	at.login = "somebody"
	h.turn()
	if asked := h.took(); len(asked) != 0 || h.kept("ana") {
		t.Errorf("nothing is alive: asked about %v, kept: %t", asked, h.kept("ana"))
	}
}

type door struct{ login string }

func (d *door) Present(login string) bool { return login == d.login }

// A provider that is away says nothing about people, and is not asked all the time.
func TestRecheckAway(t *testing.T) {
	t.Parallel()
	h := newProviderHouse(t)
	ana, bob := h.comes("ana"), h.comes("bob")
	h.change(func() { h.err = errProviderAway })
	before := len(h.journal.events)
	h.turn()
	h.took()
	h.r.Turn(t.Context())
	if asked := h.took(); len(asked) != 0 {
		t.Errorf("asked at once again about %v", asked)
	}
	asked := 0
	for range 20 { // minutes
		for range 60 {
			h.clock.advance(time.Second)
			h.r.Turn(t.Context())
		}
		asked += len(h.took())
	}
	if asked < 20 || asked > 100 {
		t.Errorf("asked %d times in 20 minutes about two people", asked)
	}
	for what, s := range map[string]*admin.SignedIn{"ana": ana, "bob": bob} {
		if _, err := h.BySession(t.Context(), s.Secret, somewhere); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n := len(h.journal.events) - before; n != 0 {
		t.Errorf("%d records of nothing", n)
	}
	if n := strings.Count(h.log.String(), "cannot ask whether"); n != 1 {
		t.Errorf("%d warnings, want one:\n%s", n, h.log)
	}
	h.change(func() { h.err, h.people["bob"].barred = nil, true })
	h.clock.advance(time.Minute + 5*time.Second)
	h.r.Turn(t.Context())
	if !strings.Contains(h.log.String(), "asked about again") {
		t.Errorf("the log does not say that it is over:\n%s", h.log)
	}
	_, err := h.BySession(t.Context(), bob.Secret, somewhere)
	out(t, "bob", err)
}

// The next token is kept whatever becomes of the answer; an answer that cannot be
// used says nothing, and is told once.
func TestRecheckKeepsNext(t *testing.T) {
	t.Parallel()
	h := newProviderHouse(t)
	ana := h.comes("ana")
	for _, err := range []error{errProviderAway, admin.ErrUnclear, admin.ErrUnclear} {
		h.change(func() { h.people["ana"].err = err })
		h.turn()
		if _, err := h.BySession(t.Context(), ana.Secret, somewhere); err != nil {
			t.Fatalf("nothing is known of her: %v", err)
		}
	}
	h.change(func() { h.people["ana"].err = nil })
	h.turn()
	if _, err := h.BySession(t.Context(), ana.Secret, somewhere); err != nil || len(h.took()) != 4 {
		t.Errorf("the token that was kept is not the newest: %v", err)
	}
	if n := strings.Count(h.log.String(), "answer about somebody"); n != 1 {
		t.Errorf("%d warnings of an odd answer, want one:\n%s", n, h.log)
	}
	h.journal.breaks(true)
	h.change(func() { h.people["ana"].barred = true })
	h.turn()
	if _, err := h.BySession(t.Context(), ana.Secret, somewhere); err != nil {
		t.Errorf("barred without a record: %v", err)
	}
	h.journal.breaks(false)
	h.turn()
	_, err := h.BySession(t.Context(), ana.Secret, somewhere)
	out(t, "with a record", err)
}

// An answer from before a sign-in counts for nothing, whatever it is, and does
// not take the place of the newer token.
func TestRecheckLosesToSignIn(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]struct {
		proof admin.Proof
		err   error
	}{
		"group missing": {admin.Proof{NoGroup: true}, nil},
		"refused":       {admin.Proof{}, admin.ErrRefused},
		"other groups":  {admin.Proof{Groups: []string{}}, nil},
		"unclear":       {admin.Proof{}, admin.ErrUnclear},
		"away":          {admin.Proof{}, errProviderAway},
	} {
		for _, rotates := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, rotates %t", name, rotates), func(t *testing.T) {
				t.Parallel()
				h := newProviderHouse(t)
				h.team("bi")
				h.comes("ana", "bi")
				var in *admin.SignedIn
				h.script = func(keep func(admin.Secret) error) (admin.Proof, error) {
					in = h.comes("ana", "bi") // after the question began
					if rotates {
						err := keep(admin.NewSecret("old"))
						if err != nil {
							return admin.Proof{}, err
						}
						t.Error("the token of before was kept")
					}
					return answer.proof, answer.err
				}
				h.turn()
				h.change(func() { h.script = nil })
				h.took()
				h.clock.advance(time.Minute)
				h.turn()
				same(t, "asked about", h.took(), []string{"ana"})
				c, err := h.BySession(t.Context(), in.Secret, somewhere)
				if err != nil {
					t.Fatal(err)
				}
				same(t, "teams", c.Teams, []string{"bi"})
			})
		}
	}
}

// A newer sign-in that brings no token takes no meaning from the one that is
// kept, but makes answers of before void.
func TestRecheckSignInWithoutToken(t *testing.T) {
	t.Parallel()
	h := newProviderHouse(t)
	h.comes("ana")
	var in *admin.SignedIn
	h.script = func(func(admin.Secret) error) (admin.Proof, error) {
		var err error
		in, err = h.SignInIdentity(t.Context(), admin.Proof{Method: "oidc", Issuer: issuer, Subject: "ana", Login: "ana"}, admin.Visit{})
		if err != nil {
			t.Error(err)
		}
		return admin.Proof{NoGroup: true}, nil
	}
	h.turn()
	if _, err := h.BySession(t.Context(), in.Secret, somewhere); err != nil {
		t.Errorf("barred by an old answer: %v", err)
	}
	h.change(func() { h.script, h.people["ana"].barred = nil, true })
	h.turn()
	_, err := h.BySession(t.Context(), in.Secret, somewhere)
	out(t, "by the next answer", err)
}

// That there is no refresh token is said once, and only of a provider.
func TestNoRefreshToken(t *testing.T) {
	t.Parallel()
	h := newProviderHouse(t)
	for _, method := range []string{"header", "oidc", "oidc"} {
		if _, err := h.SignInIdentity(t.Context(), admin.Proof{Method: method, Issuer: method, Subject: "ana", Login: method}, admin.Visit{}); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(h.log.String(), "no refresh token"); n > 1 || (n == 1) != (method == "oidc") {
			t.Errorf("after %s: %d warnings", method, n)
		}
	}
	h.turn()
	if asked := h.took(); len(asked) != 0 {
		t.Errorf("asked about %v", asked)
	}
}

// The refresh token stands nowhere but sealed.
func TestRefreshTokenIsSealed(t *testing.T) {
	t.Parallel()
	h := newProviderHouse(t)
	h.comes("ana")
	h.turn()
	h.change(func() { h.people["ana"].err = fmt.Errorf("%w: %w", admin.ErrUnclear, errProviderAway) })
	h.turn()
	for _, file := range []string{h.path, h.path + "-wal"} {
		body, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if bytes.Contains(body, []byte("refresh-ana")) {
			t.Errorf("%s holds a refresh token", file)
		}
	}
	if s := h.log.String() + fmt.Sprintf("%+v", h.journal.events); strings.Contains(s, "refresh-ana") {
		t.Errorf("told: %s", s)
	}
	h.vault.shut = true
	before := h.took()
	h.turn()
	if asked := h.took(); len(before) != 2 || len(asked) != 0 || !strings.Contains(h.log.String(), "cannot be used") {
		t.Errorf("asked about %v with a token that does not open", asked)
	}
}

// Questions are few at one time, and go on one after the other without waiting.
func TestRecheckBounded(t *testing.T) {
	t.Parallel()
	h := newProviderHouse(t, func(c *admin.RecheckConfig) { c.AtOnce = 3 })
	for i := range 20 {
		h.comes(fmt.Sprintf("p%d", i))
	}
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan struct{}, 100)
	h.during = func() { asked <- struct{}{} }
	h.clock.advance(recheck)
	ended := make(chan error)
	began := time.Now()
	go func() { ended <- h.r.Run(ctx) }() // ends with ctx; joined below
	for range 20 {
		select {
		case <-asked:
		case <-time.After(20 * time.Second):
			t.Fatal("not all are asked about")
		}
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("20 questions took %s: each waited for the next look", took)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	who := h.took()
	slices.Sort(who)
	if len(who) != 20 || len(slices.Compact(who)) != 20 {
		t.Errorf("asked about %v: a token of before was used again", who)
	}
	if h.most > 3 {
		t.Errorf("%d questions at one time, want at most 3", h.most)
	}
	due := map[time.Time]bool{}
	err := h.store.View(t.Context(), func(tx admin.Tx) error {
		for i := range 20 {
			r, err := tx.Renewal(t.Context(), issuer, fmt.Sprintf("p%d", i))
			if err != nil {
				return err
			}
			due[r.Due] = true
			if wait := r.Due.Sub(h.clock.Now()); wait > recheck || wait < recheck-recheck/10 {
				t.Errorf("due again in %s", wait)
			}
		}
		return nil
	})
	if err != nil || len(due) < 15 {
		t.Errorf("20 people are due at %d times: %v", len(due), err)
	}
}

// A question that is under way when the office stops still brings its token home.
func TestRecheckLastWord(t *testing.T) {
	t.Parallel()
	h := newProviderHouse(t)
	h.comes("ana")
	h.clock.advance(recheck)
	ctx, cancel := context.WithCancel(t.Context())
	h.during = cancel
	if err := h.r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	h.change(func() { h.during = nil })
	h.took()
	h.turn()
	if asked := h.took(); len(asked) != 1 || !h.kept("ana") {
		t.Errorf("the next token was lost: asked about %v, kept %t", asked, h.kept("ana"))
	}
}

func TestRecheckConfig(t *testing.T) {
	t.Parallel()
	h := newProviderHouse(t)
	for what, cfg := range map[string]admin.RecheckConfig{
		"no office":   {Issuer: issuer, Provider: h.provider, Log: h.logger},
		"no issuer":   {Office: h.Office, Provider: h.provider, Log: h.logger},
		"no provider": {Office: h.Office, Issuer: issuer, Log: h.logger},
	} {
		if _, err := admin.NewRechecker(cfg); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
	cfg := admin.Config{Store: h.store, Journal: h.journal, Vault: h.vault, Passwords: passwords{}, Verifiers: verifiers{}, Log: h.logger, Recheck: time.Millisecond}
	if _, err := admin.New(t.Context(), cfg); err == nil {
		t.Error("asked a thousand times a second")
	}
}
