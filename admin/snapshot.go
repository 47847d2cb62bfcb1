package admin

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"
)

// snapshot is what a Directory answers from; immutable once it is stored.
type snapshot struct {
	revision int64
	at       time.Time // what was committed before is in it
	logins   map[string]entry
	opened   map[string]Secret // warehouse passwords by the grant's id
}

// entry is one login.
type entry struct {
	account    Account
	keys       []key
	roles      map[string]Role
	warehouses []warehouse // the first that fits counts
}

// key is one database password.
type key struct {
	verifier string
	expires  time.Time
}

// warehouse is a login at the warehouse by a grant.
type warehouse struct {
	target   string
	user     string
	password Secret
	err      error // ErrSealed
}

// lostSince returns the logins that had something before and lack it now: the
// way in, a password before its hour, a team, a role or a warehouse login.
func (s *snapshot) lostSince(old *snapshot) []string {
	if old == nil || old.revision == s.revision {
		return nil
	}
	var lost []string
	for login, was := range old.logins {
		if is, there := s.logins[login]; !there || is.account.ID != was.account.ID || is.lacks(&was, s.at) {
			lost = append(lost, login)
		}
	}
	slices.Sort(lost)
	return lost
}

// lacks reports whether e lacks something that was there before.
func (e *entry) lacks(was *entry, now time.Time) bool {
	if e.account.Disabled && !was.account.Disabled {
		return true
	}
	for _, k := range was.keys {
		if now.Before(k.expires) && !slices.ContainsFunc(e.keys, func(is key) bool { return is.verifier == k.verifier }) {
			return true
		}
	}
	for _, g := range was.account.Groups {
		if !slices.Contains(e.account.Groups, g) {
			return true
		}
	}
	for target, r := range was.roles {
		if e.roles[target].rank() < r.rank() {
			return true
		}
	}
	return slices.ContainsFunc(was.warehouses, func(w warehouse) bool {
		return !slices.ContainsFunc(e.warehouses, func(is warehouse) bool { return is.target == w.target && is.user == w.user })
	})
}

// read reads all there is. A grant never changes, so what was opened stays so.
func (d *Directory) read(ctx context.Context, tx Tx, old *snapshot) (*snapshot, error) {
	s := &snapshot{logins: map[string]entry{}, opened: map[string]Secret{}}
	people, err := tx.Principals(ctx, PrincipalFilter{})
	if err != nil {
		return nil, err
	}
	passwords, err := tx.DBPasswords(ctx, "")
	if err != nil {
		return nil, err
	}
	keys := map[string][]key{}
	for _, p := range passwords {
		keys[p.PrincipalID] = append(keys[p.PrincipalID], key{p.Verifier, p.Expires})
	}
	teams, err := teamsByMember(ctx, tx)
	if err != nil {
		return nil, err
	}
	grants, err := tx.Grants(ctx)
	if err != nil {
		return nil, err
	}
	d.open(ctx, s, old, grants)
	bySubject := map[string][]Grant{}
	for _, g := range grants {
		bySubject[g.Subject()] = append(bySubject[g.Subject()], g)
	}
	for _, p := range people {
		e := entry{account: Account{Login: p.Login, ID: p.ID, Disabled: !p.Live()}}
		mine := slices.Clone(bySubject[p.ID])
		for _, t := range teams[p.ID] {
			e.account.Groups = append(e.account.Groups, t.Name)
			mine = append(mine, bySubject[t.ID]...)
		}
		slices.Sort(e.account.Groups)
		e.roles = rolesOf(mine)
		e.warehouses = warehousesOf(mine, s.opened)
		if p.Live() {
			e.keys = keys[p.ID]
		}
		s.logins[p.Login] = e
	}
	return s, nil
}

// open opens the passwords of the grants' warehouse logins. One that does not
// open shuts the way of those it was for, and nobody else's.
func (d *Directory) open(ctx context.Context, s, old *snapshot, grants []Grant) {
	for _, g := range grants {
		if len(g.WarehouseSecret) == 0 {
			continue
		}
		if old != nil {
			if known, ok := old.opened[g.ID]; ok {
				s.opened[g.ID] = known
				continue
			}
		}
		plain, err := d.cfg.Vault.Open(g.purpose(), g.WarehouseSecret)
		if err != nil {
			d.cfg.Log.ErrorContext(ctx, "a grant's warehouse password does not open; those it is for cannot log in",
				slog.String("grant", g.ID), slog.Any("error", err))
			continue
		}
		s.opened[g.ID] = NewSecret(string(plain))
	}
}

// teamsByMember returns the teams of each principal.
func teamsByMember(ctx context.Context, tx Tx) (map[string][]Team, error) {
	teams, err := tx.Teams(ctx)
	if err != nil {
		return nil, err
	}
	members, err := tx.Memberships(ctx, "", "")
	if err != nil {
		return nil, err
	}
	byID := map[string]Team{}
	for _, t := range teams {
		byID[t.ID] = t
	}
	out := map[string][]Team{}
	for _, m := range members {
		if t := byID[m.TeamID]; !slices.Contains(out[m.PrincipalID], t) {
			out[m.PrincipalID] = append(out[m.PrincipalID], t)
		}
	}
	return out, nil
}

// warehousesOf puts the warehouse logins of somebody's grants in the order in
// which they count.
func warehousesOf(grants []Grant, opened map[string]Secret) []warehouse {
	grants = slices.DeleteFunc(slices.Clone(grants), func(g Grant) bool { return g.WarehouseLogin == "" })
	slices.SortFunc(grants, func(a, b Grant) int {
		return cmp.Or(
			before(a.TeamID == "", b.TeamID == ""),
			before(a.Target != AllTargets, b.Target != AllTargets),
			cmp.Compare(b.Role.rank(), a.Role.rank()),
			cmp.Compare(a.ID, b.ID),
		)
	})
	var out []warehouse
	for _, g := range grants {
		w := warehouse{target: g.Target, user: g.WarehouseLogin, password: opened[g.ID]}
		if len(g.WarehouseSecret) > 0 && w.password.IsZero() {
			w.err = ErrSealed
		}
		out = append(out, w)
	}
	return out
}

// before puts what is true first.
func before(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}
