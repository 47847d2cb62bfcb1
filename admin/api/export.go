package api

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/query"
)

// formats are those of downloads.
var formats = []string{"csv", "tsv", "json", "ndjson", "xlsx", "parquet"}

type exportIn struct {
	RunID

	Statement int    `query:"statement" minimum:"0" default:"0"`
	Delimiter string `query:"delimiter" maxLength:"4" doc:"csv: one character."`
	Null      string `query:"null" maxLength:"16" doc:"csv, tsv: how NULL is written."`
	Header    bool   `query:"header" default:"true" doc:"csv, tsv: the names of the columns first."`
	Safe      bool   `query:"safe" doc:"csv, tsv: nothing that a spreadsheet takes for a formula."`
	NoneMatch string `header:"If-None-Match"`
}

// download is an answer that writes itself.
type download struct {
	Body func(huma.Context)
}

// exportAs returns the handler of one format.
func (a *API) exportAs(format string) func(context.Context, *admin.Caller, *exportIn) (*download, error) {
	return func(ctx context.Context, c *admin.Caller, in *exportIn) (*download, error) {
		x, err := a.cfg.Runs.Export(ctx, c, in.ID, query.ExportRequest{
			Statement: in.Statement, Format: format, Delimiter: in.Delimiter, Null: in.Null, NoHeader: !in.Header, Safe: in.Safe,
		})
		if err != nil {
			return nil, err
		}
		return &download{func(hc huma.Context) { a.send(ctx, hc, x, in.NoneMatch, nil) }}, nil
	}
}

// send writes an export, which is recorded already. A failure in the middle cuts
// the connection, so that nobody takes a part for the whole.
func (a *API) send(ctx context.Context, hc huma.Context, x *query.Export, noneMatch_ string, more map[string]string) {
	defer func() { _ = x.Close() }() // it was only read
	_, w := humago.Unwrap(hc)
	h := w.Header()
	resultPolicy(h)
	tag := quoted(x.ETag)
	if tag != "" {
		h.Set("ETag", tag)
	}
	for name, value := range more {
		h.Set(name, value)
	}
	if noneMatch(noneMatch_, tag) {
		hc.SetStatus(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", x.ContentType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": x.Filename}))
	if x.Truncated != nil {
		h.Set("Lockkeeper-Truncated", x.Truncated.By)
	}
	out := &patient{w: w, control: http.NewResponseController(w), wait: a.cfg.WriteWait, now: a.cfg.Now, ctx: ctx, err: context.Cause}
	if err := x.Write(ctx, out); err != nil {
		a.cut(ctx, hc, out.wrote, err)
	}
}

// cut ends a download that failed: as a problem if nothing has left yet.
func (a *API) cut(ctx context.Context, hc huma.Context, wrote bool, err error) {
	r, w := humago.Unwrap(hc)
	if wrote {
		a.cfg.Log.InfoContext(ctx, "download cut", slogRequest(ctx), slogCause(err))
		panic(http.ErrAbortHandler)
	}
	for _, name := range []string{"Content-Disposition", "ETag", "Lockkeeper-Truncated", "Lockkeeper-Run"} {
		w.Header().Del(name)
	}
	if ctx.Err() != nil {
		err = interrupted(ctx)
	}
	a.refuse(w, r.WithContext(ctx), err)
}

// patient writes to a client that must take something within a time, and stops
// when the context ends: in the middle of a download, if need be.
type patient struct {
	w       io.Writer
	control *http.ResponseController
	wait    time.Duration
	now     func() time.Time
	ctx     context.Context //nolint:containedctx // io.Writer has no place for it
	err     func(context.Context) error
	wrote   bool
}

// Write writes p, in pieces small enough that the context is heard between them.
func (p *patient) Write(b []byte) (int, error) {
	const piece = 64 << 10
	total := 0
	for first := true; first || len(b) > 0; first = false {
		if err := p.err(p.ctx); err != nil {
			return total, err
		}
		_ = p.control.SetWriteDeadline(p.now().Add(p.wait)) // a recorder of tests has none
		part := b[:min(len(b), piece)]
		n, err := p.w.Write(part)
		p.wrote = p.wrote || n > 0
		total += n
		if err != nil {
			return total, err
		}
		b = b[len(part):]
	}
	return total, nil
}

// errEnded says that the caller's rights ended under the answer.
var errEnded = errors.New("rights ended")

// interrupted is the error of a request whose context has ended.
func interrupted(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, errEnded) || isRevoked(cause) {
		return &admin.Error{Code: admin.Unauthenticated, Slug: "unauthenticated", Text: "Your sign-in or token has ended. Sign in again.", Err: cause}
	}
	return fail("interrupted", "The request was interrupted before it was answered. Ask again.")
}
