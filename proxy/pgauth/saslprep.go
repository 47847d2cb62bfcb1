package pgauth

import (
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// saslprep prepares a password as Postgres does (RFC 4013): what cannot be
// prepared is used as it is, so that a password in any encoding still works.
func saslprep(password string) string {
	if ascii(password) || !utf8.ValidString(password) {
		return password
	}
	mapped := make([]rune, 0, len(password))
	for _, c := range password {
		switch {
		case within(nonASCIISpace[:], c):
			mapped = append(mapped, ' ')
		case !within(mappedToNothing[:], c):
			mapped = append(mapped, c)
		}
	}
	// Postgres looks at the characters before normalisation, and so do we: the
	// two must agree on which passwords are taken as they are.
	if len(mapped) == 0 || slices.ContainsFunc(mapped, forbidden) || !bidiSound(mapped) {
		return password
	}
	return norm.NFKC.String(string(mapped))
}

func forbidden(c rune) bool { return within(prohibited[:], c) || within(unassigned32[:], c) }

// bidiSound is RFC 3454 section 6: text with right-to-left characters begins
// and ends with one and has no left-to-right characters.
func bidiSound(text []rune) bool {
	rtl := func(c rune) bool { return within(rightToLeft[:], c) }
	if !slices.ContainsFunc(text, rtl) {
		return true
	}
	ltr := slices.ContainsFunc(text, func(c rune) bool { return within(leftToRight[:], c) })
	return !ltr && rtl(text[0]) && rtl(text[len(text)-1])
}

func within(table []runeRange, c rune) bool {
	_, ok := slices.BinarySearchFunc(table, c, func(r runeRange, c rune) int {
		switch {
		case r.hi < c:
			return -1
		case r.lo > c:
			return 1
		}
		return 0
	})
	return ok
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
