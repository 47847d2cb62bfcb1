package api_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/admin/api"
	"github.com/lockkeeper/lockkeeper/admin/signin"
)

func TestTokenInAddressIsRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	token := h.root.program("runs:read").token
	for _, path := range []string{"/runs?token=" + token, "/runs?" + token, "/runs/" + token, "/runs?q=x%6Ck_pat_" + token[7:], "/runs?q=%6Ck_pat_" + token[7:], "!/r/" + token, "!/?access_token=" + token} {
		a := (&browser{h: h}).call("GET", path, nil)
		a.code(400, "token-in-url")
		if strings.Contains(string(a.body), token[7:]) {
			t.Errorf("%s: the answer repeats the token", path)
		}
	}
	if strings.Contains(h.log.String(), token[7:]) {
		t.Error("the log has the token")
	}
	h.root.call("GET", "/runs?q=lk_pat_", nil).want(200) // no token: somebody looks for one in SQL
}

func TestOtherSitesCannotAct(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	body := map[string]any{"sql": "select 1"}
	before := h.door.count()
	for name, hs := range map[string]header{
		"another site":       {"Sec-Fetch-Site": "cross-site"},
		"a sibling":          {"Sec-Fetch-Site": "same-site"},
		"another origin":     {"Origin": "https://evil.example"},
		"an opaque origin":   {"Origin": "null"},
		"another port":       {"Origin": "http://127.0.0.1:1"},
		"both say different": {"Sec-Fetch-Site": "cross-site", "Origin": h.server.URL},
	} {
		for _, path := range []string{"/runs", "/session", "/session/link"} {
			a := h.root.call("POST", path, body, hs)
			if a.res.StatusCode != http.StatusForbidden || a.object()["code"] != "cross-origin" {
				t.Errorf("%s: %s: %d %s", name, path, a.res.StatusCode, a.body)
			}
		}
	}
	for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/sql", ""} {
		h.root.call("POST", "/query", body, header{"Content-Type": media}).code(415, "unsupported-media-type")
	}
	if h.door.count() != before {
		t.Error("a run began")
	}
	h.root.call("GET", "/runs", nil, header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}).code(403, "cross-origin")
	h.root.call("GET", "/runs", nil, header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}).want(200)
	h.root.call("POST", "/runs", body, header{"Sec-Fetch-Site": "same-origin", "Origin": h.server.URL}).want(201)
	// A program has no cookie that a page could abuse.
	h.root.program("runs:write").call("POST", "/runs", body, header{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}).want(201)
}

func TestHostMustBeOurs(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, host := range []string{"evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "lk.example.com"} {
		req := h.root.request("GET", "/me", nil)
		req.Host = host
		rec := httptest.NewRecorder()
		h.api.Handler().ServeHTTP(rec, req)
		if rec.Code != http.StatusMisdirectedRequest {
			t.Errorf("%q: %d %s", host, rec.Code, rec.Body)
		}
	}
	h.root.call("GET", "/me", nil, header{"Host": "localhost:" + strings.Split(h.server.URL, ":")[2]}).want(200)
	far := newHouse(t, func(c *api.Config) { c.ExternalURL = "https://LK.example.com:443" }, deaf)
	for host, want := range map[string]int{"lk.example.com": 200, "LK.EXAMPLE.COM:443": 200, "lk.example.com:8443": 421, "localhost": 421, "127.0.0.1": 421} {
		req := httptest.NewRequest(http.MethodGet, "/api/v1/session", nil)
		req.Host = host
		rec := httptest.NewRecorder()
		far.api.Handler().ServeHTTP(rec, req)
		if rec.Code != want {
			t.Errorf("%q: %d, want %d", host, rec.Code, want)
		}
	}
}

