package signin

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	o := h.office(t)
	r := begin(t, o, "/r/abc?x=1")
	id, returnTo, err := o.Finish(t.Context(), r.Cookie, h.authorize(t, r))
	if err != nil {
		t.Fatal(err)
	}
	now := h.clock.Now()
	want := Identity{
		Issuer: h.URL, Subject: "u-1", Login: "ada@example.com", Email: "ada@example.com", Name: "Ada", EmailVerified: true,
		Groups: []string{"data", "lk-users"}, Teams: []string{"analytics"}, IssuedAt: now, Expires: now.Add(5 * time.Minute), SID: "s-1",
		Refresh: NewSecret("refresh-1"),
	}
	if diff := cmp.Diff(want, id); diff != "" {
		t.Error(diff)
	}
	if returnTo != "/r/abc?x=1" || !r.Expires.Equal(now.Add(10*time.Minute)) {
		t.Errorf("return to %q, cookie until %s", returnTo, r.Expires)
	}
	if s := fmt.Sprintf("%v %+v", id, o.cfg); strings.Contains(s, "refresh-1") || strings.Contains(s, testSecret) {
		t.Errorf("a secret is printed: %s", s)
	}
}

// What a provider that lies, errs or is broken sends, and what we make of it.
func TestHostileTokens(t *testing.T) {
	t.Parallel()
	claim := func(name string, value any) func(*hostile) {
		return func(h *hostile) { h.claims[name] = value }
	}
	signer := func(f func(*hostile, map[string]any) string) func(*hostile) {
		return func(h *hostile) { h.sign = f }
	}
	far := newClock().Now().Add(time.Hour).Unix()
	past := newClock().Now().Add(-time.Hour).Unix()
	for name, test := range map[string]struct {
		do   func(*hostile)
		want Kind
	}{
		"honest":                    {func(*hostile) {}, ""},
		"issuer":                    {claim("iss", "https://evil.example"), KindToken},
		"no issuer":                 {claim("iss", nil), KindToken},
		"audience":                  {claim("aud", "another"), KindToken},
		"no audience":               {claim("aud", nil), KindToken},
		"two audiences, no azp":     {claim("aud", []string{testClient, "another"}), KindToken},
		"two audiences, our azp":    {func(h *hostile) { h.claims["aud"] = []string{testClient, "another"}; h.claims["azp"] = testClient }, ""},
		"azp of another":            {claim("azp", "another"), KindToken},
		"azp no string":             {claim("azp", 7), KindToken},
		"expired":                   {claim("exp", past), KindToken},
		"no expiry":                 {claim("exp", nil), KindToken},
		"issued in the future":      {claim("iat", far), KindToken},
		"issued before the login":   {claim("iat", past), KindToken},
		"no iat":                    {claim("iat", nil), KindToken},
		"not yet valid":             {claim("nbf", far), KindToken},
		"nonce":                     {claim("nonce", "another"), KindToken},
		"no nonce":                  {claim("nonce", nil), KindToken},
		"no subject":                {claim("sub", nil), KindToken},
		"at_hash of another":        {claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), KindToken},
		"alg none":                  {signer(func(_ *hostile, c map[string]any) string { return unsigned(`{"alg":"none"}`, c) }), KindToken},
		"alg None":                  {signer(func(_ *hostile, c map[string]any) string { return unsigned(`{"alg":"None","kid":"k1"}`, c) }), KindToken},
		"RS256 without signature":   {signer(func(_ *hostile, c map[string]any) string { return unsigned(`{"alg":"RS256","kid":"k1"}`, c) }), KindToken},
		"HS256 with the public key": {signer(withPublicKey), KindToken},
		"HS256 with the secret": {signer(func(_ *hostile, c map[string]any) string {
			return signed(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(testSecret + testSecret)}, "k1", c)
		}), KindToken},
		"key in the header": {signer(embedded), KindToken},
		"another's key": {signer(func(_ *hostile, c map[string]any) string {
			return signed(jose.SigningKey{Algorithm: jose.RS256, Key: otherKey()}, "k1", c)
		}), KindToken},
		"another algorithm of the key": {signer(func(h *hostile, c map[string]any) string {
			return signed(jose.SigningKey{Algorithm: jose.PS256, Key: h.key}, "k1", c)
		}), KindToken},
		"changed body":         {signer(changed), KindToken},
		"no JWT":               {signer(func(*hostile, map[string]any) string { return "x" }), KindToken},
		"no token":             {signer(func(*hostile, map[string]any) string { return "" }), KindToken},
		"token without end":    {claim("junk", strings.Repeat("x", maxToken)), KindToken},
		"email not verified":   {claim("email_verified", false), KindClaims},
		"email without a mark": {claim("email_verified", nil), KindClaims},
		"verified as a string": {claim("email_verified", "true"), ""},
		"no login":             {claim("email", nil), KindClaims},
		"login no string":      {claim("email", []string{"a"}), KindClaims},
		"login with a newline": {claim("email", "a@b\nc"), KindClaims},
		"login turned around":  {claim("email", "a\u202eb"), KindClaims},
		"login without end":    {claim("email", strings.Repeat("x", 300)), KindClaims},
		"subject without end":  {claim("sub", strings.Repeat("x", 300)), KindClaims},
		"no groups":            {claim("groups", nil), KindGroup},
		"other groups":         {claim("groups", []string{"others", "lk-users "}), KindGroup},
		"one group":            {claim("groups", "lk-admins"), ""},
		"groups no list":       {claim("groups", map[string]any{"lk-users": true}), KindClaims},
		"groups without end":   {claim("groups", make([]string, maxGroups+1)), KindClaims},
		"groups elsewhere": {func(h *hostile) {
			h.claims["groups"] = nil
			h.claims["_claim_names"] = map[string]string{"groups": "src"}
			h.claims["_claim_sources"] = map[string]any{"src": map[string]string{"endpoint": "https://evil.example"}}
		}, KindClaims},
		"odd display name": {claim("name", "A\nda\u202e"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			test.do(h)
			_, err := h.login(t, h.office(t))
			if got := kindOf(t, err); got != test.want {
				t.Errorf("got %q (%v), want %q", got, err, test.want)
			}
			for _, secret := range []string{testSecret, "refresh-1", "SECRET-DETAIL", h.lastToken} {
				if secret != "" && len(secret) > 1 && strings.Contains(fmt.Sprint(err), secret) {
					t.Errorf("the error tells a secret: %v", err)
				}
			}
		})
	}
}

