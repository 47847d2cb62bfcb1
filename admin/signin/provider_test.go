package signin

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const providerFolder = "testdata/provider"

// independent is an OpenID provider that others wrote (npm oidc-provider).
type independent struct {
	issuer string
	in     io.Writer
	out    *bufio.Scanner
}

// startProvider starts the provider on loopback; it ends with the test.
func startProvider(t *testing.T, thin bool) *independent {
	t.Helper()
	if testing.Short() {
		t.Skip("short: the independent provider is an npm package")
	}
	folder := installProvider(t)
	// Not t.Context alone: that ends before Cleanup, in which it shall end itself.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 3*time.Minute)
	t.Cleanup(cancel)
	args := must(json.Marshal(map[string]any{"redirect": testRedirect, "secret": testSecret, "thin": thin}))
	cmd := exec.CommandContext(ctx, "node", "server.mjs", string(args))
	cmd.Dir, cmd.Stderr = folder, t.Output()
	in, out := must(cmd.StdinPipe()), must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // it ends with its input
		if err := cmd.Wait(); err != nil {
			t.Errorf("the provider: %v", err)
		}
	})
	p := &independent{in: in, out: bufio.NewScanner(out)}
	var first struct{ Issuer string }
	if !p.out.Scan() || json.Unmarshal(p.out.Bytes(), &first) != nil {
		t.Fatalf("the provider does not start: %q", p.out.Text())
	}
	p.issuer = first.Issuer
	return p
}

