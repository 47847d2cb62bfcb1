package admin

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/audit"
)

// This file is what follows from an identity provider's answer about somebody.
// Each act looks in its own transaction whether the answer still counts.

// spread is the part of the time between two questions by which the next may
// come sooner, so that those who were due at once part.
const spread = 10

// renewed does what follows when the provider says that somebody is still who
// they were: their groups become their teams, as at a sign-in.
func (o *Office) renewed(ctx context.Context, one *Renewal, proof Proof) error {
	var n note
	changed := false
	err := o.cfg.Store.Update(ctx, func(tx Tx) error {
		now, p, err := one.person(ctx, tx)
		if err != nil {
			return err
		}
		now.Checked = tx.Now()
		now.Due = tx.Now().Add(o.cfg.Recheck - rand.N(o.cfg.Recheck/spread)) //nolint:gosec // G404: spreads work and keeps no secret
		if err := tx.SetRenewal(ctx, now); err != nil {
			return err
		}
		if n, changed, err = o.regroup(ctx, tx, p, proof.Groups); err != nil || !changed {
			return err
		}
		if err := tx.Bump(ctx); err != nil {
			return err
		}
		return o.record(ctx, byProvider(p), n)
	})
	if err == nil && changed {
		o.settle(ctx, n.revoked)
	}
	return err
}

// regroup makes the teams those of the groups, and says whether that changed any.
func (o *Office) regroup(ctx context.Context, tx Tx, p *Principal, groups []string) (n note, changed bool, err error) {
	before, err := standingOf(ctx, tx, p.ID)
	if err != nil {
		return note{}, false, err
	}
	lost, err := o.syncGroups(ctx, tx, p, groups)
	if err != nil {
		return note{}, false, err
	}
	after, err := standingOf(ctx, tx, p.ID)
	if err != nil {
		return note{}, false, err
	}
	n = note{kind: audit.KindAdminChange, what: "person " + p.Login, message: "teams by the identity provider's groups now: " + strings.Join(after.names(), " ")}
	if lost {
		n.revoked = []string{p.ID}
	}
	return n, lost || !slices.Equal(before.names(), after.names()), nil
}

// person returns the renewal as it is now, and whose it is.
func (r *Renewal) person(ctx context.Context, tx Tx) (*Renewal, *Principal, error) {
	now, err := r.newest(ctx, tx)
	if err != nil {
		return nil, nil, err
	}
	i, err := tx.IdentityOf(ctx, r.Issuer, r.Subject)
	if err != nil {
		return nil, nil, err
	}
	p, err := tx.Principal(ctx, i.PrincipalID)
	return now, p, err
}

// renewalBarred shuts out who lost the required group.
func (o *Office) renewalBarred(ctx context.Context, one *Renewal, proof Proof) error {
	c, err := o.askedAbout(ctx, one)
	if err != nil {
		return err
	}
	return o.shutOut(ctx, c, proof, func(tx Tx) error {
		_, err := one.newest(ctx, tx)
		return err
	})
}

// renewalRefused ends the page sessions that the provider vouched for, once it no
// longer does. Nothing is known of the person's rights: tokens stay, and they may
// sign in again.
func (o *Office) renewalRefused(ctx context.Context, one *Renewal) error {
	c, err := o.askedAbout(ctx, one)
	if err != nil {
		return err
	}
	return o.change(ctx, c, func(tx Tx) (note, error) {
		_, p, err := one.person(ctx, tx)
		if err != nil {
			return note{}, err
		}
		n := note{kind: audit.KindLogout, what: "sessions of " + p.Login, message: "ended: the identity provider no longer vouches for this sign-in"}
		live, err := tx.Sessions(ctx, p.ID)
		if err != nil {
			return note{}, err
		}
		for i := range live {
			if live[i].Method != MethodOIDC {
				continue
			}
			ended, err := endSession(ctx, tx, &live[i])
			if err != nil {
				return note{}, err
			}
			n.revoked = append(n.revoked, ended...)
		}
		return n, tx.RemoveRenewal(ctx, one.Issuer, one.Subject)
	})
}

// askedAbout returns whom the record names for what the provider's answer brings.
func (o *Office) askedAbout(ctx context.Context, one *Renewal) (c *Caller, err error) {
	err = o.cfg.Store.View(ctx, func(tx Tx) error {
		_, p, err := one.person(ctx, tx)
		if err == nil {
			c = byProvider(p)
		}
		return err
	})
	return c, err
}

// byProvider is who a change is by that follows from the provider's answer.
func byProvider(p *Principal) *Caller { return &Caller{Login: p.Login, Via: ViaProvider} }
