package api_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/api"
)

// reader reads an event stream, line by line, in a goroutine that ends with it.
type reader struct {
	h      *house
	res    *http.Response
	events chan event
}

type event struct {
	name, data string
}

// open begins a stream; the test's end closes it.
func (b *browser) open(path string) *reader {
	b.h.Helper()
	res, err := b.h.server.Client().Transport.RoundTrip(b.request("GET", path, nil))
	if err != nil {
		b.h.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		b.h.Fatalf("%s: %d %s", path, res.StatusCode, res.Header.Get("Content-Type"))
	}
	r := &reader{h: b.h, res: res, events: make(chan event, 100)}
	b.h.Cleanup(func() { _ = res.Body.Close() })
	go func() { // ends when the body does; the test waits for the channel or closes the body
		defer close(r.events)
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 1<<20)
		var e event
		for lines.Scan() {
			line := lines.Text()
			switch {
			case strings.HasPrefix(line, "event: "):
				e.name = line[7:]
			case strings.HasPrefix(line, "data: "):
				e.data = line[6:]
			case strings.HasPrefix(line, ":"):
				r.events <- event{name: "beat"}
			case line == "" && e.name != "":
				r.events <- e
				e = event{}
			}
		}
	}()
	return r
}

// until waits for an event that a test is true of.
func (r *reader) until(what string, is func(event) bool) event {
	r.h.Helper()
	timeout := time.NewTimer(soon)
	defer timeout.Stop()
	for {
		select {
		case e, more := <-r.events:
			if !more {
				r.h.Fatalf("the stream ended before %s", what)
			}
			if is(e) {
				return e
			}
		case <-timeout.C:
			r.h.Fatalf("no %s", what)
		}
	}
}

// ended waits until the stream has ended, and returns how long that took.
func (r *reader) ended() time.Duration {
	r.h.Helper()
	begin := time.Now()
	timeout := time.NewTimer(soon)
	defer timeout.Stop()
	for {
		select {
		case _, more := <-r.events:
			if !more {
				return time.Since(begin)
			}
		case <-timeout.C:
			r.h.Fatal("the stream goes on")
		}
	}
}

// TestTopicsComeWhole: each snapshot stands alone, and versions grow.
func TestTopicsComeWhole(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *api.Config) { c.Heartbeat = 20 * time.Millisecond })
	s := h.root.open("/events?topics=runs,me,connect")
	seen := map[string]bool{}
	s.until("all topics", func(e event) bool { seen[e.name] = true; return seen["runs"] && seen["me"] && seen["connect"] })
	s.until("a heartbeat", func(e event) bool { return e.name == "beat" })
	id := h.root.call("POST", "/runs", map[string]any{"sql": "select slow"}, header{"Prefer": "respond-async"}).want(202).id()
	h.root.call("POST", "/runs/"+id+"/lease", nil).want(204) // any change
	e := s.until("the run", func(e event) bool { return e.name == "runs" && strings.Contains(e.data, id) })
	var first struct {
		Topic   string
		Version int
		Data    []map[string]any
	}
	if err := json.Unmarshal([]byte(e.data), &first); err != nil || first.Topic != "runs" || first.Version < 2 || len(first.Data) != 1 || first.Data[0]["sql"] != nil {
		t.Fatalf("%v: %s", err, e.data)
	}
	h.door.finish(id)
	s.until("it gone", func(e event) bool { return e.name == "runs" && strings.Contains(e.data, `"data":[]`) })
	h.root.call("GET", "/events?topics=runs,passwords", nil).code(400, "bad-request")
	h.root.call("GET", "/events", nil).code(400, "bad-request")
	h.root.program("queries:read").call("GET", "/events?topics=runs", nil).code(403, "scope-missing")
}

// TestRunIsFollowedToItsEnd: the whole run at each change, and then no more.
func TestRunIsFollowedToItsEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.root.call("POST", "/runs", map[string]any{"sql": "select slow"}, header{"Prefer": "wait=0"}).want(202).id()
	s := h.root.open("/runs/" + id + "/events")
	s.until("running", func(e event) bool { return e.name == "run" && strings.Contains(e.data, `"state":"running"`) })
	h.door.finish(id)
	s.until("succeeded", func(e event) bool { return strings.Contains(e.data, `"state":"succeeded"`) })
	s.ended()
}

