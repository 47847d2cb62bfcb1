package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/admin"
)

// Open makes a fresh, empty store that is gone with the test.
type Open func(t *testing.T, now func() time.Time) admin.Store

// Epoch is the time of the suite's clock, with more digits than a store keeps.
var Epoch = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.FixedZone("", 3600)) //nolint:gochecknoglobals // a constant

// Run checks the store of people.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, admin.Store){
		"Commit": testCommit, "OneWriter": testOneWriter, "Now": testNow, "Canceled": testCanceled, "Revision": testRevision,
		"Principals": testPrincipals, "Search": testSearch, "Teams": testTeams, "Grants": testGrants, "Identities": testIdentities, "Renewals": testRenewals,
		"Tokens": testTokens, "DBPasswords": testDBPasswords, "Sessions": testSessions, "Links": testLinks, "Sightings": testSightings,
		"Cascade": testCascade, "Prune": testPrune,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, func() time.Time { return Epoch }))
		})
	}
}

var errStop = errors.New("stop")

// update and view fail the test on an error.
func update(t *testing.T, s admin.Store, fn func(context.Context, admin.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), func(tx admin.Tx) error { return fn(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, s admin.Store, fn func(context.Context, admin.Tx) error) {
	t.Helper()
	if err := s.View(t.Context(), func(tx admin.Tx) error { return fn(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// is fails unless err is want.
func is(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func taken(t *testing.T, what string, err error) {
	t.Helper()
	if _, ok := errors.AsType[*admin.TakenError](err); !ok {
		t.Errorf("%s: %v, want a TakenError", what, err)
	}
}

// at is a time as a store gives it back.
func at(d time.Duration) time.Time { return Epoch.Add(d).UTC().Truncate(time.Microsecond) }

// Somebody returns a principal with every field set.
func Somebody(login string) *admin.Principal {
	return &admin.Principal{ //nolint:gosec // no credentials
		ID: admin.NewID(admin.PrefixPerson), Kind: admin.KindPerson, Login: login, Name: "Ana Ünal", Email: "ana@example.com", About: "x",
		Barred: true, Password: "$argon2id$…", Salt: []byte{0, 1, 255}, Created: at(0), SignedIn: at(time.Hour),
	}
}

func add(t *testing.T, s admin.Store, logins ...string) []*admin.Principal {
	t.Helper()
	var out []*admin.Principal
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		for _, login := range logins {
			p := Somebody(login)
			out = append(out, p)
			if err := tx.AddPrincipal(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
	return out
}

// What fails leaves no trace; what returns nil is there.
func testCommit(t *testing.T, s admin.Store) {
	p := Somebody("ana")
	err := s.Update(t.Context(), func(tx admin.Tx) error {
		if err := tx.AddPrincipal(t.Context(), p); err != nil {
			return err
		}
		if _, err := tx.Principal(t.Context(), p.ID); err != nil {
			t.Errorf("a transaction does not see its own: %v", err)
		}
		return errStop
	})
	is(t, "Update", err, errStop)
	view(t, s, func(ctx context.Context, tx admin.Tx) error {
		_, err := tx.Principal(ctx, p.ID)
		is(t, "after an error", err, admin.ErrAbsent)
		return nil
	})
	func() {
		defer func() { _ = recover() }()
		_ = s.Update(t.Context(), func(tx admin.Tx) error {
			_ = tx.AddPrincipal(t.Context(), p)
			panic("on purpose")
		})
	}()
	update(t, s, func(ctx context.Context, tx admin.Tx) error { return tx.AddPrincipal(ctx, p) })
	err = s.View(t.Context(), func(tx admin.Tx) error {
		return tx.AddPrincipal(t.Context(), Somebody("bob"))
	})
	if err == nil {
		t.Error("View can write")
	}
}

// Two who read, think and write do not miss each other.
func testOneWriter(t *testing.T, s admin.Store) {
	p := add(t, s, "ana")[0]
	const writers, rounds = 4, 5
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range rounds {
				err := s.Update(t.Context(), func(tx admin.Tx) error {
					p, err := tx.Principal(t.Context(), p.ID)
					if err != nil {
						return err
					}
					p.About += "+"
					return tx.SetPrincipal(t.Context(), p)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	view(t, s, func(ctx context.Context, tx admin.Tx) error {
		p, err := tx.Principal(ctx, p.ID)
		if err == nil && len(p.About) != 1+writers*rounds {
			t.Errorf("%d writes are there, want %d", len(p.About)-1, writers*rounds)
		}
		return err
	})
}

func testNow(t *testing.T, s admin.Store) {
	view(t, s, func(_ context.Context, tx admin.Tx) error {
		same(t, "now", tx.Now(), at(0))
		return nil
	})
}

// A context that has ended lets nothing be written.
func testCanceled(t *testing.T, s admin.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	p := Somebody("ana")
	err := s.Update(ctx, func(tx admin.Tx) error {
		if err := tx.AddPrincipal(ctx, p); err != nil {
			return err
		}
		cancel()
		return nil
	})
	if err == nil {
		t.Error("committed after the end of its context")
	}
	view(t, s, func(ctx context.Context, tx admin.Tx) error {
		_, err := tx.Principal(ctx, p.ID)
		is(t, "after a cancel", err, admin.ErrAbsent)
		return nil
	})
}

func testRevision(t *testing.T, s admin.Store) {
	update(t, s, func(ctx context.Context, tx admin.Tx) error {
		before, err := tx.Revision(ctx)
		if err != nil {
			return err
		}
		if err := tx.Bump(ctx); err != nil {
			return err
		}
		after, err := tx.Revision(ctx)
		if after <= before {
			t.Errorf("revision %d after %d", after, before)
		}
		return err
	})
}
