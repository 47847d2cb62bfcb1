package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

func token(id, holder string) *admin.Token {
	return &admin.Token{
		ID: id, HolderID: holder, Name: "ci", Hash: []byte("hash of " + id), Scopes: admin.Scopes{admin.ScopeRunsRead, admin.ScopeRunsWrite},
		Targets: []string{"warehouse"}, Queries: map[string]int{"q_1": 3}, CIDRs: []string{"10.0.0.0/8"}, Created: at(0), By: "ana",
		ParentID: "k_0", Expires: at(time.Hour), Used: at(time.Minute), UsedAddr: "10.1.1.1",
	}
}

func password(id, principal string) *admin.DBPassword {
	return &admin.DBPassword{
		ID: id, PrincipalID: principal, Tool: "DBeaver", Verifier: "SCRAM-SHA-256$…", Created: at(0), ParentID: "k_0",
		Expires: at(time.Hour), Used: at(time.Minute), UsedAddr: "10.1.1.1", UsedBy: "DBeaver 24",
	}
}

func session(id, principal string) *admin.WebSession {
	return &admin.WebSession{
		ID: id, PrincipalID: principal, Hash: []byte("hash of " + id), Method: "link", Addr: "::1", Agent: "Firefox",
		ParentID: "w_0", Created: at(0), Seen: at(time.Minute), Expires: at(time.Hour),
	}
}

func testTokens(t *testing.T, s admin.Store) {
	ana := add(t, s, "ana")[0]
	one, plain := token("k_1", ana.ID), &admin.Token{ID: "k_2", HolderID: ana.ID, Hash: []byte{0}, Created: at(time.Second)}
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		if err := tx.AddToken(ctx, one); err != nil {
			return err
		}
		return tx.AddToken(ctx, plain)
	})
	twin := token("k_3", ana.ID)
	twin.Hash = one.Hash
	taken(t, "a hash again", s.Update(t.Context(), func(tx admin.Tx) error { return tx.AddToken(t.Context(), twin) }))
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		got, err := tx.TokenByHash(ctx, one.Hash)
		same(t, "by hash", got, one)
		if err != nil {
			return err
		}
		_, err = tx.TokenByHash(ctx, []byte("other"))
		is(t, "by another hash", err, admin.ErrAbsent)
		one.Revoked = at(time.Minute)
		if err := tx.SetToken(ctx, one); err != nil {
			return err
		}
		list, err := tx.Tokens(ctx, ana.ID)
		same(t, "of ana", list, []admin.Token{*plain, *one})
		if err != nil {
			return err
		}
		children, err := tx.TokensMadeWith(ctx, "k_0")
		same(t, "made with k_0", children, []admin.Token{*one})
		return err
	})
}

func testDBPasswords(t *testing.T, s admin.Store) {
	ana := add(t, s, "ana")[0]
	live, expired, revoked := password("d_1", ana.ID), password("d_2", ana.ID), password("d_3", ana.ID)
	expired.Expires, expired.ParentID = at(0), ""
	revoked.Revoked = at(0)
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		for _, d := range []*admin.DBPassword{live, expired, revoked} {
			if err := tx.AddDBPassword(ctx, d); err != nil {
				return err
			}
		}
		for _, principal := range []string{ana.ID, ""} {
			list, err := tx.DBPasswords(ctx, principal)
			if err != nil {
				return err
			}
			same(t, "live ones", list, []admin.DBPassword{*live})
		}
		children, err := tx.DBPasswordsMadeWith(ctx, "k_0")
		same(t, "made with k_0", children, []admin.DBPassword{*live, *revoked})
		if err != nil {
			return err
		}
		live.Revoked = at(0)
		if err := tx.SetDBPassword(ctx, live); err != nil {
			return err
		}
		got, err := tx.DBPassword(ctx, live.ID)
		same(t, "revoked", got, live)
		return err
	})
}

func testSessions(t *testing.T, s admin.Store) {
	ana := add(t, s, "ana")[0]
	live, ended := session("w_1", ana.ID), session("w_2", ana.ID)
	ended.Ended = at(0)
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		if err := tx.AddSession(ctx, live); err != nil {
			return err
		}
		if err := tx.AddSession(ctx, ended); err != nil {
			return err
		}
		got, err := tx.SessionByHash(ctx, ended.Hash)
		same(t, "by hash", got, ended)
		if err != nil {
			return err
		}
		list, err := tx.Sessions(ctx, ana.ID)
		same(t, "live ones", list, []admin.WebSession{*live})
		if err != nil {
			return err
		}
		live.Seen = at(2 * time.Minute)
		if err := tx.SetSession(ctx, live); err != nil {
			return err
		}
		got, err = tx.Session(ctx, live.ID)
		same(t, "seen", got, live)
		return err
	})
}

func testLinks(t *testing.T, s admin.Store) {
	ana := add(t, s, "ana")[0]
	link := func(name string, expires time.Duration) *admin.OneUseLink {
		return &admin.OneUseLink{Hash: []byte(name), PrincipalID: ana.ID, Created: at(0), By: "local", Expires: at(expires)}
	}
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		for _, l := range []*admin.OneUseLink{link("good", time.Minute), link("late", 0), link("dropped", time.Minute)} {
			if err := tx.AddLink(ctx, l); err != nil {
				return err
			}
		}
		used, err := tx.UseLink(ctx, []byte("good"))
		if err != nil {
			return err
		}
		want := link("good", time.Minute)
		want.Used = at(0)
		same(t, "used", used, want)
		return tx.DropLinks(ctx, ana.ID)
	})
	for _, name := range []string{"good", "late", "dropped", "none"} {
		err := s.Update(t.Context(), func(tx admin.Tx) error {
			_, err := tx.UseLink(t.Context(), []byte(name))
			return err
		})
		is(t, name, err, admin.ErrAbsent)
	}
}

