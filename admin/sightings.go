package admin

import (
	"context"
	"errors"
	"time"
)

// Login is somebody who came in at the door.
type Login struct {
	Login       string
	Application string // the client's word
	Addr        string
	Verifier    string // the verifier that proved it, if the door knows; it names the password
}

const (
	maxAddr = 100
	// sightEvery bounds how often the same login is written: tools open many
	// connections at once.
	sightEvery = 10 * time.Second
)

// SawLogin notes that somebody came in at the door, for Connect's "we saw you".
// It writes, so nobody's login should wait for it.
func (o *Office) SawLogin(ctx context.Context, l Login) error {
	login, err := CleanLogin(l.Login)
	if err != nil {
		return nil //nolint:nilerr // none of ours: there is nobody to tell
	}
	err = o.cfg.Store.Update(ctx, func(tx Tx) error {
		p, err := tx.PrincipalByLogin(ctx, login)
		if err != nil {
			return err
		}
		s := &Sighting{PrincipalID: p.ID, Tool: printable(l.Application, maxName), Addr: printable(l.Addr, maxAddr), At: tx.Now()}
		before, err := tx.Sightings(ctx, p.ID)
		if err != nil {
			return err
		}
		for _, b := range before {
			if b.Tool == s.Tool && b.Addr == s.Addr && s.At.Sub(b.At) < sightEvery {
				return nil
			}
		}
		if err := usePassword(ctx, tx, s, l.Verifier); err != nil {
			return err
		}
		return tx.SetSighting(ctx, s)
	})
	if errors.Is(err, ErrAbsent) {
		return nil // a login of the user file
	}
	return err
}

// usePassword notes the use at the password that was used: the one of the
// verifier, or the only one there is.
func usePassword(ctx context.Context, tx Tx, s *Sighting, verifier string) error {
	live, err := tx.DBPasswords(ctx, s.PrincipalID)
	if err != nil {
		return err
	}
	for _, d := range live {
		if d.Verifier != verifier && (verifier != "" || len(live) > 1) {
			continue
		}
		s.Name = d.Tool
		d.Used, d.UsedAddr, d.UsedBy = s.At, s.Addr, s.Tool
		return tx.SetDBPassword(ctx, &d)
	}
	return nil
}

// Sightings lists the caller's last logins at the door, newest first.
func (o *Office) Sightings(ctx context.Context, c *Caller) ([]Sighting, error) {
	var out []Sighting
	err := o.view(ctx, func(tx Tx) error {
		var err error
		out, err = tx.Sightings(ctx, c.ID)
		return err
	})
	return out, err
}
