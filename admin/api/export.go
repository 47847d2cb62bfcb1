package api

import (
	"context"
	"mime"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/admin/result/format"
)

// formats are those of downloads.
var formats = []string{"csv", "tsv", "json", "ndjson", "xlsx", "parquet"}

type exportIn struct {
	RunID
	Looks

	Statement int    `query:"statement" minimum:"0" default:"0"`
	NoneMatch string `header:"If-None-Match"`
}

// Looks is how a result is written, as far as the format has a choice.
type Looks struct {
	Delimiter string `query:"delimiter" maxLength:"1" doc:"csv: one ASCII character; default a comma."`
	Null      string `query:"null" maxLength:"16" doc:"csv, tsv: how NULL is written."`
	Header    bool   `query:"header" default:"true" doc:"csv, tsv: the names of the columns first."`
	Safe      bool   `query:"safe" doc:"csv, tsv: nothing that a spreadsheet takes for a formula."`
	Values    string `query:"values" enum:"text,json" default:"text" doc:"json, ndjson: text: every cell is a string or null; json: what JSON holds without loss as JSON."`
}

// options are the looks as a format takes them.
func (l *Looks) options(name string) (format.Options, error) {
	o := format.Options{Format: name, Null: l.Null, NoHeader: !l.Header, ExcelSafe: l.Safe}
	if l.Values == "json" {
		o.Values = format.Typed
	}
	if l.Delimiter != "" {
		if len(l.Delimiter) != 1 {
			return o, badParameter("delimiter", "One ASCII character.")
		}
		o.Delimiter = l.Delimiter[0]
	}
	return o, nil
}

// download is an answer that writes itself.
type download struct {
	Body func(huma.Context)
}

// exportAs returns the handler of one format.
func (a *API) exportAs(name string) func(context.Context, *admin.Caller, *exportIn) (*download, error) {
	return func(ctx context.Context, c *admin.Caller, in *exportIn) (*download, error) {
		options, err := in.options(name)
		if err != nil {
			return nil, err
		}
		x, err := a.cfg.Runs.Export(ctx, c, in.ID, query.ExportRequest{
			Statement: in.Statement, Options: options,
			Unsent: func(etag string) bool {
				return requestOf(ctx).Method == http.MethodHead || noneMatch(in.NoneMatch, quoted(etag))
			},
		})
		if err != nil {
			return nil, err
		}
		return &download{func(hc huma.Context) { a.send(ctx, hc, x, in.NoneMatch, nil) }}, nil
	}
}

// send writes an export, which is recorded already. A failure in the middle cuts
// the connection, so that nobody takes a part for the whole.
func (a *API) send(ctx context.Context, hc huma.Context, x *query.Export, has string, more map[string]string) {
	defer func() { _ = x.Close() }() // it was only read
	r, w := humago.Unwrap(hc)
	h := w.Header()
	resultPolicy(h)
	tag := quoted(x.ETag)
	if tag != "" {
		h.Set("ETag", tag)
	}
	for name, value := range more {
		h.Set(name, value)
	}
	if noneMatch(has, tag) {
		hc.SetStatus(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", x.ContentType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": x.Filename}))
	if x.Truncated != nil {
		h.Set("Lockkeeper-Truncated", x.Truncated.By)
	}
	if r.Method == http.MethodHead { // nobody would take what is rendered
		return
	}
	out := &heeding{w: w, ctx: ctx}
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

// interrupted is the error of a request whose context has ended.
func interrupted(ctx context.Context) *admin.Error {
	if cause := context.Cause(ctx); isRevoked(cause) {
		return &admin.Error{Code: admin.Unauthenticated, Slug: "unauthenticated", Text: "Your sign-in or token has ended. Sign in again.", Err: cause}
	}
	return fail("interrupted", "The request was interrupted before it was answered. Ask again.")
}
