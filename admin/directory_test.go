package admin_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestDBPassword(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ana, bob := h.person("ana", admin.RoleMember).Caller, h.person("bob", admin.RoleMember).Caller
	secret, item, err := h.AddDBPassword(t.Context(), ana, admin.NewDBPassword{Tool: "DBeaver"})
	if err != nil || item.Verifier != "" || !item.Expires.Equal(h.clock.Now().Add(12*time.Hour)) || len(secret.Reveal()) != 31 {
		t.Fatalf("password: %+v, %v", item, err)
	}
	if _, _, err := h.AddDBPassword(t.Context(), ana, admin.NewDBPassword{Tool: "psql", Hours: 720}); err != nil {
		t.Fatal(err)
	}
	a, err := h.dir.Lookup("ana")
	if err != nil || len(a.Verifiers) != 2 || a.ID != ana.ID {
		t.Fatalf("at the door: %+v, %v", a, err)
	}
	salt := func(v string) string { return strings.Split(v, "$")[1] }
	if salt(a.Verifiers[0]) != salt(a.Verifiers[1]) || a.Verifiers[0] == a.Verifiers[1] {
		t.Errorf("one salt, two verifiers: %v", a.Verifiers)
	}
	code(t, "somebody else's", h.RevokeDBPassword(t.Context(), bob, item.ID), admin.NotFound)
	for what, in := range map[string]admin.NewDBPassword{"no tool": {}, "over 30 days": {Tool: "x", Hours: 721}, "negative": {Tool: "x", Hours: -1}} {
		_, _, err := h.AddDBPassword(t.Context(), ana, in)
		code(t, what, err, admin.Invalid)
	}
	// It is gone at its hour, without anybody reading the store.
	h.clock.advance(12*time.Hour - time.Second)
	if a, err = staleBy(h, "ana"); err != nil || len(a.Verifiers) != 2 {
		t.Errorf("before its hour: %+v, %v", a, err)
	}
	h.clock.advance(time.Second)
	if a, err = h.dir.Lookup("ana"); err != nil || len(a.Verifiers) != 1 {
		t.Errorf("at its hour: %+v, %v", a, err)
	}
	list, err := h.DBPasswords(t.Context(), ana, "")
	if err != nil || len(list) != 1 || list[0].Tool != "psql" || list[0].Verifier != "" {
		t.Fatalf("live: %+v, %v", list, err)
	}
	h.revoker.took()
	if err := h.RevokeDBPassword(t.Context(), ana, list[0].ID); err != nil {
		t.Fatal(err)
	}
	h.revoker.wasRevoked(t, "revoked", list[0].ID)
	if a, err := h.dir.Lookup("ana"); err != nil || len(a.Verifiers) != 0 {
		t.Errorf("at the door: %+v, %v", a, err)
	}
	for range 16 {
		if _, _, err := h.AddDBPassword(t.Context(), ana, admin.NewDBPassword{Tool: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err = h.AddDBPassword(t.Context(), ana, admin.NewDBPassword{Tool: "x"})
	code(t, "the 17th", err, admin.Quota)
	if all, err := h.DBPasswords(t.Context(), &admin.Caller{}, ""); err != nil || len(all) != 0 {
		t.Errorf("nobody's: %v, %v", all, err)
	}
}

// staleBy looks up after the snapshot was read again: time alone makes it old.
func staleBy(h *house, login string) (admin.Account, error) {
	if err := h.dir.Refresh(h.t.Context()); err != nil {
		return admin.Account{}, err
	}
	return h.dir.Lookup(login)
}

// Without the store the door works for a while, and then not at all.
func TestStale(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.person("ana", admin.RoleMember)
	if err := h.dir.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.dir.Refresh(ended); err == nil {
		t.Error("refreshed without the store")
	}
	h.clock.advance(15*time.Minute - time.Second)
	if _, err := h.dir.Lookup("ana"); err != nil {
		t.Errorf("before 15 minutes: %v", err)
	}
	if h.dir.Role("ana", "x") != admin.RoleMember {
		t.Error("no role before 15 minutes")
	}
	if _, err := h.dir.Lookup("nobody"); !errors.Is(err, admin.ErrNoLogin) {
		t.Errorf("nobody: %v", err)
	}
	h.clock.advance(time.Second)
	if _, err := h.dir.Lookup("ana"); !errors.Is(err, admin.ErrStale) {
		t.Errorf("after 15 minutes: %v", err)
	}
	if _, _, err := h.dir.WarehouseLogin("ana", "x"); !errors.Is(err, admin.ErrStale) {
		t.Errorf("warehouse after 15 minutes: %v", err)
	}
	if h.dir.Role("ana", "x") != admin.RoleNone {
		t.Error("a role after 15 minutes")
	}
	if err := h.dir.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.dir.Lookup("ana"); err != nil {
		t.Errorf("with the store again: %v", err)
	}
	fresh, err := admin.NewDirectory(admin.DirectoryConfig{Store: h.store, Vault: h.vault, Log: discard()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.Lookup("ana"); !errors.Is(err, admin.ErrStale) {
		t.Errorf("before it read anything: %v", err)
	}
}

func TestWarehouseLogin(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	bi, etl := h.team("bi"), h.team("etl")
	ana := h.person("ana", admin.RoleNone, "bi", "etl").Caller
	h.person("bob", admin.RoleMember)
	var own *admin.Grant
	for _, g := range []admin.NewGrant{
		{Principal: bi.ID, Target: "*", Role: admin.RoleAdmin, WarehouseLogin: "bi_all", WarehousePassword: admin.NewSecret("p-bi-all")},
		{Principal: bi.ID, Target: "a", Role: admin.RoleMember, WarehouseLogin: "bi_a", WarehousePassword: admin.NewSecret("p-bi-a")},
		{Principal: etl.ID, Target: "a", Role: admin.RoleOperator, WarehouseLogin: "etl_a", WarehousePassword: admin.NewSecret("p-etl-a")},
		{Principal: ana.ID, Target: "b", Role: admin.RoleMember, WarehouseLogin: "ana_b"},
	} {
		made, err := h.AddGrant(t.Context(), h.root, g)
		if err != nil || made.WarehouseSecret != nil {
			t.Fatalf("grant: %+v, %v", made, err)
		}
		own = made
	}
	expect := func(login, target, user, password string, want error) {
		t.Helper()
		u, p, err := h.dir.WarehouseLogin(login, target)
		if u != user || p.Reveal() != password || !errors.Is(err, want) {
			t.Errorf("%s at %s: %q, %q, %v; want %q, %q, %v", login, target, u, p.Reveal(), err, user, password, want)
		}
	}
	expect("ana", "a", "etl_a", "p-etl-a", nil)
	expect("ana", "b", "ana_b", "", nil)
	expect("ana", "c", "bi_all", "p-bi-all", nil)
	expect("bob", "a", "", "", admin.ErrNoLogin)
	if err := h.RemoveGrant(t.Context(), h.root, own.ID); err != nil {
		t.Fatal(err)
	}
	expect("ana", "b", "bi_all", "p-bi-all", nil)
	// A vault that does not open shuts this way, and does not show another.
	h.vault.shut = true
	if _, err := h.AddGrant(t.Context(), h.root, admin.NewGrant{
		Principal: ana.ID, Target: "a", Role: admin.RoleMember, WarehouseLogin: "x", WarehousePassword: admin.NewSecret("p-x"),
	}); err != nil {
		t.Fatal(err)
	}
	expect("ana", "a", "x", "", admin.ErrSealed)
	expect("ana", "c", "bi_all", "p-bi-all", nil)
	if _, err := h.dir.Lookup("bob"); err != nil {
		t.Errorf("bob suffers: %v", err)
	}
	for what, in := range map[string]admin.NewGrant{
		"target":   {Principal: ana.ID, Role: admin.RoleMember},
		"role":     {Principal: ana.ID, Target: "z", Role: "god"},
		"nobody":   {Principal: "p_0000000000000000", Target: "z", Role: admin.RoleMember},
		"no id":    {Principal: "\x00", Target: "z", Role: admin.RoleMember},
		"password": {Principal: ana.ID, Target: "z", Role: admin.RoleMember, WarehousePassword: admin.NewSecret("x")},
	} {
		_, err := h.AddGrant(t.Context(), h.root, in)
		code(t, what, err, admin.Invalid)
	}
}

// signals tells of each look into the store.
type signals struct {
	admin.Store

	away  atomic.Bool
	views chan struct{}
}

func (s *signals) View(ctx context.Context, fn func(admin.Tx) error) error {
	err := errAway
	if !s.away.Load() {
		err = s.Store.View(ctx, fn)
	}
	select {
	case s.views <- struct{}{}:
	case <-ctx.Done():
	}
	return err
}

// What another process changed is known soon; an outage is told of once.
func TestDirectoryRun(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	store := &signals{Store: h.store, views: make(chan struct{})}
	var log bytes.Buffer
	dir, err := admin.NewDirectory(admin.DirectoryConfig{
		Store: store, Vault: h.vault, Log: slog.New(slog.NewTextHandler(&log, nil)), Now: h.clock.Now, Every: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- dir.Run(ctx) }() // ended by cancel, awaited below
	looks := func(n int) {
		for range n {
			<-store.views
		}
	}
	looks(2)
	h.person("ana", admin.RoleMember) // the house has a directory of its own
	looks(2)                          // one may have been under way
	if _, err := dir.Lookup("ana"); err != nil {
		t.Errorf("not known: %v", err)
	}
	store.away.Store(true)
	looks(4)
	store.away.Store(false)
	looks(3)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if away, back := strings.Count(log.String(), "cannot read people"), strings.Count(log.String(), "read again"); away != 1 || back != 1 {
		t.Errorf("told %d and %d times:\n%s", away, back, log.String())
	}
}

func TestSightings(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ana := h.person("ana", admin.RoleMember).Caller
	for _, tool := range []string{"DBeaver", "psql"} {
		if _, _, err := h.AddDBPassword(t.Context(), ana, admin.NewDBPassword{Tool: tool}); err != nil {
			t.Fatal(err)
		}
	}
	a, err := h.dir.Lookup("ana")
	if err != nil {
		t.Fatal(err)
	}
	saw := func(l admin.Login) {
		t.Helper()
		if err := h.SawLogin(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	first := h.clock.Now()
	saw(admin.Login{Login: "ana", Application: "psql 15", Addr: "10.0.0.1", Verifier: a.Verifiers[1]})
	h.clock.advance(5 * time.Second)
	saw(admin.Login{Login: "ana", Application: "psql 15", Addr: "10.0.0.1"})
	saw(admin.Login{Login: "ana", Application: "bad\x00tool\xff", Addr: "10.0.0.1"})
	saw(admin.Login{Login: "of the user file"})
	saw(admin.Login{Login: "nobody"})
	got, err := h.Sightings(t.Context(), ana)
	if err != nil || len(got) != 2 {
		t.Fatalf("sightings: %+v, %v", got, err)
	}
	if got[0].Tool != "badtool" || got[0].Name != "" {
		t.Errorf("a tool of no password: %+v", got[0])
	}
	if got[1].Name == "" || !got[1].At.Equal(first) {
		t.Errorf("a tool of a password, written once in 10 s: %+v", got[1])
	}
	list, err := h.DBPasswords(t.Context(), ana, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		if used := d.Tool == got[1].Name; used == d.Used.IsZero() || used && d.UsedBy != "psql 15" {
			t.Errorf("use of %s: %+v", d.Tool, d)
		}
	}
}

// No secret is in the store's files, the log or the record; nothing prints one.
func TestCanary(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ana := h.person("ana", admin.RoleMember)
	password := admin.NewSecret("canary-own-password")
	if err := h.SetPassword(t.Context(), ana.Caller, admin.Secret{}, password); err != nil {
		t.Fatal(err)
	}
	token, _ := h.token(ana.Caller, "", admin.ScopeRunsRead)
	if _, err := h.ByToken(t.Context(), token, somewhere); err != nil {
		t.Fatal(err)
	}
	db, _, err := h.AddDBPassword(t.Context(), ana.Caller, admin.NewDBPassword{Tool: "psql"})
	if err != nil {
		t.Fatal(err)
	}
	warehouse := admin.NewSecret("canary-warehouse-password")
	if _, err := h.AddGrant(t.Context(), h.root, admin.NewGrant{
		Principal: ana.Caller.ID, Target: "a", Role: admin.RoleMember, WarehouseLogin: "w", WarehousePassword: warehouse,
	}); err != nil {
		t.Fatal(err)
	}
	link, err := h.NewLink(t.Context(), h.root, ana.Caller.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = h.SignInPassword(t.Context(), "ana", admin.NewSecret("canary-wrong-password"), admin.Visit{})
	var kept bytes.Buffer
	files, err := filepath.Glob(h.path + "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		kept.Write(b)
	}
	if !bytes.Contains(kept.Bytes(), []byte("ana")) {
		t.Fatal("not the store")
	}
	kept.Write([]byte(h.log.String()))
	printed := slog.New(slog.NewJSONHandler(&kept, nil))
	for _, s := range []admin.Secret{ana.Secret, password, token, db, warehouse, link, admin.NewSecret("canary-wrong-password")} {
		printed.Info("x", slog.Any("secret", s), slog.Any("in", struct{ S admin.Secret }{s}))
	}
	h.journal.mu.Lock()
	for _, e := range h.journal.events {
		printed.Info("event", slog.Any("event", e))
	}
	h.journal.mu.Unlock()
	for what, s := range map[string]string{
		"session": ana.Secret.Reveal(), "password": password.Reveal(), "token": token.Reveal(), "db password": db.Reveal(),
		"warehouse": warehouse.Reveal(), "link": link.Reveal(), "wrong": "canary-wrong", "token's secret": token.Reveal()[7:39],
	} {
		if bytes.Contains(kept.Bytes(), []byte(s)) {
			t.Errorf("the %s is kept in clear", what)
		}
	}
}

// Another process takes rights away: this one hears of it at its next look.
func TestLost(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ana := h.person("ana", admin.RoleMember)
	h.person("bob", admin.RoleMember)
	team, err := h.AddTeam(t.Context(), h.root, "growth")
	if err != nil {
		t.Fatal(err)
	}
	var lost []string
	dir, err := admin.NewDirectory(admin.DirectoryConfig{
		Store: h.store, Vault: h.vault, Log: discard(), Now: h.clock.Now, Lost: func(logins []string) { lost = append(lost, logins...) },
	})
	if err != nil {
		t.Fatal(err)
	}
	look := func() (out []string) {
		t.Helper()
		if err := dir.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		out, lost = lost, nil
		return out
	}
	same(t, "the first look", look(), []string(nil))
	_, short, err := h.AddDBPassword(t.Context(), ana.Caller, admin.NewDBPassword{Tool: "psql", Hours: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, long, err := h.AddDBPassword(t.Context(), ana.Caller, admin.NewDBPassword{Tool: "psql", Hours: 10})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.AddMember(t.Context(), h.root, team.ID, "ana"); err != nil {
		t.Fatal(err)
	}
	same(t, "what was given", look(), []string(nil))
	h.clock.advance(2 * time.Hour)
	h.person("carl", admin.RoleMember) // so that there is something to read
	same(t, "a password at its hour", look(), []string(nil))
	code(t, "the short one", h.RevokeDBPassword(t.Context(), ana.Caller, short.ID), admin.NotFound)
	if err := h.RevokeDBPassword(t.Context(), ana.Caller, long.ID); err != nil {
		t.Fatal(err)
	}
	same(t, "a password taken away", look(), []string{"ana"})
	if err := h.RemoveMember(t.Context(), h.root, team.ID, "ana"); err != nil {
		t.Fatal(err)
	}
	same(t, "a team", look(), []string{"ana"})
	if _, err := h.ChangePerson(t.Context(), h.root, ana.Caller.ID, admin.PersonChange{Disabled: new(true)}); err != nil {
		t.Fatal(err)
	}
	same(t, "shut out", look(), []string{"ana"})
	same(t, "nothing more", look(), []string(nil))
}
