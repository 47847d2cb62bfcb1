package signin

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"
)

const (
	oneUsePrefix = "lk_once_" // so that scanners of repositories and chats find a leaked one
	oneUseBytes  = 32
)

// OneUse is what is stored of a link that lets somebody in once, for example
// the first admin to set a password. Who accepts it deletes it in the same
// transaction.
type OneUse struct {
	Hash    string // SHA-256 of the token in hex; safe to store and to look up by
	Expires time.Time
}

// NewOneUse returns a fresh token for the link, and what to store of it.
func NewOneUse(now time.Time, life time.Duration) (Secret, OneUse) {
	var b [oneUseBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	token := oneUsePrefix + base64.RawURLEncoding.EncodeToString(b[:])
	return NewSecret(token), OneUse{Hash: hash(token), Expires: now.Add(life)}
}

// HashOneUse returns by which hash to look up the token of a link; it refuses
// what never was one.
func HashOneUse(token string) (string, error) {
	rest, found := strings.CutPrefix(token, oneUsePrefix)
	if !found || len(rest) != base64.RawURLEncoding.EncodedLen(oneUseBytes) {
		return "", refuse(KindLink, "not a one-use token")
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(rest); err != nil {
		return "", refuse(KindLink, "not a one-use token")
	}
	return hash(token), nil
}

// Check tells whether the token opens the link now.
func (o OneUse) Check(now time.Time, token string) error {
	h, err := HashOneUse(token)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(h), []byte(o.Hash)) != 1 {
		return refuse(KindLink, "another one-use token")
	}
	if !now.Before(o.Expires) {
		return refuse(KindLink, "one-use token expired")
	}
	return nil
}

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
