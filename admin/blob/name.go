package blob

import (
	"fmt"
	"strings"
)

// Bounds of a name.
const (
	MaxName = 255 // bytes of a name
	maxPart = 100 // bytes between two slashes
)

// CheckName tells whether a text can name a blob: parts of lower-case letters,
// digits, "-", "_" and ".", joined by "/", each beginning with a letter or a
// digit. So no name leads out of its folder, hides in it, or differs from
// another by case alone.
func CheckName(name string) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("%w: %d bytes long, not 1 to %d", ErrName, len(name), MaxName)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || len(part) > maxPart || !alphanumeric(part[0]) || strings.Contains(part, "..") || strings.ContainsFunc(part, stranger) {
			return fmt.Errorf("%w: %q (parts of a-z 0-9 - _ . that begin with a letter or a digit)", ErrName, name)
		}
	}
	return nil
}

// CheckPrefix tells whether a text is the beginning of some name, or empty.
func CheckPrefix(prefix string) error {
	if prefix == "" || CheckName(prefix) == nil {
		return nil
	}
	if whole, found := strings.CutSuffix(prefix, "/"); found && len(prefix) <= MaxName {
		return CheckName(whole)
	}
	return fmt.Errorf("%w: a prefix of %d bytes that no name begins with", ErrName, len(prefix))
}

func alphanumeric(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

func stranger(r rune) bool {
	return r > 'z' || !alphanumeric(byte(r)) && r != '-' && r != '_' && r != '.'
}
