package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// Connections that never log in cost little, end by themselves, and keep
// nobody out.
func TestHalfOpenConnections(t *testing.T) {
	pg := proxytest.StartPrivate(t)
	p := serve(t, pg, "")
	in := p.client()
	want(t, in.One("SELECT 1"), "1")
	start := time.Now()
	conns := halfOpen(t, p.door, scale(500, 10_000))
	t.Logf("%d connections in %s", len(conns), time.Since(start).Round(time.Millisecond))
	want(t, in.One("SELECT 2"), "2")
	want(t, p.client().One("SELECT 3"), "3")
	p.checkMemory(fmt.Sprintf("%d half-open connections", len(conns)))

	// login_timeout ends them all.
	one := make([]byte, 1)
	for _, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(60 * time.Second))
		for {
			if _, err := c.Read(one); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal("a half-open connection is never closed")
				}
				break
			}
		}
	}
	want(t, in.One("SELECT 4"), "4")
	p.stop()
}

// halfOpen opens n connections from as many loopback addresses as the cap per
// address asks for: silent ones, ones with a piece of a start-up packet, ones
// that stop after asking for encryption.
func halfOpen(t *testing.T, addr string, n int) []net.Conn {
	t.Helper()
	startup := pgwire.AppendStartup(nil, pgwire.ProtocolVersion30, []pgwire.Param{{Name: "user", Value: "x"}})
	begin := [][]byte{nil, startup[:3], startup[:len(startup)-1], pgwire.AppendRequest(nil, pgwire.SSLRequestCode), {0x16, 3, 1}}
	conns := make([]net.Conn, n)
	var workers sync.WaitGroup
	for w := range 16 {
		workers.Go(func() {
			for i := w; i < n; i += 16 {
				d := net.Dialer{Timeout: 20 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i/400))}}
				c, err := d.DialContext(t.Context(), "tcp", addr)
				if err != nil {
					t.Errorf("connection %d: %v", i, err)
					return
				}
				_, _ = c.Write(begin[i%len(begin)])
				conns[i] = c
			}
		})
	}
	workers.Wait()
	t.Cleanup(func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close()
			}
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return conns
}

// One address cannot take all places of those who have not logged in.
func TestHalfOpenPerAddress(t *testing.T) {
	t.Parallel()
	const (
		opened = 600
		most   = 512 // net.max_unauthenticated_per_address
	)
	p := serve(t, proxytest.StartPrivate(t), "")
	ends := make(chan error, opened)
	for range opened {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 2, 1)}}
		c, err := d.DialContext(t.Context(), "tcp", p.door)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		go func() { // ends with the connection
			_ = c.SetReadDeadline(time.Now().Add(5 * time.Second)) // less than login_timeout
			_, err := c.Read(make([]byte, 1))
			ends <- err
		}()
	}
	want(t, p.client().One("SELECT 1"), "1") // from another address
	shed := 0
	for range opened {
		if err := <-ends; !errors.Is(err, os.ErrDeadlineExceeded) {
			shed++
		}
	}
	if shed != opened-most {
		t.Errorf("%d of %d were shed, want %d", shed, opened, opened-most)
	}
	want(t, fmt.Sprint(p.metric(`lockkeeper_logins_total{result="shed"}`)), fmt.Sprint(shed))
}

// A client that asks for 2 GB and reads nothing holds neither our memory nor
// the warehouse's backend, and nobody else notices.
func TestClientThatStopsReading(t *testing.T) {
	pg := proxytest.StartPrivate(t)
	p := serve(t, pg, "version: 1\nclassify: [{class: short}]\nclasses: {short: {limits: {query_execution_time: 2s}}}\n")
	const query = "SELECT repeat('x', 1000) FROM generate_series(1, 2000) a, generate_series(1, 1000) b"
	other := p.client()
	super := pg.Super(t)
	gone := make([]time.Duration, 4)
	var workers sync.WaitGroup
	for i := range gone {
		c := p.client()
		pid := c.One("SELECT pg_backend_pid()")
		watch := pg.Super(t)
		workers.Go(func() {
			began := time.Now()
			c.Send(proxytest.Query(query))
			time.Sleep(500 * time.Millisecond) // it runs now
			for time.Since(began) < 20*time.Second {
				var active bool
				if err := watch.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' AND pid = "+pid+")").Scan(&active); err != nil {
					t.Error(err)
					return
				}
				if !active {
					gone[i] = time.Since(began)
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	for range 20 {
		began := time.Now()
		want(t, other.One("SELECT 1"), "1")
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("another session's SELECT 1 took %s", d)
		}
		time.Sleep(50 * time.Millisecond)
	}
	workers.Wait()
	for _, d := range gone {
		t.Logf("cancelled upstream after %s", d.Round(time.Millisecond))
		if d < 1500*time.Millisecond || d > 2600*time.Millisecond {
			t.Errorf("cancelled upstream after %s, want about 2 s", d)
		}
	}
	var left int
	if err := super.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT repeat%'").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d still run (%v)", left, err)
	}
	p.checkMemory("four clients that do not read 2 GB each")
	want(t, other.One("SELECT 2"), "2")
	eventually(t, "an outcome with 57014 for each", func() bool { // the door reads that error after the warehouse has shown the end
		out, _ := command(t, "audit", "search", "--kind", "outcome", "--sqlstate", "57014", "--json", p.state)
		return countLines(out) == len(gone)
	})
	p.stop()
}

// Whoever claims 1 GiB gets no memory for it; whoever sends 1 GiB neither.
func TestClaimsOfAGibibyteInMemory(t *testing.T) {
	pg := proxytest.StartPrivate(t)
	p := serve(t, pg, "")
	head := []byte{0, 0x3f, 0xff, 0xff, 0xff}
	chunk := make([]byte, 1<<20)
	for i := range chunk {
		chunk[i] = 'x'
	}
	var workers sync.WaitGroup
	for _, tag := range []byte{pgwire.MsgQuery, pgwire.MsgParse, pgwire.MsgQuery, pgwire.MsgParse} {
		c := p.client()
		workers.Go(func() {
			h := append([]byte(nil), head...)
			h[0] = tag
			if c.TrySend(h) != nil {
				return
			}
			for range scale(128, 1023) {
				if c.TrySend(chunk) != nil {
					return
				}
			}
		})
	}
	workers.Wait()
	want(t, p.client().One("SELECT 1"), "1")
	p.checkMemory("four statements of 1 GiB")
	p.stop()
}

func countLines(s string) int {
	n := 0
	for _, b := range []byte(s) {
		if b == '\n' {
			n++
		}
	}
	return n
}
