package api_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/api"
	"github.com/lockkeeper/lockkeeper/admin/signin"
)

// provider is an OpenID provider where everybody is ida.
type provider struct {
	t      *testing.T
	server *httptest.Server
	key    *rsa.PrivateKey

	mu     sync.Mutex // guards what follows
	nonce  string
	groups []string // staff is needed
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{t: t, key: key, groups: []string{"staff"}}
	mux := http.NewServeMux()
	p.server = httptest.NewServer(mux)
	t.Cleanup(p.server.Close)
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // the test sees that it is missing
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		u := p.server.URL
		answer(w, map[string]any{"issuer": u, "authorization_endpoint": u + "/auth", "token_endpoint": u + "/token", "jwks_uri": u + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"keys": []any{map[string]any{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": p.token()})
	})
	return p
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (p *provider) token() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	claims, _ := json.Marshal(map[string]any{"iss": p.server.URL, "sub": "42", "aud": "office", "email": "ida@example.com", "email_verified": true, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "nonce": p.nonce, "groups": p.groups})
	signed := b64([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + b64(claims)
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum[:])
	if err != nil {
		p.t.Error(err)
	}
	return signed + "." + b64(sig)
}

// use makes an API send people to the provider.
func (p *provider) use(c *api.Config) {
	o, err := signin.NewOIDC(signin.OIDCConfig{
		Issuer: p.server.URL, ClientID: "office", RedirectURL: c.ExternalURL + "/api/v1/session/oidc/callback",
		GroupsClaim: "groups", Map: signin.Mapping{Required: []string{"staff"}},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	c.OIDC, c.OIDCName = o, "Example SSO"
}

// come begins a sign-in and returns the path with which the browser comes back,
// and the cookie it then has.
func (p *provider) come(h *house, returnTo string) (path string, headers []header) {
	h.Helper()
	b := &browser{h: h}
	a := b.call("GET", "/session/oidc?return_to="+url.QueryEscape(returnTo), nil).want(302)
	to, err := url.Parse(a.res.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(to.String(), p.server.URL+"/auth?") {
		h.Fatalf("sent to %s", a.res.Header.Get("Location"))
	}
	p.mu.Lock()
	p.nonce = to.Query().Get("nonce")
	p.mu.Unlock()
	cookie := ""
	for _, c := range a.res.Cookies() {
		cookie = c.Name + "=" + c.Value
	}
	return "/session/oidc/callback?" + url.Values{"code": {"c"}, "state": {to.Query().Get("state")}, "iss": {p.server.URL}}.Encode(), []header{{"Cookie": cookie}}
}
