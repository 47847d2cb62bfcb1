package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/audit"
)

// TestGuessingIsSlowed: after some wrong tries even the right password waits.
func TestGuessingIsSlowed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.root.call("PUT", "/me/password", map[string]any{"new": rootPassword}).want(204)
	b := &browser{h: h}
	first := b.call("POST", "/session", map[string]any{"login": "root", "password": "wrong"}).code(401, "unauthenticated")
	nobody := b.call("POST", "/session", map[string]any{"login": "nobody", "password": "wrong"})
	if first.anonymous() != nobody.anonymous() {
		t.Errorf("it tells who there is:\n%s\n%s", first.body, nobody.body)
	}
	var last *answer
	for i := range 30 {
		if last = b.call("POST", "/session", map[string]any{"login": "root", "password": fmt.Sprint(i)}); last.res.StatusCode == http.StatusTooManyRequests {
			break
		}
	}
	last.code(429, "too-many-tries")
	if last.res.Header.Get("Retry-After") == "" {
		t.Error("it does not say how long to wait")
	}
	b.call("POST", "/session", map[string]any{"login": "root", "password": rootPassword}).code(429, "too-many-tries")
	if strings.Contains(h.log.String(), rootPassword) {
		t.Error("the log has a password")
	}
}

// TestSignInChangesTheSession: a session that was there before, planted or not,
// is never the one of who signs in.
func TestSignInChangesTheSession(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.root.call("PUT", "/me/password", map[string]any{"new": rootPassword}).want(204)
	in := map[string]any{"login": "root", "password": rootPassword}
	planted := &browser{h: h}
	a := planted.call("POST", "/session", in, header{"Cookie": "lksid=PLANTED"}).want(200)
	if got := a.res.Cookies()[0].Value; got == "PLANTED" || len(got) < 32 {
		t.Errorf("the session is %q", got)
	}
	planted.call("GET", "/me", nil, header{"Cookie": "lksid=PLANTED"}).want(401)
	old := a.res.Cookies()[0]
	again := planted.call("POST", "/session", in, header{"Cookie": "lksid=" + old.Value}).want(200)
	if again.res.Cookies()[0].Value == old.Value {
		t.Error("the same session twice")
	}
	planted.call("GET", "/me", nil, header{"Cookie": "lksid=" + old.Value}).want(401)
	fresh := header{"Cookie": "lksid=" + again.res.Cookies()[0].Value}
	planted.call("GET", "/me", nil, fresh).want(200)
	out := planted.call("DELETE", "/session", nil, fresh).want(204)
	if c := out.res.Cookies(); len(c) != 1 || c[0].MaxAge >= 0 {
		t.Errorf("signing out leaves the cookie: %v", c)
	}
	planted.call("GET", "/me", nil, fresh).want(401)
	h.root.call("GET", "/me", nil).want(200)
}

// TestLinkWorksOnce: also when two use it at once.
func TestLinkWorksOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	link := h.link("new")
	b := &browser{h: h}
	b.call("POST", "/session/link", map[string]any{"token": link}).want(200)
	b.call("POST", "/session/link", map[string]any{"token": link}).code(401, "unauthenticated")
}

// TestProviderSendsBackOnlyToUs: a sign-in at the provider ends on a page of ours.
func TestProviderSendsBackOnlyToUs(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	h := newHouse(t, p.use)
	b := &browser{h: h}
	for asked, want := range map[string]string{
		"/r/ABC": "/r/ABC", "https://evil.example": "/", "//evil.example": "/", `/\evil.example`: "/", "/%2F%2Fevil.example": "/", "javascript:alert(1)": "/", "": "/",
	} {
		path, hs := p.come(h, asked)
		a := b.call("GET", path, nil, hs...).want(302)
		if got := a.res.Header.Get("Location"); got != want {
			t.Errorf("return_to %q: sent to %q, want %q", asked, got, want)
		}
		session := ""
		for _, c := range a.res.Cookies() {
			if c.Name == "lksid" {
				session = c.Value
			}
		}
		if me := b.call("GET", "/me", nil, header{"Cookie": "lksid=" + session}).want(200).object(); me["login"] != "ida@example.com" {
			t.Errorf("signed in as %v", me["login"])
		}
		// Once only, and not without the cookie that began it.
		for _, again := range [][]header{hs, nil} {
			a := b.call("GET", path, nil, again...).want(302)
			if got := a.res.Header.Get("Location"); !strings.HasPrefix(got, "/signin?problem=sign-in-failed") {
				t.Errorf("used twice: sent to %q", got)
			}
		}
	}
}

