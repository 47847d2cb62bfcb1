package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/lockkeeper/lockkeeper/audit"
)

// This file is what tokens and database passwords have in common: who sees them,
// who ends them, and the end of all at once.

// proof is one of them that is to be ended.
type proof struct {
	what     string // it is, for the record
	holderID string
	over     bool                     // there is nothing left to end
	revoke   func() ([]string, error) // ends it, and returns the ids of all that ended with it
}

// endProof ends what find finds: one's own, one of a service one holds, any for
// an admin.
func (o *Office) endProof(ctx context.Context, c *Caller, prefix, id string, find func(Tx) (proof, error)) error {
	return o.change(ctx, c, func(tx Tx) (note, error) {
		if err := known(prefix, id); err != nil {
			return note{}, err
		}
		p, err := find(tx)
		if err != nil {
			return note{}, err
		}
		holder, err := c.mayEnd(ctx, tx, p.holderID)
		if err != nil {
			return note{}, err
		}
		if p.over {
			return note{}, ErrAbsent
		}
		revoked, err := p.revoke()
		return note{kind: audit.KindToken, what: p.what + " of " + holder.Login, message: "revoked " + id, revoked: revoked}, err
	})
}

// viewOf reads what the caller has, or a service they hold.
func (o *Office) viewOf(ctx context.Context, c *Caller, service string, fn func(tx Tx, holderID string) error) error {
	return o.view(ctx, func(tx Tx) error {
		id := c.ID
		if service != "" {
			p, err := o.held(ctx, tx, c, service)
			if err != nil {
				return err
			}
			id = p.ID
		}
		return fn(tx, id)
	})
}

// mayEnd returns the holder of a proof, or ErrAbsent if it is not the caller's to end.
func (c *Caller) mayEnd(ctx context.Context, tx Tx, holderID string) (*Principal, error) {
	holder, err := tx.Principal(ctx, holderID)
	if err != nil {
		return nil, err
	}
	if c.mayAdminister() == nil {
		return holder, nil
	}
	mine := c.ID == holder.ID
	if !mine && holder.Kind == KindService {
		if mine, err = c.holds(ctx, tx, holder); err != nil {
			return nil, err
		}
	}
	if !mine || c.Actor != nil {
		return nil, ErrAbsent
	}
	return holder, c.Need(ScopeTokens)
}

// LiveProofs counts what lets somebody in without signing in.
type LiveProofs struct{ Tokens, DBPasswords, Sessions int }

// CountProofs counts what is live in a store.
func CountProofs(ctx context.Context, s Store) (n LiveProofs, err error) {
	err = s.View(ctx, func(tx Tx) error { return n.visit(ctx, tx, false) })
	return n, err
}

// RevokeProofs ends all that is live in a store, and the sign-in links: for one
// that was restored, where what was revoked since the backup is good again. What
// goes on under them is for a running office to end; here there is none.
func RevokeProofs(ctx context.Context, s Store) (n LiveProofs, err error) {
	err = s.Update(ctx, func(tx Tx) error { return errors.Join(n.visit(ctx, tx, true), tx.Bump(ctx)) })
	return n, err
}

// visit counts everybody's, and ends them if it shall.
func (n *LiveProofs) visit(ctx context.Context, tx Tx, end bool) error {
	everybody, err := tx.Principals(ctx, PrincipalFilter{})
	if err != nil {
		return fmt.Errorf("list principals: %w", err)
	}
	for i := range everybody {
		id := everybody[i].ID
		tokens, err1 := liveTokens(ctx, tx, id)
		passwords, err2 := tx.DBPasswords(ctx, id)
		sessions, err3 := tx.Sessions(ctx, id)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		n.Tokens, n.DBPasswords, n.Sessions = n.Tokens+len(tokens), n.DBPasswords+len(passwords), n.Sessions+len(sessions)
		if !end {
			continue
		}
		if err := errors.Join(endAll(ctx, tx, tokens, passwords), endSessions(ctx, tx, id, ""), tx.DropLinks(ctx, id)); err != nil {
			return err
		}
	}
	return nil
}

func endAll(ctx context.Context, tx Tx, tokens []Token, passwords []DBPassword) error {
	for i := range tokens {
		tokens[i].Revoked = tx.Now()
		if err := tx.SetToken(ctx, &tokens[i]); err != nil {
			return err
		}
	}
	for i := range passwords {
		passwords[i].Revoked = tx.Now()
		if err := tx.SetDBPassword(ctx, &passwords[i]); err != nil {
			return err
		}
	}
	return nil
}
