package admin

import (
	"errors"
	"hash/crc32"
	"strings"
)

// Prefixes of tokens: a scanner finds one that was committed by mistake.
const (
	patPrefix = "lk_pat_"
	svcPrefix = "lk_svc_"
)

// crcLength holds 32 bits of checksum, 5 a character.
const crcLength = 7

// ErrToken says that a text is no token of ours; it never holds the text.
var ErrToken = errors.New("not a token: lk_pat_ or lk_svc_ and 39 characters")

// NewTokenText makes a token for a person or a service.
func NewTokenText(kind Kind) Secret {
	prefix := patPrefix
	if kind == KindService {
		prefix = svcPrefix
	}
	body := prefix + randomText(proofLength)
	return NewSecret(body + checksum(body))
}

// ParseToken checks the form and the checksum, so that what cannot be a token
// costs no look-up, and returns what kind of principal it is for.
func ParseToken(s string) (Secret, Kind, error) {
	kind := KindPerson
	rest, ok := strings.CutPrefix(s, patPrefix)
	if !ok {
		kind = KindService
		rest, ok = strings.CutPrefix(s, svcPrefix)
	}
	if !ok || len(rest) != proofLength+crcLength || strings.Trim(rest, crockford) != "" {
		return Secret{}, "", ErrToken
	}
	body := s[:len(s)-crcLength]
	if checksum(body) != s[len(body):] {
		return Secret{}, "", ErrToken
	}
	return NewSecret(s), kind, nil
}

// LooksLikeToken reports whether a text holds something that begins as a token
// does; such a text must not be shown or logged.
func LooksLikeToken(s string) bool {
	return strings.Contains(s, patPrefix) || strings.Contains(s, svcPrefix)
}

// checksum is CRC-32 in Crockford's alphabet.
func checksum(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	out := make([]byte, crcLength)
	for i := crcLength - 1; i >= 0; i-- {
		out[i] = crockford[sum&31]
		sum >>= 5
	}
	return string(out)
}
