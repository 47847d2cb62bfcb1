package signintest

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

var formAction = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)

// Visit does what a person and their browser do, from the address that the
// office sends them to: follow, sign in, consent, until the provider sends them
// back. It returns the query that they come back with.
func (p *Provider) Visit(t testing.TB, start, login string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections() // keeps no connection after the test
	browser := &http.Client{
		Jar: jar, Transport: transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	at := follow(t, browser, start, nil)
	prompts := []string{"login", "consent"}
	for range 20 {
		if strings.HasPrefix(at.location, p.redirect+"?") {
			back, err := url.Parse(at.location)
			if err != nil {
				t.Fatal(err)
			}
			return back.Query()
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
func follow(t testing.TB, browser *http.Client, to string, form url.Values) page {
	t.Helper()
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	req, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := page{body: string(text)}
	if loc, err := resp.Location(); err == nil {
		out.location = loc.String()
	}
	return out
}
