package storetest

import (
	"context"
	"testing"

	"github.com/lockkeeper/lockkeeper/admin"
)

func testPrincipals(t *testing.T, s admin.Store) {
	ana := add(t, s, "ana")[0]
	taken(t, "a second ana", s.Update(t.Context(), func(tx admin.Tx) error { return tx.AddPrincipal(t.Context(), Somebody("ana")) }))
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		got, err := tx.PrincipalByLogin(ctx, "ana")
		if err != nil {
			return err
		}
		same(t, "by login", got, ana)
		_, err = tx.PrincipalByLogin(ctx, "ANA")
		is(t, "by another login", err, admin.ErrAbsent)
		ana.Disabled, ana.Barred, ana.Name = true, false, ""
		if err := tx.SetPrincipal(ctx, ana); err != nil {
			return err
		}
		got, err = tx.Principal(ctx, ana.ID)
		same(t, "after Set", got, ana)
		is(t, "Set of nobody", tx.SetPrincipal(ctx, Somebody("bob")), admin.ErrAbsent)
		return err
	})
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		if err := tx.RemovePrincipal(ctx, ana.ID); err != nil {
			return err
		}
		is(t, "Remove again", tx.RemovePrincipal(ctx, ana.ID), admin.ErrAbsent)
		return nil
	})
}

func testSearch(t *testing.T, s admin.Store) {
	all := add(t, s, "zoe", "ana_b", "anab", "bob%", "_x", "a!")
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		all[0].Name, all[0].Email = "Zoë Analyst", "z@example.org"
		return tx.SetPrincipal(ctx, all[0])
	})
	for _, p := range []struct {
		f    admin.PrincipalFilter
		want []string
	}{
		{admin.PrincipalFilter{}, []string{"_x", "a!", "ana_b", "anab", "bob%", "zoe"}},
		{admin.PrincipalFilter{Kind: admin.KindService}, nil},
		{admin.PrincipalFilter{Kind: admin.KindPerson, Limit: 2}, []string{"_x", "a!"}},
		{admin.PrincipalFilter{After: "ana_b"}, []string{"anab", "bob%", "zoe"}},
		{admin.PrincipalFilter{Search: "a_b"}, []string{"ana_b"}},
		{admin.PrincipalFilter{Search: "B%"}, []string{"bob%"}},
		{admin.PrincipalFilter{Search: "!"}, []string{"a!"}},
		{admin.PrincipalFilter{Search: "ANALYST"}, []string{"zoe"}},
		{admin.PrincipalFilter{Search: "example.org"}, nil},
		{admin.PrincipalFilter{Search: "example.org", Emails: true}, []string{"zoe"}},
		{admin.PrincipalFilter{TeamID: "t_none"}, nil},
	} {
		view(t, s, func(ctx context.Context, tx admin.Tx) error {
			got, err := tx.Principals(ctx, p.f)
			var logins []string
			for _, p := range got {
				logins = append(logins, p.Login)
			}
			if err == nil {
				same(t, "search "+p.f.Search, logins, p.want)
			}
			return err
		})
	}
}

func testTeams(t *testing.T, s admin.Store) {
	who := add(t, s, "ana", "bob")
	bi, etl := admin.Team{ID: "t_1", Name: "bi", Created: at(0)}, admin.Team{ID: "t_2", Name: "ETL", Created: at(1e9)}
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		for _, team := range []*admin.Team{&bi, &etl} {
			if err := tx.AddTeam(ctx, team); err != nil {
				return err
			}
		}
		got, err := tx.Teams(ctx)
		same(t, "teams", got, []admin.Team{etl, bi})
		return err
	})
	taken(t, "a second bi", s.Update(t.Context(), func(tx admin.Tx) error {
		return tx.AddTeam(t.Context(), &admin.Team{ID: "t_3", Name: "bi"})
	}))
	local := admin.Membership{TeamID: bi.ID, PrincipalID: who[0].ID, Source: admin.SourceLocal}
	remote := local
	remote.Source = admin.SourceIdentity
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		for _, m := range []admin.Membership{local, remote, local} {
			if err := tx.AddMembership(ctx, m); err != nil {
				return err
			}
		}
		of, err := tx.Memberships(ctx, "", who[0].ID)
		same(t, "of ana", of, []admin.Membership{remote, local})
		if err != nil {
			return err
		}
		if err := tx.RemoveMembership(ctx, remote); err != nil {
			return err
		}
		is(t, "Remove again", tx.RemoveMembership(ctx, remote), admin.ErrAbsent)
		in, err := tx.Memberships(ctx, bi.ID, "")
		same(t, "in bi", in, []admin.Membership{local})
		return err
	})
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		bi.Name = "insight"
		if err := tx.SetTeam(ctx, &bi); err != nil {
			return err
		}
		got, err := tx.TeamByName(ctx, "insight")
		same(t, "renamed", got, &bi)
		if err != nil {
			return err
		}
		if err := tx.RemoveTeam(ctx, bi.ID); err != nil {
			return err
		}
		left, err := tx.Memberships(ctx, "", "")
		same(t, "memberships of no team", left, []admin.Membership(nil))
		return err
	})
}

