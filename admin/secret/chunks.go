package secret

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	// MaxChunk bounds the plain bytes of a chunk.
	MaxChunk = 16 << 20
	// ChunkOverhead is how many bytes a sealed chunk is longer than the plain one.
	ChunkOverhead = nonceSize + tagSize
)

// ErrChunk says that a chunk does not open: it was changed, or does not belong
// at this place of this stream.
var ErrChunk = errors.New("chunk does not belong here or was changed")

// Chunks encrypts a stream in pieces that can be read in any order (the STREAM
// construction with random nonces). The stream's name goes into the key that
// the chunks are sealed with, the index and the final mark into each chunk.
// It is immutable and safe for concurrent use.
//
// A stream has exactly one final chunk, its last; an empty stream is one empty
// final chunk. Whoever reads one must have opened the final chunk as such
// before it may call the stream whole.
type Chunks struct {
	aead cipher.AEAD
}

// NewChunks returns the chunks of one stream ("rows", "sql") under a run's key.
// A stream that is begun anew must get a new name, or the chunks of both
// attempts could be mixed.
func NewChunks(key Key, stream string) (*Chunks, error) {
	if key.IsZero() {
		return nil, errors.New("chunks: no key")
	}
	if err := checkPurpose(stream); err != nil {
		return nil, err
	}
	sub, err := hkdf.Key(sha256.New, key.Bytes(), nil, "lockkeeper chunks 1\x00"+stream, KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive the stream's key: %w", err)
	}
	return &Chunks{aead: newAEAD(sub)}, nil
}

// Seal appends the sealed chunk to dst, which must not overlap plain.
func (c *Chunks) Seal(dst []byte, index uint64, final bool, plain []byte) ([]byte, error) {
	if len(plain) > MaxChunk {
		return nil, fmt.Errorf("%w: a chunk of %d bytes, at most %d", ErrTooLong, len(plain), MaxChunk)
	}
	place := placeOf(index, final)
	return c.aead.Seal(dst, nil, plain, place[:]), nil //nolint:gosec // the AEAD makes its own random nonce
}

// Open appends the plain chunk to dst, which must not overlap sealed. The
// caller says which place he reads, and gets ErrChunk for any other.
func (c *Chunks) Open(dst []byte, index uint64, final bool, sealed []byte) ([]byte, error) {
	if len(sealed) < ChunkOverhead || len(sealed) > MaxChunk+ChunkOverhead {
		return nil, ErrChunk
	}
	place := placeOf(index, final)
	plain, err := c.aead.Open(dst, nil, sealed, place[:])
	if err != nil {
		return nil, fmt.Errorf("%w: chunk %d", ErrChunk, index)
	}
	return plain, nil
}

func placeOf(index uint64, final bool) (place [9]byte) {
	binary.BigEndian.PutUint64(place[:], index)
	if final {
		place[8] = 1
	}
	return place
}
