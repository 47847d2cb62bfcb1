package signin

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const proxySecret = "a-secret-of-the-proxy-0123456789"

func proxyConfig() TrustedHeaderConfig {
	return TrustedHeaderConfig{
		Login: "X-Forwarded-User", Email: "X-Forwarded-Email", Name: "X-Forwarded-Name", Groups: "X-Forwarded-Groups",
		SecretHeader: "X-Proxy-Secret", Secret: NewSecret(proxySecret),
		Map: Mapping{Required: []string{"lk"}, Teams: map[string]string{"data": "analytics"}},
	}
}

func proxied() http.Header {
	return http.Header{
		"X-Forwarded-User": {"ada"}, "X-Forwarded-Email": {"ada@example.com"}, "X-Forwarded-Name": {"Lovelace, Ada"},
		"X-Forwarded-Groups": {"lk, data,lk"}, "X-Proxy-Secret": {proxySecret}, "Accept": {"*/*"},
	}
}

func TestTrustedHeader(t *testing.T) {
	t.Parallel()
	th := must(NewTrustedHeader(proxyConfig()))
	id, err := th.FromRequest(proxied(), Peer{})
	if err != nil {
		t.Fatal(err)
	}
	want := Identity{
		Issuer: "header", Subject: "ada", Login: "ada", Email: "ada@example.com", Name: "Lovelace, Ada",
		Groups: []string{"data", "lk"}, Teams: []string{"analytics"},
	}
	if diff := cmp.Diff(want, id); diff != "" {
		t.Error(diff)
	}
}

func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	set := func(key string, values ...string) func(http.Header) {
		return func(h http.Header) { h[key] = values }
	}
	for name, test := range map[string]struct {
		do   func(http.Header)
		want Kind
	}{
		"as agreed":            {func(http.Header) {}, ""},
		"no email":             {func(h http.Header) { h.Del("X-Forwarded-Email") }, ""},
		"no login":             {func(h http.Header) { h.Del("X-Forwarded-User") }, KindHeader},
		"empty login":          {set("X-Forwarded-User", ""), KindHeader},
		"login twice":          {set("X-Forwarded-User", "ada", "root"), KindHeader},
		"the same login twice": {set("X-Forwarded-User", "ada", "ada"), KindHeader},
		"login and nothing":    {set("X-Forwarded-User", "ada", ""), KindHeader},
		"joined logins":        {set("X-Forwarded-User", "ada,root"), KindHeader},
		"control character":    {set("X-Forwarded-User", "ada\x00"), KindHeader},
		"newline":              {set("X-Forwarded-User", "ada\nroot"), KindHeader},
		"space around":         {set("X-Forwarded-User", "ada "), KindHeader},
		"no UTF-8":             {set("X-Forwarded-User", "ad\xff"), KindHeader},
		"turned around":        {set("X-Forwarded-User", "a\u202ed"), KindHeader},
		"without end":          {set("X-Forwarded-User", strings.Repeat("a", 300)), KindHeader},
		"underscores":          {set("X_Forwarded_User", "root"), KindHeader},
		"underscores only": {func(h http.Header) {
			h.Del("X-Forwarded-User")
			h["X_Forwarded_User"] = []string{"ada"}
		}, KindHeader},
		"one underscore":        {set("X-Forwarded_User", "root"), KindHeader},
		"dots":                  {set("X.Forwarded.User", "root"), KindHeader},
		"small letters besides": {set("x-forwarded-user", "root"), KindHeader},
		"underscored groups":    {set("X_Forwarded_Groups", "lk"), KindHeader},
		"underscored secret":    {set("X_Proxy_Secret", proxySecret), KindHeader},
		"email twice":           {set("X-Forwarded-Email", "a@b", "c@d"), KindHeader},
		"name twice":            {set("X-Forwarded-Name", "A", "B"), KindHeader},
		"groups twice":          {set("X-Forwarded-Groups", "lk", "admins"), KindHeader},
		"empty group":           {set("X-Forwarded-Groups", "lk,,data"), KindHeader},
		"group with a newline":  {set("X-Forwarded-Groups", "lk\nx"), KindHeader},
		"too many groups":       {set("X-Forwarded-Groups", strings.Repeat("lk,", maxGroups)+"lk"), KindHeader},
		"not in the group":      {set("X-Forwarded-Groups", "data"), KindGroup},
		"no groups":             {func(h http.Header) { h.Del("X-Forwarded-Groups") }, KindGroup},
		"no secret":             {func(h http.Header) { h.Del("X-Proxy-Secret") }, KindHeader},
		"wrong secret":          {set("X-Proxy-Secret", proxySecret+"x"), KindHeader},
		"secret twice":          {set("X-Proxy-Secret", "x", proxySecret), KindHeader},
	} {
		h := proxied()
		test.do(h)
		_, err := must(NewTrustedHeader(proxyConfig())).FromRequest(h, Peer{Unix: true, ClientCertVerified: true})
		if got := kindOf(t, err); got != test.want {
			t.Errorf("%s: got %q (%v), want %q", name, got, err, test.want)
		}
		if strings.Contains(fmt.Sprint(err), proxySecret) {
			t.Errorf("%s: the error tells the secret", name)
		}
	}
}

