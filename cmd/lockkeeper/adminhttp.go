package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// adminServer answers /metrics, /healthz and /readyz. It shows numbers and two
// words, never a name or a text of a user, so it asks nobody who they are.
type adminServer struct {
	http  *http.Server
	ready atomic.Bool
}

func newAdminServer(metrics prometheus.Gatherer) *adminServer {
	a := &adminServer{}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", a.readyz)
	a.http = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute}
	return a
}

// readyz is 200 while new clients are welcome: not before the start is
// complete, and no longer from the first moment of a drain.
func (a *adminServer) readyz(w http.ResponseWriter, _ *http.Request) {
	if a.ready.Load() {
		answer(w, http.StatusOK, "ready")
		return
	}
	answer(w, http.StatusServiceUnavailable, "not ready")
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text+"\n")
}

// serve returns when close was called.
func (a *adminServer) serve(ln net.Listener) error {
	if err := a.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin address: %w", err)
	}
	return nil
}

// close lets a running scrape finish.
func (a *adminServer) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_ = a.http.Shutdown(ctx)
	_ = a.http.Close()
}
