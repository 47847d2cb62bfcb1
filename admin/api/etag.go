package api

import "strings"

// noneMatch reports whether If-None-Match names the tag, so that the client has
// it already. Weak and strong tags are the same here (RFC 9110, 13.1.2).
func noneMatch(header, tag string) bool {
	if tag == "" {
		return false
	}
	if strings.TrimSpace(header) == "*" {
		return true
	}
	for one := range strings.SplitSeq(header, ",") {
		if opaque(one) == opaque(tag) {
			return true
		}
	}
	return false
}

// opaque is a tag without the mark of weakness.
func opaque(tag string) string { return strings.TrimPrefix(strings.TrimSpace(tag), "W/") }

// quoted makes an entity tag of any text that is none yet.
func quoted(tag string) string {
	if tag == "" || strings.HasPrefix(tag, `"`) || strings.HasPrefix(tag, `W/"`) {
		return tag
	}
	return `"` + strings.Map(func(r rune) rune {
		if r < '!' || r > '~' || r == '"' {
			return '_'
		}
		return r
	}, tag) + `"`
}
