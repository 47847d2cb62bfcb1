package admin

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// Ways by which somebody comes, as the record and the policy name them.
const (
	ViaWeb = "web"
	ViaAPI = "api"
	ViaCLI = "cli"
	// ViaProvider: the identity provider was asked about somebody.
	ViaProvider = "provider"
)

const (
	// touchEvery is how often a proof's last use is written.
	touchEvery = time.Minute
	// tokensSleep is after how long without a sign-in a person's tokens no
	// longer work: until they sign in again.
	tokensSleep = 30 * 24 * time.Hour
)

// Unauthenticate is the one answer for every proof that does not hold: word by
// word the same, whatever is wrong with it.
func Unauthenticate() *Error {
	return Errorf(Unauthenticated, "unauthenticated", "Sign in, or send a token that is valid.")
}

// unproven turns "absent" into the one answer.
func unproven(err error) error {
	if errors.Is(err, ErrAbsent) {
		return Unauthenticate()
	}
	return outward(err)
}

// BySession returns who a page session's secret belongs to.
func (o *Office) BySession(ctx context.Context, secret Secret, addr netip.Addr) (*Caller, error) {
	if n := len(secret.Reveal()); n == 0 || n > maxSecret {
		return nil, Unauthenticate()
	}
	var c *Caller
	stale := false
	err := o.cfg.Store.View(ctx, func(tx Tx) error {
		w, err := tx.SessionByHash(ctx, digest(secret))
		if err != nil {
			return err
		}
		if !w.Live(tx.Now(), o.cfg.SessionIdle) {
			return ErrAbsent
		}
		if c, err = liveCaller(ctx, tx, w.PrincipalID); err != nil {
			return err
		}
		c.Session, c.Via, c.Addr, c.Scopes = w.ID, ViaWeb, addr, Entitled(c.Roles)
		stale = tx.Now().Sub(w.Seen) >= touchEvery
		return nil
	})
	if err == nil && stale {
		err = o.touchSession(ctx, c.Session)
	}
	if err != nil {
		return nil, unproven(err)
	}
	return c, nil
}

func (o *Office) touchSession(ctx context.Context, id string) error {
	return o.cfg.Store.Update(ctx, func(tx Tx) error {
		w, err := tx.Session(ctx, id)
		if err != nil {
			return err
		}
		if !w.Live(tx.Now(), o.cfg.SessionIdle) {
			return ErrAbsent // it ended meanwhile
		}
		w.Seen = tx.Now()
		return tx.SetSession(ctx, w)
	})
}

// ByToken returns who a token speaks for.
func (o *Office) ByToken(ctx context.Context, bearer Secret, addr netip.Addr) (*Caller, error) {
	c, stale, err := o.byToken(ctx, bearer, addr)
	if err == nil && stale {
		err = o.touchToken(ctx, c.Token, addr)
	}
	if err != nil {
		return nil, unproven(err)
	}
	return c, nil
}

// ByTokenAtDoor is ByToken for the door, which works while this office stands by
// and writes nothing: that the token was used is noted if it can be.
func (o *Office) ByTokenAtDoor(ctx context.Context, bearer Secret, addr netip.Addr) (*Caller, error) {
	c, stale, err := o.byToken(ctx, bearer, addr)
	if err == nil && stale {
		if touched := o.touchToken(ctx, c.Token, addr); errors.Is(touched, ErrAbsent) {
			err = touched // revoked meanwhile
		}
	}
	if err != nil {
		return nil, unproven(err)
	}
	return c, nil
}

// byToken also tells whether its last use is to be noted anew.
func (o *Office) byToken(ctx context.Context, bearer Secret, addr netip.Addr) (c *Caller, stale bool, err error) {
	secret, kind, err := ParseToken(bearer.Reveal())
	if err != nil {
		return nil, false, ErrAbsent
	}
	err = o.cfg.Store.View(ctx, func(tx Tx) error {
		t, err := tx.TokenByHash(ctx, digest(secret))
		if err != nil {
			return err
		}
		if c, err = tokenCaller(ctx, tx, t, addr); err != nil {
			return err
		}
		stale = tx.Now().Sub(t.Used) >= touchEvery
		if c.Kind != kind {
			return ErrAbsent
		}
		return nil
	})
	return c, stale, err
}

// tokenCaller returns whom a token speaks for now, or ErrAbsent.
func tokenCaller(ctx context.Context, tx Tx, t *Token, addr netip.Addr) (*Caller, error) {
	p, err := tx.Principal(ctx, t.HolderID)
	if err != nil {
		return nil, err
	}
	if !t.Live(tx.Now()) || !p.Live() || t.asleep(p, tx.Now()) || !t.open(addr) {
		return nil, ErrAbsent
	}
	c, err := callerOf(ctx, tx, p)
	if err != nil {
		return nil, err
	}
	c.Roles = only(c.Roles, t.Targets)
	c.Token, c.Via, c.Addr = t.ID, ViaAPI, addr
	c.Scopes, c.Targets, c.Queries = t.Scopes.within(Entitled(c.Roles)), t.Targets, t.Queries
	return c, nil
}

