package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/api"
)

// webServer are the office's listeners: for people and programs, for a proxy in
// front that vouches for people, and for whoever works at this machine.
type webServer struct {
	servers   []*http.Server
	listeners []net.Listener
}

// localSocket is where the command line comes in; its folder is the owner's.
func localSocket(home string) string { return filepath.Join(home, "local.sock") }

// openWeb takes the addresses and starts nothing. Without certificates the page
// speaks no TLS.
func openWeb(ctx context.Context, o *office, a *api.API, certs *certificates) (_ *webServer, err error) {
	w := &webServer{}
	defer func() {
		if err != nil {
			w.give()
		}
	}()
	cfg := &o.cfg.Web
	address, err := parseListen(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("web.listen: %w", err)
	}
	ln, err := address.open(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("web.listen: %w", err)
	}
	if certs != nil {
		ln = certs.listen(ln)
	}
	w.add(ln, a.Server(o.gate(a.Handler())))
	if cfg.Header.Listen != "" {
		address, err := cfg.Header.address()
		if err != nil {
			return nil, fmt.Errorf("web.header.listen: %w", err)
		}
		ln, err := address.open(ctx, 0o660)
		if err != nil {
			return nil, fmt.Errorf("web.header.listen: %w", err)
		}
		w.add(ln, a.Server(o.gate(a.HeaderHandler())))
	}
	local := listenAddress{"unix", localSocket(o.home)}
	if ln, err = local.open(ctx, 0o600); err != nil {
		return nil, err
	}
	w.add(ln, a.Server(o.gate(a.OperatorHandler())))
	return w, nil
}

func (w *webServer) add(ln net.Listener, s *http.Server) {
	w.listeners, w.servers = append(w.listeners, ln), append(w.servers, s)
}

// serve runs until close; a listener that fails is told on failed.
func (w *webServer) serve(failed chan<- error) (wait func()) {
	var group sync.WaitGroup
	for i, ln := range w.listeners {
		group.Go(func() { // ended by close
			if err := w.servers[i].Serve(ln); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve the page on %s: %w", ln.Addr(), err)
			}
		})
	}
	return group.Wait
}

// webGrace is how long answers may take to end.
const webGrace = 3 * time.Second

// close lets answers that are under way end, for a moment.
func (w *webServer) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, webGrace)
	defer cancel()
	errs := make([]error, len(w.servers))
	var group sync.WaitGroup
	for i, s := range w.servers {
		group.Go(func() {
			if errs[i] = s.Shutdown(ctx); errs[i] != nil {
				_ = s.Close()
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// give gives back the addresses of a server that never served.
func (w *webServer) give() {
	for _, ln := range w.listeners {
		_ = ln.Close()
	}
}

// external is the URL under which people reach the page.
func (w *webConfig) external() string {
	if w.ExternalURL != "" {
		return w.ExternalURL
	}
	scheme := "http"
	if w.Cert != "" {
		scheme = "https"
	}
	return scheme + "://" + w.Listen
}

// hostname is the name that people use for this machine.
func (w *webConfig) hostname() string {
	if u, err := url.Parse(w.external()); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	name, _ := os.Hostname()
	return name
}