// installProvider returns a folder that holds the provider and what it needs.
// It is made once for each lock file.
func installProvider(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is missing: install Node 20.19 or newer, or run with -short: %v", tool, err)
		}
	}
	sum := sha256.New()
	files := []string{"package.json", "package-lock.json", ".npmrc", "server.mjs"}
	for _, name := range files {
		_, _ = sum.Write(must(os.ReadFile(filepath.Join(providerFolder, name))))
	}
	cache := must(filepath.Abs("../../.cache"))
	done := filepath.Join(cache, "signin-provider-"+hex.EncodeToString(sum.Sum(nil)[:8]))
	if _, err := os.Stat(done); err == nil {
		return done
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	making := must(os.MkdirTemp(cache, "signin-provider-making-")) //nolint:usetesting // beside the cache, so that a rename can finish it
	defer os.RemoveAll(making)
	for _, name := range files {
		if err := os.WriteFile(filepath.Join(making, name), must(os.ReadFile(filepath.Join(providerFolder, name))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts")
	cmd.Dir = making
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci (it needs a registry once; -short leaves this test out): %v\n%s", err, out)
	}
	if err := os.Rename(making, done); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, twin := os.Stat(done); twin != nil { // another test may have been faster
			t.Fatal(err)
		}
	}
	return done
}

// know tells the provider who a person is; nil: gone.
func (p *independent) know(t *testing.T, login string, claims map[string]any) {
	t.Helper()
	line := must(json.Marshal(map[string]any{"login": login, "claims": claims}))
	if _, err := p.in.Write(append(line, '\n')); err != nil || !p.out.Scan() {
		t.Fatalf("the provider does not answer: %v", err)
	}
}

func (p *independent) office(t *testing.T, alg string) *OIDC {
	t.Helper()
	o, err := NewOIDC(OIDCConfig{
		Issuer: p.issuer, ClientID: "office-" + alg, ClientSecret: NewSecret(testSecret), RedirectURL: testRedirect,
		Scopes: []string{"openid", "profile", "email", "offline_access"}, GroupsClaim: "groups",
		Map:        Mapping{Required: []string{"lk-users"}},
		HTTPClient: &http.Client{Transport: transport(t)},
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

var formAction = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)

// visit does what a person and his browser do: follow, sign in, consent, until
// the provider sends him back to us. It returns the query he comes back with.
func (p *independent) visit(t *testing.T, start, login string) url.Values {
	t.Helper()
	browser := &http.Client{
		Jar: must(cookiejar.New(nil)), Transport: transport(t), Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	at := follow(t, browser, start, nil)
	prompts := []string{"login", "consent"}
	for range 20 {
		if strings.HasPrefix(at.location, testRedirect+"?") {
			return must(url.Parse(at.location)).Query()
		}
		if at.location != "" {
			at = follow(t, browser, at.location, nil)
			continue
		}
		form := formAction.FindStringSubmatch(at.body)
		if form == nil || len(prompts) == 0 {
			t.Fatalf("a page without a way on:\n%s", at.body)
		}
		at = follow(t, browser, form[1], url.Values{"prompt": {prompts[0]}, "login": {login}, "password": {"any"}})
		prompts = prompts[1:]
	}
	t.Fatal("the provider sends people round in circles")
	return nil
}

// page is what a browser got: something to read, or where to go instead.
type page struct{ body, location string }

// follow gets a page, or posts a form to it.
func follow(t *testing.T, browser *http.Client, to string, form url.Values) page {
	t.Helper()
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	req := must(http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(body)))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	p := page{body: string(must(io.ReadAll(resp.Body)))}
	if loc, err := resp.Location(); err == nil {
		p.location = loc.String()
	}
	return p
}

func (p *independent) login(t *testing.T, o *OIDC, login string) (Identity, error) {
	t.Helper()
	r := begin(t, o, "/after")
	id, to, err := o.Finish(t.Context(), r.Cookie, p.visit(t, r.URL, login))
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
			p := startProvider(t, thin)
			p.know(t, "ada", person("lk-users", "data"))
			p.know(t, "eve", person("others"))
			for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
				id, err := p.login(t, p.office(t, alg), "ada")
				if err != nil {
					t.Errorf("%s: %v", alg, err)
					continue
				}
				want := Identity{
					Issuer: p.issuer, Subject: "ada", Login: "ada@example.com", Email: "ada@example.com", Name: "Ada", EmailVerified: true,
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
func (p *independent) testRefused(t *testing.T) {
	t.Helper()
	o := p.office(t, "RS256")
	victim, mine := begin(t, o, "/"), begin(t, o, "/")
	stolen := p.visit(t, victim.URL, "ada")
	answer := p.visit(t, mine.URL, "ada")
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
	answer = p.visit(t, r.URL, "ada")
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
	if _, _, err := o.Finish(t.Context(), r.Cookie, p.visit(t, r.URL, "ada")); kindOf(t, err) != KindUnavailable {
		t.Errorf("wrong client secret: %v", err)
	}
}

func (p *independent) twins(t *testing.T) (a, b *OIDC) {
	t.Helper()
	cfg := p.office(t, "RS256").cfg // its cookie key is set by now
	return must(NewOIDC(cfg)), must(NewOIDC(cfg))
}

// testRefresh: a person loses the group, then the account.
func (p *independent) testRefresh(t *testing.T) {
	t.Helper()
	p.know(t, "bob", person("lk-users"))
	o := p.office(t, "ES256")
	id, err := p.login(t, o, "bob")
	if err != nil {
		t.Fatal(err)
	}
	again, err := o.Refresh(t.Context(), id.Subject, id.Refresh)
	if err != nil || again.Login != id.Login || again.Refresh.IsZero() {
		t.Fatalf("refresh: %v, %+v", err, again)
	}
	if _, err := o.Refresh(t.Context(), "ada", again.Refresh); kindOf(t, err) != KindToken {
		t.Errorf("refresh for another: %v", err)
	}
	if id, err = p.login(t, o, "bob"); err != nil {
		t.Fatal(err)
	}
	p.know(t, "bob", person("others"))
	if _, err := o.Refresh(t.Context(), id.Subject, id.Refresh); kindOf(t, err) != KindGroup {
		t.Errorf("group removed: %v", err)
	}
	p.know(t, "bob", person("lk-users"))
	if id, err = p.login(t, o, "bob"); err != nil {
		t.Fatal(err)
	}
	p.know(t, "bob", nil)
	if _, err := o.Refresh(t.Context(), id.Subject, id.Refresh); kindOf(t, err) != KindRevoked {
		t.Errorf("account gone: %v", err)
	}
	if _, err := o.Refresh(t.Context(), id.Subject, NewSecret("made up")); kindOf(t, err) != KindRevoked {
		t.Errorf("made-up token: %v", err)
	}
}