// TestCookieOfEachAddress: name, path and flags follow how browsers reach us.
func TestCookieOfEachAddress(t *testing.T) {
	t.Parallel()
	for external, want := range map[string]http.Cookie{
		"https://lk.example.com":       {Name: "__Host-lksid", Path: "/", Secure: true},
		"https://lk.example.com/tools": {Name: "__Secure-lksid", Path: "/tools/", Secure: true},
		"http://localhost:8080":        {Name: "lksid", Path: "/", Secure: false},
	} {
		h := newHouse(t, func(c *api.Config) { c.ExternalURL = external }, deaf)
		link, err := h.office.FirstAdmin(t.Context(), "root")
		if err != nil {
			t.Fatal(err)
		}
		path := strings.TrimSuffix(want.Path, "/") + "/api/v1/session/link"
		req := httptest.NewRequest(http.MethodPost, external+"/x", strings.NewReader(`{"token":"`+link.Reveal()+`"}`))
		req.URL.Path = path
		req.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		h.api.Handler().ServeHTTP(rec, req)
		got := rec.Result().Cookies()
		if rec.Code != 200 || len(got) != 1 {
			t.Errorf("%s: %d %s, %v", external, rec.Code, rec.Body, got)
			continue
		}
		c := got[0]
		if c.Name != want.Name || c.Path != want.Path || c.Secure != want.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "" {
			t.Errorf("%s: %v", external, c)
		}
		if hsts := rec.Header().Get("Strict-Transport-Security"); (hsts != "") != want.Secure {
			t.Errorf("%s: HSTS %q", external, hsts)
		}
	}
}

