package admin

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
)

// linkLife is how long a one-use link works.
const linkLife = 10 * time.Minute

// NewLink makes a link by which a person signs in once. Links made before no
// longer work.
func (o *Office) NewLink(ctx context.Context, c *Caller, personID string) (Secret, error) {
	if err := c.mayAdminister(); err != nil {
		return Secret{}, err
	}
	var secret Secret
	err := o.change(ctx, c, func(tx Tx) (note, error) {
		p, err := principal(ctx, tx, personID, KindPerson)
		if err != nil {
			return note{}, err
		}
		secret, err = newLink(ctx, tx, c, p)
		return note{kind: audit.KindAdminChange, what: "person " + p.Login, message: "made a sign-in link"}, err
	})
	if err != nil {
		return Secret{}, err
	}
	return secret, nil
}

func newLink(ctx context.Context, tx Tx, c *Caller, p *Principal) (Secret, error) {
	if !p.Live() {
		return Secret{}, Errorf(Conflict, "disabled", "%s may not sign in. Enable them first.", p.Login)
	}
	if err := tx.DropLinks(ctx, p.ID); err != nil {
		return Secret{}, err
	}
	secret := NewSecret(randomText(proofLength))
	return secret, tx.AddLink(ctx, &OneUseLink{
		Hash: digest(secret), PrincipalID: p.ID, Created: tx.Now(), By: c.Login, Expires: tx.Now().Add(linkLife),
	})
}
