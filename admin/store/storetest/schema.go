package storetest

import (
	"context"
	"testing"

	"github.com/lockkeeper/lockkeeper/admin"
)

// The ids of what FillV1 keeps.
const (
	v1Person, v1Service = "p_0000000000000001", "s_0000000000000002"
	v1Team, v1Grant     = "t_0000000000000003", "g_0000000000000004"
	v1Token, v1Password = "k_0000000000000005", "d_0000000000000006"
	v1Session           = "w_0000000000000007"
)

func v1Principals() (person, service *admin.Principal) {
	person, service = Somebody("ana"), Somebody("robot")
	person.ID, service.ID = v1Person, v1Service
	service.Kind, service.TeamID, service.Password, service.Barred = admin.KindService, v1Team, "", false
	return person, service
}

func v1Grants() admin.Grant {
	return admin.Grant{
		ID: v1Grant, TeamID: v1Team, Target: admin.AllTargets, Role: admin.RoleAdmin, WarehouseLogin: "bi", WarehouseSecret: []byte{0, 255},
		Created: at(0), By: "local",
	}
}

// FillV1 fills an empty store with what the dumps under the engines' testdata
// hold. They were made once, of schema 1, and are never made again.
func FillV1(t *testing.T, s admin.Store) {
	t.Helper()
	person, service := v1Principals()
	grant := v1Grants()
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		for _, step := range []func() error{
			func() error { return tx.AddTeam(ctx, &admin.Team{ID: v1Team, Name: "bi", Created: at(0)}) },
			func() error { return tx.AddPrincipal(ctx, person) },
			func() error { return tx.AddPrincipal(ctx, service) },
			func() error {
				return tx.AddMembership(ctx, admin.Membership{TeamID: v1Team, PrincipalID: v1Person, Source: admin.SourceLocal})
			},
			func() error {
				return tx.AddIdentity(ctx, &admin.Identity{Issuer: "https://id", Subject: "7", PrincipalID: v1Person})
			},
			func() error { return tx.AddGrant(ctx, &grant) },
			func() error { return tx.AddToken(ctx, token(v1Token, v1Service)) },
			func() error { return tx.AddDBPassword(ctx, password(v1Password, v1Person)) },
			func() error { return tx.AddSession(ctx, session(v1Session, v1Person)) },
			func() error {
				return tx.AddLink(ctx, &admin.OneUseLink{Hash: []byte("link"), PrincipalID: v1Person, Expires: at(1e9)})
			},
			func() error {
				return tx.SetSighting(ctx, &admin.Sighting{PrincipalID: v1Person, Tool: "psql", Addr: "::1", At: at(0)})
			},
		} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
}

// CheckV1 checks that a store holds what FillV1 put in, whatever its schema is
// by now.
func CheckV1(t *testing.T, s admin.Store) {
	t.Helper()
	person, service := v1Principals()
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		who, err := tx.Principals(ctx, admin.PrincipalFilter{})
		same(t, "principals", who, []admin.Principal{*person, *service})
		if err != nil {
			return err
		}
		members, err := tx.Memberships(ctx, v1Team, "")
		same(t, "members", members, []admin.Membership{{TeamID: v1Team, PrincipalID: v1Person, Source: admin.SourceLocal}})
		if err != nil {
			return err
		}
		grants, err := tx.Grants(ctx)
		same(t, "grants", grants, []admin.Grant{v1Grants()})
		if err != nil {
			return err
		}
		id, err := tx.IdentityOf(ctx, "https://id", "7")
		same(t, "identity", id, &admin.Identity{Issuer: "https://id", Subject: "7", PrincipalID: v1Person})
		return err
	})
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		tok, err := tx.TokenByHash(ctx, token(v1Token, v1Service).Hash)
		same(t, "token", tok, token(v1Token, v1Service))
		if err != nil {
			return err
		}
		d, err := tx.DBPassword(ctx, v1Password)
		same(t, "password", d, password(v1Password, v1Person))
		if err != nil {
			return err
		}
		w, err := tx.Session(ctx, v1Session)
		same(t, "session", w, session(v1Session, v1Person))
		if err != nil {
			return err
		}
		seen, err := tx.Sightings(ctx, v1Person)
		same(t, "sightings", seen, []admin.Sighting{{PrincipalID: v1Person, Tool: "psql", Addr: "::1", At: at(0)}})
		if err != nil {
			return err
		}
		_, err = tx.UseLink(ctx, []byte("link"))
		return err
	})
}
