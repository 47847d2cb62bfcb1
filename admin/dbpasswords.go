package admin

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
)

// NewDBPassword is a password for one tool.
type NewDBPassword struct {
	Tool    string
	Hours   int    // until it expires, 1 to 720; 0: 12
	Service string // id of the service it is for; empty: the caller
}

// Bounds of a database password.
const (
	defaultHours     = 12
	maxHours         = 30 * 24
	maxLivePasswords = 16
	// passwordLength is 130 bits; all of one case, so that it is read, typed and
	// selected by a double click.
	passwordLength = 26
	passwordPrefix = "lkdb_"
)

// AddDBPassword makes a password for a tool's connections to the door. It is
// shown this once; the login is the holder's.
func (o *Office) AddDBPassword(ctx context.Context, c *Caller, in NewDBPassword) (Secret, *DBPassword, error) {
	tool, err := text("/tool", in.Tool, maxName)
	if err != nil {
		return Secret{}, nil, err
	}
	if in.Hours == 0 {
		in.Hours = defaultHours
	}
	if tool == "" || in.Hours < 1 || in.Hours > maxHours {
		return Secret{}, nil, invalid("/hours", "A database password is for a tool that you name, and for 1 to %d hours.", maxHours)
	}
	for _, s := range []Scope{ScopeRunsWrite, ScopeRunsWriteDML} { // which is what it opens
		if err := c.Need(s); err != nil {
			return Secret{}, nil, err
		}
	}
	secret := NewSecret(passwordPrefix + randomText(passwordLength))
	d := &DBPassword{ID: NewID(PrefixDBPassword), Tool: tool}
	err = o.change(ctx, c, func(tx Tx) (note, error) {
		p, err := o.holder(ctx, tx, c, in.Service)
		if err != nil {
			return note{}, err
		}
		if err := roomForPassword(ctx, tx, p); err != nil {
			return note{}, err
		}
		if d.Expires, d.ParentID, err = c.lifetime(ctx, tx, tx.Now().Add(time.Duration(in.Hours)*time.Hour)); err != nil {
			return note{}, err
		}
		d.PrincipalID, d.Created = p.ID, tx.Now()
		if d.Verifier, err = o.cfg.Verifiers.New(secret.Reveal(), p.Salt); err != nil {
			return note{}, err
		}
		words := "made " + d.ID + " until " + d.Expires.Format(time.RFC3339)
		return note{kind: audit.KindToken, what: "database password of " + p.Login, message: words}, tx.AddDBPassword(ctx, d)
	})
	if err != nil {
		return Secret{}, nil, err
	}
	return secret, d.shown(), nil
}

// shown is the password's entry without the verifier.
func (d *DBPassword) shown() *DBPassword {
	out := *d
	out.Verifier = ""
	return &out
}

func roomForPassword(ctx context.Context, tx Tx, p *Principal) error {
	live, err := tx.DBPasswords(ctx, p.ID)
	if err == nil && len(live) >= maxLivePasswords {
		return Errorf(Quota, "quota-exceeded", "There are %d live database passwords. Revoke one first.", maxLivePasswords)
	}
	return err
}

// DBPasswords lists the live ones of the caller, or of a service they hold.
func (o *Office) DBPasswords(ctx context.Context, c *Caller, service string) ([]DBPassword, error) {
	var out []DBPassword
	err := o.viewOf(ctx, c, service, func(tx Tx, id string) error {
		if id == "" {
			return nil // the store reads it as everybody's
		}
		live, err := tx.DBPasswords(ctx, id)
		for _, d := range live {
			out = append(out, *d.shown())
		}
		return err
	})
	return out, err
}

// RevokeDBPassword ends a password. The Revoker hears its id: which sessions at
// the door used it is for the door to know.
func (o *Office) RevokeDBPassword(ctx context.Context, c *Caller, id string) error {
	return o.endProof(ctx, c, PrefixDBPassword, id, func(tx Tx) (proof, error) {
		d, err := tx.DBPassword(ctx, id)
		if err != nil {
			return proof{}, err
		}
		revoke := func() ([]string, error) {
			d.Revoked = tx.Now()
			return []string{d.ID}, tx.SetDBPassword(ctx, d)
		}
		return proof{what: "database password", holderID: d.PrincipalID, over: !d.Live(tx.Now()), revoke: revoke}, nil
	})
}
