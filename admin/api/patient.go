package api

import (
	"context"
	"net/http"
	"time"
)

// patient is how every answer is written: in pieces, each of which the client
// must take within a time. Whoever takes nothing loses the connection, and what
// the answer holds is let go.
type patient struct {
	http.ResponseWriter

	control *http.ResponseController
	wait    time.Duration
	now     func() time.Time
	failed  error // of the last write; nothing can follow
}

func (a *API) patient(w http.ResponseWriter) *patient {
	return &patient{ResponseWriter: w, control: http.NewResponseController(w), wait: a.cfg.WriteWait, now: a.cfg.Now}
}

// Unwrap lets http.ResponseController reach the connection.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// begin takes away the deadline that the answer before left with the connection;
// the function returned gives one to what is left to send when the handler has
// returned. In between there is one only while something is written: HTTP/2 ends
// a stream at its deadline whether or not somebody writes.
func (p *patient) begin() (end func()) {
	p.rest()
	return p.renew
}

func (p *patient) renew() {
	_ = p.control.SetWriteDeadline(p.now().Add(p.wait)) // a recorder of tests has none
}

func (p *patient) rest() {
	_ = p.control.SetWriteDeadline(time.Time{})
}

// Write writes b in pieces, each in its own time.
func (p *patient) Write(b []byte) (int, error) {
	const piece = 64 << 10
	defer p.rest()
	total := 0
	for first := true; first || len(b) > 0; first = false {
		p.renew()
		part := b[:min(len(b), piece)]
		n, err := p.ResponseWriter.Write(part)
		total += n
		if err != nil {
			p.failed = err
			return total, err
		}
		b = b[len(part):]
	}
	return total, nil
}

// WriteHeader sends the status, unless the connection is lost.
func (p *patient) WriteHeader(status int) {
	if p.failed == nil {
		p.ResponseWriter.WriteHeader(status)
	}
}

// FlushError sends what is written.
func (p *patient) FlushError() error {
	defer p.rest()
	p.renew()
	err := p.control.Flush()
	if err != nil {
		p.failed = err
	}
	return err
}

// heeding writes until the context ends: in the middle of a download, if need be.
type heeding struct {
	w   http.ResponseWriter
	ctx context.Context //nolint:containedctx // io.Writer has no place for it

	wrote bool
}

// Write writes b, in pieces small enough that the context is heard between them.
func (h *heeding) Write(b []byte) (int, error) {
	const piece = 64 << 10
	total := 0
	for first := true; first || len(b) > 0; first = false {
		if err := context.Cause(h.ctx); err != nil {
			return total, err
		}
		part := b[:min(len(b), piece)]
		n, err := h.w.Write(part)
		h.wrote = h.wrote || n > 0
		total += n
		if err != nil {
			return total, err
		}
		b = b[len(part):]
	}
	return total, nil
}

// hurry shortens the time in which the client must take what follows.
func (h *heeding) hurry(wait time.Duration) {
	if p, ok := h.w.(*patient); ok {
		p.wait = min(p.wait, wait)
	}
}

// flush sends what is written.
func (h *heeding) flush() error { return http.NewResponseController(h.w).Flush() }
