package backend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

func TestCancel(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPostgres(t)
	role := pg.CreateRole(t, "")
	for name, cfg := range map[string]Config{
		"tls":   {Address: pg.Addr(), TLSMode: TLSVerifyFull, RootCAs: pg.Certs().CA, Host: "localhost"},
		"plain": {Address: pg.Addr(), TLSMode: TLSDisable},
		"unix":  {Network: "unix", Address: pg.SocketPath()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := dialer(t, cfg).Dial(t.Context(), pgauth.Login{User: role}, params("database", "postgres"))
			if err != nil {
				t.Fatal(err)
			}
			finish(t, conn)
			super := pg.Super(t)
			done := make(chan string, 1)
			go func() { done <- ask(t, conn, "SELECT pg_sleep(60)") }() // ends with the cancel; joined below
			for running := false; !running; {                           // the server is the only one to know
				err := super.QueryRow(t.Context(), "SELECT state = 'active' AND wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1", conn.PID).Scan(&running)
				if err != nil {
					running = false
				}
			}
			if err := conn.Cancel(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := <-done; got != "ERROR 57014" {
				t.Errorf("answer %q, want ERROR 57014", got)
			}
			// The signal came before the close: it cannot hit what is sent now.
			for range 50 {
				if err := conn.Cancel(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := ask(t, conn, "SELECT 'alive'"); got != "alive" {
					t.Fatalf("a statement sent after Cancel returned: %s", got)
				}
			}
		})
	}
}

// slowToClose lets one session in and then keeps the connection of a cancel
// request open until told to close it.
func slowToClose(t *testing.T, release <-chan struct{}) (addr string, got <-chan []byte) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out, done := make(chan []byte, 1), make(chan struct{})
	go func() { // ends with its two connections or the listener; Cleanup waits
		defer close(done)
		session, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = session.Close() }()
		_, _ = pgwire.ReadStartup(pgwire.NewReader(session, nil, nil))
		hello := pgwire.AppendAuthentication(nil, pgwire.AuthOK, nil)
		hello = pgwire.AppendBackendKeyData(hello, 77, bytes.Repeat([]byte{9}, 32))
		_, _ = session.Write(pgwire.AppendReady(hello, pgwire.TxIdle))
		second, err := ln.Accept()
		if err != nil {
			return
		}
		request := make([]byte, 12+32)
		n, _ := second.Read(request)
		out <- request[:n]
		<-release
		_ = second.Close()
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	return ln.Addr().String(), out
}

func TestCancelWaitsForTheEnd(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	addr, got := slowToClose(t, release)
	conn, err := dialer(t, Config{Address: addr, TLSMode: TLSDisable}).Dial(t.Context(), pgauth.Login{User: "ann"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	finish(t, conn)
	done := make(chan error, 1)
	go func() { done <- conn.Cancel(t.Context()) }() // ends with release; joined below
	if request, want := <-got, pgwire.AppendCancelRequest(nil, 77, bytes.Repeat([]byte{9}, 32)); !bytes.Equal(request, want) {
		t.Errorf("sent %x, want %x", request, want)
	}
	select {
	case err := <-done:
		t.Errorf("returned (%v) before the server closed", err)
	case <-time.After(30 * time.Millisecond): // how long "not yet" must hold
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestCancelGivesUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	addr, got := slowToClose(t, release)
	defer close(release)
	conn, err := dialer(t, Config{Address: addr, TLSMode: TLSDisable}).Dial(t.Context(), pgauth.Login{User: "ann"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	finish(t, conn)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // ends with the request; the read below joins it
		<-got
		cancel()
	}()
	if err := conn.Cancel(ctx); !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want ErrUnreachable by cancel", err)
	}
	conn.Key = nil
	if err := conn.Cancel(t.Context()); !errors.Is(err, ErrNoKey) {
		t.Errorf("without a key: %v, want ErrNoKey", err)
	}
}

func TestVersionNum(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]int{
		"15.20 (Debian 15.20-1.pgdg12+1)": 150020, "15.20": 150020, "17devel": 170000, "16beta1": 160000,
		"8.0.2": 80002, "9.6.24": 90624, "10.4": 100004, "": 0, "x": 0, "99999999": 0,
	} {
		if got := versionNum(version); got != want {
			t.Errorf("versionNum(%q) = %d, want %d", version, got, want)
		}
	}
	if network, address := Address("/run/postgresql", "5433"); fmt.Sprint(network, address) != "unix/run/postgresql/.s.PGSQL.5433" {
		t.Errorf("Address: %s %s", network, address)
	}
	if network, address := Address("::1", "5433"); fmt.Sprint(network, address) != "tcp[::1]:5433" {
		t.Errorf("Address: %s %s", network, address)
	}
}
