package admin

import (
	"crypto/rand"
	"crypto/sha256"

	"github.com/lockkeeper/lockkeeper/admin/secret"
)

// maxSecret bounds a secret before anything looks at it, in bytes.
const maxSecret = 1024

// Secret is a text that nothing prints: only Reveal shows it.
type Secret = secret.Secret

// NewSecret returns a Secret that holds s.
func NewSecret(s string) Secret { return secret.NewSecret(s) }

// digest is what the store keeps of a random secret: it has too many bits to
// be guessed, so a fast hash will do.
func digest(s Secret) []byte {
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
