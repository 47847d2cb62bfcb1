package admin

import "strings"

// crockford is Crockford's base 32: no I, L, O, U, so that an id read aloud
// comes back right.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// idLength is 80 random bits: ids are shown in URLs and must not be guessed.
const idLength = 16

// Prefixes of ids, one a kind of thing.
const (
	PrefixPerson     = "p_"
	PrefixService    = "s_"
	PrefixTeam       = "t_"
	PrefixGrant      = "g_"
	PrefixToken      = "k_"
	PrefixDBPassword = "d_"
	PrefixSession    = "w_"
	PrefixRun        = "r_"
	PrefixQuery      = "q_"
)

// NewID returns a new id: the prefix and 16 random characters.
func NewID(prefix string) string {
	return prefix + randomText(idLength)
}

// known returns ErrAbsent for what cannot be an id: it never reaches the store.
func known(prefix, id string) error {
	if !IsID(prefix, id) {
		return ErrAbsent
	}
	return nil
}

// IsID reports whether s could have been made by NewID with this prefix.
func IsID(prefix, s string) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok || len(rest) != idLength {
		return false
	}
	return strings.Trim(rest, crockford) == ""
}
