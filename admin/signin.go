package admin

import (
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
)

// sqlstateWrongPassword is Postgres' code for it: the record has one word for
// failed logins, of the door and of the page.
const sqlstateWrongPassword = "28P01"

// minPassword is the least that a password has, in bytes.
const minPassword = 12

// wrongLogin is the one answer for a sign-in that fails.
func wrongLogin() *Error {
	return Errorf(Unauthenticated, "unauthenticated", "Login and password do not match, or this login may not sign in so.")
}

// SignInPassword opens a session for a login and its local password. It takes as
// long for a login that does not exist. How often one may try is the caller's
// business.
func (o *Office) SignInPassword(ctx context.Context, login string, password Secret, v Visit) (*SignedIn, error) {
	name, err := CleanLogin(login)
	if err != nil || password.IsZero() || len(password.Reveal()) > maxSecret {
		return nil, wrongLogin()
	}
	hash, known := o.dummy, false
	err = o.cfg.Store.View(ctx, func(tx Tx) error {
		p, err := tx.PrincipalByLogin(ctx, name)
		if err == nil && p.Password != "" && p.Live() && p.Kind == KindPerson {
			hash, known = p.Password, true
		}
		return err
	})
	if err != nil && !errors.Is(err, ErrAbsent) {
		return nil, err
	}
	ok, rehash, err := o.cfg.Passwords.Verify(ctx, hash, password.Reveal())
	if err != nil {
		return nil, err
	}
	if !ok || !known {
		return nil, o.refuseSignIn(ctx, name, MethodPassword, v)
	}
	fresh := hash
	if rehash {
		if fresh, err = o.cfg.Passwords.Hash(ctx, password.Reveal()); err != nil {
			return nil, err
		}
	}
	out, err := o.signIn(ctx, MethodPassword, v, func(tx Tx) (*Principal, string, error) {
		p, err := tx.PrincipalByLogin(ctx, name)
		if err != nil {
			return nil, "", err
		}
		if p.Password != hash {
			return nil, "", ErrAbsent // changed while we hashed
		}
		p.Password = fresh
		return p, "", nil
	})
	if errors.Is(err, ErrAbsent) {
		return nil, o.refuseSignIn(ctx, name, MethodPassword, v)
	}
	return out, outward(err)
}

// SignInLink opens a session for a one-use link, and uses it up.
func (o *Office) SignInLink(ctx context.Context, secret Secret, v Visit) (*SignedIn, error) {
	if n := len(secret.Reveal()); n == 0 || n > maxSecret {
		return nil, badLink()
	}
	out, err := o.signIn(ctx, MethodLink, v, func(tx Tx) (*Principal, string, error) {
		l, err := tx.UseLink(ctx, digest(secret))
		if err != nil {
			return nil, "", err
		}
		p, err := tx.Principal(ctx, l.PrincipalID)
		return p, "", err
	})
	if errors.Is(err, ErrAbsent) {
		return nil, badLink()
	}
	return out, outward(err)
}

func badLink() *Error {
	return Errorf(Unauthenticated, "unauthenticated", "This link was used or is too old. Ask for a new one.")
}

