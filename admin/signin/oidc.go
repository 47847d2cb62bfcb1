package signin

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/url"
	"slices"
	"time"

	"golang.org/x/oauth2"
)

// OIDC asks an OpenID provider who people are: authorization code with PKCE.
type OIDC struct {
	cfg    OIDCConfig
	source *source
	sealer sealer
	used   used
}

// Redirect is where to send the browser, and what it must bring back.
type Redirect struct {
	URL     string    // at the provider
	Cookie  string    // value of a HttpOnly, SameSite=Lax cookie; to be deleted at Finish
	Expires time.Time // of the cookie
}

// NewOIDC returns an OIDC. It does not ask the provider yet.
func NewOIDC(cfg OIDCConfig) (*OIDC, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s, err := newSealer(cfg.CookieKey, cfg.Issuer+"\x00"+cfg.ClientID)
	if err != nil {
		return nil, err
	}
	return &OIDC{cfg: cfg, source: newSource(cfg.Issuer, cfg.HTTPClient, cfg.Timeout, cfg.Now), sealer: s}, nil
}

// Begin starts a login that ends at returnTo, or at "/" if that is no LocalPath.
func (o *OIDC) Begin(ctx context.Context, returnTo string) (Redirect, error) {
	doc, err := o.source.document(ctx)
	if err != nil {
		return Redirect{}, err
	}
	if doc.AuthURL == "" || doc.TokenURL == "" {
		return Redirect{}, refuse(KindUnavailable, "%s lacks an authorization or token endpoint", o.cfg.Issuer)
	}
	p := pending{
		State: b64(random(32)), Nonce: b64(random(32)), Verifier: oauth2.GenerateVerifier(),
		ReturnTo: LocalPath(returnTo), Begun: o.cfg.Now(),
	}
	cookie, err := o.sealer.seal(p)
	if err != nil {
		return Redirect{}, err
	}
	opts := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(p.Verifier), oauth2.SetAuthURLParam("nonce", p.Nonce)}
	if prompt := o.prompt(doc); prompt != "" {
		opts = append(opts, oauth2.SetAuthURLParam("prompt", prompt))
	}
	return Redirect{URL: o.client(doc).AuthCodeURL(p.State, opts...), Cookie: cookie, Expires: p.Begun.Add(loginLife)}, nil
}

// Finish takes the provider's answer: the cookie of Begin and the query with
// which the browser came back. Each login can be finished once. With KindGroup
// the Identity says who lacks the group.
func (o *OIDC) Finish(ctx context.Context, cookie string, query url.Values) (Identity, string, error) {
	doc, err := o.source.document(ctx)
	if err != nil {
		return Identity{}, "", err
	}
	p, code, err := o.answer(doc, cookie, query)
	if err != nil {
		return Identity{}, "", err
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, o.source.client), o.cfg.Timeout)
	defer cancel()
	tokens, err := o.client(doc).Exchange(ctx, code, oauth2.VerifierOption(p.Verifier))
	if err != nil {
		return Identity{}, "", tokenError(err, KindRestart)
	}
	raw, _ := tokens.Extra("id_token").(string)
	if raw == "" {
		return Identity{}, "", refuse(KindToken, "the provider sent no ID token: is openid among the scopes?")
	}
	id, err := o.identify(ctx, doc, tokens, raw, expected{nonce: p.Nonce, after: p.Begun})
	if err != nil {
		return id, "", err
	}
	return id, LocalPath(p.ReturnTo), nil
}

// Refresh asks the provider whether the login still stands: it returns the
// person as they are now, for the subject whose token it is. KindRevoked and
// KindGroup end what they have here, and with KindGroup the Identity says who
// they are; KindUnavailable says nothing about them.
//
// The old token may be void as soon as there is a next one. So keep is called
// with it before anything else is looked at, and its error ends the question.
func (o *OIDC) Refresh(ctx context.Context, subject string, refresh Secret, keep func(next Secret) error) (Identity, error) {
	if refresh.IsZero() || subject == "" {
		return Identity{}, refuse(KindRevoked, "no refresh token: is offline_access among the scopes?")
	}
	doc, err := o.source.document(ctx)
	if err != nil {
		return Identity{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, o.source.client), o.cfg.Timeout)
	defer cancel()
	tokens, err := o.client(doc).TokenSource(ctx, &oauth2.Token{RefreshToken: refresh.Reveal()}).Token()
	if err != nil {
		return Identity{}, tokenError(err, KindRevoked)
	}
	if tokens.RefreshToken != refresh.Reveal() { // oauth2 keeps the old one where no other came
		if err := keep(NewSecret(tokens.RefreshToken)); err != nil {
			return Identity{}, err
		}
	}
	raw, _ := tokens.Extra("id_token").(string)
	return o.identify(ctx, doc, tokens, raw, expected{subject: subject})
}

// answer checks what the browser brought back and marks the login as used.
func (o *OIDC) answer(doc *document, cookie string, query url.Values) (pending, string, error) {
	p, err := o.sealer.open(cookie)
	if err != nil {
		return pending{}, "", &Error{Kind: KindRestart, Err: err}
	}
	now := o.cfg.Now()
	if age := now.Sub(p.Begun); age > loginLife || age < -leeway {
		return pending{}, "", refuse(KindRestart, "the login took longer than %s", loginLife)
	}
	for _, name := range []string{"state", "code", "iss", "error"} {
		if len(query[name]) > 1 || len(query.Get(name)) > maxCookie {
			return pending{}, "", refuse(KindRestart, "parameter %s came twice or is too long", name)
		}
	}
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(p.State)) != 1 {
		return pending{}, "", refuse(KindRestart, "the state is not the one of this browser")
	}
	if iss := query.Get("iss"); iss != o.cfg.Issuer && (iss != "" || doc.SendsIssuer) {
		return pending{}, "", refuse(KindToken, "the answer came from %q, not from %s", iss, o.cfg.Issuer)
	}
	if !o.used.take(p, now) {
		return pending{}, "", refuse(KindRestart, "this login was finished before")
	}
	if query.Has("error") {
		return pending{}, "", refuse(KindDenied, "the provider answered %q", query.Get("error"))
	}
	if query.Get("code") == "" {
		return pending{}, "", refuse(KindRestart, "the answer holds no code")
	}
	return p, query.Get("code"), nil
}

