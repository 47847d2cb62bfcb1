package api

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"reflect"
	"runtime/debug"
)

// secure sets what every answer says, whatever it is.
func secure(h http.Header, out external) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Cache-Control", "no-store")
	if out.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// pagePolicy is the content security policy of the page: our own files, the
// style elements that carry the nonce, and nothing else.
func (a *API) pagePolicy(h http.Header, nonce string) {
	report := a.out.prefix + apiBase + "/csp-reports"
	h.Set("Reporting-Endpoints", fmt.Sprintf(`csp="%s"`, report))
	h.Set("Content-Security-Policy", "default-src 'self'; script-src 'self'; style-src 'self' 'nonce-"+nonce+"'; img-src 'self' data: blob:; "+
		"connect-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "+
		"report-uri "+report+"; report-to csp")
}

// scriptPolicy is for a script of the page. A worker obeys the policy its own
// script came with, not the page's: ours follows events, and loads nothing else.
func scriptPolicy(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
}

// resultPolicy lets a browser do nothing with a result but keep it.
func resultPolicy(h http.Header) {
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "private, no-cache")
}

// newNonce returns 128 random bits.
func newNonce() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails
	return base64.RawStdEncoding.EncodeToString(raw)
}

func typeName(err error) string { return fmt.Sprintf("%T", err) }

func typeNameOf(v any) string { return fmt.Sprintf("%T", v) }

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

func stack() string { return string(debug.Stack()) }