// Every proof that is configured must hold.
func TestProofs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		unix, cert bool
		peer       Peer
		want       Kind
	}{
		"unix":                {true, false, Peer{Unix: true}, ""},
		"cert":                {false, true, Peer{ClientCertVerified: true}, ""},
		"not unix":            {true, false, Peer{ClientCertVerified: true}, KindHeader},
		"no cert":             {false, true, Peer{Unix: true}, KindHeader},
		"both, one is shown":  {true, true, Peer{Unix: true}, KindHeader},
		"both, both is shown": {true, true, Peer{Unix: true, ClientCertVerified: true}, ""},
	} {
		cfg := proxyConfig()
		cfg.Secret, cfg.SecretHeader, cfg.RequireUnix, cfg.RequireClientCert = Secret{}, "", test.unix, test.cert
		h := proxied()
		h.Del("X-Proxy-Secret")
		_, err := must(NewTrustedHeader(cfg)).FromRequest(h, test.peer)
		if got := kindOf(t, err); got != test.want {
			t.Errorf("%s: got %q (%v), want %q", name, got, err, test.want)
		}
	}
}

func TestStrip(t *testing.T) {
	t.Parallel()
	h := proxied()
	h["x_forwarded_user"], h["X.FORWARDED-groups"], h["X_Proxy_Secret"] = []string{"root"}, []string{"lk"}, []string{"x"}
	must(NewTrustedHeader(proxyConfig())).Strip(h)
	if diff := cmp.Diff(http.Header{"Accept": {"*/*"}}, h); diff != "" {
		t.Error(diff)
	}
	var none *TrustedHeader
	none.Strip(h)
}

func TestTrustedHeaderConfig(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*TrustedHeaderConfig){
		"no login":       func(c *TrustedHeaderConfig) { c.Login = "" },
		"no proof":       func(c *TrustedHeaderConfig) { c.Secret, c.SecretHeader = Secret{}, "" },
		"half a secret":  func(c *TrustedHeaderConfig) { c.SecretHeader = "" },
		"short secret":   func(c *TrustedHeaderConfig) { c.Secret = NewSecret("short") },
		"two meanings":   func(c *TrustedHeaderConfig) { c.Email = "x-forwarded-user" },
		"underscore":     func(c *TrustedHeaderConfig) { c.Login = "X_Forwarded_User" },
		"space":          func(c *TrustedHeaderConfig) { c.Login = "X User" },
		"groups unnamed": func(c *TrustedHeaderConfig) { c.Groups = "" },
	} {
		cfg := proxyConfig()
		change(&cfg)
		if _, err := NewTrustedHeader(cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// Who is let in came with one clean login and the secret, and nothing is left
// after Strip that any spelling could bring back.
func FuzzTrustedHeader(f *testing.F) {
	f.Add("X-Forwarded-User", "root", "ada", proxySecret)
	f.Add("x_forwarded_user", "root", "ada", proxySecret)
	f.Add("X-Proxy-Secret", "x", "a,b", "y")
	f.Fuzz(func(t *testing.T, key, value, login, secret string) {
		h := proxied()
		h.Set("X-Forwarded-User", login)
		h.Set("X-Proxy-Secret", secret)
		h[key] = append(h[key], value)
		th := must(NewTrustedHeader(proxyConfig()))
		id, err := th.FromRequest(h, Peer{})
		touched := strings.HasPrefix(foldHeader(key), "x-forwarded-") || strings.HasPrefix(foldHeader(key), "x-proxy-")
		if err == nil && (id.Login != login || secret != proxySecret || strings.ContainsAny(login, ",\n\r\x00") || login == "") {
			t.Errorf("let in %+v with %q: %q", id, key, value)
		}
		th.Strip(h)
		if _, found := h[key]; found && touched && sameHeader(key, "X-Forwarded-User") {
			t.Errorf("%q is left", key)
		}
		if _, err := th.FromRequest(h, Peer{}); err == nil {
			t.Error("somebody is let in after Strip")
		}
	})
}
