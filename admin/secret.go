package admin

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
)

// redacted stands for a secret wherever it is printed.
const redacted = "[secret]"

// maxSecret bounds a secret before anything looks at it, in bytes.
const maxSecret = 1024

// Secret is a text that nothing prints: only Reveal shows it.
type Secret struct {
	text *string // a pointer: fmt prints unexported fields of foreign structs without asking
}

// NewSecret returns a Secret that holds s.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{text: &s}
}

// Reveal returns the secret itself.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.text == nil }

// String returns a fixed word.
func (Secret) String() string { return redacted }

// Format writes a fixed word for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns a fixed word.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns a fixed word.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns a fixed word.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// digest is what the store keeps of a random secret: it has too many bits to
// be guessed, so a fast hash will do.
func (s Secret) digest() []byte {
	sum := sha256.Sum256([]byte(s.Reveal()))
	return sum[:]
}

// randomText returns n random characters of Crockford's alphabet, 5 bits each.
func randomText(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // never fails
	for i, b := range raw {
		raw[i] = crockford[b&31]
	}
	return string(raw)
}

// proofLength is 160 bits of randomText: cookies, links, tokens.
const proofLength = 32
