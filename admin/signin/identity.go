package signin

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxName   = 256  // bytes of a login, subject, email, name or group
	maxGroups = 1000 // more belong into a narrower claim
)

// Identity is who somebody proved to be.
type Identity struct {
	Issuer  string // who says so: the provider's URL, or "header"
	Subject string // the issuer's lasting name for the person; with Issuer the key
	Login   string // the name we show and grant to
	Email   string // "" if not known
	Name    string // as people write it; "" if not known

	EmailVerified bool // the issuer says that the person reads this address

	Groups []string // sorted, each once
	Roles  []string // from Mapping.Roles; sorted, each once
	Teams  []string // from Mapping.Teams; sorted, each once

	IssuedAt time.Time
	Expires  time.Time // of the proof, not of the session it opens
	SID      string    // the provider's session, for its logout; "" if it tells none
	Refresh  Secret    // refresh token, to be sealed by whoever keeps it; may be empty
}

// Mapping is what groups mean here.
type Mapping struct {
	Required []string          // one of them is needed to come in; empty: everybody may
	Roles    map[string]string // group → role
	Teams    map[string]string // group → team
}

// apply sets what the groups mean, or refuses whoever is in none of the required.
func (m Mapping) apply(id *Identity) error {
	slices.Sort(id.Groups)
	id.Groups = slices.Compact(id.Groups)
	if len(m.Required) > 0 && !slices.ContainsFunc(id.Groups, func(g string) bool { return slices.Contains(m.Required, g) }) {
		return refuse(KindGroup, "subject %q of %s is in none of the required groups", id.Subject, id.Issuer)
	}
	id.Roles, id.Teams = mapped(m.Roles, id.Groups), mapped(m.Teams, id.Groups)
	return nil
}

func mapped(table map[string]string, groups []string) []string {
	var out []string
	for _, g := range groups {
		if v, found := table[g]; found {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// cleanName refuses names that look like others, break a line or have no end.
func cleanName(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%s is empty", what)
	case len(s) > maxName:
		return fmt.Errorf("%s is longer than %d bytes", what, maxName)
	case !utf8.ValidString(s):
		return fmt.Errorf("%s is not UTF-8", what)
	case strings.TrimSpace(s) != s:
		return fmt.Errorf("%s begins or ends with a space", what)
	case strings.ContainsFunc(s, unprintable):
		return fmt.Errorf("%s holds a character that cannot be seen", what)
	}
	return nil
}

// unprintable holds for control and format characters and for every space but
// the plain one.
func unprintable(r rune) bool {
	return r != ' ' && !unicode.IsGraphic(r) || unicode.IsSpace(r) && r != ' '
}

// displayName drops what would disturb a page or a log, and what is too much:
// a name is only shown, so an odd one keeps nobody out.
func displayName(s string) string {
	s = strings.Map(func(r rune) rune {
		if joiner := r == '\u200c' || r == '\u200d'; r == utf8.RuneError || unprintable(r) && !joiner {
			return -1
		}
		return r
	}, s)
	for len(s) > maxName {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return strings.TrimSpace(s)
}

// tooMany refuses lists that nobody could look through.
func tooMany(groups []string) error {
	if len(groups) > maxGroups {
		return fmt.Errorf("%d groups; at most %d are read: let the provider send only those that matter here", len(groups), maxGroups)
	}
	return nil
}