func testSightings(t *testing.T, s admin.Store) {
	ana := add(t, s, "ana")[0]
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		for i := range 30 {
			tool := fmt.Sprint("tool ", i)
			for j := range 2 { // the second writes over the first
				at := at(time.Duration(i*10+j) * time.Second)
				if err := tx.SetSighting(ctx, &admin.Sighting{PrincipalID: ana.ID, Tool: tool, Addr: "10.0.0.1", Name: "DBeaver", At: at}); err != nil {
					return err
				}
			}
		}
		got, err := tx.Sightings(ctx, ana.ID)
		if len(got) != 20 {
			t.Fatalf("%d sightings are kept, want 20", len(got))
		}
		same(t, "newest", got[0], admin.Sighting{PrincipalID: ana.ID, Tool: "tool 29", Addr: "10.0.0.1", Name: "DBeaver", At: at(291 * time.Second)})
		return err
	})
}

func testPrune(t *testing.T, s admin.Store) {
	ana := add(t, s, "ana")[0]
	gone, stays := token("k_1", ana.ID), token("k_2", ana.ID)
	gone.Revoked = at(-time.Hour)
	lent, lentStill := token("k_3", ana.ID), token("k_4", ana.ID)
	lent.By, lent.Expires, lentStill.By = "an issuer", at(-time.Second), "an issuer"
	over := session("w_1", ana.ID)
	over.Expires = at(-time.Hour)
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		if err := tx.AddToken(ctx, gone); err != nil {
			return err
		}
		if err := tx.AddToken(ctx, stays); err != nil {
			return err
		}
		if err := errors.Join(tx.AddToken(ctx, lent), tx.AddToken(ctx, lentStill)); err != nil {
			return err
		}
		pruned, err := tx.PruneTokens(ctx, "an issuer", at(0))
		same(t, "pruned", pruned, []string{lent.ID})
		if err != nil {
			return err
		}
		if err := tx.AddSession(ctx, over); err != nil {
			return err
		}
		old, fresh := renewal("1", 0), renewal("2", 0)
		old.Checked = at(-time.Hour)
		for _, r := range []*admin.Renewal{old, fresh} {
			if err := tx.AddIdentity(ctx, &admin.Identity{Issuer: r.Issuer, Subject: r.Subject, PrincipalID: ana.ID}); err != nil {
				return err
			}
			if err := tx.SetRenewal(ctx, r); err != nil {
				return err
			}
		}
		if err := tx.Prune(ctx, at(-time.Minute)); err != nil {
			return err
		}
		left, err := tx.Tokens(ctx, ana.ID)
		same(t, "tokens", left, []admin.Token{*stays, *lentStill})
		_, absent := tx.Session(ctx, over.ID)
		is(t, "session", absent, admin.ErrAbsent)
		due, errDue := tx.DueRenewals(ctx, fresh.Issuer, 10)
		same(t, "renewals", due, []admin.Renewal{*fresh})
		return errors.Join(err, errDue)
	})
}

// renewal is of a subject at the suite's issuer.
func renewal(subject string, due time.Duration) *admin.Renewal {
	return &admin.Renewal{Issuer: "https://id", Subject: subject, Sealed: []byte{0, 255, 1}, Version: "v-" + subject, Checked: at(0), Due: at(due)}
}

func testRenewals(t *testing.T, s admin.Store) {
	ana := add(t, s, "ana")[0]
	now, late, soon := renewal("1", 0), renewal("2", -time.Hour), renewal("3", time.Microsecond)
	elsewhere := renewal("1", -2*time.Hour)
	elsewhere.Issuer = "https://other"
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		for _, r := range []*admin.Renewal{now, late, soon, elsewhere} {
			if err := tx.AddIdentity(ctx, &admin.Identity{Issuer: r.Issuer, Subject: r.Subject, PrincipalID: ana.ID}); err != nil {
				return err
			}
			if err := tx.SetRenewal(ctx, r); err != nil {
				return err
			}
		}
		due, err := tx.DueRenewals(ctx, now.Issuer, 10)
		same(t, "due", due, []admin.Renewal{*late, *now})
		if err != nil {
			return err
		}
		due, err = tx.DueRenewals(ctx, now.Issuer, 1)
		same(t, "due first", due, []admin.Renewal{*late})
		if err != nil {
			return err
		}
		late.Sealed, late.Version, late.Checked, late.Due = []byte("next"), "w", at(time.Minute), at(time.Hour)
		if err := tx.SetRenewal(ctx, late); err != nil {
			return err
		}
		got, err := tx.Renewal(ctx, late.Issuer, late.Subject)
		same(t, "after", got, late)
		if err != nil {
			return err
		}
		for range 2 {
			if err := tx.RemoveRenewal(ctx, now.Issuer, now.Subject); err != nil {
				return err
			}
		}
		_, err = tx.Renewal(ctx, now.Issuer, now.Subject)
		is(t, "removed", err, admin.ErrAbsent)
		_, err = tx.Renewal(ctx, elsewhere.Issuer, elsewhere.Subject)
		return err
	})
	if err := s.Update(t.Context(), func(tx admin.Tx) error { return tx.SetRenewal(t.Context(), renewal("nobody", 0)) }); err == nil {
		t.Error("a renewal of nobody")
	}
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		if err := tx.RemovePrincipal(ctx, ana.ID); err != nil {
			return err
		}
		_, err := tx.Renewal(ctx, late.Issuer, late.Subject)
		is(t, "with the person", err, admin.ErrAbsent)
		return nil
	})
}
