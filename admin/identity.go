package admin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/audit"
)

// Proof is what an identity provider says of somebody, already checked: by the
// signature of its token, or by the listener that a trusted header came in on.
type Proof struct {
	Method  string // oidc, header
	Issuer  string
	Subject string // who it is at the issuer, for ever
	Login   string // whom we take a new one for; it may change there
	Name    string
	Email   string
	// Groups they are in; nil: the provider does not tell, and teams stay.
	Groups []string
	// NoGroup: the provider itself, or whoever asked it, says that they are in
	// none of the groups of which one is needed.
	NoGroup bool
	// Refresh lets us ask the provider about them later; empty: it gives none.
	Refresh Secret
}

// Bounds of a proof.
const (
	maxIssuer = 500
	maxGroups = 1000
)

func (p *Proof) validate() error {
	if p.Issuer == "" || p.Subject == "" || len(p.Issuer) > maxIssuer || len(p.Subject) > maxIssuer || len(p.Groups) > maxGroups ||
		!utf8.ValidString(p.Issuer+p.Subject) || strings.ContainsRune(p.Issuer+p.Subject, 0) {
		return wrongLogin()
	}
	return nil
}

// SignInIdentity opens a session for somebody whom an identity provider vouches
// for. Their groups become their teams, as far as we have such teams. Without
// the required group they do not come in, and lose what goes on under their
// name.
//
// A subject seen for the first time is the person of that login whom no subject
// of this issuer is yet, else somebody new, if Config.Provision says so.
func (o *Office) SignInIdentity(ctx context.Context, proof Proof, v Visit) (*SignedIn, error) {
	if err := proof.validate(); err != nil {
		return nil, err
	}
	o.tellUnrenewed(ctx, proof)
	if !o.grouped(proof) {
		return nil, o.bar(ctx, proof, v)
	}
	var lost bool
	var id string
	out, err := o.signIn(ctx, proof.Method, v, func(tx Tx) (*Principal, string, error) {
		p, words, err := o.identify(ctx, tx, proof)
		if err != nil {
			return nil, "", err
		}
		id, p.Barred = p.ID, false
		p.Name = cmp.Or(printable(proof.Name, maxName), p.Name)
		p.Email = cmp.Or(printable(proof.Email, maxEmail), p.Email)
		if lost, err = o.syncGroups(ctx, tx, p, proof.Groups); err != nil {
			return nil, "", err
		}
		if lost {
			words += ", left teams by their groups"
		}
		if err := o.renew(ctx, tx, proof); err != nil {
			return nil, "", err
		}
		return p, words, tx.Bump(ctx)
	})
	if errors.Is(err, ErrAbsent) {
		return nil, o.refuseSignIn(ctx, printable(proof.Login, maxLogin), proof.Method, v)
	}
	if err != nil {
		return nil, outward(err)
	}
	if lost {
		o.settle(ctx, []string{id})
	} else {
		o.settle(ctx, nil)
	}
	return out, nil
}

// grouped reports whether the proof shows the required group.
func (o *Office) grouped(p Proof) bool {
	return !p.NoGroup && (o.cfg.RequiredGroup == "" || slices.Contains(p.Groups, o.cfg.RequiredGroup))
}

// identify returns the person of a proof and, for the record, what was done to
// find them; ErrAbsent if there is none.
func (o *Office) identify(ctx context.Context, tx Tx, proof Proof) (p *Principal, words string, err error) {
	i, err := tx.IdentityOf(ctx, proof.Issuer, proof.Subject)
	if err == nil {
		p, err = tx.Principal(ctx, i.PrincipalID)
		return p, "", err
	}
	if !errors.Is(err, ErrAbsent) {
		return nil, "", err
	}
	return o.adopt(ctx, tx, proof)
}

// adopt joins a subject seen for the first time to a person.
func (o *Office) adopt(ctx context.Context, tx Tx, proof Proof) (p *Principal, words string, err error) {
	login, err := CleanLogin(proof.Login)
	if err != nil {
		return nil, "", ErrAbsent
	}
	words = ", joined to this person"
	p, err = tx.PrincipalByLogin(ctx, login)
	if errors.Is(err, ErrAbsent) && o.cfg.Provision {
		words = ", added"
		p = &Principal{ID: NewID(PrefixPerson), Kind: KindPerson, Login: login, Salt: newSalt(), Created: tx.Now()}
		err = tx.AddPrincipal(ctx, p)
	}
	if err != nil {
		return nil, "", err
	}
	known, err := tx.Identities(ctx, p.ID)
	if err != nil {
		return nil, "", err
	}
	if p.Kind != KindPerson || slices.ContainsFunc(known, func(i Identity) bool { return i.Issuer == proof.Issuer }) {
		return nil, "", ErrAbsent // the login is somebody else's
	}
	return p, words, tx.AddIdentity(ctx, &Identity{Issuer: proof.Issuer, Subject: proof.Subject, PrincipalID: p.ID})
}

// syncGroups makes the memberships by the identity provider those of today.
func (o *Office) syncGroups(ctx context.Context, tx Tx, p *Principal, groups []string) (lost bool, err error) {
	if groups == nil {
		return false, nil
	}
	want := map[string]bool{}
	for _, g := range groups {
		name := g
		if o.cfg.GroupTeams != nil {
			name = o.cfg.GroupTeams[g]
		}
		t, err := teamByName(ctx, tx, name)
		if errors.Is(err, ErrAbsent) {
			continue
		}
		if err != nil {
			return false, err
		}
		want[t.ID] = true
	}
	return syncTeams(ctx, tx, p.ID, SourceIdentity, want)
}

// bar shuts out the person of a proof without the required group, who tries to
// sign in.
func (o *Office) bar(ctx context.Context, proof Proof, v Visit) error {
	c := &Caller{Login: printable(proof.Login, maxLogin), Via: ViaWeb, Addr: v.Addr}
	err := o.shutOut(ctx, c, proof, func(Tx) error { return nil })
	if err != nil && CodeOf(err) != NotFound {
		return err
	}
	return o.refuseSignIn(ctx, c.Login, proof.Method, v)
}

// shutOut ends all that somebody without the required group has here, if what
// led to it still holds. The identity provider decides about that, even of the
// last admin: the machine's operator can make another.
func (o *Office) shutOut(ctx context.Context, c *Caller, proof Proof, holds func(Tx) error) error {
	return o.change(ctx, c, func(tx Tx) (note, error) {
		if err := holds(tx); err != nil {
			return note{}, err
		}
		i, err := tx.IdentityOf(ctx, proof.Issuer, proof.Subject)
		if err != nil {
			return note{}, err
		}
		p, err := tx.Principal(ctx, i.PrincipalID)
		if err != nil {
			return note{}, err
		}
		if p.Barred {
			return note{}, ErrAbsent // nothing new
		}
		p.Barred = true
		if err := tx.SetPrincipal(ctx, p); err != nil {
			return note{}, err
		}
		if _, err := o.syncGroups(ctx, tx, p, proof.Groups); err != nil {
			return note{}, err
		}
		if err := dropRenewals(ctx, tx, p.ID); err != nil {
			return note{}, err
		}
		n := note{kind: audit.KindAdminChange, what: "person " + p.Login, message: "shut out: the required group is missing", revoked: []string{p.ID}}
		return n, endSessions(ctx, tx, p.ID, "")
	})
}
