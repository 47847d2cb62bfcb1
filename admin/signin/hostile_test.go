package signin

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lockkeeper/lockkeeper/admin/signin/signintest"
)

const (
	testClient   = "office"
	testSecret   = signintest.Secret
	testRedirect = "https://office.example/auth/callback"
)

// hostile is a provider that says what the test wants. Its token endpoint is
// honest about codes, PKCE and the client's secret, unless told otherwise.
type hostile struct {
	*httptest.Server
	clock  *clock
	secret string // of the client
	post   bool   // the client may send it in the form

	mu        sync.Mutex
	key       *rsa.PrivateKey
	kid       string
	published []jose.JSONWebKey
	grants    map[string]grant // code → what was asked for
	document  map[string]any
	claims    map[string]any // on top of the right ones; nil values delete
	userinfo  map[string]any // nil: 404
	refresh   map[string]any // the token endpoint's answer to a refresh
	sign      func(h *hostile, claims map[string]any) string
	token     http.HandlerFunc // in place of the token endpoint
	seen      map[string]int   // requests by path
	lastToken string           // the last ID token handed out
}

type grant struct{ challenge, nonce, redirect string }

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Keys are dear, and no test changes one.
var (
	rsaKey   = sync.OnceValue(newRSA)
	otherKey = sync.OnceValue(newRSA)
)

func newRSA() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

func public(key crypto.PublicKey, kid, alg string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: alg, Use: "sig"}
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	h := &hostile{clock: newClock(), secret: testSecret, key: rsaKey(), kid: "k1", grants: map[string]grant{}, claims: map[string]any{}, seen: map[string]int{}}
	h.published = []jose.JSONWebKey{public(h.key.Public(), "k1", "RS256")}
	h.sign = func(h *hostile, c map[string]any) string {
		return signed(jose.SigningKey{Algorithm: jose.RS256, Key: h.key}, h.kid, c)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", h.serveDocument)
	mux.HandleFunc("GET /keys", h.serveKeys)
	mux.HandleFunc("POST /token", h.serveToken)
	mux.HandleFunc("GET /userinfo", h.serveUserinfo)
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.with(func() { h.seen[r.URL.Path]++ })
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		h.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	h.document = map[string]any{
		"issuer": h.URL, "authorization_endpoint": h.URL + "/auth", "token_endpoint": h.URL + "/token",
		"jwks_uri": h.URL + "/keys", "authorization_response_iss_parameter_supported": true,
	}
	return h
}

