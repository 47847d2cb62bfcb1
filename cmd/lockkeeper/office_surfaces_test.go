package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// surfaces is somebody who is here in all ways at once. Each way is watched, and
// its end noted.
type surfaces struct {
	t     *testing.T
	h     *officeHouse
	u     *officeUser
	login string
	token string // of the API
	door  string // how tools connect, with the database password

	ctx   context.Context //nolint:containedctx // of the watches; ended by leave
	end   context.CancelFunc
	group sync.WaitGroup
	moved atomic.Int64 // bytes of the download

	mu    sync.Mutex // guards what follows
	ended map[string]time.Time
	gone  chan struct{} // told after each end
}

// surfaceNames are the seven ways.
var surfaceNames = []string{"page session", "event stream", "API token", "database password", "session at the door", "run", "download"}

// arrive opens every way for somebody who is signed in, and returns when all are open.
func (h *officeHouse) arrive(t *testing.T, u *officeUser, login string) *surfaces {
	t.Helper()
	s := &surfaces{t: t, h: h, u: u, login: login, ended: map[string]time.Time{}, gone: make(chan struct{}, len(surfaceNames))}
	s.ctx, s.end = context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(s.leave)
	var token struct{ Token string }
	u.must(http.MethodPost, "/tokens", map[string]any{"name": "x", "scopes": []string{"runs:read"}, "expires_in_days": 1}, &token)
	var password struct{ Password string }
	u.must(http.MethodPost, "/db-passwords", map[string]any{"tool": "psql"}, &password)
	s.token, s.door = token.Token, fmt.Sprintf("postgres://%s:%s@%s/postgres?sslmode=disable", login, password.Password, h.door)

	s.watch("page session", s.poll(func() bool { return s.status("") == http.StatusOK }))
	s.watch("API token", s.poll(func() bool { return s.status(s.token) == http.StatusOK }))
	s.watch("database password", s.poll(s.connects))
	s.watch("event stream", s.events())
	s.watch("session at the door", s.session())
	s.watch("run", s.run())
	s.watch("download", s.download())
	return s
}

// leave ends the watches.
func (s *surfaces) leave() {
	s.end()
	s.group.Wait()
}

// watch notes when a way ended by itself.
func (s *surfaces) watch(name string, lives func()) {
	s.group.Go(func() { // ends with the way, or with leave, which waits
		lives()
		if s.ctx.Err() != nil {
			return
		}
		s.mu.Lock()
		s.ended[name] = time.Now()
		s.mu.Unlock()
		s.gone <- struct{}{}
	})
}

// poll watches what has to be asked, ten times a second.
func (s *surfaces) poll(lives func() bool) func() {
	if !lives() {
		s.t.Fatalf("%s cannot begin", s.login)
	}
	return func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for lives() {
			select {
			case <-tick.C:
			case <-s.ctx.Done():
				return
			}
		}
	}
}

// ask begins a request that lasts; bearer may be empty.
func (s *surfaces) ask(client *http.Client, path, bearer string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.h.web+path, nil)
	if err != nil {
		return nil, err
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	return client.Do(req)
}

// status asks who one is, by the page's cookie or by a token.
func (s *surfaces) status(bearer string) int {
	client := s.u.http
	if bearer != "" {
		client = http.DefaultClient
	}
	res, err := s.ask(client, "/me", bearer)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

func (s *surfaces) connects() bool {
	c, err := pgx.Connect(s.ctx, s.door)
	if err != nil {
		return false
	}
	return c.Close(s.ctx) == nil
}

// lasting is a client of this person whose answers may last, and come slowly.
func (s *surfaces) lasting() *http.Client {
	dial := &net.Dialer{}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial.DialContext(ctx, network, address)
		if err == nil {
			err = c.(*net.TCPConn).SetReadBuffer(64 << 10) // what lies there was sent before
		}
		return c, err
	}}
	return &http.Client{Jar: s.u.http.Jar, Transport: transport}
}