// TestRightsEndStreams: whatever ends a proof ends what goes on under it.
func TestRightsEndStreams(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.root.call("POST", "/teams", map[string]any{"name": "data"}).want(201)
	for name, end := range map[string]func(b, program *browser, tokenID string){
		"disabled": func(b, _ *browser, _ string) {
			h.root.call("PATCH", "/people/"+b.id, map[string]any{"disabled": true}).want(200)
		},
		"signed out":     func(b, _ *browser, _ string) { b.call("DELETE", "/session", nil).want(204) },
		"out everywhere": func(b, _ *browser, _ string) { h.root.call("DELETE", "/people/"+b.id+"/sessions", nil).want(204) },
		"token revoked":  func(b, _ *browser, id string) { b.call("DELETE", "/tokens/"+id, nil).want(204) },
	} {
		b := h.person(strings.ReplaceAll(name, " ", "-"), "member", "data")
		made := b.call("POST", "/tokens", map[string]any{"name": "x", "scopes": []string{"runs:read", "runs:write"}, "expires_in_days": 1}).want(201).object()
		program := &browser{h: h, token: made["token"].(string)}
		who := b
		if name == "token revoked" {
			who = program
		}
		id := b.call("POST", "/runs", map[string]any{"sql": "select slow"}, header{"Prefer": "wait=0"}).want(202).id()
		done := b.call("POST", "/runs", map[string]any{"sql": "select endless"}).want(201).id()
		topics, run := who.open("/events?topics=me"), who.open("/runs/"+id+"/events")
		download, err := h.server.Client().Transport.RoundTrip(who.request("GET", "/runs/"+done+"/result.csv", nil))
		if err != nil {
			t.Fatal(err)
		}
		waiting := make(chan *answer, 1)
		go func() { waiting <- who.call("GET", "/runs/"+id, nil, header{"Prefer": "wait=55"}) }()
		topics.until("the topic", func(e event) bool { return e.name == "me" })
		run.until("the run", func(e event) bool { return e.name == "run" })
		end(b, program, made["item"].(map[string]any)["id"].(string))
		if took := topics.ended() + run.ended(); took > 5*time.Second {
			t.Errorf("%s: the streams took %v", name, took)
		}
		if _, err := io.Copy(io.Discard, download.Body); err == nil {
			t.Errorf("%s: the download ends as if it were whole", name)
		}
		_ = download.Body.Close()
		if a := <-waiting; a.res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: the wait ends with %d %s", name, a.res.StatusCode, a.body)
		}
	}
}

// TestStreamSaysWhyItEnds: to whoever was put out, and to nobody else.
func TestStreamSaysWhyItEnds(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	team := h.root.call("POST", "/teams", map[string]any{"name": "data"}).want(201).id()
	for name, test := range map[string]struct {
		do   func(*browser)
		want string
	}{
		"disabled":   {func(b *browser) { h.root.call("PATCH", "/people/"+b.id, map[string]any{"disabled": true}).want(200) }, "disabled"},
		"signed-out": {func(b *browser) { b.call("DELETE", "/session", nil).want(204) }, "signed-out"},
		"team-lost":  {func(b *browser) { h.root.call("DELETE", "/teams/"+team+"/members/"+b.login, nil).want(204) }, ""},
	} {
		h.streamEndsWith(h.person(name, "member", "data"), name, test.do, test.want)
	}
	// Last: the hub is everybody's.
	h.streamEndsWith(h.person("stop", "member"), "stop", func(*browser) { h.hub.Close() }, "")
}

// streamEndsWith opens a stream, does what ends it, and wants a reason; empty: none.
func (h *house) streamEndsWith(b *browser, name string, do func(*browser), want string) {
	h.Helper()
	s := b.open("/events?topics=me")
	s.until("the topic", func(e event) bool { return e.name == "me" })
	do(b)
	got := ""
	for e := range s.events {
		if e.name == "ended" {
			got = e.data
		}
	}
	if want != "" {
		want = `{"reason":"` + want + `"}`
	}
	if got != want {
		h.Errorf("%s: the stream says %q, want %q", name, got, want)
	}
}

// TestRightsAreLookedAtAgain: also where nobody is told that they ended.
func TestRightsAreLookedAtAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *api.Config) { c.Recheck = 20 * time.Millisecond })
	b := h.person("ana", "member")
	s := b.open("/events?topics=me")
	s.until("the topic", func(e event) bool { return strings.Contains(e.data, `"admin":false`) })
	h.root.call("POST", "/people/"+b.id+"/link", nil).want(201)
	for _, g := range h.root.call("GET", "/grants", nil).object()["items"].([]any) {
		if g := g.(map[string]any); g["principal"] == b.id {
			h.root.call("DELETE", "/grants/"+g["id"].(string), nil).want(204)
		}
	}
	s.ended() // losing a right ends it; the page opens it anew
	s = b.open("/events?topics=me")
	s.until("fewer rights", func(e event) bool { return strings.Contains(e.data, `"roles":{}`) })
	h.root.call("POST", "/grants", map[string]any{"principal": b.id, "target": "warehouse", "role": "operator"}).want(201)
	s.until("more rights", func(e event) bool { return strings.Contains(e.data, `"warehouse":"operator"`) })
}

// TestStreamsAreFew: one caller cannot hold all connections.
func TestStreamsAreFew(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *api.Config) { c.MaxStreams = 2 })
	h.root.open("/events?topics=me")
	h.root.open("/events?topics=me")
	h.root.call("GET", "/events?topics=me", nil).code(429, "too-many-streams")
	h.person("ana", "member").open("/events?topics=me")
}

// TestClosingEndsStreams: a server that stops does not wait for readers.
func TestClosingEndsStreams(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.root.open("/events?topics=me")
	s.until("the topic", func(e event) bool { return e.name == "me" })
	h.api.Close()
	s.ended()
	h.root.call("GET", "/events?topics=me", nil).code(503, "interrupted")
	h.root.call("GET", "/me", nil).want(200)
}
