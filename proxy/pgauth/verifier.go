package pgauth

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // the protocol's md5 method
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	saltSize          = 16 // bytes, as Postgres'
	defaultIterations = 4096
	maxIterations     = 1 << 24 // beyond it a login is an attack on our processor
	scramPrefix       = "SCRAM-SHA-256$"
	md5Prefix         = "md5"
)

// ErrVerifier says that a text is meant to be a verifier and is none.
var ErrVerifier = errors.New("malformed verifier")

// SaltKey makes salts that look random and stay the same for a login.
type SaltKey struct{ key *[32]byte }

// NewSaltKey returns the key made of seed, which should hold 32 random bytes
// and outlive restarts.
func NewSaltKey(seed []byte) SaltKey {
	k := sha256.Sum256(seed)
	return SaltKey{&k}
}

// RandomSaltKey returns a key that lives as long as the process.
func RandomSaltKey() SaltKey { return NewSaltKey(randomBytes(sha256.Size)) }

// Salt returns the salt of a login.
func (k SaltKey) Salt(login string) []byte { return k.derive("salt", login)[:saltSize] }

// derive works with the zero SaltKey too, so that a user file can be checked
// without one.
func (k SaltKey) derive(use, login string) []byte {
	var key []byte
	if k.key != nil {
		key = k.key[:]
	}
	m := hmac.New(sha256.New, key)
	m.Write([]byte(use))
	m.Write([]byte{0})
	m.Write([]byte(login))
	return m.Sum(nil)
}

// Verifier is one proof of a login: a SCRAM verifier, an md5 hash or a clear
// password. It is immutable.
type Verifier struct {
	kind  string
	scram *scramKeys // nil for an md5 hash
	md5   string     // 32 hex digits; empty for a SCRAM verifier
}

// Kind returns scram-sha-256, md5 or password.
func (v Verifier) Kind() string { return v.kind }

// String returns the kind alone.
func (v Verifier) String() string { return "verifier(" + v.kind + ")" }

// scramKeys is what RFC 5802 lets a server store.
type scramKeys struct {
	iterations int
	salt       []byte
	stored     []byte
	server     []byte
}

// ParseVerifier reads a verifier as pg_authid and PgBouncer's userlist hold it:
// SCRAM-SHA-256$…, md5 and 32 hex digits, else a clear password. That one
// costs a key derivation here, with the login's salt, so that a login later
// costs none.
func ParseVerifier(login, text string, key SaltKey) (Verifier, error) {
	if text == "" {
		return Verifier{}, fmt.Errorf("empty password: %w", ErrVerifier)
	}
	if strings.HasPrefix(text, scramPrefix) {
		k, err := parseScram(text)
		if err != nil {
			return Verifier{}, err
		}
		return Verifier{kind: "scram-sha-256", scram: k}, nil
	}
	if hash, ok := strings.CutPrefix(text, md5Prefix); ok && len(hash) == hex.EncodedLen(md5.Size) {
		if _, err := hex.DecodeString(hash); err == nil {
			return Verifier{kind: "md5", md5: strings.ToLower(hash)}, nil
		}
	}
	k := makeScram(text, key.Salt(login), defaultIterations)
	return Verifier{kind: "password", scram: &k, md5: md5Hex(text, login)}, nil
}

// NewVerifier returns the text of a SCRAM-SHA-256 verifier with a random salt.
func NewVerifier(password Secret) (string, error) {
	return NewVerifierWith(password, randomBytes(saltSize))
}

// NewVerifierWith is NewVerifier with a salt that the caller keeps: all the
// passwords of one login must share theirs, for the salt is sent before anybody
// knows which of them comes.
func NewVerifierWith(password Secret, salt []byte) (string, error) {
	switch {
	case password.IsZero():
		return "", fmt.Errorf("empty password: %w", ErrVerifier)
	case len(salt) < saltSize:
		return "", fmt.Errorf("salt of %d bytes, %d are needed: %w", len(salt), saltSize, ErrVerifier)
	}
	k := makeScram(password.Reveal(), salt, defaultIterations)
	return k.text(), nil
}

// IsVerifier reports whether text is a SCRAM verifier or an md5 hash, not a
// clear password.
func IsVerifier(text string) bool {
	if _, err := parseScram(text); err == nil {
		return true
	}
	hash, ok := strings.CutPrefix(text, md5Prefix)
	_, err := hex.DecodeString(hash)
	return ok && err == nil && len(hash) == hex.EncodedLen(md5.Size)
}

func makeScram(password string, salt []byte, iterations int) scramKeys {
	return scramOf(saltedPassword(password, salt, iterations), salt, iterations)
}

func (k *scramKeys) text() string {
	b64 := base64.StdEncoding.EncodeToString
	return scramPrefix + strconv.Itoa(k.iterations) + ":" + b64(k.salt) + "$" + b64(k.stored) + ":" + b64(k.server)
}

func parseScram(text string) (*scramKeys, error) {
	rest, ok := strings.CutPrefix(text, scramPrefix)
	head, keys, ok2 := strings.Cut(rest, "$")
	count, salt, ok3 := strings.Cut(head, ":")
	stored, server, ok4 := strings.Cut(keys, ":")
	n, err := strconv.Atoi(count)
	if !ok || !ok2 || !ok3 || !ok4 || err != nil || n < 1 || n > maxIterations {
		return nil, ErrVerifier
	}
	k := &scramKeys{iterations: n}
	for _, f := range []struct {
		dst  *[]byte
		text string
	}{{&k.salt, salt}, {&k.stored, stored}, {&k.server, server}} {
		if *f.dst, err = base64.StdEncoding.DecodeString(f.text); err != nil {
			return nil, ErrVerifier
		}
	}
	if len(k.salt) == 0 || len(k.stored) != sha256.Size || len(k.server) != sha256.Size {
		return nil, ErrVerifier
	}
	return k, nil
}

func md5Hex(parts ...string) string {
	h := md5.New() //nolint:gosec // the protocol's md5 method
	for _, p := range parts {
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // ends the process rather than fail
	return b
}