// TestProviderTakesTheGroup: who comes without the group does not come in, and
// loses what they had; the page learns why in both places.
func TestProviderTakesTheGroup(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	h := newHouse(t, p.use)
	b := &browser{h: h}
	enter := func() (to, session string) {
		path, hs := p.come(h, "/")
		a := b.call("GET", path, nil, hs...).want(302)
		for _, c := range a.res.Cookies() {
			if c.Name == "lksid" {
				session = c.Value
			}
		}
		return a.res.Header.Get("Location"), session
	}
	to, session := enter()
	ida := &browser{h: h, cookie: &http.Cookie{Name: "lksid", Value: session}}
	if to != "/" {
		t.Fatalf("sent to %s", to)
	}
	ida.call("GET", "/me", nil).want(200)
	stream := ida.open("/events?topics=me")
	stream.until("the topic", func(e event) bool { return e.name == "me" })
	changes, logins := h.journal.count(audit.KindAdminChange), h.journal.count(audit.KindLogin)
	p.mu.Lock()
	p.groups = []string{"others"}
	p.mu.Unlock()
	if to, session = enter(); !strings.HasPrefix(to, "/signin?problem=group-missing&") || session != "" {
		t.Errorf("without the group: sent to %s, session %q", to, session)
	}
	stream.until("the reason", func(e event) bool { return e.name == "ended" && e.data == `{"reason":"group-missing"}` })
	stream.ended()
	ida.call("GET", "/me", nil).code(401, "unauthenticated")
	if shut, tried := h.journal.count(audit.KindAdminChange)-changes, h.journal.count(audit.KindLogin)-logins; shut != 1 || tried != 1 {
		t.Errorf("%d records of being shut out and %d of the try, want one of each", shut, tried)
	}
	h.journal.breaks(true)
	if to, _ = enter(); !strings.HasPrefix(to, "/signin?problem=record-unavailable&") {
		t.Errorf("without a record: sent to %s", to)
	}
}

// TestServiceActsForSomebody: with the scope for a team of theirs, and as both.
func TestServiceActsForSomebody(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.root.call("POST", "/teams", map[string]any{"name": "data"}).want(201)
	h.root.call("POST", "/teams", map[string]any{"name": "other"}).want(201)
	ana := h.person("ana", "member", "data")
	h.person("eve", "member", "other")
	service := h.root.call("POST", "/services", map[string]any{"name": "robot", "team": "data"}).want(201).id()
	h.root.call("POST", "/grants", map[string]any{"principal": service, "target": "warehouse", "role": "member"}).want(201)
	robot := h.root.programFor(service, "runs:write", "runs:read", "impersonate:data")
	for login, want := range map[string]int{"ana": 200, "eve": 403, "root": 403, "nobody": 403} {
		robot.call("GET", "/me", nil, header{"Lockkeeper-On-Behalf-Of": login}).want(want)
	}
	me := robot.call("GET", "/me", nil, header{"Lockkeeper-On-Behalf-Of": "ana"}).object()
	if me["id"] != ana.id || me["actor"].(map[string]any)["login"] != "robot" {
		t.Errorf("acts as %v", me)
	}
	id := robot.call("POST", "/runs", map[string]any{"sql": "select 1"}, header{"Lockkeeper-On-Behalf-Of": "ana"}).want(201).id()
	ana.call("GET", "/runs/"+id, nil).want(200)
	robot.call("GET", "/runs/"+id, nil).want(404)
	ana.program("runs:read").call("GET", "/me", nil, header{"Lockkeeper-On-Behalf-Of": "ana"}).want(403)
}
