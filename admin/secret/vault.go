package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"fmt"
)

// Bounds of what a Vault takes.
const (
	MaxPurpose = 256     // bytes of a purpose
	MaxPlain   = 1 << 20 // bytes sealed at once; more goes through Chunks
)

// Overhead is how many bytes a sealed value is longer than the plain one.
const Overhead = headerSize + nonceSize + tagSize

// A sealed value:
//
//	version (1) | id of the key (8) | nonce (12) | ciphertext | tag (16)
//
// The header and the purpose are its associated data.
const (
	version    = 1
	idSize     = 8
	headerSize = 1 + idSize
	nonceSize  = 12
	tagSize    = 16
)

var (
	// ErrSealed says that a value does not open: it was changed, sealed for
	// another purpose, or is none of ours. It does not say which.
	ErrSealed = errors.New("sealed value does not open for this purpose")
	// ErrUnknownKey says that a value was sealed by a key that the key file does
	// not hold.
	ErrUnknownKey = errors.New("sealed by a key that is not in the key file")
	// ErrTooLong says that a purpose or a text passes its bound.
	ErrTooLong = errors.New("too long to seal")
)

// Vault seals and opens with the keys of a key file. It is immutable and safe
// for concurrent use.
type Vault struct {
	keys []vaultKey // newest first
}

type vaultKey struct {
	id   [idSize]byte
	aead cipher.AEAD // puts a random nonce before its ciphertext
}

// New reads the key file, or makes it when it is not there and cfg says so.
func New(cfg Config) (*Vault, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Create {
		if err := create(cfg.Path); err != nil {
			return nil, fmt.Errorf("make key file: %w", err)
		}
	}
	keys, err := read(cfg.Path)
	if err != nil {
		return nil, err
	}
	return newVault(keys), nil
}

func newVault(keys []Key) *Vault {
	v := &Vault{}
	for _, key := range keys {
		v.keys = append(v.keys, vaultKey{id: idOf(key), aead: newAEAD(key.Bytes())})
	}
	return v
}

// newAEAD is AES-256-GCM with random nonces: safe for 2³² values a key.
func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the length is KeySize by type
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // an AES block has the right size
	}
	return aead
}

// Seal encrypts a value under the newest key, for one purpose.
func (v *Vault) Seal(purpose string, plain []byte) ([]byte, error) {
	if err := checkPurpose(purpose); err != nil {
		return nil, err
	}
	if len(plain) > MaxPlain {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLong, len(plain), MaxPlain)
	}
	key := v.keys[0]
	header := append([]byte{version}, key.id[:]...)
	sealed := make([]byte, headerSize, Overhead+len(plain))
	copy(sealed, header)
	return key.aead.Seal(sealed, nil, plain, associated(header, purpose)), nil //nolint:gosec // the AEAD makes its own random nonce
}

// Open returns the value that was sealed for this purpose. The result is the
// caller's.
func (v *Vault) Open(purpose string, sealed []byte) ([]byte, error) {
	plain, _, err := v.open(purpose, sealed)
	return plain, err
}

func (v *Vault) open(purpose string, sealed []byte) (plain []byte, newest bool, err error) {
	if err := checkPurpose(purpose); err != nil {
		return nil, false, err
	}
	if len(sealed) < Overhead || len(sealed) > MaxPlain+Overhead || sealed[0] != version {
		return nil, false, ErrSealed
	}
	header, box := sealed[:headerSize], sealed[headerSize:]
	for i, key := range v.keys {
		if !bytes.Equal(key.id[:], header[1:]) {
			continue
		}
		plain, err := key.aead.Open(nil, nil, box, associated(header, purpose))
		if err != nil {
			return nil, false, ErrSealed
		}
		return plain, i == 0, nil
	}
	return nil, false, fmt.Errorf("%w: %s; restore the key file that holds it", ErrUnknownKey, hex.EncodeToString(header[1:]))
}

// SealKey seals the key of a run.
func (v *Vault) SealKey(purpose string, key Key) ([]byte, error) {
	if key.IsZero() {
		return nil, errors.New("no key to seal")
	}
	return v.Seal(purpose, key.Bytes())
}

// OpenKey opens what SealKey sealed.
func (v *Vault) OpenKey(purpose string, sealed []byte) (Key, error) {
	plain, err := v.Open(purpose, sealed)
	if err != nil {
		return Key{}, err
	}
	return KeyFrom(plain)
}

// Rewrap returns a value sealed under the newest key, and whether it was moved:
// one that is there already comes back as it is.
func (v *Vault) Rewrap(purpose string, sealed []byte) (rewrapped []byte, moved bool, err error) {
	plain, newest, err := v.open(purpose, sealed)
	if err != nil || newest {
		return sealed, false, err
	}
	if rewrapped, err = v.Seal(purpose, plain); err != nil {
		return sealed, false, err
	}
	return rewrapped, true, nil
}

// KeyIDs returns the ids of the keys, newest first. An id tells nothing of its
// key.
func (v *Vault) KeyIDs() []string {
	ids := make([]string, 0, len(v.keys))
	for _, key := range v.keys {
		ids = append(ids, hex.EncodeToString(key.id[:]))
	}
	return ids
}

// KeyID returns the id of the key that sealed a value, to count what waits to
// be rewrapped before an old key may go.
func KeyID(sealed []byte) (string, error) {
	if len(sealed) < Overhead || sealed[0] != version {
		return "", ErrSealed
	}
	return hex.EncodeToString(sealed[1:headerSize]), nil
}

func checkPurpose(purpose string) error {
	switch {
	case purpose == "":
		return errors.New("seal: no purpose")
	case len(purpose) > MaxPurpose:
		return fmt.Errorf("%w: a purpose of %d bytes, at most %d", ErrTooLong, len(purpose), MaxPurpose)
	default:
		return nil
	}
}

// associated needs no separator: the header's length is fixed.
func associated(header []byte, purpose string) []byte {
	return append(append(make([]byte, 0, len(header)+len(purpose)), header...), purpose...)
}