func (s *surfaces) events() func() {
	res, err := s.ask(s.lasting(), "/events?topics=me,runs", "") //nolint:bodyclose // by the watch
	if err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewReader(res.Body)
	if line, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, "event: ") {
		s.t.Fatalf("the stream begins with %q, %v", line, err)
	}
	return func() {
		defer res.Body.Close()
		for {
			if _, err := lines.ReadString('\n'); err != nil {
				return
			}
		}
	}
}

// session is a tool's connection that asks nothing.
func (s *surfaces) session() func() {
	c, err := pgx.Connect(s.ctx, s.door)
	if err != nil {
		s.t.Fatal(err)
	}
	return func() {
		defer func() { _ = c.Close(context.WithoutCancel(s.ctx)) }()
		_, _ = c.WaitForNotification(s.ctx) // none comes; the end does
	}
}

// run is watched where it runs.
func (s *surfaces) run() func() {
	super := s.h.pg.Super(s.t)
	mark := "run of " + s.login
	active := func() bool {
		var n int
		err := super.QueryRow(context.WithoutCancel(s.ctx), "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE $1", "%/* "+mark+" */%").Scan(&n)
		if err != nil {
			s.t.Error(err)
		}
		return n > 0
	}
	s.u.prefer("respond-async").must(http.MethodPost, "/runs", map[string]any{"sql": "SELECT /* " + mark + " */ pg_sleep(300)"}, nil)
	eventually(s.t, mark, active)
	return s.poll(active)
}

// download is of a result that takes far longer to fetch than anybody may stay.
func (s *surfaces) download() func() {
	const pace, beat = 400 << 10, 100 * time.Millisecond // 4 MB a second, of 240
	id := s.u.run("SELECT i, repeat(md5(i::text), 256) AS filler FROM generate_series(1, 30000) i")
	client := s.lasting()
	res, err := s.ask(client, "/runs/"+id+"/result.csv", "") //nolint:bodyclose // by the watch
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("download: %v, %v", res, err)
	}
	if _, err := io.CopyN(io.Discard, res.Body, 1000); err != nil {
		s.t.Fatal(err)
	}
	return func() {
		defer res.Body.Close()
		tick := time.NewTicker(beat)
		defer tick.Stop()
		for {
			n, err := io.CopyN(io.Discard, res.Body, pace)
			s.moved.Add(n)
			if errors.Is(err, io.EOF) && s.ctx.Err() == nil {
				s.t.Errorf("%s: the download came to its end; it proves nothing", s.login)
			}
			if err != nil {
				return
			}
			<-tick.C
		}
	}
}

// check fails unless every way ended within bound of an act, and says when each did.
func (s *surfaces) check(act string, began time.Time, bound time.Duration) {
	s.t.Helper()
	late := time.NewTimer(time.Until(began.Add(bound + 5*time.Second))) // more, to say how late
	defer late.Stop()
wait:
	for range surfaceNames {
		select {
		case <-s.gone:
		case <-late.C:
			break wait
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range surfaceNames {
		at, ended := s.ended[name]
		switch took := at.Sub(began); {
		case !ended:
			s.t.Errorf("%s: the %s of %s lives on", act, name, s.login)
		case took > bound || took < 0:
			s.t.Errorf("%s: the %s of %s lived %s, want at most %s", act, name, s.login, took, bound)
		default:
			s.t.Logf("%s: %-20s lived %4d ms", act, name, took.Milliseconds())
		}
	}
}

// untouched fails if any way has ended, or the download stands still.
func (s *surfaces) untouched(when string) {
	s.t.Helper()
	before := s.moved.Load()
	eventually(s.t, "the download of "+s.login+" goes on", func() bool { return s.moved.Load() > before })
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.ended {
		s.t.Errorf("%s: the %s of %s ended", when, name, s.login)
	}
}
