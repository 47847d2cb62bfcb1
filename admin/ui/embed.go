package ui

import (
	"bytes"
	"embed"
	"fmt"
	"html"
	"io/fs"
	"strings"
)

// dist is what the page's build left; a fresh checkout has only its .keep.
//
//go:embed all:dist
var dist embed.FS

//go:embed placeholder
var placeholder embed.FS

// Files is the built page with index.html at its root and hashed files under
// assets, or, when the page was not built, a page that says so.
func Files() fs.FS {
	built, err := fs.Sub(dist, "dist")
	if err == nil && exists(built, "index.html") {
		return built
	}
	plain, err := fs.Sub(placeholder, "placeholder")
	if err != nil {
		panic("ui: the placeholder is part of the source: " + err.Error())
	}
	return plain
}

// Built reports whether Files is the real page.
func Built() bool {
	return exists(Files(), "assets")
}

// Index is index.html for one answer: nonce is the style nonce that the answer's
// Content-Security-Policy names, base the path the office lives below ("/" when it
// has the host for itself).
func Index(files fs.FS, nonce, base string) ([]byte, error) {
	page, err := fs.ReadFile(files, "index.html")
	if err != nil {
		return nil, fmt.Errorf("read the page: %w", err)
	}
	page = bytes.ReplaceAll(page, []byte("__CSP_NONCE__"), []byte(html.EscapeString(nonce)))
	base = html.EscapeString("/" + strings.Trim(base, "/"))
	if base == "/" {
		return page, nil
	}
	page = bytes.ReplaceAll(page, []byte(`"/assets/`), []byte(`"`+base+`/assets/`))
	return bytes.ReplaceAll(page, []byte(`name="lk-base" content="/"`), []byte(`name="lk-base" content="`+base+`/"`)), nil
}

func exists(files fs.FS, name string) bool {
	_, err := fs.Stat(files, name)
	return err == nil
}
