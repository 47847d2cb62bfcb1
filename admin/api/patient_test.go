package api_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/api"
)

// unread asks for a path on a connection of its own and reads nothing.
func (b *browser) unread(path string) net.Conn {
	b.h.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.h.server.URL, "http://"))
	if err != nil {
		b.h.Fatal(err)
	}
	b.h.Cleanup(func() { _ = conn.Close() })
	if err := b.request("GET", path, nil).Write(conn); err != nil {
		b.h.Fatal(err)
	}
	return conn
}

// TestWhoReadsNothingIsCut: answers that nobody takes end by themselves, and what
// they hold meanwhile is bounded, however many there are.
func TestWhoReadsNothingIsCut(t *testing.T) { //nolint:paralleltest // it measures the heap
	h := newHouse(t, func(c *api.Config) { c.WriteWait = time.Second })
	id := h.root.call("POST", "/runs", map[string]any{"sql": "select endless"}).want(201).id()
	const readers = 5
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	before, peak := stats.HeapAlloc, uint64(0)
	var conns []net.Conn
	for range readers {
		conns = append(conns, h.root.unread("/runs/"+id+"/rows?limit=8000"))
	}
	for end := time.Now().Add(time.Minute); strings.Count(h.log.String(), "answer cut") < readers; time.Sleep(10 * time.Millisecond) {
		runtime.GC()
		runtime.ReadMemStats(&stats)
		peak = max(peak, stats.HeapAlloc)
		if time.Now().After(end) {
			t.Fatalf("%d of %d were cut", strings.Count(h.log.String(), "answer cut"), readers)
		}
	}
	for _, conn := range conns {
		if n, _ := io.Copy(io.Discard, conn); n > 30<<20 {
			t.Errorf("%d bytes came to one who took nothing", n)
		}
	}
	if held := int64(peak) - int64(before); held > 112<<20 { // all five, unbounded, hold 160 and their copies
		t.Errorf("%d MiB for %d pages of 32 that nobody takes", held>>20, readers)
	}
	if a := h.root.call("GET", "/runs/"+id+"/rows?limit=8000", nil).want(200); len(a.body) < 8000*4096 {
		t.Errorf("one who reads gets %d bytes", len(a.body))
	}
	if strings.Contains(h.log.String(), "panic") {
		t.Error("who leaves is no panic")
	}
}

// TestWaitsOutliveWrites: a deadline is for writing only. It neither stays with a
// connection nor ends an answer that has not begun.
func TestWaitsOutliveWrites(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *api.Config) { c.WriteWait = 500 * time.Millisecond })
	token := h.root.program("runs:read", "runs:write")
	id := token.call("POST", "/runs", map[string]any{"sql": "select slow"}, header{"Prefer": "wait=0"}).want(202).id()
	server := httptest.NewUnstartedServer(h.api.Handler())
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	for name, base := range map[string]*httptest.Server{"HTTP/1.1": h.server, "HTTP/2.0": server} {
		for range 2 { // the second on the same connection
			req := token.request("GET", "/runs/"+id, nil, header{"Prefer": "wait=1"})
			req.URL.Scheme, req.Host = strings.Split(base.URL, ":")[0], req.URL.Host
			req.URL.Host = strings.Split(base.URL, "//")[1]
			res, err := base.Client().Transport.RoundTrip(req)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || res.StatusCode != http.StatusOK || res.Proto != name {
				t.Errorf("%s (%s): %d %s %v", name, res.Proto, res.StatusCode, body, err)
			}
		}
	}
	h.door.finish(id)
}

// TestWaitsAreFew: one caller cannot hold all that lasts.
func TestWaitsAreFew(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *api.Config) { c.MaxWaiting = 2 })
	ana := h.person("ana", "member")
	id := ana.call("POST", "/runs", map[string]any{"sql": "select slow"}, header{"Prefer": "wait=0"}).want(202).id()
	waits := make(chan *answer, 2)
	for range 2 {
		go func() { // ends with the run; joined below
			a := ana.call("GET", "/runs/"+id, nil, header{"Prefer": "wait=55"})
			for a.res.StatusCode == http.StatusTooManyRequests { // a look of below was faster
				a = ana.call("GET", "/runs/"+id, nil, header{"Prefer": "wait=55"})
			}
			waits <- a
		}()
	}
	for end := time.Now().Add(soon); ; {
		a := ana.call("GET", "/runs/"+id, nil)
		if a.res.StatusCode == http.StatusTooManyRequests {
			a.code(429, "too-many-waiting")
			if a.res.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			break
		}
		if time.Now().After(end) {
			t.Fatal("a third is served")
		}
	}
	h.root.call("POST", "/runs", map[string]any{"sql": "select 1"}).want(201) // another's go on
	ana.call("GET", "/me", nil).want(200)
	h.door.finish(id)
	for range 2 {
		if a := <-waits; a.res.StatusCode != http.StatusOK {
			t.Errorf("%d %s", a.res.StatusCode, a.body)
		}
	}
}
