package secret

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
)

// KeySize is the length of a key in bytes (AES-256).
const KeySize = 32

// Key encrypts the blobs of one run. Like a [Secret] it shows nothing, and for
// the same reason lies behind a pointer: to a string, because fmt follows one to
// an array when the verb does not fit.
type Key struct{ raw *string }

// NewKey makes a random key.
func NewKey() Key {
	var b [KeySize]byte
	_, _ = rand.Read(b[:]) // never fails
	return keyOf(b[:])
}

// KeyFrom takes a copy of a key's bytes.
func KeyFrom(b []byte) (Key, error) {
	if len(b) != KeySize {
		return Key{}, fmt.Errorf("a key has %d bytes, not %d", KeySize, len(b))
	}
	return keyOf(b), nil
}

func keyOf(b []byte) Key {
	raw := string(b)
	return Key{&raw}
}

// Bytes returns a copy of the key's bytes; nil of the zero value.
func (k Key) Bytes() []byte {
	if k.raw == nil {
		return nil
	}
	return []byte(*k.raw)
}

// IsZero tells whether this is no key at all.
func (k Key) IsZero() bool { return k.raw == nil }

// Equal compares two keys in constant time.
func (k Key) Equal(other Key) bool { return subtle.ConstantTimeCompare(k.Bytes(), other.Bytes()) == 1 }

// String returns [Redacted].
func (k Key) String() string { return Redacted }

// Format writes [Redacted], whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

// LogValue returns [Redacted].
func (k Key) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalJSON refuses: a key goes to the store sealed, or not at all.
func (k Key) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a key is stored sealed, never as JSON")
}