// asleep: a person's token works only as long as the person comes by.
func (t *Token) asleep(p *Principal, now time.Time) bool {
	since := t.Created
	if p.SignedIn.After(since) {
		since = p.SignedIn
	}
	return p.Kind == KindPerson && now.Sub(since) >= tokensSleep
}

// open reports whether the token works from an address.
func (t *Token) open(addr netip.Addr) bool {
	if len(t.CIDRs) == 0 {
		return true
	}
	addr = addr.Unmap().WithZone("")
	for _, s := range t.CIDRs {
		if p, err := netip.ParsePrefix(s); err == nil && p.Contains(addr) {
			return true
		}
	}
	return false
}

func (o *Office) touchToken(ctx context.Context, id string, addr netip.Addr) error {
	return o.cfg.Store.Update(ctx, func(tx Tx) error {
		t, err := tx.Token(ctx, id)
		if err != nil {
			return err
		}
		if !t.Live(tx.Now()) {
			return ErrAbsent // revoked meanwhile
		}
		t.Used, t.UsedAddr = tx.Now(), ""
		if addr.IsValid() {
			t.UsedAddr = addr.String()
		}
		return tx.SetToken(ctx, t)
	})
}

// Still returns the caller as they are now, or the one answer if their proof
// no longer holds: for what lasts longer than a request.
func (o *Office) Still(ctx context.Context, c *Caller) (*Caller, error) {
	if c.Actor != nil {
		actor, err := o.Still(ctx, c.Actor)
		if err != nil {
			return nil, err
		}
		return o.OnBehalf(ctx, actor, c.Login)
	}
	if c.AtTheMachine() {
		return c, nil
	}
	var now *Caller
	err := o.cfg.Store.View(ctx, func(tx Tx) error {
		if c.Token != "" {
			t, err := tx.Token(ctx, c.Token)
			if err != nil {
				return err
			}
			now, err = tokenCaller(ctx, tx, t, c.Addr)
			return err
		}
		w, err := tx.Session(ctx, c.Session)
		if err != nil {
			return err
		}
		if !w.Live(tx.Now(), o.cfg.SessionIdle) {
			return ErrAbsent
		}
		if now, err = liveCaller(ctx, tx, c.ID); err != nil {
			return err
		}
		now.Session, now.Via, now.Addr, now.Scopes = w.ID, ViaWeb, c.Addr, Entitled(now.Roles)
		return nil
	})
	if err != nil {
		return nil, unproven(err)
	}
	return now, nil
}

// Ending is why somebody who was here no longer is.
type Ending string

// The endings.
const (
	EndedNot     Ending = ""              // they still are, or it is not known
	EndedGroup   Ending = "group-missing" // the identity provider no longer lists them in the required group
	EndedByAdmin Ending = "disabled"      // an admin shut them out
	EndedSession Ending = "signed-out"    // the session or token has ended
)

// WhyEnded says to a caller who was let in why they no longer are. Only whoever
// still holds the answer that was begun for them is told.
func (o *Office) WhyEnded(ctx context.Context, c *Caller) Ending {
	if _, err := o.Still(ctx, c); c.Actor != nil || CodeOf(err) != Unauthenticated {
		return EndedNot
	}
	var p *Principal
	err := o.cfg.Store.View(ctx, func(tx Tx) (err error) {
		p, err = tx.Principal(ctx, c.ID)
		return err
	})
	switch {
	case err != nil:
		return EndedSession
	case p.Disabled:
		return EndedByAdmin
	case p.Barred:
		return EndedGroup
	}
	return EndedSession
}

// liveCaller returns a principal as a caller, or ErrAbsent if they are shut out.
func liveCaller(ctx context.Context, tx Tx, id string) (*Caller, error) {
	p, err := tx.Principal(ctx, id)
	if err != nil {
		return nil, err
	}
	if !p.Live() {
		return nil, ErrAbsent
	}
	return callerOf(ctx, tx, p)
}

// callerOf returns a principal as a caller, without proof and scopes.
func callerOf(ctx context.Context, tx Tx, p *Principal) (*Caller, error) {
	s, err := standingOf(ctx, tx, p.ID)
	if err != nil {
		return nil, err
	}
	return &Caller{Kind: p.Kind, ID: p.ID, Login: p.Login, Name: p.Name, Email: p.Email, Teams: s.names(), Roles: s.roles}, nil
}
