package api

import (
	"net/http"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

// cookieName is that of the session's cookie. The prefixes make browsers refuse
// one that another host, or plain HTTP, tries to plant.
func (e external) cookieName() string {
	switch {
	case !e.secure:
		return "lksid"
	case e.prefix != "":
		return "__Secure-lksid"
	default:
		return "__Host-lksid"
	}
}

// loginCookie holds a sign-in with OIDC that is under way.
func (e external) loginCookie() string { return e.cookieName() + "-oidc" }

func (e external) cookie(name, value string) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: e.prefix + "/", Secure: e.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode} //nolint:gosec // G124: Secure wherever there is TLS
}

// session returns the secret of the session's cookie; empty: there is none. Two
// of them mean that somebody else planted one.
func (e external) session(r *http.Request) (admin.Secret, error) {
	found := r.CookiesNamed(e.cookieName())
	switch len(found) {
	case 0:
		return admin.Secret{}, nil
	case 1:
		return admin.NewSecret(found[0].Value), nil
	default:
		return admin.Secret{}, fail("unauthenticated", "The session's cookie came twice. Clear the cookies of this site and sign in again.")
	}
}

// sessionCookie gives the browser the session.
func (e external) sessionCookie(in *admin.SignedIn) *http.Cookie {
	c := e.cookie(e.cookieName(), in.Secret.Reveal()) //nolint:gosec // G124: cookie sets all three, Secure wherever there is TLS
	c.Expires = in.Session.Expires
	return c
}

// dropped takes a cookie away.
func (e external) dropped(name string) *http.Cookie {
	c := e.cookie(name, "") //nolint:gosec // G124: as above
	c.MaxAge, c.Expires = -1, time.Unix(1, 0)
	return c
}
