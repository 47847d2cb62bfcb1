package signin

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

// Keys are asked for anew after an hour; old ones serve while the issuer is
// away, but not for ever.
func TestKeysGrowOld(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	w := h.workload(t)
	verify := func() error {
		_, err := w.Verify(t.Context(), h.bearer(nil))
		return err
	}
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	h.clock.move(fresh)
	if err := verify(); err != nil || h.count("/keys") != 2 {
		t.Errorf("after an hour: %v, asked %d times", err, h.count("/keys"))
	}
	right := h.published
	h.with(func() { h.published = nil })
	h.clock.move(fresh)
	for range 3 {
		if err := verify(); err != nil || h.count("/keys") != 3 {
			t.Errorf("issuer without keys: %v, asked %d times", err, h.count("/keys"))
		}
	}
	h.clock.move(stale)
	for range 3 {
		if err := verify(); kindOf(t, err) != KindUnavailable || h.count("/keys") != 4 {
			t.Errorf("keys older than a day: %v, asked %d times", err, h.count("/keys"))
		}
	}
	h.with(func() { h.published = right })
	h.clock.move(pause)
	if err := verify(); err != nil {
		t.Errorf("the issuer is back: %v", err)
	}
}

// Keys for encryption, private and shared ones are none of ours, and spoil
// nothing.
func TestOddKeys(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	enc := public(otherKey().Public(), "k1", "")
	enc.Use = "enc"
	odd := []jose.JSONWebKey{enc, {Key: otherKey(), KeyID: "k1"}, {Key: []byte(testSecret + testSecret), KeyID: "k1"}}
	h.published = append(odd, h.published...)
	o := h.office(t)
	if _, err := h.login(t, o); err != nil {
		t.Error(err)
	}
	if n := len(o.source.keys); n != 1 {
		t.Errorf("%d keys are kept", n)
	}
	h = newHostile(t)
	h.published = odd
	if _, err := h.login(t, h.office(t)); kindOf(t, err) != KindUnavailable {
		t.Errorf("only odd keys: %v", err)
	}
}

// Who waits for another's question to the issuer may leave.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	o := h.office(t)
	r := begin(t, o, "/")
	q := h.authorize(t, r)
	o.source.lock <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := o.Begin(ctx, "/"); kindOf(t, err) != KindUnavailable {
		t.Errorf("begin: %v", err)
	}
	if _, _, err := o.Finish(ctx, r.Cookie, q); kindOf(t, err) != KindUnavailable {
		t.Errorf("finish: %v", err)
	}
	if _, err := o.Refresh(ctx, "u-1", NewSecret("refresh-1"), never); kindOf(t, err) != KindUnavailable {
		t.Errorf("refresh: %v", err)
	}
	<-o.source.lock
	if _, err := h.office(t).Begin(ctx, "/"); kindOf(t, err) != KindUnavailable {
		t.Errorf("own question: %v", err)
	}
	if _, _, err := o.Finish(t.Context(), r.Cookie, q); err != nil {
		t.Errorf("later: %v", err)
	}
}

// How the client shows itself follows the provider's document.
func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		methods []string
		secret  string
		post    bool
	}{
		"basic by default": {nil, testSecret, false},
		"basic if offered": {[]string{"client_secret_post", "client_secret_basic"}, testSecret, false},
		"post":             {[]string{"client_secret_post"}, testSecret, true},
		"public":           {[]string{"none"}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t)
			h.secret, h.post = test.secret, test.post
			h.document["token_endpoint_auth_methods_supported"] = test.methods
			cfg := h.config()
			cfg.ClientSecret = NewSecret(test.secret)
			if _, err := h.login(t, must(NewOIDC(cfg))); err != nil {
				t.Error(err)
			}
		})
	}
}

// offline_access is asked for where the provider lists it, with the prompt that
// it needs, unless the configuration says otherwise.
func TestScopes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		listed, scopes []string
		prompt         string
		want, asked    string
	}{
		"the provider lists none": {nil, nil, "", "openid profile email", ""},
		"it lists others":         {[]string{"openid", "groups"}, nil, "", "openid profile email", ""},
		"it lists it":             {[]string{"openid", "offline_access"}, nil, "", "openid profile email offline_access", "consent"},
		"no prompt":               {[]string{"openid", "offline_access"}, nil, PromptOff, "openid profile email offline_access", ""},
		"another prompt":          {[]string{"offline_access"}, nil, "login consent", "openid profile email offline_access", "login consent"},
		"scopes of our own":       {[]string{"offline_access"}, []string{"email"}, "", "openid email", ""},
		"our own, and offline":    {nil, []string{"offline_access"}, "", "openid offline_access", "consent"},
	} {
		h := newHostile(t)
		h.document["scopes_supported"] = test.listed
		cfg := h.config()
		cfg.Scopes, cfg.Prompt = test.scopes, test.prompt
		r := begin(t, must(NewOIDC(cfg)), "/")
		h.authorize(t, r) // wants openid
		q := must(url.Parse(r.URL)).Query()
		if q.Get("scope") != test.want || q.Get("prompt") != test.asked {
			t.Errorf("%s: scope %q, prompt %q", name, q.Get("scope"), q.Get("prompt"))
		}
	}
}

func TestNoRefreshToken(t *testing.T) {
	t.Parallel()
	if _, err := newHostile(t).office(t).Refresh(t.Context(), "u-1", Secret{}, never); kindOf(t, err) != KindRevoked {
		t.Errorf("no token: %v", err)
	}
}

// never keeps a token where there is none to keep.
func never(Secret) error { return errors.New("a token came") }

func TestClaimPaths(t *testing.T) {
	t.Parallel()
	var c claims
	if err := json.Unmarshal([]byte(`{"a":{"b.c":"1","d":{"e":["2","3 "]}},"https://x.example/g":"4","n":null,"s":"x"}`), &c); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"a.b.c": {"1"}, "a.d.e": {"2"}, "https://x.example/g": {"4"}, "n": nil, "a.x": nil, "s.x": nil, "z": nil,
	} {
		got, err := c.list(name)
		if diff := cmp.Diff(want, got); diff != "" || err != nil || c.has(name) != (want != nil) {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

func TestDisplayName(t *testing.T) {
	t.Parallel()
	for _, test := range [][2]string{
		{"Ada", "Ada"}, {" A\r\nda ", "Ada"}, {"\u202eadA", "adA"}, {"نام\u200cخانوادگی", "نام\u200cخانوادگی"}, {"a\xffb", "ab"}, {"", ""},
	} {
		if got := displayName(test[0]); got != test[1] {
			t.Errorf("%q became %q", test[0], got)
		}
	}
	long := make([]rune, 200)
	for i := range long {
		long[i] = 'é'
	}
	if got := displayName(string(long)); got != string(long[:maxName/2]) {
		t.Errorf("%d bytes", len(got))
	}
}

func TestLimiterConfig(t *testing.T) {
	t.Parallel()
	for _, cfg := range []LimiterConfig{{PairTries: -1}, {MaxDelay: -time.Second}, {Entries: -1}} {
		if _, err := NewLimiter(cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}
