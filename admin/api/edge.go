package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/signin"
)

// key is of what the edge puts into a request's context.
type key int

const (
	requestIDKey key = iota
	operationKey
	callerKey
	requestKey
	viaHeaderKey
	afterKey
)

// Handler serves people and programs. Headers of a proxy that vouches for people
// mean nothing here and are taken away.
func (a *API) Handler() http.Handler { return a.edge(false) }

// HeaderHandler serves the listener of the proxy that vouches for people: a unix
// socket, or one where it proves itself (signin.TrustedHeader). It is nil if no
// such proxy is configured.
func (a *API) HeaderHandler() http.Handler {
	if a.cfg.Header == nil {
		return nil
	}
	return a.edge(true)
}

// Server returns an HTTP server with bounds that fit the handlers, and Close
// wired to its shutdown; the caller gives it a listener.
func (a *API) Server(h http.Handler) *http.Server {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(a.cfg.Log.Handler(), slog.LevelDebug),
	}
	s.RegisterOnShutdown(a.Close)
	return s
}

// edge is what every request passes first.
func (a *API) edge(viaHeader bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := admin.NewID("")
		ctx := context.WithValue(r.Context(), requestIDKey, id)
		ctx = context.WithValue(ctx, viaHeaderKey, viaHeader)
		r = r.WithContext(ctx)
		p := a.patient(w)
		w = p
		defer p.begin()() // the rest of the answer leaves after us
		defer a.recovered(p, r)
		if !viaHeader {
			a.cfg.Header.Strip(r.Header)
		}
		secure(w.Header(), a.out)
		w.Header().Set("Lockkeeper-Request", id)
		if err := a.checkRequest(r); err != nil {
			a.refuse(w, r, err)
			return
		}
		under, found := a.below(r)
		if !found {
			a.refuse(w, r, admin.Missing())
			return
		}
		under.Header.Del("Accept") // one representation each; export formats are in the path
		a.mux.ServeHTTP(w, under)
	})
}

// recovered cuts an answer that could not be written, and answers after a panic.
// One that http uses to cut the connection goes on.
func (a *API) recovered(w *patient, r *http.Request) {
	v := recover()
	err, is := v.(error)
	switch {
	case v == nil && w.failed == nil:
		return
	case w.failed != nil && (v == nil || is && errors.Is(err, w.failed)): // whoever asked left, or took nothing
		a.cfg.Log.DebugContext(r.Context(), "answer cut", slogRequest(r.Context()), slogCause(w.failed))
		panic(http.ErrAbortHandler)
	case is && errors.Is(err, http.ErrAbortHandler):
		panic(v)
	}
	a.cfg.Log.ErrorContext(r.Context(), "panic while serving", slog.String("request_id", requestID(r.Context())), slog.String("cause", typeNameOf(v)), slog.String("stack", stack()))
	if w.Header().Get("Content-Type") == "" {
		a.refuse(w, r, errors.New("panic"))
		return
	}
	panic(http.ErrAbortHandler) // an answer was under way: it must not look whole
}

// tokenLike finds what could be one of our tokens.
var tokenLike = regexp.MustCompile(`lk_(pat|svc)_[0-9A-Za-z_-]{16,}`)

// checkRequest refuses what no honest client sends.
func (a *API) checkRequest(r *http.Request) error {
	if !a.ourHost(r.Host) {
		return fail("host-mismatch", "The Host header is not that of external_url. Use the address you were given, or tell the proxy in between to pass Host on.")
	}
	for _, name := range []string{"Authorization", "Lockkeeper-On-Behalf-Of", "Idempotency-Key", "Content-Type", "If-Match", "Origin", "Sec-Fetch-Site"} {
		if len(r.Header.Values(name)) > 1 {
			return fail("headers-too-many", "The header "+name+" came more than once.")
		}
	}
	for name := range r.Header {
		if shadow(name) {
			return fail("bad-request", "The header "+quote(name)+" is spelled in a way that some servers take for another. Spell it with dashes.")
		}
	}
	full, err := url.QueryUnescape(r.URL.RawQuery)
	if err != nil {
		return fail("bad-request", "The query string is not well formed.")
	}
	if tokenLike.MatchString(full) || tokenLike.MatchString(r.URL.RawQuery) || tokenLike.MatchString(r.URL.Path) {
		return fail("token-in-url", "A token was sent in the address, where logs and histories keep it. Send it in the Authorization header, and revoke this one.")
	}
	return nil
}

