package signin

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/admin/signin/signintest"
)

// independent is an OpenID provider that others wrote.
type independent struct{ *signintest.Provider }

// know tells the provider who a person is; nil: gone.
func (p independent) know(t *testing.T, login string, claims map[string]any) {
	t.Helper()
	if err := p.Know(login, claims); err != nil {
		t.Fatalf("the provider does not answer: %v", err)
	}
}

func (p independent) office(t *testing.T, alg string) *OIDC {
	t.Helper()
	o, err := NewOIDC(OIDCConfig{
		Issuer: p.Issuer, ClientID: signintest.Client(alg), ClientSecret: NewSecret(testSecret), RedirectURL: testRedirect,
		GroupsClaim: "groups",
		Map:         Mapping{Required: []string{"lk-users"}},
		HTTPClient:  &http.Client{Transport: transport(t)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// transport keeps no connection after the test.
func transport(t *testing.T) *http.Transport {
	t.Helper()
	tr := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func (p independent) login(t *testing.T, o *OIDC, login string) (Identity, error) {
	t.Helper()
	r := begin(t, o, "/after")
	id, to, err := o.Finish(t.Context(), r.Cookie, p.Visit(t, r.URL, login))
	if err == nil && to != "/after" {
		t.Errorf("return to %q", to)
	}
	return id, err
}

func person(groups ...string) map[string]any {
	return map[string]any{"email": "ada@example.com", "email_verified": true, "name": "Ada", "preferred_username": "ada", "groups": groups}
}

// The whole login against a provider that is not ours: with full ID tokens, and
// with thin ones where userinfo holds the claims.
func TestIndependentProvider(t *testing.T) {
	t.Parallel()
	for name, thin := range map[string]bool{"full tokens": false, "thin tokens": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := independent{signintest.Start(t, signintest.Config{Redirect: testRedirect, Thin: thin})}
			p.know(t, "ada", person("lk-users", "data"))
			p.know(t, "eve", person("others"))
			for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
				id, err := p.login(t, p.office(t, alg), "ada")
				if err != nil {
					t.Errorf("%s: %v", alg, err)
					continue
				}
				want := Identity{
					Issuer: p.Issuer, Subject: "ada", Login: "ada@example.com", Email: "ada@example.com", Name: "Ada", EmailVerified: true,
					Groups: []string{"data", "lk-users"}, IssuedAt: id.IssuedAt, Expires: id.Expires, SID: id.SID, Refresh: id.Refresh,
				}
				if diff := cmp.Diff(want, id); diff != "" || id.Refresh.IsZero() || !id.Expires.After(id.IssuedAt) {
					t.Errorf("%s: %s", alg, diff)
				}
			}
			if _, err := p.login(t, p.office(t, "HS256"), "ada"); kindOf(t, err) != KindToken {
				t.Errorf("HS256: %v", err)
			}
			if _, err := p.login(t, p.office(t, "RS256"), "eve"); kindOf(t, err) != KindGroup {
				t.Errorf("without the group: %v", err)
			}
			p.testRefused(t)
			p.testRefresh(t)
		})
	}
}

// testRefused: what the provider itself must notice, and what we.
func (p independent) testRefused(t *testing.T) {
	t.Helper()
	o := p.office(t, "RS256")
	victim, mine := begin(t, o, "/"), begin(t, o, "/")
	stolen := p.Visit(t, victim.URL, "ada")
	answer := p.Visit(t, mine.URL, "ada")
	injected := url.Values{"state": answer["state"], "iss": answer["iss"], "code": stolen["code"]}
	if _, _, err := o.Finish(t.Context(), mine.Cookie, injected); kindOf(t, err) != KindRestart {
		t.Errorf("another's code: %v", err)
	}
	if _, _, err := o.Finish(t.Context(), mine.Cookie, answer); kindOf(t, err) != KindRestart {
		t.Errorf("the same login again: %v", err)
	}
	// Two offices with one cookie key: the provider alone sees the replayed code.
	a, b := p.twins(t)
	r := begin(t, a, "/")
	answer = p.Visit(t, r.URL, "ada")
	if _, _, err := a.Finish(t.Context(), r.Cookie, answer); err != nil {
		t.Errorf("first use of a code: %v", err)
	}
	if _, _, err := b.Finish(t.Context(), r.Cookie, answer); kindOf(t, err) != KindRestart {
		t.Errorf("second use of a code: %v", err)
	}
	wrong := p.office(t, "RS256").cfg
	wrong.ClientSecret = NewSecret("wrong")
	o = must(NewOIDC(wrong))
	r = begin(t, o, "/")
	if _, _, err := o.Finish(t.Context(), r.Cookie, p.Visit(t, r.URL, "ada")); kindOf(t, err) != KindUnavailable {
		t.Errorf("wrong client secret: %v", err)
	}
}

func (p independent) twins(t *testing.T) (a, b *OIDC) {
	t.Helper()
	cfg := p.office(t, "RS256").cfg // its cookie key is set by now
	return must(NewOIDC(cfg)), must(NewOIDC(cfg))
}

// testRefresh: a person loses the group, then the account.
func (p independent) testRefresh(t *testing.T) {
	t.Helper()
	p.know(t, "bob", person("lk-users"))
	o := p.office(t, "ES256")
	id, err := p.login(t, o, "bob")
	if err != nil {
		t.Fatal(err)
	}
	var next Secret
	kept := func(s Secret) error { next = s; return nil }
	again, err := o.Refresh(t.Context(), id.Subject, id.Refresh, kept)
	if err != nil || again.Login != id.Login || again.Refresh.IsZero() || next.Reveal() != again.Refresh.Reveal() || next.Reveal() == id.Refresh.Reveal() {
		t.Fatalf("refresh: %v, %+v", err, again)
	}
	if _, err := o.Refresh(t.Context(), "ada", again.Refresh, kept); kindOf(t, err) != KindToken {
		t.Errorf("refresh for another: %v", err)
	}
	if id, err = p.login(t, o, "bob"); err != nil {
		t.Fatal(err)
	}
	p.know(t, "bob", person("others"))
	if _, err := o.Refresh(t.Context(), id.Subject, id.Refresh, kept); kindOf(t, err) != KindGroup {
		t.Errorf("group removed: %v", err)
	}
	p.know(t, "bob", person("lk-users"))
	if id, err = p.login(t, o, "bob"); err != nil {
		t.Fatal(err)
	}
	p.know(t, "bob", nil)
	if _, err := o.Refresh(t.Context(), id.Subject, id.Refresh, kept); kindOf(t, err) != KindRevoked {
		t.Errorf("account gone: %v", err)
	}
	if _, err := o.Refresh(t.Context(), id.Subject, NewSecret("made up"), kept); kindOf(t, err) != KindRevoked {
		t.Errorf("made-up token: %v", err)
	}
}