func TestHeadersThatCouldMislead(t *testing.T) {
	t.Parallel()
	trusted, err := signin.NewTrustedHeader(signin.TrustedHeaderConfig{Login: "X-Forwarded-User", Groups: "X-Forwarded-Groups", SecretHeader: "X-Proxy-Secret", Secret: signin.NewSecret("0123456789abcdef0123")})
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, func(c *api.Config) { c.Header = trusted })
	// On the common listener the proxy's headers mean nothing, in any spelling.
	for _, hs := range []header{{"X-Forwarded-User": "root", "X-Proxy-Secret": "0123456789abcdef0123"}, {"X_Forwarded_User": "root", "X-Proxy-Secret": "0123456789abcdef0123"}} {
		(&browser{h: h}).call("GET", "/me", nil, hs).code(401, "unauthenticated")
	}
	for _, name := range []string{"Lockkeeper_On_Behalf_Of", "X_Forwarded_For", "Content_Type"} {
		h.root.call("GET", "/me", nil, header{name: "x"}).code(400, "bad-request")
	}
	req := h.root.request("GET", "/me", nil)
	req.Header["Authorization"] = []string{"Bearer a", "Bearer b"}
	rec := httptest.NewRecorder()
	h.api.Handler().ServeHTTP(rec, req)
	if rec.Code != 400 {
		t.Errorf("two proofs: %d", rec.Code)
	}
	h.root.call("GET", "/me", nil, header{"Lockkeeper-On-Behalf-Of": "root"}).code(403, "forbidden")

	// On its own listener they do, once each, with the proof.
	ask := func(hs map[string][]string, cookie string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, h.server.URL+"/api/v1/me", nil)
		maps.Copy(r.Header, hs)
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		w := httptest.NewRecorder()
		h.api.HeaderHandler().ServeHTTP(w, r)
		return w
	}
	good := []string{"0123456789abcdef0123"}
	for name, hs := range map[string]map[string][]string{
		"no proof":    {"X-Forwarded-User": {"zoe"}},
		"wrong proof": {"X-Forwarded-User": {"zoe"}, "X-Proxy-Secret": {"0123456789abcdef0124"}},
		"two people":  {"X-Forwarded-User": {"zoe", "root"}, "X-Proxy-Secret": good},
		"two spelled": {"X-Forwarded-User": {"zoe"}, "X_forwarded_user": {"root"}, "X-Proxy-Secret": good},
		"nobody":      {"X-Proxy-Secret": good},
	} {
		if w := ask(hs, ""); w.Code != 401 && w.Code != 400 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	w := ask(map[string][]string{"X-Forwarded-User": {"zoe"}, "X-Proxy-Secret": good}, "")
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"login":"zoe"`) || len(w.Result().Cookies()) != 1 {
		t.Fatalf("vouched for: %d %s", w.Code, w.Body)
	}
	cookie := w.Result().Cookies()[0]
	again := ask(map[string][]string{"X-Forwarded-User": {"zoe"}, "X-Proxy-Secret": good}, cookie.Name+"="+cookie.Value)
	if again.Code != 200 || len(again.Result().Cookies()) != 0 {
		t.Errorf("the session is not kept: %d %v", again.Code, again.Result().Cookies())
	}
	// The proxy's word counts, not the cookie of somebody else.
	other := ask(map[string][]string{"X-Forwarded-User": {"yan"}, "X-Proxy-Secret": good}, "lksid="+h.root.cookie.Value)
	if !strings.Contains(other.Body.String(), `"login":"yan"`) {
		t.Errorf("somebody else's cookie: %s", other.Body)
	}
	h.root.call("GET", "/me", nil).want(401) // and their session has ended with it
}

func TestTwoCookiesAreNone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	b := &browser{h: h}
	b.call("GET", "/me", nil, header{"Cookie": "lksid=x; lksid=" + h.root.cookie.Value}).code(401, "unauthenticated")
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	run := h.root.call("POST", "/runs", map[string]any{"sql": "select 1"}).id()
	for _, path := range []string{"/me", "/runs/" + run + "/rows", "/runs/" + run + "/result.csv", "/nothing", "!/", "!/assets/app-1a2b.js", "!/problems/not-found", "!/assets/gone.js"} {
		a := h.root.call("GET", path, nil, header{"Accept-Encoding": "identity"})
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin"} {
			if got := a.res.Header.Get(name); got != want {
				t.Errorf("%s: %s: %q", path, name, got)
			}
		}
		if !strings.Contains(a.res.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") && !strings.Contains(a.res.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: policy %q", path, a.res.Header.Get("Content-Security-Policy"))
		}
	}
	x := h.root.call("GET", "/runs/"+run+"/result.csv", nil)
	if !strings.HasPrefix(x.res.Header.Get("Content-Disposition"), "attachment") || !strings.HasPrefix(x.res.Header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("a result may be opened: %v", x.res.Header)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	big := strings.Repeat("x", 3<<20)
	h.root.call("POST", "/runs", map[string]any{"sql": big}).want(413)
	h.root.call("POST", "/runs", map[string]any{"sql": strings.Repeat("x", 1<<20+1)}).code(413, "sql-too-large")
	h.root.call("POST", "/teams", map[string]any{"name": big}).code(413, "body-too-large")
	h.root.call("GET", "/runs", "{}").code(400, "bad-request")
	h.root.call("POST", "/runs", `{"sql":"select 1","sqll":1}`).code(400, "bad-request")
	h.root.call("POST", "/runs", `{"sql":"select 1","SQL":"select 2"}`).code(400, "bad-request")
	h.root.call("POST", "/runs", `{"sql":"select 1","query":{"id":"a","version":-1},"query":{"id":"b"}}`).code(400, "bad-request")
	h.root.call("GET", "/runs?sumbitter=me", nil).code(400, "bad-request")
	e := h.root.call("POST", "/runs", `{"sql":"select 1","params":[{"nam":"x"}]}`).object()["errors"].([]any)
	if len(e) == 0 || !strings.HasPrefix(e[0].(map[string]any)["pointer"].(string), "/params/0") {
		t.Errorf("errors: %v", e)
	}
}

// TestUnknownNames: who mistypes a name is told which there are.
func TestUnknownNames(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, c := range []struct {
		method, path, body string
		want               []string
	}{
		{"POST", "/runs", `{"sql":"select 1","max_rows":1}`, []string{"/max_rows: there is nothing", "limits", "params", "sql"}},
		{"POST", "/runs", `{"sql":"select 1","limits":{"rows":1}}`, []string{"/limits/rows: there is nothing", "known are max_bytes, max_rows"}},
		{"POST", "/runs", `{"sql":"select 1","params":[{"nam":"x"}]}`, []string{"/params/0: expected required property name"}},
		{"POST", "/runs", `{"a":1,"b":2,"c":3}`, []string{"See errors for 2 more"}},
		{"GET", "/runs?sumbitter=me", "", []string{"sumbitter: there is nothing", "limit", "submitter"}},
		{"POST", "/query?fromat=csv", `{"sql":"select 1"}`, []string{"fromat: there is nothing", "format", "p.NAME"}},
		{"GET", "/me?x=1", "", []string{"x: there is nothing of this name."}},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		p := h.root.call(c.method, c.path, body).code(400, "bad-request").object()
		for _, want := range c.want {
			if !strings.Contains(p["detail"].(string), want) {
				t.Errorf("%s %s %s: %q lacks %q", c.method, c.path, c.body, p["detail"], want)
			}
		}
	}
}

func TestAskingTooOften(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *api.Config) { c.Rate = api.Rate{PerSecond: 0.001, Burst: 30} })
	var last *answer
	for range 31 {
		last = h.root.call("GET", "/me", nil)
	}
	last.code(429, "rate-limited")
	if last.res.Header.Get("Retry-After") == "" || last.object()["retry_after_ms"] == nil {
		t.Errorf("it does not say when: %v", last.res.Header)
	}
	(&browser{h: h}).call("GET", "/session", nil).want(200) // others are not slowed
}
