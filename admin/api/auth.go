package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/signin"
)

// admit finds out who asks and whether the operation is open to them. For what
// lasts, the context ends when the caller's rights do. The caller calls done.
func (a *API) admit(ctx context.Context, w http.ResponseWriter, r *http.Request, rt route) (_ context.Context, done func(), err error) {
	ctx = context.WithValue(ctx, requestKey, r)
	done = func() {}
	bearer, hasBearer, err := bearerOf(r)
	if err != nil {
		return ctx, nil, err
	}
	if !hasBearer && !rt.report {
		if err := sameOrigin(r); err != nil {
			return ctx, nil, err
		}
	}
	c, err := a.authenticate(ctx, w, r, bearer, hasBearer)
	if err != nil && !rt.open && !hasBearer {
		a.dropSession(w, r, err)
	}
	if err != nil && !rt.open {
		if wait, ok := a.open.take(a.cfg.Now(), a.address(r).String()); !ok {
			return ctx, nil, limited(wait)
		}
		return ctx, nil, err
	}
	if err := a.rate(c, r); err != nil {
		return ctx, nil, err
	}
	if c != nil {
		ctx = context.WithValue(ctx, callerKey, c)
	}
	if rt.open {
		return ctx, done, nil
	}
	if err := needAny(c, rt.scopes); err != nil {
		return ctx, nil, err
	}
	if !rt.slow {
		return ctx, done, nil
	}
	return a.lasting(ctx, c, rt)
}

// lasting watches the caller's rights, and then asks once more whether they
// hold: what ended in between was not watched yet.
func (a *API) lasting(ctx context.Context, c *admin.Caller, rt route) (context.Context, func(), error) {
	plain := ctx
	ctx, done, err := a.streams.begin(ctx, ownerOf(c), rt.stream)
	if err != nil {
		return plain, nil, err
	}
	ctx, release := a.cfg.Revocations.Watch(ctx, c.Principals()...)
	all := func() { release(); done() }
	c, err = a.cfg.Office.Still(ctx, c)
	if err != nil {
		if ctx.Err() != nil {
			err = interrupted(ctx)
		}
		all()
		return plain, nil, err
	}
	return context.WithValue(ctx, callerKey, c), all, nil
}

// again returns the caller of a context as they are now.
func (a *API) again(ctx context.Context) (*admin.Caller, error) {
	return a.cfg.Office.Still(ctx, callerOf(ctx))
}

// needAny returns an error unless the proof allows one of the scopes.
func needAny(c *admin.Caller, scopes []admin.Scope) error {
	for _, s := range scopes {
		if c.Need(s) == nil {
			return nil
		}
	}
	if len(scopes) == 0 {
		return nil
	}
	return c.Need(scopes[0])
}

// rate bounds how often somebody asks: by who they are, else by where they are.
func (a *API) rate(c *admin.Caller, r *http.Request) error {
	limits, name := a.open, a.address(r).String()
	if c != nil {
		limits, name = a.limits, c.ID+c.Token
	}
	if wait, ok := limits.take(a.cfg.Now(), name); !ok {
		return limited(wait)
	}
	return nil
}

func limited(wait time.Duration) error {
	e := fail("rate-limited", "Too many requests. Wait a moment; programs wait as long as Retry-After says.")
	e.RetryAfter = wait
	return e
}

// bearerOf returns the token of the Authorization header.
func bearerOf(r *http.Request) (token admin.Secret, found bool, err error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return admin.Secret{}, false, nil
	}
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return admin.Secret{}, true, fail("unauthenticated", "Send a token as Authorization: Bearer lk_pat_… or lk_svc_….")
	}
	return admin.NewSecret(strings.TrimSpace(rest)), true, nil
}

// authenticate returns who proved who they are. A token wins over a cookie: a
// page of another site can make a browser send the one and not the other.
func (a *API) authenticate(ctx context.Context, w http.ResponseWriter, r *http.Request, bearer admin.Secret, hasBearer bool) (*admin.Caller, error) {
	if c := operator(ctx); c != nil {
		return c, nil
	}
	if hasBearer {
		c, err := a.cfg.Office.ByToken(ctx, bearer, a.address(r))
		if err != nil {
			return nil, err
		}
		login := r.Header.Get("Lockkeeper-On-Behalf-Of")
		if login == "" {
			return c, nil
		}
		return a.cfg.Office.OnBehalf(ctx, c, login)
	}
	if r.Header.Get("Lockkeeper-On-Behalf-Of") != "" {
		return nil, fail("forbidden", "Only a service acts on behalf of people, by its token.")
	}
	if viaHeader(ctx) {
		return a.byHeader(ctx, w, r)
	}
	secret, err := a.out.session(r)
	if err != nil {
		return nil, err
	}
	return a.cfg.Office.BySession(ctx, secret, a.address(r))
}

// dropSession takes away a cookie that will never be good again.
func (a *API) dropSession(w http.ResponseWriter, r *http.Request, err error) {
	if admin.CodeOf(err) == admin.Unauthenticated && len(r.CookiesNamed(a.out.cookieName())) > 0 {
		http.SetCookie(w, a.out.dropped(a.out.cookieName()))
	}
}

// byHeader takes whom the proxy vouches for. The session that goes with it saves
// the look-ups; it counts only as long as the proxy names the same person.
func (a *API) byHeader(ctx context.Context, w http.ResponseWriter, r *http.Request) (*admin.Caller, error) {
	id, err := a.cfg.Header.FromRequest(r.Header, peer(r))
	if err != nil {
		return nil, err
	}
	secret, err := a.out.session(r)
	if err != nil {
		return nil, err
	}
	said := described(&id)
	if c, err := a.cfg.Office.BySession(ctx, secret, a.address(r)); err == nil && a.vouched.same(c.Session, said) {
		return c, nil
	}
	in, err := a.cfg.Office.SignInIdentity(ctx, Proof(admin.MethodHeader, &id), a.visit(r, secret))
	if err != nil {
		return nil, err
	}
	a.vouched.keep(in.Session.ID, said)
	http.SetCookie(w, a.out.sessionCookie(in))
	return in.Caller, nil
}

// Proof is what a way of signing in found out, as the office takes it.
func Proof(method string, id *signin.Identity) admin.Proof {
	return admin.Proof{Method: method, Issuer: id.Issuer, Subject: id.Subject, Login: id.Login, Name: id.Name, Email: id.Email, Groups: id.Groups, Refresh: id.Refresh}
}

func (a *API) visit(r *http.Request, previous admin.Secret) admin.Visit {
	return admin.Visit{Addr: a.address(r), Agent: r.UserAgent(), Previous: previous}
}

func viaHeader(ctx context.Context) bool {
	via, _ := ctx.Value(viaHeaderKey).(bool)
	return via
}

// sameOrigin refuses what a page of another origin made the browser send. Only
// a person who follows a link may come from elsewhere.
func sameOrigin(r *http.Request) error {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return fail("cross-origin", "The request came from a page of another site. Programs use a token instead of the cookie.")
	}
	if r.Header.Get("Sec-Fetch-Site") != "cross-site" {
		return nil
	}
	if r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" {
		return nil
	}
	return fail("cross-origin", "The request came from a page of another site. Programs use a token instead of the cookie.")
}