// shadow reports whether a header's name could be taken for one of ours by a
// server that treats underscores as dashes.
func shadow(name string) bool {
	if !strings.Contains(name, "_") {
		return false
	}
	folded := http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
	return slices.Contains([]string{"Authorization", "Lockkeeper-On-Behalf-Of", "Cookie", "Origin", "Host", "X-Forwarded-For", "Content-Length", "Transfer-Encoding", "Content-Type", "Sec-Fetch-Site"}, folded)
}

func quote(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return `"` + s + `"`
}

// ourHost keeps pages of other names that point at us (DNS rebinding) out.
func (a *API) ourHost(host string) bool {
	scheme := "http"
	if a.out.secure {
		scheme = "https"
	}
	host = canonicalHost(scheme, host)
	if host == a.out.host {
		return true
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	return a.out.local && isLoopback(strings.Trim(name, "[]"))
}

// below returns the request without the path prefix of external_url.
func (a *API) below(r *http.Request) (*http.Request, bool) {
	if a.out.prefix == "" {
		return r, true
	}
	rest, found := strings.CutPrefix(r.URL.Path, a.out.prefix)
	if !found || rest != "" && rest[0] != '/' {
		return nil, false
	}
	if rest == "" {
		rest = "/"
	}
	under := new(http.Request)
	*under = *r
	u := *r.URL
	u.Path, u.RawPath = rest, strings.TrimPrefix(r.URL.RawPath, a.out.prefix)
	under.URL = &u
	return under, true
}

// takeBody reads the body, which is bounded in size and time, so that an
// operation that waits later does not wait on a slow sender.
func (a *API) takeBody(w http.ResponseWriter, r *http.Request, rt route, op *huma.Operation, c *admin.Caller) error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(a.cfg.Now().Add(a.cfg.BodyWait)) // a recorder of tests has none
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, max(rt.maxBody, maxBody)))
	_ = control.SetReadDeadline(time.Time{})
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return err
		}
		return &admin.Error{Code: admin.Invalid, Slug: "bad-request", Text: "The body did not arrive whole and in time."}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if len(body) == 0 {
		return nil
	}
	if op.RequestBody == nil {
		return fail("bad-request", "This operation takes no body.")
	}
	media := mediaType(r)
	if rt.report && (media == mediaReport || media == mediaReports) {
		return nil
	}
	if _, allowed := op.RequestBody.Content[media]; !allowed || media != mediaJSON && fromCookie(c) {
		return fail("unsupported-media-type", "Send the body as "+mediaJSON+".")
	}
	return nil
}

// fromCookie reports whether nothing but a cookie says who asks.
func fromCookie(c *admin.Caller) bool { return c == nil || c.Session != "" }

// address returns where the client is: the peer, or what a trusted proxy says.
func (a *API) address(r *http.Request) netip.Addr {
	peer := peerAddress(r)
	if !peer.IsValid() || !a.trustedProxy(peer) {
		return peer
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		addr, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return peer
		}
		if peer = addr.Unmap(); !a.trustedProxy(peer) {
			return peer
		}
	}
	return peer
}

func (a *API) trustedProxy(addr netip.Addr) bool {
	return slices.ContainsFunc(a.cfg.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

func peerAddress(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a unix socket
	}
	return ap.Addr().Unmap()
}

// peer is what the listener knows of the proxy that sent the request.
func peer(r *http.Request) signin.Peer {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return signin.Peer{
		Unix:               local != nil && local.Network() == "unix",
		ClientCertVerified: r.TLS != nil && len(r.TLS.VerifiedChains) > 0,
	}
}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}

func operationName(ctx context.Context) string {
	id, _ := ctx.Value(operationKey).(string)
	return id
}

// callerOf returns who asks; nil: nobody is signed in.
func callerOf(ctx context.Context) *admin.Caller {
	c, _ := ctx.Value(callerKey).(*admin.Caller)
	return c
}

// requestOf returns the request that an operation answers, for what its input
// does not hold.
func requestOf(ctx context.Context) *http.Request {
	r, _ := ctx.Value(requestKey).(*http.Request)
	return r
}
