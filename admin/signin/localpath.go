package signin

import (
	"net/url"
	"path"
	"strings"
)

const (
	maxPath   = 2048 // bytes of a path to return to
	maxLayers = 5    // of percent-encoding; nobody honest wraps so deep
)

// LocalPath returns s if it is a path on this server that no browser, proxy or
// router could take for another host, else "/". It is stricter than a URL must
// be: plain ASCII, no backslash, no empty or dotted segment, also behind
// percent-encoding.
func LocalPath(s string) string {
	if !isLocal(s) {
		return "/"
	}
	return s
}

func isLocal(s string) bool {
	if len(s) > maxPath || !strings.HasPrefix(s, "/") {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return false
		}
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return false
	}
	return plainPath(u.EscapedPath())
}

// plainPath undoes percent-encoding until nothing is left to undo: some proxy
// on the way may do it more often than we.
func plainPath(p string) bool {
	for range maxLayers {
		if clean := path.Clean(p); strings.Contains(p, "//") || clean != p && clean+"/" != p {
			return false
		}
		if strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
			return false
		}
		next, err := url.PathUnescape(p)
		if err != nil || next == p {
			return true // what is no encoding any more is a plain percent sign
		}
		p = next
	}
	return false
}
