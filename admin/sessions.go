package admin

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"github.com/lockkeeper/lockkeeper/audit"
)

// maxAgent bounds what is kept of a browser's name, in bytes.
const maxAgent = 200

// Visit is what comes with a sign-in beside the proof.
type Visit struct {
	Addr     netip.Addr
	Agent    string // what the browser calls itself
	Previous Secret // the session cookie it came with: that session ends
}

// SignedIn is a new page session. The secret goes into the cookie and nowhere else.
type SignedIn struct {
	Secret  Secret
	Session WebSession
	Caller  *Caller
}

// openSession opens a session with an id and a secret of its own, whatever the
// browser came with, so that nobody can plant one (fixation).
func (o *Office) openSession(ctx context.Context, tx Tx, p *Principal, method string, v Visit) (*SignedIn, error) {
	if !v.Previous.IsZero() && len(v.Previous.Reveal()) <= maxSecret {
		if old, err := tx.SessionByHash(ctx, digest(v.Previous)); err == nil {
			if _, err := endSession(ctx, tx, old); err != nil {
				return nil, err
			}
		} else if !errors.Is(err, ErrAbsent) {
			return nil, err
		}
	}
	secret := NewSecret(randomText(proofLength))
	w := o.newSession(tx, p.ID, method, v)
	w.Hash = digest(secret)
	if err := tx.AddSession(ctx, w); err != nil {
		return nil, err
	}
	c, err := callerOf(ctx, tx, p)
	if err != nil {
		return nil, err
	}
	c.Session, c.Via, c.Addr, c.Scopes = w.ID, ViaWeb, v.Addr, Entitled(c.Roles)
	return &SignedIn{Secret: secret, Session: *w.shown(), Caller: c}, nil
}

func (o *Office) newSession(tx Tx, principalID, method string, v Visit) *WebSession {
	w := &WebSession{
		ID: NewID(PrefixSession), PrincipalID: principalID, Method: method, Agent: printable(v.Agent, maxAgent),
		Created: tx.Now(), Seen: tx.Now(), Expires: tx.Now().Add(o.cfg.SessionMax),
	}
	if v.Addr.IsValid() {
		w.Addr = v.Addr.String()
	}
	return w
}

// printable cuts a stranger's text and takes out what would not print.
func printable(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '\x7f' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// shown is the session without its hash.
func (w *WebSession) shown() *WebSession {
	out := *w
	out.Hash = nil
	return &out
}

// DeriveSession opens a session that lives at most as long as the caller's own,
// for a part of the house with a cookie of its own.
func (o *Office) DeriveSession(ctx context.Context, c *Caller, v Visit) (*SignedIn, error) {
	if c.Session == "" {
		return nil, Errorf(Forbidden, "forbidden", "Sign in on the page first.")
	}
	var out *SignedIn
	err := o.change(ctx, c, func(tx Tx) (note, error) {
		parent, err := tx.Session(ctx, c.Session)
		if err != nil {
			return note{}, err
		}
		if !parent.Live(tx.Now(), o.cfg.SessionIdle) {
			return note{}, Unauthenticate()
		}
		p, err := tx.Principal(ctx, c.ID)
		if err != nil {
			return note{}, err
		}
		v.Previous = Secret{}
		if out, err = o.openSession(ctx, tx, p, "session", v); err != nil {
			return note{}, err
		}
		w, err := tx.Session(ctx, out.Session.ID)
		if err != nil {
			return note{}, err
		}
		w.ParentID, w.Expires = parent.ID, parent.Expires
		out.Session = *w.shown()
		return note{kind: audit.KindLogin, what: "session of " + p.Login, message: "derived"}, tx.SetSession(ctx, w)
	})
	return out, err
}

// Sessions lists the caller's live page sessions.
func (o *Office) Sessions(ctx context.Context, c *Caller) ([]WebSession, error) {
	var out []WebSession
	err := o.view(ctx, func(tx Tx) error {
		all, err := tx.Sessions(ctx, c.ID)
		for _, w := range all {
			if w.Live(tx.Now(), o.cfg.SessionIdle) {
				out = append(out, *w.shown())
			}
		}
		return err
	})
	return out, err
}

// SignOut ends the session the caller came with.
func (o *Office) SignOut(ctx context.Context, c *Caller) error {
	if c.Session == "" {
		return nil
	}
	return o.EndSession(ctx, c, c.Session)
}

// EndSession ends one of the caller's sessions, with those derived from it.
func (o *Office) EndSession(ctx context.Context, c *Caller, id string) error {
	return o.change(ctx, c, func(tx Tx) (note, error) {
		if err := known(PrefixSession, id); err != nil {
			return note{}, err
		}
		w, err := tx.Session(ctx, id)
		if err != nil {
			return note{}, err
		}
		if w.PrincipalID != c.ID || c.Actor != nil || !w.Ended.IsZero() {
			return note{}, ErrAbsent
		}
		n := note{kind: audit.KindLogout, what: "session of " + c.Login, message: "ended " + w.ID}
		n.revoked, err = endSession(ctx, tx, w)
		return n, err
	})
}

// EndSessions signs somebody out everywhere: oneself, or anybody for an admin.
func (o *Office) EndSessions(ctx context.Context, c *Caller, personID string) error {
	if personID != c.ID || c.Actor != nil {
		if err := c.mayAdminister(); err != nil {
			return err
		}
	}
	return o.change(ctx, c, func(tx Tx) (note, error) {
		p, err := principal(ctx, tx, personID, KindPerson)
		if err != nil {
			return note{}, err
		}
		live, err := tx.Sessions(ctx, p.ID)
		if err != nil {
			return note{}, err
		}
		n := note{kind: audit.KindLogout, what: "sessions of " + p.Login, message: "ended all"}
		for _, w := range live {
			n.revoked = append(n.revoked, w.ID)
		}
		return n, endSessions(ctx, tx, p.ID, "")
	})
}

// endSessions ends all sessions of somebody but one.
func endSessions(ctx context.Context, tx Tx, principalID, but string) error {
	all, err := tx.Sessions(ctx, principalID)
	if err != nil {
		return err
	}
	for _, w := range all {
		if w.ID == but {
			continue
		}
		w.Ended = tx.Now()
		if err := tx.SetSession(ctx, &w); err != nil {
			return err
		}
	}
	return nil
}

// endSession ends a session and those derived from it, and returns their ids.
func endSession(ctx context.Context, tx Tx, w *WebSession) (ended []string, err error) {
	if !w.Ended.IsZero() {
		return nil, nil
	}
	w.Ended = tx.Now()
	if err := tx.SetSession(ctx, w); err != nil {
		return nil, err
	}
	ended = []string{w.ID}
	all, err := tx.Sessions(ctx, w.PrincipalID)
	if err != nil {
		return nil, err
	}
	for _, child := range all {
		if child.ParentID != w.ID {
			continue
		}
		derived, err := endSession(ctx, tx, &child)
		if err != nil {
			return nil, err
		}
		ended = append(ended, derived...)
	}
	return ended, nil
}
