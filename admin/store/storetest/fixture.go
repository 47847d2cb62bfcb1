package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

// fixture is what the store of schema 1 holds that sqlite/testdata keeps: a row
// or more in each table. It is written by its own words, not by those of other
// tests: what is in the file does not change.
type fixture struct {
	team       admin.Team
	ana, bot   admin.Principal
	identity   admin.Identity
	membership admin.Membership
	grants     []admin.Grant
	token      admin.Token
	password   admin.DBPassword
	session    admin.WebSession
	link       admin.OneUseLink
	sighting   admin.Sighting
}

func newFixture() fixture {
	day := func(n int) time.Time { return time.Date(2026, 3, n, 12, 0, 0, 123456000, time.UTC) }
	never := day(1).AddDate(1000, 0, 0)
	return fixture{
		team: admin.Team{ID: "g_00000000000000aa", Name: "Data 🦁", Created: day(1)},
		ana: admin.Principal{ //nolint:gosec // nobody's password
			ID: "u_00000000000000aa", Kind: admin.KindPerson, Login: "ana", Name: "Ana Ünal", Email: "ana@example.com", Barred: true,
			Password: "$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA", Salt: []byte{0, 1, 255}, Created: day(1), SignedIn: day(2),
		},
		bot: admin.Principal{
			ID: "s_00000000000000aa", Kind: admin.KindService, Login: "bot", Name: "it's a bot", About: "loads;\nand sleeps", TeamID: "g_00000000000000aa",
			Disabled: true, Salt: []byte{7}, Created: day(3),
		},
		identity:   admin.Identity{Issuer: "https://id.example.com", Subject: "12", PrincipalID: "u_00000000000000aa"},
		membership: admin.Membership{TeamID: "g_00000000000000aa", PrincipalID: "u_00000000000000aa", Source: admin.SourceIdentity},
		grants: []admin.Grant{
			{
				ID: "a_00000000000000aa", PrincipalID: "u_00000000000000aa", Target: "dwh", Role: admin.RoleOperator, WarehouseLogin: "ana_ro",
				WarehouseSecret: []byte{1, 2, 3, 0, 255}, Created: day(1), By: "local",
			},
			{ID: "a_00000000000000ab", TeamID: "g_00000000000000aa", Target: admin.AllTargets, Role: admin.RoleMember, Created: day(2), By: "ana"},
		},
		token: admin.Token{
			ID: "k_00000000000000aa", HolderID: "s_00000000000000aa", Name: "nightly", Hash: []byte("0123456789abcdef0123456789abcdef"),
			Scopes: admin.Scopes{admin.ScopeRunsRead, admin.ScopeRunsWrite}, Targets: []string{"dwh"}, Queries: map[string]int{"q_1": 3},
			CIDRs: []string{"10.0.0.0/8"}, Created: day(1), By: "ana", ParentID: "k_00000000000000a0", Expires: never, Revoked: day(5), Used: day(4), UsedAddr: "10.1.1.1",
		},
		password: admin.DBPassword{
			ID: "d_00000000000000aa", PrincipalID: "u_00000000000000aa", Tool: "DBeaver", Verifier: "SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V5", Created: day(1),
			Expires: never, Used: day(2), UsedAddr: "::1", UsedBy: "DBeaver 24",
		},
		session: admin.WebSession{
			ID: "w_00000000000000aa", PrincipalID: "u_00000000000000aa", Hash: []byte("fedcba9876543210fedcba9876543210"), Method: "oidc", Addr: "::1",
			Agent: "Firefox", Created: day(1), Seen: day(2), Expires: never,
		},
		link:     admin.OneUseLink{Hash: []byte("link"), PrincipalID: "u_00000000000000aa", Created: day(1), By: "local", Expires: never},
		sighting: admin.Sighting{PrincipalID: "u_00000000000000aa", Tool: "psql", Addr: "10.0.0.1", Name: "DBeaver", At: day(3)},
	}
}

// Fixture checks that a store that was written at schema 1 holds what it held.
func Fixture(t *testing.T, s admin.Store) {
	want := newFixture()
	view(t, s, func(ctx context.Context, tx admin.Tx) error {
		revision, err := tx.Revision(ctx)
		same(t, "revision", revision, int64(7))
		return errors.Join(err, want.people(ctx, t, tx), want.proofs(ctx, t, tx))
	})
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		got, err := tx.UseLink(ctx, want.link.Hash)
		if err != nil {
			return err
		}
		got.Used = time.Time{}
		same(t, "link", *got, want.link)
		return tx.RemovePrincipal(ctx, want.ana.ID) // what refers to her goes with her
	})
}

func (f *fixture) people(ctx context.Context, t *testing.T, tx admin.Tx) error {
	t.Helper()
	principals, err1 := tx.Principals(ctx, admin.PrincipalFilter{})
	same(t, "principals", principals, []admin.Principal{f.ana, f.bot})
	teams, err2 := tx.Teams(ctx)
	same(t, "teams", teams, []admin.Team{f.team})
	identities, err3 := tx.Identities(ctx, f.ana.ID)
	same(t, "identities", identities, []admin.Identity{f.identity})
	memberships, err4 := tx.Memberships(ctx, "", "")
	same(t, "memberships", memberships, []admin.Membership{f.membership})
	grants, err5 := tx.Grants(ctx)
	same(t, "grants", grants, f.grants)
	return errors.Join(err1, err2, err3, err4, err5)
}

func (f *fixture) proofs(ctx context.Context, t *testing.T, tx admin.Tx) error {
	t.Helper()
	tokens, err1 := tx.Tokens(ctx, f.bot.ID)
	same(t, "tokens", tokens, []admin.Token{f.token})
	passwords, err2 := tx.DBPasswords(ctx, "")
	same(t, "passwords", passwords, []admin.DBPassword{f.password})
	sessions, err3 := tx.Sessions(ctx, f.ana.ID)
	same(t, "sessions", sessions, []admin.WebSession{f.session})
	sightings, err4 := tx.Sightings(ctx, f.ana.ID)
	same(t, "sightings", sightings, []admin.Sighting{f.sighting})
	return errors.Join(err1, err2, err3, err4)
}
