package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Renewal is what lets us ask an identity provider later whether somebody may
// still come in: the newest refresh token of an identity. There is none for who
// has nothing that could be taken away, and for whom the provider refused.
type Renewal struct {
	Issuer  string
	Subject string
	Sealed  []byte    // the refresh token, under the purpose of the identity
	Version string    // another with each sign-in: what was asked before says nothing any more
	Checked time.Time // when the provider last said who they are
	Due     time.Time // when to ask it again
}

func (r *Renewal) purpose() string {
	return fmt.Sprintf("refresh token of %q at %q", r.Subject, r.Issuer)
}

// errSuperseded ends what was begun with a refresh token that is no longer the
// newest: somebody signed in meanwhile, or was shut out.
var errSuperseded = errors.New("superseded by a newer sign-in")

// renew keeps the refresh token that came with a sign-in. Without one the last
// stays, but what was asked before the sign-in counts no more.
func (o *Office) renew(ctx context.Context, tx Tx, proof Proof) error {
	r := &Renewal{Issuer: proof.Issuer, Subject: proof.Subject}
	if proof.Refresh.IsZero() {
		old, err := tx.Renewal(ctx, proof.Issuer, proof.Subject)
		if errors.Is(err, ErrAbsent) {
			return nil
		}
		if err != nil {
			return err
		}
		r = old
	} else {
		sealed, err := o.cfg.Vault.Seal(r.purpose(), []byte(proof.Refresh.Reveal()))
		if err != nil {
			return fmt.Errorf("seal a refresh token: %w", err)
		}
		r.Sealed = sealed
	}
	r.Version, r.Checked, r.Due = randomText(proofLength), tx.Now(), tx.Now().Add(o.cfg.Recheck)
	return tx.SetRenewal(ctx, r)
}

// newest returns the renewal as it is now, or errSuperseded.
func (r *Renewal) newest(ctx context.Context, tx Tx) (*Renewal, error) {
	now, err := tx.Renewal(ctx, r.Issuer, r.Subject)
	if errors.Is(err, ErrAbsent) || err == nil && now.Version != r.Version {
		return nil, errSuperseded
	}
	return now, err
}

// dropRenewals forgets the refresh tokens of somebody.
func dropRenewals(ctx context.Context, tx Tx, principalID string) error {
	all, err := tx.Identities(ctx, principalID)
	if err != nil {
		return err
	}
	for _, i := range all {
		if err := tx.RemoveRenewal(ctx, i.Issuer, i.Subject); err != nil {
			return err
		}
	}
	return nil
}

// tellUnrenewed says once that the provider gives no refresh tokens.
func (o *Office) tellUnrenewed(ctx context.Context, proof Proof) {
	if proof.Method != MethodOIDC || !proof.Refresh.IsZero() {
		return
	}
	o.unrenewed.Do(func() {
		o.cfg.Log.WarnContext(ctx, "the identity provider gives no refresh token, so who loses a group there is noticed only at the next sign-in: "+
			"let it grant the scope offline_access to this client, and have that among web.oidc.scopes if you set them",
			slog.String("issuer", proof.Issuer))
	})
}

// alive reports whether somebody has anything that could be taken away: a page
// session, a token or a database password. That an admin disabled them does not
// count, for an admin can enable them again.
func (o *Office) alive(ctx context.Context, tx Tx, p *Principal) (bool, error) {
	sessions, err := tx.Sessions(ctx, p.ID)
	if err != nil {
		return false, err
	}
	for _, w := range sessions {
		if w.Live(tx.Now(), o.cfg.SessionIdle) {
			return true, nil
		}
	}
	tokens, err := liveTokens(ctx, tx, p.ID)
	if err != nil {
		return false, err
	}
	for _, t := range tokens {
		if !t.asleep(p, tx.Now()) {
			return true, nil
		}
	}
	passwords, err := tx.DBPasswords(ctx, p.ID)
	return len(passwords) > 0, err
}

// stillDue returns a renewal as it is now, or nil if there is nothing to ask: it
// was asked meanwhile, or nothing of the person's is alive. What is kept for
// nothing is forgotten.
func (o *Office) stillDue(ctx context.Context, one *Renewal, presence Presence) (now *Renewal, err error) {
	alive := false
	look := func(tx Tx) error {
		var p *Principal
		if now, p, err = one.person(ctx, tx); err != nil {
			return err
		}
		if now.Due.After(tx.Now()) {
			now, alive = nil, true
			return nil
		}
		if alive, err = o.alive(ctx, tx, p); err == nil && !alive && presence != nil {
			alive = presence.Present(p.Login)
		}
		return err
	}
	if err := o.cfg.Store.View(ctx, look); err != nil || alive {
		return now, err
	}
	err = o.cfg.Store.Update(ctx, func(tx Tx) error { // looks again: they may have signed in
		if err := look(tx); err != nil || alive {
			return err
		}
		now = nil
		return tx.RemoveRenewal(ctx, one.Issuer, one.Subject)
	})
	return now, err
}

// keepNext keeps the refresh token that follows on the one that was asked with.
func (o *Office) keepNext(ctx context.Context, one *Renewal, next Secret) error {
	sealed, err := o.cfg.Vault.Seal(one.purpose(), []byte(next.Reveal()))
	if err != nil {
		return fmt.Errorf("seal a refresh token: %w", err)
	}
	return o.cfg.Store.Update(ctx, func(tx Tx) error {
		now, err := one.newest(ctx, tx)
		if err != nil {
			return err
		}
		now.Sealed = sealed
		return tx.SetRenewal(ctx, now)
	})
}

// postpone asks about somebody later; nothing is known of them.
func (o *Office) postpone(ctx context.Context, one *Renewal, by time.Duration) {
	err := o.cfg.Store.Update(ctx, func(tx Tx) error {
		now, err := one.newest(ctx, tx)
		if err != nil {
			return err
		}
		now.Due = tx.Now().Add(by)
		return tx.SetRenewal(ctx, now)
	})
	if err != nil && !errors.Is(err, errSuperseded) && ctx.Err() == nil {
		o.cfg.Log.WarnContext(ctx, "cannot put off a question to the identity provider", slog.Any("error", err))
	}
}
