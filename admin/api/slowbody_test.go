package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSlowBodyDoesNotOutliveTheAdmin: who is about to be thrown out begins a
// request, and sends its last byte when they have been.
func TestSlowBodyDoesNotOutliveTheAdmin(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mallory := h.person("mallory", "admin")
	const body = `{"login":"evil","role":"admin"}`
	addr := strings.TrimPrefix(h.server.URL, "http://")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "POST /api/v1/people HTTP/1.1\r\nHost: %s\r\nCookie: %s=%s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		addr, mallory.cookie.Name, mallory.cookie.Value, len(body), body[:len(body)-1]); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // until the edge has let him in

	h.root.call("PATCH", "/people/"+mallory.id, map[string]any{"disabled": true}).want(200)
	mallory.call("GET", "/me", nil).want(401)

	if _, err := io.WriteString(conn, body[len(body)-1:]); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusUnauthorized {
		t.Errorf("after they were disabled: %s %.400s %v", res.Status, text, err)
	}
}
