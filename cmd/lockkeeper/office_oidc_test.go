package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/signin/signintest"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// officeProviderFlags start a provider and say how a page at an address uses it;
// more is added to the configuration. Who it knows are people by their logins; the
// group lk is needed.
func officeProviderFlags(t *testing.T, web, host, more string) (*signintest.Provider, []string) {
	t.Helper()
	provider := signintest.Start(t, signintest.Config{Redirect: "http://" + web + "/api/v1/session/oidc/callback", Host: host})
	secret := filepath.Join(t.TempDir(), "client")
	if err := os.WriteFile(secret, []byte(signintest.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return provider, configFlags(t, `web:
  oidc:
    issuer: `+provider.Issuer+`
    client_id: `+signintest.Client("RS256")+`
    client_secret_file: `+secret+`
    name: Example SSO
    login_claim: preferred_username
    required_groups: lk
    recheck: 1s
`+more)
}

// comesBy signs somebody in at the provider, and returns where the page sends them.
func (u *officeUser) comesBy(provider *signintest.Provider, login string) string {
	u.t.Helper()
	u.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	step := func(path string) string {
		req, err := http.NewRequestWithContext(u.t.Context(), http.MethodGet, u.web+path, nil)
		if err != nil {
			u.t.Fatal(err)
		}
		res, err := u.http.Do(req)
		if err != nil {
			u.t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusFound {
			u.t.Fatalf("%s: %s", path, res.Status)
		}
		return res.Header.Get("Location")
	}
	back := provider.Visit(u.t, step("/session/oidc?return_to="+url.QueryEscape("/library")), login)
	return step("/session/oidc/callback?" + back.Encode())
}

// Somebody who signed in by the provider is here in every way there is. When an
// admin disables them, and when the provider takes the group away, all of it ends
// within five seconds; somebody else notices nothing.
func TestOfficeTakesBack(t *testing.T) {
	t.Parallel()
	web := freeAddress(t)
	const recheck = time.Second // as officeProviderFlags say
	provider, flags := officeProviderFlags(t, web, "", "")
	h := serveOfficeAt(t, officeWarehouse(t), web, flags...)
	arrive := func(login string) *surfaces {
		if err := provider.Know(login, signintest.Person(login, "lk")); err != nil {
			t.Fatal(err)
		}
		h.admit(t, login, "reader")
		u := h.browser(t)
		if to := u.comesBy(provider, login); to != "/library" {
			t.Fatalf("%s is sent to %s", login, to)
		}
		return h.arrive(t, u, login)
	}
	bystander, ann, bea := arrive("bo"), arrive("ann"), arrive("bea")
	for _, s := range []*surfaces{bystander, ann, bea} {
		s.untouched("before")
	}

	began := time.Now()
	h.console("user", "disable", "ann")
	ann.check("disabled", began, 5*time.Second)
	bystander.untouched("somebody was disabled")
	bea.untouched("somebody was disabled")

	began = time.Now()
	if err := provider.Know("bea", signintest.Person("bea", "others")); err != nil {
		t.Fatal(err)
	}
	bea.check("group lost", began, 5*time.Second+recheck)
	bystander.untouched("somebody lost the group")
	out, _ := command(t, "audit", "search", "--kind", "admin_change", "--json", h.state)
	if n := strings.Count(out, "shut out: the required group is missing"); n != 1 {
		t.Errorf("%d records of it:\n%s", n, out)
	}

	// She cannot come in; with the group again she can, and has her token back.
	if to := bea.u.comesBy(provider, "bea"); !strings.HasPrefix(to, "/signin?problem=group-missing&") {
		t.Errorf("without the group she is sent to %s", to)
	}
	if err := provider.Know("bea", signintest.Person("bea", "lk")); err != nil {
		t.Fatal(err)
	}
	if to := bea.u.comesBy(provider, "bea"); to != "/library" || bea.status(bea.token) != http.StatusOK {
		t.Errorf("with the group she is sent to %s, and her token is worth %d", to, bea.status(bea.token))
	}
	bystander.untouched("the end")
	for _, s := range []*surfaces{bystander, ann, bea} {
		s.leave()
	}
	h.verify()
	h.stop()
}

// A provider that is away says nothing about anybody. One that no longer knows
// somebody ends the page session that came by it, and no more.
func TestOfficeAsksTheProvider(t *testing.T) {
	t.Parallel()
	web := freeAddress(t)
	provider, flags := officeProviderFlags(t, web, "", "")
	h := serveOfficeAt(t, officeWarehouse(t), web, flags...)
	h.admit(t, "ann", "reader")
	if err := provider.Know("ann", signintest.Person("ann", "lk")); err != nil {
		t.Fatal(err)
	}
	ann := h.browser(t)
	if to := ann.comesBy(provider, "ann"); to != "/library" {
		t.Fatalf("sent to %s", to)
	}
	var token struct{ Token string }
	ann.must(http.MethodPost, "/tokens", map[string]any{"name": "x", "scopes": []string{"runs:read"}, "expires_in_days": 1}, &token)
	program := &officeUser{t: t, web: h.web, http: http.DefaultClient, header: http.Header{"Authorization": {"Bearer " + token.Token}}}
	is := func(what string, page, api int) {
		t.Helper()
		gotPage, _ := ann.do(http.MethodGet, "/me", nil)
		gotAPI, _ := program.do(http.MethodGet, "/me", nil)
		if gotPage != page || gotAPI != api {
			t.Errorf("%s: the page gets %d, the program %d; want %d and %d", what, gotPage, gotAPI, page, api)
		}
	}
	if err := provider.Away(true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log says that the provider is away", func() bool { return strings.Contains(h.log.String(), "cannot ask whether people may still come in") })
	is("away", http.StatusOK, http.StatusOK)
	if err := provider.Away(false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log says that it is back", func() bool { return strings.Contains(h.log.String(), "people can be asked about again") })
	is("back", http.StatusOK, http.StatusOK)
	if n := strings.Count(h.log.String(), "cannot ask whether"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, h.log)
	}
	if err := provider.Know("ann", nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the page session ends", func() bool {
		time.Sleep(50 * time.Millisecond) // the API bounds how often one may ask
		code, _ := ann.do(http.MethodGet, "/me", nil)
		return code == http.StatusUnauthorized
	})
	is("gone at the provider", http.StatusUnauthorized, http.StatusOK)
	if out, _ := command(t, "audit", "search", "--kind", "logout", "--json", h.state); strings.Count(out, "no longer vouches") != 1 {
		t.Errorf("recorded: %s", out)
	}
	h.stop()
}

// Of two servers on one store only the office that works asks the provider, which
// takes each refresh token once; the next one goes on with the newest.
func TestOfficeAsksAfterTakingOver(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	proxytest.Exec(t, pg.Super(t), "CREATE DATABASE office")
	web, other := freeAddress(t), freeAddress(t)
	provider, flags := officeProviderFlags(t, web, "", "office: {store: \"postgres://"+proxytest.Superuser+"@"+pg.Addr()+"/office?sslmode=disable\", key_file: "+
		filepath.Join(t.TempDir(), "key")+"}\n")
	first := serve(t, pg, "", append(flags, "--web-listen", web)...)
	ann := (&officeHouse{web: "http://" + web + "/api/v1"}).browser(t)
	eventually(t, "the first works", func() bool { code, _ := ann.do(http.MethodGet, "/session", nil); return code == http.StatusOK })
	second := serve(t, pg, "", append(flags, "--web-listen", other)...)
	for _, team := range []string{"shop", "web"} {
		first.console("team", "add", team)
	}
	first.console("user", "add", "ann")
	know := func(groups ...string) {
		t.Helper()
		if err := provider.Know("ann", signintest.Person("ann", append(groups, "lk")...)); err != nil {
			t.Fatal(err)
		}
	}
	teams := func(want ...string) {
		t.Helper()
		eventually(t, "her teams are "+strings.Join(want, " "), func() bool {
			time.Sleep(50 * time.Millisecond) // the API bounds how often one may ask
			var me struct{ Teams []string }
			code, raw := ann.do(http.MethodGet, "/me", nil)
			return code == http.StatusOK && json.Unmarshal(raw, &me) == nil && slices.Equal(me.Teams, want)
		})
	}
	know()
	if to := ann.comesBy(provider, "ann"); to != "/library" {
		t.Fatalf("sent to %s", to)
	}
	know("shop")
	teams("shop")
	know("web")
	teams("web")
	first.stop()
	ann.web = "http://" + other + "/api/v1" // the same host, so the same cookie
	teams("web")
	know("shop")
	teams("shop")
	know("shop", "web")
	teams("shop", "web")
	second.stop()
}
