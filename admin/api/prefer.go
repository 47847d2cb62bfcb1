package api

import (
	"strconv"
	"strings"
	"time"
)

// maxWait is how long a request may ask to be waited for.
const maxWait = 55 * time.Second

// prefer is what of a Prefer header (RFC 7240) we honour.
type prefer struct {
	wait    time.Duration
	applied string // the Preference-Applied header; empty: none
}

// parsePrefer reads a Prefer header: wait=n or respond-async. What it does not
// know it passes over, as the standard says; of several it takes the first.
func parsePrefer(header string, otherwise time.Duration) prefer {
	p := prefer{wait: otherwise}
	for part := range strings.SplitSeq(header, ",") {
		part, _, _ = strings.Cut(part, ";")
		name, value, _ := strings.Cut(part, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "respond-async":
			return prefer{applied: "respond-async"}
		case "wait":
			n, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 32)
			if err != nil {
				continue
			}
			p.wait = min(time.Duration(n)*time.Second, maxWait)
			p.applied = "wait=" + strconv.FormatInt(int64(p.wait/time.Second), 10)
			return p
		}
	}
	return p
}