func (h *hostile) with(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

func (h *hostile) count(path string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen[path]
}

func (h *hostile) serveDocument(w http.ResponseWriter, _ *http.Request) {
	h.with(func() { reply(w, h.document) })
}

func (h *hostile) serveKeys(w http.ResponseWriter, _ *http.Request) {
	h.with(func() { reply(w, jose.JSONWebKeySet{Keys: h.published}) })
}

func (h *hostile) serveUserinfo(w http.ResponseWriter, r *http.Request) {
	h.with(func() {
		if h.userinfo == nil || r.Header.Get("Authorization") != "Bearer access" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		reply(w, h.userinfo)
	})
}

func (h *hostile) serveToken(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.token != nil {
		h.token(w, r)
		return
	}
	id, secret, basic := r.BasicAuth()
	if !basic && h.post {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if id != testClient || secret != h.secret {
		replyWith(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	if r.PostFormValue("grant_type") == "refresh_token" {
		if h.refresh == nil || r.PostFormValue("refresh_token") != "refresh-1" {
			refuseGrant(w)
			return
		}
		reply(w, h.refresh)
		return
	}
	g, found := h.grants[r.PostFormValue("code")]
	delete(h.grants, r.PostFormValue("code"))
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !found || b64(sum[:]) != g.challenge || r.PostFormValue("redirect_uri") != g.redirect {
		refuseGrant(w)
		return
	}
	h.lastToken = h.sign(h, h.rightClaims(g.nonce))
	reply(w, map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": 300, "refresh_token": "refresh-1", "id_token": h.lastToken})
}

func refuseGrant(w http.ResponseWriter) {
	replyWith(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": "SECRET-DETAIL"})
}

// rightClaims are those of an honest token, changed as the test says.
func (h *hostile) rightClaims(nonce string) map[string]any {
	now := h.clock.Now()
	c := map[string]any{
		"iss": h.URL, "sub": "u-1", "aud": testClient, "exp": now.Add(5 * time.Minute).Unix(), "iat": now.Unix(),
		"email": "ada@example.com", "email_verified": true, "name": "Ada", "groups": []string{"lk-users", "data"}, "sid": "s-1",
	}
	if nonce != "" {
		c["nonce"] = nonce
	}
	maps.Copy(c, h.claims)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// authorize is the person's visit to the provider: it takes the redirect of
// Begin and returns the query with which the browser comes back.
func (h *hostile) authorize(t *testing.T, r Redirect) url.Values {
	t.Helper()
	u, err := url.Parse(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("client_id") != testClient ||
		!strings.HasPrefix(r.URL, h.URL+"/auth?") || !strings.Contains(" "+q.Get("scope")+" ", " openid ") {
		t.Fatalf("the provider would refuse %s", r.URL)
	}
	code := "code-" + rand.Text()
	h.with(func() { h.grants[code] = grant{q.Get("code_challenge"), q.Get("nonce"), q.Get("redirect_uri")} })
	return url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {h.URL}}
}

func (h *hostile) config() OIDCConfig {
	return OIDCConfig{
		Issuer: h.URL, ClientID: testClient, ClientSecret: NewSecret(testSecret), RedirectURL: testRedirect,
		GroupsClaim: "groups", Map: Mapping{Required: []string{"lk-users", "lk-admins"}, Roles: map[string]string{"lk-admins": "admin"}, Teams: map[string]string{"data": "analytics"}},
		Now: h.clock.Now,
	}
}

func (h *hostile) office(t *testing.T) *OIDC {
	t.Helper()
	o, err := NewOIDC(h.config())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func begin(t *testing.T, o *OIDC, returnTo string) Redirect {
	t.Helper()
	r, err := o.Begin(t.Context(), returnTo)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// login is a whole login.
func (h *hostile) login(t *testing.T, o *OIDC) (Identity, error) {
	t.Helper()
	r := begin(t, o, "/")
	id, _, err := o.Finish(t.Context(), r.Cookie, h.authorize(t, r))
	return id, err
}

func signed(key jose.SigningKey, kid string, c map[string]any) string {
	opts := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		opts = opts.WithHeader("kid", kid)
	}
	s, err := jose.NewSigner(key, opts)
	if err != nil {
		panic(err)
	}
	jws, err := s.Sign(must(json.Marshal(c)))
	if err != nil {
		panic(err)
	}
	return must(jws.CompactSerialize())
}

// unsigned has the header it is given and no signature.
func unsigned(header string, c map[string]any) string {
	return b64([]byte(header)) + "." + b64(must(json.Marshal(c))) + "."
}

// withPublicKey is the old trick: HS256, the shared secret being the public key.
func withPublicKey(h *hostile, c map[string]any) string {
	der := must(x509.MarshalPKIXPublicKey(h.key.Public()))
	return signed(jose.SigningKey{Algorithm: jose.HS256, Key: der}, h.kid, c)
}

// embedded carries the key it was signed with in its own header.
func embedded(_ *hostile, c map[string]any) string {
	s := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: otherKey()}, &jose.SignerOptions{EmbedJWK: true}))
	return must(must(s.Sign(must(json.Marshal(c)))).CompactSerialize())
}

// changed is a right token whose body was replaced afterwards.
func changed(h *hostile, c map[string]any) string {
	parts := strings.Split(signed(jose.SigningKey{Algorithm: jose.RS256, Key: h.key}, h.kid, c), ".")
	c["email"] = "root@example.com"
	parts[1] = base64.RawURLEncoding.EncodeToString(must(json.Marshal(c)))
	return strings.Join(parts, ".")
}

func newEC() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func reply(w http.ResponseWriter, v any) { replyWith(w, http.StatusOK, v) }

func replyWith(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
