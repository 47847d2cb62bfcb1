package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

const defaultPort = "6432"

// listenAddress is one entry of the key listen, taken apart.
type listenAddress struct {
	network string // tcp or unix
	address string // host:port, or the path of the socket
}

// parseListen reads "host:port", ":port", "host" and "unix:DIR[:PORT]".
func parseListen(text string) (listenAddress, error) {
	if dir, found := strings.CutPrefix(text, "unix:"); found {
		port := defaultPort
		if head, tail, found := cutLast(dir, ":"); found {
			if _, err := strconv.ParseUint(tail, 10, 16); err == nil {
				dir, port = head, tail
			}
		}
		if !filepath.IsAbs(dir) {
			return listenAddress{}, fmt.Errorf("%q: give the socket's directory as a whole path, as in unix:/run/lockkeeper", text)
		}
		return listenAddress{"unix", filepath.Join(dir, ".s.PGSQL."+port)}, nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = strings.Trim(text, "[]"), defaultPort
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil || host != "" && strings.ContainsAny(host, "/ ") {
		return listenAddress{}, fmt.Errorf("%q is neither host:port nor unix:DIR", text)
	}
	return listenAddress{"tcp", net.JoinHostPort(host, port)}, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// origin is how the rules of authentication see the address.
func (a listenAddress) origin() pgauth.Listener {
	if a.network == "unix" {
		return pgauth.Listener{Unix: true}
	}
	host, _, _ := net.SplitHostPort(a.address)
	if host == "localhost" {
		return pgauth.Listener{Addr: netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	addr, _ := netip.ParseAddr(host) // a name or nothing: maybe everywhere
	return pgauth.Listener{Addr: addr}
}

// open binds the address. A socket file that nobody answers on is removed: it
// is what a killed server leaves.
func (a listenAddress) open(ctx context.Context, mode os.FileMode) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, a.network, a.address)
	if errors.Is(err, syscall.EADDRINUSE) && a.network == "unix" && a.stale(ctx) {
		if err := os.Remove(a.address); err != nil {
			return nil, fmt.Errorf("remove the socket of a dead server: %w", err)
		}
		ln, err = lc.Listen(ctx, a.network, a.address)
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: in use; is another server running there? (--listen takes another address)", a.address)
	}
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if a.network == "unix" {
		if err := os.Chmod(a.address, mode); err != nil {
			_ = ln.Close()
			return nil, err
		}
	}
	return ln, nil
}

func (a listenAddress) stale(ctx context.Context) bool {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", a.address)
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// openAll binds every address or none.
func openAll(ctx context.Context, addresses []listenAddress) ([]net.Listener, error) {
	var open []net.Listener
	for _, address := range addresses {
		ln, err := address.open(ctx, 0o777)
		if err != nil {
			for _, other := range open {
				_ = other.Close()
			}
			return nil, err
		}
		open = append(open, ln)
	}
	return open, nil
}
