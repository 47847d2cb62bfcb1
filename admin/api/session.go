package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/signin"
)

type sessionInfo struct {
	SignedIn    bool          `json:"signed_in"`
	Methods     signInMethods `json:"methods"`
	ExternalURL string        `json:"external_url"`
}

type signInMethods struct {
	Password bool        `json:"password"`
	OIDC     *oidcMethod `json:"oidc"`
	Header   bool        `json:"header" doc:"A proxy says who you are; there is nothing to type."`
}

type oidcMethod struct {
	Name string `json:"name" doc:"What the button says."`
}

// signedIn is the answer to a sign-in: who it is, and the cookie.
type signedIn struct {
	Cookies []string `header:"Set-Cookie"`
	Body    Me
}

// redirect sends a browser on.
type redirect struct {
	Cookies  []string `header:"Set-Cookie"`
	Location string   `header:"Location"`
}

type sessionOut struct{ Body sessionInfo }

func (a *API) sessionRoutes() {
	const tag = "session"
	register(a, route{id: "get-session", method: "GET", path: "/session", summary: "How to sign in, and whether you are", tag: tag, open: true}, a.getSession)
	register(a, route{id: "sign-in", method: "POST", path: "/session", summary: "Sign in with a local password", tag: tag, open: true}, a.signInPassword)
	register(a, route{id: "sign-in-link", method: "POST", path: "/session/link", summary: "Sign in with a one-use link", tag: tag, open: true}, a.signInLink)
	register(a, route{id: "sign-in-oidc", method: "GET", path: "/session/oidc", summary: "Begin to sign in at the identity provider", tag: tag, open: true, status: http.StatusFound}, a.beginOIDC)
	register(a, route{id: "sign-in-oidc-callback", method: "GET", path: "/session/oidc/callback", summary: "Where the identity provider sends the browser back", tag: tag, open: true, status: http.StatusFound, openParams: true}, a.finishOIDC)
	register(a, route{id: "sign-out", method: "DELETE", path: "/session", summary: "Sign out", tag: tag}, a.signOut)
}

func (a *API) getSession(ctx context.Context, c *admin.Caller, _ *nothing) (*sessionOut, error) {
	m := signInMethods{Password: a.cfg.Passwords, Header: viaHeader(ctx)}
	if a.cfg.OIDC != nil {
		m.OIDC = &oidcMethod{a.cfg.OIDCName}
	}
	return &sessionOut{sessionInfo{SignedIn: c != nil, Methods: m, ExternalURL: a.out.url}}, nil
}

func (a *API) signInPassword(ctx context.Context, _ *admin.Caller, in *struct {
	Body struct {
		Login    string `json:"login" minLength:"1" maxLength:"63"`
		Password string `json:"password" minLength:"1" maxLength:"1024"`
	}
},
) (*signedIn, error) {
	if !a.cfg.Passwords {
		return nil, admin.Missing()
	}
	return a.try(ctx, in.Body.Login, func(v admin.Visit) (*admin.SignedIn, error) {
		return a.cfg.Office.SignInPassword(ctx, in.Body.Login, admin.NewSecret(in.Body.Password), v)
	})
}

func (a *API) signInLink(ctx context.Context, _ *admin.Caller, in *struct {
	Body struct {
		Token string `json:"token" minLength:"1" maxLength:"200"`
	}
},
) (*signedIn, error) {
	return a.try(ctx, "", func(v admin.Visit) (*admin.SignedIn, error) {
		return a.cfg.Office.SignInLink(ctx, admin.NewSecret(in.Body.Token), v)
	})
}

// try signs somebody in, if whoever asks has not guessed wrong too often.
func (a *API) try(ctx context.Context, login string, act func(admin.Visit) (*admin.SignedIn, error)) (*signedIn, error) {
	r := requestOf(ctx)
	addr := a.address(r)
	if wait, ok := a.cfg.Limiter.Allow(a.cfg.Now(), login, addr); !ok {
		e := fail("too-many-tries", "Too many tries. Wait, then try again.")
		e.RetryAfter = wait
		return nil, e
	}
	previous, err := a.out.session(r)
	if err != nil {
		previous = admin.Secret{} // of two cookies neither is ended, and both are replaced
	}
	in, err := act(a.visit(r, previous))
	if err != nil {
		if admin.CodeOf(err) == admin.Unauthenticated {
			a.cfg.Limiter.Fail(a.cfg.Now(), login, addr)
		}
		return nil, err
	}
	a.cfg.Limiter.Succeed(a.cfg.Now(), login, addr)
	return &signedIn{Cookies: []string{a.out.sessionCookie(in).String()}, Body: a.me(in.Caller)}, nil
}

