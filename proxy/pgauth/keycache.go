package pgauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// maxCachedKeys bounds a KeyCache; a cache that is full starts anew.
const maxCachedKeys = 4096

// KeyCache remembers key derivations, which cost a millisecond each. It keeps
// what one could log in with, as the passwords it stands for. A nil KeyCache
// remembers nothing.
type KeyCache struct {
	id [32]byte // makes ids useless to whoever reads a memory dump of another process

	mu   sync.Mutex
	keys map[[32]byte][]byte // salted passwords, guarded by mu
}

// NewKeyCache returns an empty cache.
func NewKeyCache() *KeyCache {
	return &KeyCache{id: [32]byte(randomBytes(32)), keys: map[[32]byte][]byte{}}
}

func (c *KeyCache) get(password string, salt []byte, iterations int) ([]byte, bool) {
	if c == nil {
		return nil, false
	}
	id := c.idOf(password, salt, iterations)
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.keys[id]
	return k, ok
}

func (c *KeyCache) put(password string, salt []byte, iterations int, salted []byte) {
	if c == nil {
		return
	}
	id := c.idOf(password, salt, iterations)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.keys) >= maxCachedKeys {
		clear(c.keys)
	}
	c.keys[id] = salted
}

func (c *KeyCache) idOf(password string, salt []byte, iterations int) [32]byte {
	m := hmac.New(sha256.New, c.id[:])
	var n [16]byte
	binary.BigEndian.PutUint64(n[:], uint64(iterations))
	binary.BigEndian.PutUint64(n[8:], uint64(len(salt)))
	m.Write(n[:])
	m.Write(salt)
	m.Write([]byte(password))
	return [32]byte(m.Sum(nil))
}
