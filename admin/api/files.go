package api

import (
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/admin"
)

// files are the page's, read once: they never change while we run.
type files struct{ all map[string]file }

// file is one of them with its compressed forms, if the build made any.
type file struct {
	media         string
	raw, gzip, br []byte
}

// mediaTypes of what a page's build leaves; the machine's own list is not asked,
// as it differs from one to the next.
var mediaTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8", ".ico": "image/x-icon", ".js": "text/javascript; charset=utf-8",
	".json": mediaJSON, ".map": mediaJSON, ".mjs": "text/javascript; charset=utf-8", ".png": "image/png", ".svg": "image/svg+xml",
	".txt": "text/plain; charset=utf-8", ".wasm": "application/wasm", ".webmanifest": "application/manifest+json", ".woff2": "font/woff2",
}

func newFiles(from fs.FS) (*files, error) {
	f := &files{all: map[string]file{}}
	err := fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		return f.add(from, name)
	})
	if err != nil {
		return nil, fmt.Errorf("api: read the page's files: %w", err)
	}
	return f, nil
}

func (f *files) add(from fs.FS, name string) error {
	content, err := fs.ReadFile(from, name)
	if err != nil {
		return err
	}
	base, suffix := name, path.Ext(name)
	if suffix == ".gz" || suffix == ".br" {
		base = strings.TrimSuffix(name, suffix)
	}
	one := f.all[base]
	one.media = mediaTypes[path.Ext(base)]
	if one.media == "" {
		one.media = "application/octet-stream"
	}
	switch suffix {
	case ".gz":
		one.gzip = content
	case ".br":
		one.br = content
	default:
		one.raw = content
	}
	f.all[base] = one
	return nil
}

// page serves a file of the page, or the page itself for every other path: which
// of its views that is, the browser finds out.
func (a *API) page(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		a.refuse(w, r, admin.Missing())
		return
	}
	name := r.PathValue("path")
	if f, found := a.files.all[name]; found && f.raw != nil && name != "index.html" {
		a.serveFile(w, r, name, f)
		return
	}
	if strings.HasPrefix(name, "assets/") {
		a.refuse(w, r, admin.Missing()) // not the page: a script that is gone must not load as HTML
		return
	}
	nonce := newNonce()
	body, err := a.cfg.Page(nonce, a.out.prefix+"/")
	if err != nil {
		a.refuse(w, r, errors.New("no page"))
		return
	}
	a.pagePolicy(w.Header(), nonce)
	w.Header().Set("Content-Type", mediaTypes[".html"])
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // whoever left cannot be told
	}
}

func (a *API) serveFile(w http.ResponseWriter, r *http.Request, name string, f file) {
	h := w.Header()
	h.Set("Content-Type", f.media)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, "assets/") { // their names hold a hash of what is in them
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if strings.HasPrefix(f.media, "text/javascript") {
		scriptPolicy(h)
	}
	body := f.raw
	switch {
	case f.br != nil && accepts(r, "br"):
		body = f.br
		h.Set("Content-Encoding", "br")
	case f.gzip != nil && accepts(r, "gzip"):
		body = f.gzip
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // whoever left cannot be told
	}
}

// accepts reports whether the client takes an encoding; q=0 says that it does not.
func accepts(r *http.Request, encoding string) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, params, err := mime.ParseMediaType("x/" + strings.TrimSpace(part))
		if err != nil || name != "x/"+encoding {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		return params["q"] == "" || err == nil && q > 0
	}
	return false
}
