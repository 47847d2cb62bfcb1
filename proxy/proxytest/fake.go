package proxytest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// Step is one act of a scripted warehouse.
type Step func(*Backend) error

// Script is what a scripted warehouse does on one connection. When it is
// through, the warehouse waits for the peer to go, and closes.
type Script []Step

// Fake is a warehouse that plays scripts: the first connection gets the first
// script, the last script serves all that follow. A CancelRequest uses up no
// script.
type Fake struct {
	// Cancels receives the CancelRequests; it has room for 64.
	Cancels chan pgwire.Startup
	// Startups receives the start-up packets of sessions; it has room for 64.
	Startups chan pgwire.Startup

	tb   testing.TB
	ln   net.Listener
	wg   sync.WaitGroup
	stop chan struct{}

	mu      sync.Mutex // guards what follows
	scripts []Script
	open    map[net.Conn]bool
}

// Backend is one connection of a Fake, as its steps see it.
type Backend struct {
	Conn    net.Conn
	Startup pgwire.Startup

	r    *pgwire.Reader
	stop <-chan struct{}
}

// errEnded ends a script early without blame.
var errEnded = errors.New("script ended")

// StartFake listens on loopback TCP. A step that fails fails the test.
func StartFake(tb testing.TB, scripts ...Script) *Fake {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed with the test
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	f := &Fake{
		Cancels: make(chan pgwire.Startup, 64), Startups: make(chan pgwire.Startup, 64),
		tb: tb, ln: ln, stop: make(chan struct{}), scripts: scripts, open: map[net.Conn]bool{},
	}
	f.wg.Go(f.accept) // ends when ln closes; Stop waits
	tb.Cleanup(f.Stop)
	return f
}

// Addr returns host:port.
func (f *Fake) Addr() string { return f.ln.Addr().String() }

// URL returns a connection string without TLS.
func (f *Fake) URL(user, db string) string {
	return "postgres://" + user + "@" + f.Addr() + "/" + db + "?sslmode=disable"
}

// Stop closes everything and waits for the scripts to end.
func (f *Fake) Stop() {
	f.mu.Lock()
	select {
	case <-f.stop:
	default:
		close(f.stop)
	}
	_ = f.ln.Close()
	for c := range f.open {
		_ = c.Close()
	}
	f.mu.Unlock()
	f.wg.Wait()
}

func (f *Fake) accept() {
	for {
		conn, err := f.ln.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		select {
		case <-f.stop:
			_ = conn.Close()
		default:
			f.open[conn] = true
		}
		f.mu.Unlock()
		f.wg.Go(func() { f.serve(conn) }) // ends with its script or with Stop, which waits
	}
}

func (f *Fake) serve(conn net.Conn) {
	defer func() {
		_ = conn.Close()
		f.mu.Lock()
		delete(f.open, conn)
		f.mu.Unlock()
	}()
	b := &Backend{Conn: conn, r: pgwire.NewReader(conn, nil, nil), stop: f.stop}
	if !f.admit(b) {
		return
	}
	for i, step := range f.script() {
		_ = conn.SetDeadline(time.Now().Add(patience))
		err := step(b)
		if errors.Is(err, errEnded) {
			return
		}
		select {
		case <-f.stop:
			return
		default:
		}
		if err != nil {
			f.tb.Errorf("fake warehouse, step %d: %v", i, err)
			return
		}
	}
	_ = conn.SetDeadline(time.Time{})
	_, _ = io.Copy(io.Discard, conn)
}

// admit reads packets up to a StartupMessage; encryption is refused.
func (f *Fake) admit(b *Backend) bool {
	_ = b.Conn.SetDeadline(time.Now().Add(patience))
	for {
		s, err := pgwire.ReadStartup(b.r)
		if err != nil {
			return false // a peer that only looked whether somebody listens
		}
		switch s.Code {
		case pgwire.SSLRequestCode, pgwire.GSSENCRequestCode:
			if _, err := b.Conn.Write([]byte("N")); err != nil {
				return false
			}
		case pgwire.CancelRequestCode:
			f.Cancels <- s
			return false
		default:
			b.Startup = s
			f.Startups <- s
			return true
		}
	}
}

func (f *Fake) script() Script {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.scripts) == 0 {
		return nil
	}
	s := f.scripts[0]
	if len(f.scripts) > 1 {
		f.scripts = f.scripts[1:]
	}
	return s
}