func TestAlgorithms(t *testing.T) {
	t.Parallel()
	_, ed, _ := ed25519.GenerateKey(nil)
	ec := newEC()
	for name, test := range map[string]struct {
		key jose.SigningKey
		pub any
	}{
		"ES256":  {jose.SigningKey{Algorithm: jose.ES256, Key: ec}, ec.Public()},
		"EdDSA":  {jose.SigningKey{Algorithm: jose.EdDSA, Key: ed}, ed.Public()},
		"PS256":  {jose.SigningKey{Algorithm: jose.PS256, Key: rsaKey()}, rsaKey().Public()},
		"RS512":  {jose.SigningKey{Algorithm: jose.RS512, Key: rsaKey()}, rsaKey().Public()},
		"no kid": {jose.SigningKey{Algorithm: jose.RS256, Key: rsaKey()}, rsaKey().Public()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			kid := strings.TrimPrefix(name, "no kid")
			h.published = []jose.JSONWebKey{public(otherKey().Public(), "z", ""), public(test.pub, kid, "")}
			h.sign = func(_ *hostile, c map[string]any) string { return signed(test.key, kid, c) }
			if _, err := h.login(t, h.office(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

// What comes back from the browser must be what went out with it.
func TestAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		do   func(h *hostile, cookie *string, q url.Values)
		want Kind
	}{
		"as agreed":         {func(*hostile, *string, url.Values) {}, ""},
		"state":             {func(_ *hostile, _ *string, q url.Values) { q.Set("state", "x") }, KindRestart},
		"no state":          {func(_ *hostile, _ *string, q url.Values) { q.Del("state") }, KindRestart},
		"state twice":       {func(_ *hostile, _ *string, q url.Values) { q.Add("state", "x") }, KindRestart},
		"code twice":        {func(_ *hostile, _ *string, q url.Values) { q.Add("code", "x") }, KindRestart},
		"no code":           {func(_ *hostile, _ *string, q url.Values) { q.Del("code") }, KindRestart},
		"unknown code":      {func(_ *hostile, _ *string, q url.Values) { q.Set("code", "x") }, KindRestart},
		"code without end":  {func(_ *hostile, _ *string, q url.Values) { q.Set("code", strings.Repeat("x", maxCookie+1)) }, KindRestart},
		"no cookie":         {func(_ *hostile, c *string, _ url.Values) { *c = "" }, KindRestart},
		"changed cookie":    {func(_ *hostile, c *string, _ url.Values) { *c = "AA" + (*c)[2:] }, KindRestart},
		"cookie too long":   {func(_ *hostile, c *string, _ url.Values) { *c = strings.Repeat("A", maxCookie+1) }, KindRestart},
		"just in time":      {func(h *hostile, _ *string, _ url.Values) { h.clock.move(10 * time.Minute) }, ""},
		"too late":          {func(h *hostile, _ *string, _ url.Values) { h.clock.move(10*time.Minute + 1) }, KindRestart},
		"clock turned back": {func(h *hostile, _ *string, _ url.Values) { h.clock.move(-time.Hour) }, KindRestart},
		"another issuer":    {func(_ *hostile, _ *string, q url.Values) { q.Set("iss", "https://evil.example") }, KindToken},
		"no issuer":         {func(_ *hostile, _ *string, q url.Values) { q.Del("iss") }, KindToken},
		"refused":           {func(_ *hostile, _ *string, q url.Values) { q.Del("code"); q.Set("error", "access_denied") }, KindDenied},
		"refused with a wrong state": {func(_ *hostile, _ *string, q url.Values) {
			q.Set("error", "access_denied")
			q.Set("state", "x")
		}, KindRestart},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			o := h.office(t)
			r := begin(t, o, "/")
			cookie, query := r.Cookie, h.authorize(t, r)
			test.do(h, &cookie, query)
			_, _, err := o.Finish(t.Context(), cookie, query)
			if got := kindOf(t, err); got != test.want {
				t.Errorf("got %q (%v), want %q", got, err, test.want)
			}
		})
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	o := h.office(t)
	first := begin(t, o, "/")
	answer := h.authorize(t, first)
	if _, _, err := o.Finish(t.Context(), first.Cookie, answer); err != nil {
		t.Fatal(err)
	}
	calls := h.count("/token")
	_, _, err := o.Finish(t.Context(), first.Cookie, answer)
	if kindOf(t, err) != KindRestart || h.count("/token") != calls {
		t.Errorf("the same answer again: %v, %d calls", err, h.count("/token")-calls)
	}

	// Another's code in one's own login: the provider knows by the verifier.
	mine, victim := begin(t, o, "/"), begin(t, o, "/")
	q := h.authorize(t, mine)
	q.Set("code", h.authorize(t, victim).Get("code"))
	if _, _, err := o.Finish(t.Context(), mine.Cookie, q); kindOf(t, err) != KindRestart {
		t.Errorf("another's code: %v", err)
	}
	// One's own answer in another's browser (login CSRF).
	attacker := begin(t, o, "/")
	if _, _, err := o.Finish(t.Context(), begin(t, o, "/").Cookie, h.authorize(t, attacker)); kindOf(t, err) != KindRestart {
		t.Errorf("another's answer: %v", err)
	}
	// A cookie of another office.
	elsewhere := begin(t, h.office(t), "/")
	if _, _, err := o.Finish(t.Context(), elsewhere.Cookie, h.authorize(t, elsewhere)); kindOf(t, err) != KindRestart {
		t.Errorf("another office's cookie: %v", err)
	}
}

// Offices that share a key finish each other's logins, but not twice each.
func TestSharedCookieKey(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	cfg := h.config()
	cfg.CookieKey = NewSecret(strings.Repeat("k", 32))
	a, b := must(NewOIDC(cfg)), must(NewOIDC(cfg))
	r := begin(t, a, "/x")
	if _, to, err := b.Finish(t.Context(), r.Cookie, h.authorize(t, r)); err != nil || to != "/x" {
		t.Errorf("%q, %v", to, err)
	}
}

func TestUsedIsBounded(t *testing.T) {
	t.Parallel()
	var u used
	now := newClock().Now()
	at := func(i int) pending { return pending{State: fmt.Sprint(i), Begun: now.Add(time.Duration(i))} }
	for i := range maxUsed + 10 {
		if !u.take(at(i), now) {
			t.Fatalf("login %d counts as used", i)
		}
	}
	if len(u.seen) != maxUsed || len(u.order) != maxUsed {
		t.Errorf("%d and %d remembered", len(u.seen), len(u.order))
	}
	for _, i := range []int{0, 9, 10, maxUsed + 9} { // forgotten and remembered ones
		if u.take(at(i), now) {
			t.Errorf("login %d is accepted twice", i)
		}
	}
	if !u.take(pending{State: "late", Begun: now.Add(time.Hour)}, now.Add(time.Hour)) || len(u.seen) != 1 {
		t.Errorf("%d remembered after an hour", len(u.seen))
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	o := h.office(t)
	for range 3 {
		if _, err := h.login(t, o); err != nil {
			t.Fatal(err)
		}
	}
	if n := h.count("/keys"); n != 1 {
		t.Errorf("keys were fetched %d times", n)
	}
	h.with(func() {
		h.key, h.kid = otherKey(), "k2"
		h.published = []jose.JSONWebKey{public(otherKey().Public(), "k2", "RS256")}
	})
	h.clock.move(pause)
	if _, err := h.login(t, o); err != nil {
		t.Errorf("after the rotation: %v", err)
	}
	// The old key is gone, and strangers who name keys cause no storm.
	h.with(func() { h.key, h.kid = rsaKey(), "k1" })
	for range 5 {
		if _, err := h.login(t, o); kindOf(t, err) != KindToken {
			t.Errorf("with the old key: %v", err)
		}
	}
	if n := h.count("/keys"); n != 2 {
		t.Errorf("keys were fetched %d times", n)
	}
	h.clock.move(pause)
	if _, err := h.login(t, o); kindOf(t, err) != KindToken || h.count("/keys") != 3 {
		t.Errorf("with the old key, later: %v, %d", err, h.count("/keys"))
	}
}

// The office starts while the provider is away, and goes on when it is back.
func TestProviderAway(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	right := h.document
	h.document = map[string]any{}
	o := h.office(t)
	if h.count("/.well-known/openid-configuration") != 0 {
		t.Error("New asked the provider")
	}
	for range 3 {
		if _, err := o.Begin(t.Context(), "/"); kindOf(t, err) != KindUnavailable {
			t.Errorf("provider away: %v", err)
		}
	}
	if n := h.count("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("asked %d times within the pause", n)
	}
	h.with(func() { h.document = right })
	h.clock.move(pause)
	if _, err := h.login(t, o); err != nil {
		t.Fatal(err)
	}
	h.with(func() { h.document = map[string]any{} })
	h.clock.move(fresh)
	if _, err := h.login(t, o); err != nil {
		t.Errorf("an old document does not serve: %v", err)
	}
}

func TestBadDocuments(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"issuer":                 "https://evil.example",
		"token_endpoint":         "http://evil.example/token",
		"authorization_endpoint": "javascript:alert(1)",
		"jwks_uri":               "",
		"without_end":            strings.Repeat("x", maxAnswer),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			h.document[name] = value
			if _, err := h.office(t).Begin(t.Context(), "/"); kindOf(t, err) != KindUnavailable {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The token endpoint is neither followed elsewhere, nor read without end, nor
// waited for without end.
func TestTokenEndpoint(t *testing.T) {
	t.Parallel()
	leaked := make(chan string, 1)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		leaked <- r.URL.String()
	}))
	t.Cleanup(elsewhere.Close)
	for name, handler := range map[string]http.HandlerFunc{
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
		"never ends": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"access_token":"` + strings.Repeat("x", 2*maxAnswer) + `"}`))
		},
		"says nothing": func(_ http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm() // only who has read the body learns that the client left
			<-r.Context().Done()
		},
		"knows us not": func(w http.ResponseWriter, _ *http.Request) {
			replyWith(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		},
		"sends a page": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			h.token = handler
			cfg := h.config()
			cfg.Timeout = 300 * time.Millisecond
			o := must(NewOIDC(cfg))
			if _, err := h.login(t, o); kindOf(t, err) != KindUnavailable {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Cleanup(func() {
		select {
		case u := <-leaked:
			t.Errorf("the code went to %s", u)
		default:
		}
	})
}

// A thin ID token is filled from userinfo, for the same subject only.
func TestUserinfo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		info map[string]any
		want Kind
	}{
		"full":            {map[string]any{"sub": "u-1", "email": "ada@example.com", "email_verified": true, "groups": []string{"lk-users"}}, ""},
		"another subject": {map[string]any{"sub": "u-2", "email": "ada@example.com", "email_verified": true, "groups": []string{"lk-users"}}, KindToken},
		"no subject":      {map[string]any{"email": "ada@example.com", "email_verified": true, "groups": []string{"lk-users"}}, KindToken},
		"no group":        {map[string]any{"sub": "u-1", "email": "ada@example.com", "email_verified": true}, KindGroup},
		"away":            {nil, KindUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			h.document["userinfo_endpoint"] = h.URL + "/userinfo"
			h.claims = map[string]any{"email": nil, "email_verified": nil, "groups": nil}
			h.userinfo = test.info
			_, err := h.login(t, h.office(t))
			if got := kindOf(t, err); got != test.want {
				t.Errorf("got %q (%v), want %q", got, err, test.want)
			}
		})
	}
	t.Run("mark of another address", func(t *testing.T) {
		t.Parallel()
		h := newHostile(t)
		h.document["userinfo_endpoint"] = h.URL + "/userinfo"
		h.claims = map[string]any{"email_verified": nil, "groups": nil}
		h.userinfo = map[string]any{"sub": "u-1", "email": "other@example.com", "email_verified": true, "groups": "lk-users"}
		if _, err := h.login(t, h.office(t)); kindOf(t, err) != KindClaims {
			t.Errorf("got %v", err)
		}
	})
}

// A refresh tells whether the person may still come in.
func TestRefresh(t *testing.T) {
	t.Parallel()
	answer := func(h *hostile, change map[string]any) map[string]any {
		h.claims = change
		return map[string]any{"access_token": "access", "token_type": "Bearer", "refresh_token": "refresh-2", "id_token": h.sign(h, h.rightClaims(""))}
	}
	for name, test := range map[string]struct {
		do   func(*hostile)
		want Kind
	}{
		"still there":     {func(h *hostile) { h.refresh = answer(h, nil) }, ""},
		"group removed":   {func(h *hostile) { h.refresh = answer(h, map[string]any{"groups": []string{"data"}}) }, KindGroup},
		"revoked":         {func(*hostile) {}, KindRevoked},
		"another subject": {func(h *hostile) { h.refresh = answer(h, map[string]any{"sub": "u-2"}) }, KindToken},
		"no iat":          {func(h *hostile) { h.refresh = answer(h, map[string]any{"iat": nil}) }, KindToken},
		"expired token":   {func(h *hostile) { h.refresh = answer(h, map[string]any{"exp": 1}) }, KindToken},
		"away": {func(h *hostile) {
			h.token = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
		}, KindUnavailable},
		"userinfo speaks, in the group": {func(h *hostile) {
			h.document["userinfo_endpoint"] = h.URL + "/userinfo"
			h.userinfo = map[string]any{"sub": "u-1", "email": "ada@example.com", "email_verified": true, "groups": []string{"lk-users"}}
			h.refresh = map[string]any{"access_token": "access", "token_type": "Bearer", "refresh_token": "refresh-2"}
		}, ""},
		"userinfo speaks, not in the group": {func(h *hostile) {
			h.document["userinfo_endpoint"] = h.URL + "/userinfo"
			h.userinfo = map[string]any{"sub": "u-1", "email": "ada@example.com", "email_verified": true}
			h.refresh = map[string]any{"access_token": "access", "token_type": "Bearer"}
		}, KindGroup},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			test.do(h)
			given, _ := h.refresh["refresh_token"].(string) // whatever becomes of the rest of the answer
			kept := ""
			id, err := h.office(t).Refresh(t.Context(), "u-1", NewSecret("refresh-1"), func(next Secret) error {
				kept = next.Reveal()
				return nil
			})
			if got := kindOf(t, err); got != test.want {
				t.Errorf("got %q (%v), want %q", got, err, test.want)
			}
			if kept != given {
				t.Errorf("kept %q, want %q", kept, given)
			}
			if known := id.Subject == "u-1" && id.Login != ""; known != (err == nil || test.want == KindGroup) {
				t.Errorf("%v comes with %+v", err, id)
			}
		})
	}
}

// A next token that cannot be kept ends the question: nothing else is looked at.
func TestRefreshNotKept(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	h.refresh = map[string]any{"access_token": "access", "token_type": "Bearer", "refresh_token": "refresh-2", "id_token": "nonsense"}
	full := errors.New("disk full")
	id, err := h.office(t).Refresh(t.Context(), "u-1", NewSecret("refresh-1"), func(Secret) error { return full })
	if !errors.Is(err, full) || id.Subject != "" {
		t.Errorf("%v, %+v", err, id)
	}
}

// Who signs in without the group is known by name, so that they can be shut out.
func TestGroupMissingNames(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	h.claims = map[string]any{"groups": []string{"others"}}
	o := h.office(t)
	r := begin(t, o, "/")
	id, _, err := o.Finish(t.Context(), r.Cookie, h.authorize(t, r))
	if kindOf(t, err) != KindGroup || id.Subject != "u-1" || id.Login != "ada@example.com" || len(id.Groups) != 1 {
		t.Errorf("%v, %+v", err, id)
	}
}

func TestOIDCConfig(t *testing.T) {
	t.Parallel()
	right := OIDCConfig{Issuer: "https://id.example", ClientID: "c", RedirectURL: "https://office.example/cb"}
	if err := right.Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*OIDCConfig){
		"plain http":        func(c *OIDCConfig) { c.Issuer = "http://id.example" },
		"user in the URL":   func(c *OIDCConfig) { c.Issuer = "https://a:b@id.example" },
		"no URL":            func(c *OIDCConfig) { c.Issuer = "id.example" },
		"no redirect":       func(c *OIDCConfig) { c.RedirectURL = "" },
		"no client":         func(c *OIDCConfig) { c.ClientID = "" },
		"short cookie key":  func(c *OIDCConfig) { c.CookieKey = NewSecret("short") },
		"groups from where": func(c *OIDCConfig) { c.Map.Required = []string{"a"} },
		"negative timeout":  func(c *OIDCConfig) { c.Timeout = -1 },
	} {
		c := right
		change(&c)
		if _, err := NewOIDC(c); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// Whatever claims come, an accepted identity has clean names and a group.
func FuzzClaims(f *testing.F) {
	f.Add(`{"sub":"u","email":"a@b","email_verified":true,"groups":["lk"],"name":"A\nB"}`)
	f.Add(`{"sub":"u","email":"a@b","email_verified":"true","realm":{"groups":"lk"},"groups":null}`)
	f.Fuzz(func(t *testing.T, body string) {
		var c claims
		if len(body) > maxToken || jsonInto(body, &c) != nil {
			return
		}
		id := Identity{Issuer: "i", Subject: "u"}
		r := reading{login: "email", groups: "groups", mapping: Mapping{Required: []string{"lk"}}}
		if r.identity(c, &id) != nil {
			return
		}
		if cleanName("login", id.Login) != nil || !id.EmailVerified || id.Login != id.Email {
			t.Errorf("login %q, email %q (%t)", id.Login, id.Email, id.EmailVerified)
		}
		if len(id.Groups) == 0 || len(id.Name) > maxName || strings.ContainsAny(id.Name, "\r\n\x00\u202e") {
			t.Errorf("groups %q, name %q", id.Groups, id.Name)
		}
	})
}

// No string that was not sealed here opens, and none that was changed.
func FuzzCookie(f *testing.F) {
	s := must(newSealer(NewSecret(string(random(32))), "x"))
	mine := must(s.seal(pending{State: "s"}))
	f.Add("", 0, byte(0))
	f.Add(mine[1:], 3, byte(1))
	f.Add(strings.Repeat("A", len(mine)), 100, byte(7))
	f.Fuzz(func(t *testing.T, cookie string, at int, flip byte) {
		if p, err := s.open(cookie); err == nil {
			t.Errorf("%q opens as %+v", cookie, p)
		}
		bent := []byte(mine)
		bent[uint(at)%uint(len(bent))] ^= flip
		if p, err := s.open(string(bent)); (err == nil) != (flip == 0) || err == nil && p.State != "s" {
			t.Errorf("%q opens as %+v, %v", bent, p, err)
		}
	})
}
