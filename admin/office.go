package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
)

// Office decides who people are and what they may do. All its methods may be
// called at the same time.
type Office struct {
	cfg   Config
	dummy string // a hash that no password opens: unknown logins cost the same time

	unrenewed sync.Once // told that no refresh token comes
}

// New returns an Office.
func New(ctx context.Context, cfg Config) (*Office, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	dummy, err := cfg.Passwords.Hash(ctx, randomText(proofLength))
	if err != nil {
		return nil, fmt.Errorf("hash a password: %w", err)
	}
	return &Office{cfg: cfg, dummy: dummy}, nil
}

// note is what a change leaves behind: a line in the record, and whose rights
// shrank.
type note struct {
	kind    audit.Kind
	what    string // which thing, by kind and name
	message string // what was done to it
	revoked []string
}

// change does what fn does: in one transaction, in the record before it is
// committed, known to the door and to all that goes on when it returns.
func (o *Office) change(ctx context.Context, c *Caller, fn func(Tx) (note, error)) error {
	var n note
	err := o.cfg.Store.Update(ctx, func(tx Tx) error {
		var err error
		if n, err = fn(tx); err != nil {
			return err
		}
		if err := tx.Bump(ctx); err != nil {
			return err
		}
		return o.record(ctx, c, n)
	})
	if err != nil {
		return outward(err)
	}
	o.settle(ctx, n.revoked)
	return nil
}

// record writes the line; without it there is no change.
func (o *Office) record(ctx context.Context, c *Caller, n note) error {
	e := c.Entry(n.kind)
	e.What, e.Message = n.what, n.message
	return o.write(ctx, &e)
}

func (o *Office) write(ctx context.Context, e *audit.Event) error {
	if err := o.cfg.Journal.Record(ctx, e); err != nil {
		out := Errorf(Unavailable, "record-unavailable", "The record is unavailable, so nothing was done. Try again, or tell your operator.")
		out.Err = err
		return out
	}
	return nil
}

// settleTime bounds what follows a commit, which nobody can take back.
const settleTime = 5 * time.Second

// settle makes a committed change known: first to the door, so that who is
// thrown out does not come in again.
func (o *Office) settle(ctx context.Context, revoked []string) {
	if o.cfg.Directory != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		defer cancel()
		if err := o.cfg.Directory.Refresh(ctx); err != nil {
			o.cfg.Log.ErrorContext(ctx, "the door does not know a change yet", slog.Any("error", err))
		}
	}
	if o.cfg.Revoker != nil && len(revoked) > 0 {
		o.cfg.Revoker.Revoke(revoked...)
	}
}

// view reads.
func (o *Office) view(ctx context.Context, fn func(Tx) error) error {
	return outward(o.cfg.Store.View(ctx, fn))
}

// outward gives the store's errors words for whoever asked.
func outward(err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	if errors.Is(err, ErrAbsent) {
		return Missing()
	}
	if _, ok := errors.AsType[*TakenError](err); ok {
		return taken("This exists already.")
	}
	return err
}

// taken is the error of a name that is in use.
func taken(format string, args ...any) *Error { return Errorf(Conflict, "exists", format, args...) }

// orTaken gives a TakenError better words.
func orTaken(err error, format string, args ...any) error {
	if _, ok := errors.AsType[*TakenError](err); ok {
		return taken(format, args...)
	}
	return err
}

// Prune forgets sessions, tokens, passwords and links that ended long ago; the
// record keeps their story. Call it now and then.
func (o *Office) Prune(ctx context.Context) error {
	var over []string
	err := o.cfg.Store.Update(ctx, func(tx Tx) (err error) {
		if over, err = tx.PruneTokens(ctx, lender, tx.Now().Add(-keepLent)); err != nil {
			return err
		}
		return tx.Prune(ctx, tx.Now().Add(-keepEnded))
	})
	if err == nil && len(over) > 0 { // nobody finds later what still goes on under them
		o.settle(ctx, over)
	}
	return err
}

// keepLent is how long after its end a token that was lent can be looked up:
// there may be thousands of them a day.
const keepLent = time.Hour

// keepEnded is how long what ended can still be looked up.
const keepEnded = 30 * 24 * time.Hour