// expected is what a token must say to belong to this login.
type expected struct {
	nonce   string    // of a first login
	after   time.Time // when it began
	subject string    // of a refreshed one
}

// identify turns the token endpoint's answer into a person. Without an ID
// token, which a refresh may lack, userinfo must speak. Beside KindGroup the
// person is returned too.
func (o *OIDC) identify(ctx context.Context, doc *document, tokens *oauth2.Token, raw string, want expected) (Identity, error) {
	id := Identity{Issuer: o.cfg.Issuer, Subject: want.subject, IssuedAt: o.cfg.Now(), Expires: tokens.Expiry, Refresh: NewSecret(tokens.RefreshToken)}
	c := claims{}
	if raw != "" {
		token, body, err := o.source.verify(ctx, raw, o.cfg.ClientID)
		if err != nil {
			return Identity{}, err
		}
		if err := authorizedParty(token, body, o.cfg.ClientID); err != nil {
			return Identity{}, err
		}
		if err := want.check(token.Nonce, token.IssuedAt, token.Subject); err != nil {
			return Identity{}, err
		}
		if token.AccessTokenHash != "" && token.VerifyAccessToken(tokens.AccessToken) != nil {
			return Identity{}, refuse(KindToken, "the access token is not the one of the ID token (at_hash)")
		}
		id.Subject, id.IssuedAt, id.Expires, c = token.Subject, token.IssuedAt, token.Expiry, body
	}
	if o.cfg.reading().thin(c) && doc.UserInfoURL != "" {
		more, err := o.userinfo(ctx, doc, tokens.AccessToken, id.Subject)
		if err != nil {
			return Identity{}, err
		}
		c.add(more)
	}
	err := o.cfg.reading().identity(c, &id)
	if refusal, ok := errors.AsType[*Error](err); ok && refusal.Kind != KindGroup {
		return Identity{}, err
	}
	return id, err
}

func (e expected) check(nonce string, issued time.Time, subject string) error {
	if e.subject != "" {
		if subject != e.subject {
			return refuse(KindToken, "the refreshed token speaks of another subject")
		}
		return nil
	}
	if subtle.ConstantTimeCompare([]byte(nonce), []byte(e.nonce)) != 1 {
		return refuse(KindToken, "the nonce is not the one of this login")
	}
	if issued.Before(e.after.Add(-leeway)) {
		return refuse(KindToken, "the token is older than this login")
	}
	return nil
}

// userinfo asks for the claims that do not stand in the token.
func (o *OIDC) userinfo(ctx context.Context, doc *document, access, subject string) (claims, error) {
	var c claims
	if err := o.source.get(ctx, doc.UserInfoURL, access, &c); err != nil {
		return nil, refuse(KindUnavailable, "userinfo of %s: %w", o.cfg.Issuer, err)
	}
	if sub, err := c.text("sub"); err != nil || sub != subject {
		return nil, refuse(KindToken, "userinfo speaks of another subject")
	}
	return c, nil
}

// scopes are those of the configuration. Without any, they are what each
// provider knows, and offline_access where this one lists it: without a refresh
// token nobody hears that somebody lost a group.
func (o *OIDC) scopes(doc *document) []string {
	if len(o.cfg.Scopes) > 0 {
		return o.cfg.Scopes
	}
	scopes := []string{scopeOpenID, "profile", claimEmail}
	if slices.Contains(doc.Scopes, scopeOffline) {
		scopes = append(scopes, scopeOffline)
	}
	return scopes
}

// prompt is what the provider is told to ask people for; empty: nothing.
func (o *OIDC) prompt(doc *document) string {
	switch {
	case o.cfg.Prompt == PromptOff:
		return ""
	case o.cfg.Prompt == "" && slices.Contains(o.scopes(doc), scopeOffline):
		return "consent" // else providers must ignore offline_access (OIDC Core 11)
	}
	return o.cfg.Prompt
}

// client is us as the provider knows us.
func (o *OIDC) client(doc *document) *oauth2.Config {
	style := oauth2.AuthStyleInHeader // the default of OIDC Discovery
	if o.cfg.ClientSecret.IsZero() || len(doc.AuthMethods) > 0 && !slices.Contains(doc.AuthMethods, "client_secret_basic") {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: o.cfg.ClientID, ClientSecret: o.cfg.ClientSecret.Reveal(), RedirectURL: o.cfg.RedirectURL, Scopes: o.scopes(doc),
		Endpoint: oauth2.Endpoint{AuthURL: doc.AuthURL, TokenURL: doc.TokenURL, AuthStyle: style},
	}
}

// tokenError keeps the code of the provider's refusal and drops its body, in
// which anything may stand. Only invalid_grant speaks of the person.
func tokenError(err error, grant Kind) error {
	if refusal, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		kind := KindUnavailable
		if refusal.ErrorCode == "invalid_grant" {
			kind = grant
		}
		status := 0
		if refusal.Response != nil {
			status = refusal.Response.StatusCode
		}
		return refuse(kind, "token endpoint: answer %d, error %.64q", status, refusal.ErrorCode)
	}
	return refuse(KindUnavailable, "token endpoint: %w", err)
}
