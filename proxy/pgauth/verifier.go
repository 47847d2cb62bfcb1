package pgauth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
)

// SaltKey makes salts that look random and stay the same for a login.
type SaltKey struct{ key *[32]byte }

// NewSaltKey returns the key made of seed, which should hold 32 random bytes
// and outlive restarts.
func NewSaltKey(seed []byte) SaltKey {
	k := sha256.Sum256(seed)
	return SaltKey{&k}
}

// RandomSaltKey returns a key that lives as long as the process.
func RandomSaltKey() SaltKey {
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // never fails
	return NewSaltKey(seed[:])
}

// Salt returns the salt of a login.
func (k SaltKey) Salt(login string) []byte {
	m := hmac.New(sha256.New, k.key[:])
	m.Write([]byte(login))
	return m.Sum(nil)[:saltSize]
}

const saltSize = 16

// Verifier is one proof of a login: a SCRAM verifier, an md5 hash or a clear
// password. It is immutable.
type Verifier struct{}

// ParseVerifier reads a verifier as pg_authid and PgBouncer's userlist hold it:
// SCRAM-SHA-256$…, md5 and 32 hex digits, else a clear password, which costs a
// key derivation.
func ParseVerifier(login, text string, key SaltKey) (Verifier, error) { return Verifier{}, nil }

// NewVerifier returns the text of a SCRAM-SHA-256 verifier with a random salt.
func NewVerifier(password Secret) (string, error) { return "", nil }