// signIn opens a session for whom find returns; ErrAbsent if they are shut out.
func (o *Office) signIn(ctx context.Context, method string, v Visit, find func(Tx) (p *Principal, words string, err error)) (*SignedIn, error) {
	var out *SignedIn
	err := o.cfg.Store.Update(ctx, func(tx Tx) error {
		p, words, err := find(tx)
		if err != nil {
			return err
		}
		if !p.Live() || p.Kind != KindPerson {
			return ErrAbsent
		}
		p.SignedIn = tx.Now()
		if err := tx.SetPrincipal(ctx, p); err != nil {
			return err
		}
		if out, err = o.openSession(ctx, tx, p, method, v); err != nil {
			return err
		}
		e := out.Caller.Entry(audit.KindLogin)
		e.Verdict, e.What, e.Message = audit.VerdictAllow, "session "+out.Session.ID, "signed in by "+method+words
		return o.write(ctx, &e)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// refuseSignIn records a sign-in that failed and returns the one answer.
func (o *Office) refuseSignIn(ctx context.Context, login, method string, v Visit) error {
	c := &Caller{Login: login, Via: ViaWeb, Addr: v.Addr}
	e := c.Entry(audit.KindLogin)
	e.Verdict, e.SQLState, e.Message = audit.VerdictDeny, sqlstateWrongPassword, "sign-in by "+method+" failed"
	if err := o.write(ctx, &e); err != nil {
		return err
	}
	return wrongLogin()
}

// Methods of signing in, as a session and the record name them.
const (
	MethodLink     = "link"
	MethodPassword = "password"
	MethodOIDC     = "oidc"   // somebody can be asked about later
	MethodHeader   = "header" // of a proxy in front
)

// freshLink is for how long after a sign-in by a link the link proves who it is.
const freshLink = 15 * time.Minute

// SetPassword gives the caller a local password, from a page session. Who has one
// shows it first, unless they just came by a link: who forgets a password is sent
// one, and it serves for one password. Who is known to an identity provider proves
// themselves there. All their other sessions end.
func (o *Office) SetPassword(ctx context.Context, c *Caller, current, fresh Secret) error {
	if c.Session == "" {
		return Errorf(Forbidden, "forbidden", "Sign in on the page to change your password.")
	}
	if n := len(fresh.Reveal()); n < minPassword || n > maxSecret {
		return invalid("/new", "A password has %d to %d bytes.", minPassword, maxSecret)
	}
	old, linked := "", false
	err := o.view(ctx, func(tx Tx) error {
		ids, err := tx.Identities(ctx, c.ID)
		if err != nil {
			return err
		}
		if len(ids) > 0 {
			return Errorf(Conflict, "password-elsewhere", "You sign in through the identity provider; change your password there.")
		}
		p, err := tx.Principal(ctx, c.ID)
		if err != nil {
			return err
		}
		w, err := tx.Session(ctx, c.Session)
		if err != nil {
			return err
		}
		old, linked = p.Password, w.Method == MethodLink && tx.Now().Before(w.Created.Add(freshLink))
		return nil
	})
	if err != nil {
		return err
	}
	if !linked {
		if err := o.checkCurrent(ctx, old, current); err != nil {
			return err
		}
	}
	hash, err := o.cfg.Passwords.Hash(ctx, fresh.Reveal())
	if err != nil {
		return err
	}
	return o.change(ctx, c, func(tx Tx) (note, error) { return storePassword(ctx, tx, c, old, hash) })
}

func (o *Office) checkCurrent(ctx context.Context, old string, current Secret) error {
	if old == "" {
		return nil
	}
	ok := false
	if !current.IsZero() && len(current.Reveal()) <= maxSecret {
		var err error
		if ok, _, err = o.cfg.Passwords.Verify(ctx, old, current.Reveal()); err != nil {
			return err
		}
	}
	if !ok {
		return Errorf(Forbidden, "forbidden", "The current password is not this one.")
	}
	return nil
}

func storePassword(ctx context.Context, tx Tx, c *Caller, old, hash string) (note, error) {
	p, err := tx.Principal(ctx, c.ID)
	if err != nil {
		return note{}, err
	}
	if p.Password != old {
		return note{}, Errorf(Conflict, "version-conflict", "The password was changed meanwhile.")
	}
	p.Password = hash
	if err := tx.SetPrincipal(ctx, p); err != nil {
		return note{}, err
	}
	others, err := tx.Sessions(ctx, p.ID)
	if err != nil {
		return note{}, err
	}
	n := note{kind: audit.KindAdminChange, what: "person " + p.Login, message: "changed their password"}
	for i := range others {
		w := &others[i]
		if w.ID != c.Session {
			n.revoked = append(n.revoked, w.ID)
			continue
		}
		w.Method = MethodPassword // from now on it is that which proves who it is
		if err := tx.SetSession(ctx, w); err != nil {
			return note{}, err
		}
	}
	return n, endSessions(ctx, tx, p.ID, c.Session)
}