func (a *API) beginOIDC(ctx context.Context, _ *admin.Caller, in *struct {
	ReturnTo string `query:"return_to" maxLength:"2000" doc:"A path of the page, below external_url."`
},
) (*redirect, error) {
	if a.cfg.OIDC == nil {
		return nil, admin.Missing()
	}
	to, err := a.cfg.OIDC.Begin(ctx, in.ReturnTo)
	if err != nil {
		return a.signInProblem(ctx, err)
	}
	c := a.out.cookie(a.out.loginCookie(), to.Cookie) //nolint:gosec // G124: cookie sets all three, Secure wherever there is TLS
	c.Expires = to.Expires
	return &redirect{Cookies: []string{c.String()}, Location: to.URL}, nil
}

// finishOIDC takes all parameters that the provider sends: their names are its own.
func (a *API) finishOIDC(ctx context.Context, _ *admin.Caller, _ *nothing) (*redirect, error) {
	if a.cfg.OIDC == nil {
		return nil, admin.Missing()
	}
	r := requestOf(ctx)
	begun := r.CookiesNamed(a.out.loginCookie())
	if len(begun) != 1 {
		return a.signInProblem(ctx, &signin.Error{Kind: signin.KindRestart, Err: errors.New("no cookie of a sign-in, or two")})
	}
	id, returnTo, err := a.cfg.OIDC.Finish(ctx, begun[0].Value, r.URL.Query())
	if err != nil {
		return a.signInProblem(ctx, a.shutOut(ctx, r, &id, err))
	}
	previous, err := a.out.session(r)
	if err != nil {
		previous = admin.Secret{}
	}
	in, err := a.cfg.Office.SignInIdentity(ctx, Proof(admin.MethodOIDC, &id), a.visit(r, previous))
	if err != nil {
		return a.signInProblem(ctx, err)
	}
	return &redirect{Cookies: []string{a.out.sessionCookie(in).String(), a.out.dropped(a.out.loginCookie()).String()}, Location: a.out.prefix + signin.LocalPath(returnTo)}, nil
}

// shutOut ends what somebody has here who came without the required group, and
// returns what to tell them.
func (a *API) shutOut(ctx context.Context, r *http.Request, id *signin.Identity, refusal error) error {
	if e, ok := errors.AsType[*signin.Error](refusal); !ok || e.Kind != signin.KindGroup {
		return refusal
	}
	proof := Proof(admin.MethodOIDC, id)
	proof.NoGroup = true
	if _, err := a.cfg.Office.SignInIdentity(ctx, proof, a.visit(r, admin.Secret{})); admin.CodeOf(err) != admin.Unauthenticated {
		return err
	}
	return refusal
}

// signInProblem shows a person who came by a link what went wrong: the page for
// signing in reads the code from its address.
func (a *API) signInProblem(ctx context.Context, err error) (*redirect, error) {
	p := a.problem(ctx, err)
	return &redirect{Cookies: []string{a.out.dropped(a.out.loginCookie()).String()}, Location: a.out.prefix + "/signin?problem=" + p.Code + "&request=" + p.RequestID}, nil
}

type signedOut struct {
	Cookies []string `header:"Set-Cookie"`
	Clear   string   `header:"Clear-Site-Data"`
}

func (a *API) signOut(ctx context.Context, c *admin.Caller, _ *nothing) (*signedOut, error) {
	if err := a.cfg.Office.SignOut(ctx, c); err != nil {
		return nil, err
	}
	return &signedOut{Cookies: []string{a.out.dropped(a.out.cookieName()).String()}, Clear: `"cache"`}, nil
}