// Read returns the next message; it is valid until the next Read.
func (b *Backend) Read() (Message, error) {
	tag, size, err := b.r.Next()
	if err != nil {
		return Message{}, fmt.Errorf("read: %w", err)
	}
	p, err := b.r.Frame(size, maxReceived)
	if err != nil {
		return Message{}, fmt.Errorf("read body of %q: %w", tag, err)
	}
	m := Message{Tag: tag, Body: bytes.Clone(p[pgwire.HeadSize:])}
	b.r.Discard(size)
	return m, nil
}

// Write sends bytes.
func (b *Backend) Write(p ...[]byte) error {
	if _, err := b.Conn.Write(Join(p...)); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// Welcome lets the client in without a password: parameters, key (pid 4242,
// key "\x00\x01\x02\x03"), ReadyForQuery. Params are pairs of name and value
// beside the usual ones.
func Welcome(params ...string) Step {
	return func(b *Backend) error {
		out := pgwire.AppendAuthentication(nil, pgwire.AuthOK, nil)
		usual := []string{
			"server_version", "15.18", "server_encoding", "UTF8", "client_encoding", "UTF8",
			"standard_conforming_strings", "on", "integer_datetimes", "on", "TimeZone", "UTC",
		}
		for all := slices.Concat(usual, params); len(all) > 1; all = all[2:] {
			out = pgwire.AppendParameterStatus(out, pgwire.Param{Name: all[0], Value: all[1]})
		}
		out = pgwire.AppendBackendKeyData(out, 4242, []byte{0, 1, 2, 3})
		return b.Write(pgwire.AppendReady(out, pgwire.TxIdle))
	}
}

// Expect waits for exactly these bytes of whole messages.
func Expect(messages ...[]byte) Step {
	want := Join(messages...)
	return func(b *Backend) error {
		var got []byte
		for len(got) < len(want) {
			m, err := b.Read()
			if err != nil {
				return fmt.Errorf("got %q, want %q: %w", got, want, err)
			}
			got = pgwire.AppendFrame(got, m.Tag, m.Body)
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("got %q, want %q", got, want)
		}
		return nil
	}
}

// ExpectTag waits for messages with these letters, whatever is in them.
func ExpectTag(tags ...byte) Step {
	return func(b *Backend) error {
		for _, tag := range tags {
			m, err := b.Read()
			if err != nil {
				return fmt.Errorf("want %q: %w", tag, err)
			}
			if m.Tag != tag {
				return fmt.Errorf("got %q %q, want %q", m.Tag, m.Body, tag)
			}
		}
		return nil
	}
}

// Until reads and drops messages up to one with this letter.
func Until(tag byte) Step {
	return func(b *Backend) error {
		for {
			m, err := b.Read()
			if err != nil || m.Tag == tag {
				return err
			}
		}
	}
}

// Reply sends whole messages.
func Reply(messages ...[]byte) Step {
	return func(b *Backend) error { return b.Write(messages...) }
}

// Half sends the first n bytes of a message, or any other bytes.
func Half(message []byte, n int) Step {
	return func(b *Backend) error { return b.Write(message[:n]) }
}

// Hang says and reads nothing more until the test ends.
func Hang() Step {
	return func(b *Backend) error {
		_ = b.Conn.SetDeadline(time.Time{})
		<-b.stop
		return errEnded
	}
}

// HangUntil waits for a signal of the test.
func HangUntil(ch <-chan struct{}) Step {
	return func(b *Backend) error {
		select {
		case <-ch:
			return nil
		case <-b.stop:
			return errEnded
		}
	}
}

// Tell closes ch: the script has come this far.
func Tell(ch chan struct{}) Step {
	return func(*Backend) error {
		close(ch)
		return nil
	}
}

// Hangup closes the connection.
func Hangup() Step {
	return func(b *Backend) error {
		_ = b.Conn.Close()
		return errEnded
	}
}

// Reset closes the connection so that the peer sees a reset.
func Reset() Step {
	return func(b *Backend) error {
		reset(b.Conn)
		return errEnded
	}
}

// ExpectEnd waits for the peer to end the connection, with or without
// Terminate.
func ExpectEnd() Step {
	return func(b *Backend) error {
		for {
			m, err := b.Read()
			switch {
			case errors.Is(err, os.ErrDeadlineExceeded):
				return errors.New("the peer did not go")
			case err != nil:
				return errEnded
			case m.Tag != pgwire.MsgTerminate:
				return fmt.Errorf("got %q %q, want the end", m.Tag, m.Body)
			}
		}
	}
}