func testGrants(t *testing.T, s admin.Store) {
	ana := add(t, s, "ana")[0]
	team := admin.Team{ID: "t_1", Name: "bi", Created: at(0)}
	one := admin.Grant{ID: "g_1", PrincipalID: ana.ID, Target: admin.AllTargets, Role: admin.RoleAdmin, Created: at(0), By: "local"}
	two := admin.Grant{ID: "g_2", TeamID: team.ID, Target: "warehouse", Role: admin.RoleMember, WarehouseLogin: "bi", WarehouseSecret: []byte{0, 7}, Created: at(0), By: "ana"}
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		if err := tx.AddTeam(ctx, &team); err != nil {
			return err
		}
		if err := tx.AddGrant(ctx, &one); err != nil {
			return err
		}
		return tx.AddGrant(ctx, &two)
	})
	for name, g := range map[string]admin.Grant{
		"principal and target": {ID: "g_3", PrincipalID: ana.ID, Target: admin.AllTargets, Role: admin.RoleMember},
		"team and target":      {ID: "g_3", TeamID: team.ID, Target: "warehouse", Role: admin.RoleMember},
	} {
		taken(t, name, s.Update(t.Context(), func(tx admin.Tx) error { return tx.AddGrant(t.Context(), &g) }))
	}
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		all, err := tx.Grants(ctx)
		same(t, "all", all, []admin.Grant{one, two})
		if err != nil {
			return err
		}
		some, err := tx.Grants(ctx, "p_nobody", team.ID)
		same(t, "of the team", some, []admin.Grant{two})
		if err != nil {
			return err
		}
		if err := tx.RemoveGrant(ctx, one.ID); err != nil {
			return err
		}
		_, err = tx.Grant(ctx, one.ID)
		is(t, "removed", err, admin.ErrAbsent)
		is(t, "Remove again", tx.RemoveGrant(ctx, one.ID), admin.ErrAbsent)
		return nil
	})
}

func testIdentities(t *testing.T, s admin.Store) {
	who := add(t, s, "ana", "bob")
	id := admin.Identity{Issuer: "https://id.example.com", Subject: "7", PrincipalID: who[0].ID}
	update(t, s, func(ctx context.Context, tx admin.Tx) error { return tx.AddIdentity(ctx, &id) })
	stolen := id
	stolen.PrincipalID = who[1].ID
	taken(t, "somebody's identity", s.Update(t.Context(), func(tx admin.Tx) error { return tx.AddIdentity(t.Context(), &stolen) }))
	view(t, s, func(ctx context.Context, tx admin.Tx) error {
		got, err := tx.IdentityOf(ctx, id.Issuer, id.Subject)
		same(t, "identity", got, &id)
		if err != nil {
			return err
		}
		_, err = tx.IdentityOf(ctx, id.Issuer, "8")
		is(t, "another", err, admin.ErrAbsent)
		of, err := tx.Identities(ctx, who[0].ID)
		same(t, "of ana", of, []admin.Identity{id})
		return err
	})
}

// Who is removed takes along all that is theirs.
func testCascade(t *testing.T, s admin.Store) {
	ana := add(t, s, "ana")[0]
	team := admin.Team{ID: "t_1", Name: "bi", Created: at(0)}
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		for _, step := range []func() error{
			func() error { return tx.AddTeam(ctx, &team) },
			func() error {
				return tx.AddMembership(ctx, admin.Membership{TeamID: team.ID, PrincipalID: ana.ID, Source: admin.SourceLocal})
			},
			func() error {
				return tx.AddGrant(ctx, &admin.Grant{ID: "g_1", PrincipalID: ana.ID, Target: "x", Role: admin.RoleMember, Created: at(0)})
			},
			func() error { return tx.AddToken(ctx, token("k_1", ana.ID)) },
			func() error { return tx.AddDBPassword(ctx, password("d_1", ana.ID)) },
			func() error { return tx.AddSession(ctx, session("w_1", ana.ID)) },
			func() error { return tx.RemovePrincipal(ctx, ana.ID) },
		} {
			if err := step(); err != nil {
				return err
			}
		}
		_, err := tx.Token(ctx, "k_1")
		is(t, "token", err, admin.ErrAbsent)
		_, err = tx.DBPassword(ctx, "d_1")
		is(t, "password", err, admin.ErrAbsent)
		_, err = tx.Session(ctx, "w_1")
		is(t, "session", err, admin.ErrAbsent)
		_, err = tx.Grant(ctx, "g_1")
		is(t, "grant", err, admin.ErrAbsent)
		left, err := tx.Memberships(ctx, team.ID, "")
		same(t, "memberships", left, []admin.Membership(nil))
		return err
	})
	orphan := s.Update(t.Context(), func(tx admin.Tx) error { return tx.AddToken(t.Context(), token("k_2", "p_nobody")) })
	if orphan == nil {
		t.Error("a token of nobody")
	}
}
