package audit

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// ULID is a 128-bit id that sorts by time: 48 bits of Unix milliseconds, then
// 80 random bits. Its text is 26 letters of Crockford's base 32.
type ULID [16]byte

const (
	ulidText     = 26
	ulidAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)

var errULID = errors.New("not a ULID")

// IsZero reports whether u was never given.
func (u ULID) IsZero() bool { return u == ULID{} }

// Time returns the moment of the id, to the millisecond.
func (u ULID) Time() time.Time {
	var b [8]byte
	copy(b[2:], u[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b[:]))).UTC()
}

// String returns the 26 letters.
func (u ULID) String() string {
	var b [ulidText]byte
	u.encode(&b)
	return string(b[:])
}

// AppendText appends the 26 letters to b.
func (u ULID) AppendText(b []byte) ([]byte, error) {
	var text [ulidText]byte
	u.encode(&text)
	return append(b, text[:]...), nil
}

// MarshalText returns the 26 letters.
func (u ULID) MarshalText() ([]byte, error) { return u.AppendText(nil) }

// UnmarshalText reads 26 letters.
func (u *ULID) UnmarshalText(text []byte) error {
	if len(text) != ulidText {
		return fmt.Errorf("%w: %d bytes", errULID, len(text))
	}
	var hi, lo uint64
	for _, c := range text {
		v := bytes.IndexByte([]byte(ulidAlphabet), c)
		if v < 0 || hi>>59 != 0 {
			return fmt.Errorf("%w: %q", errULID, text)
		}
		hi = hi<<5 | lo>>59
		lo = lo<<5 | uint64(v)
	}
	binary.BigEndian.PutUint64(u[:8], hi)
	binary.BigEndian.PutUint64(u[8:], lo)
	return nil
}

func (u ULID) encode(text *[ulidText]byte) {
	hi, lo := binary.BigEndian.Uint64(u[:8]), binary.BigEndian.Uint64(u[8:])
	for i := ulidText - 1; i >= 0; i-- {
		text[i] = ulidAlphabet[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
}

// ulids gives ids that grow strictly, even when the clock stands or steps
// back: within a millisecond the random part is counted up.
type ulids struct {
	ms     uint64
	hi, lo uint64 // the random part: 16 and 64 bits
}

func newULIDs() (ulids, error) {
	var seed [10]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return ulids{}, fmt.Errorf("seed ids: %w", err)
	}
	return ulids{
		// The top bit stays clear, so that counting up never overflows in practice.
		hi: uint64(binary.BigEndian.Uint16(seed[:2]) & 0x7fff),
		lo: binary.BigEndian.Uint64(seed[2:]),
	}, nil
}

// next returns an id greater than all before it. The step within and between
// milliseconds is odd and fixed: ids must be unique and sorted, not secret.
func (s *ulids) next(t time.Time) ULID {
	const step = 0x9e3779b97f4a7c15
	if ms := uint64(max(t.UnixMilli(), 0)); ms > s.ms {
		s.ms = ms
		s.hi = (s.hi*31 + 7) & 0x7fff
		s.lo += step
	} else if s.lo++; s.lo == 0 {
		if s.hi++; s.hi > 0xffff {
			s.hi = 0
			s.ms++
		}
	}
	var u ULID
	binary.BigEndian.PutUint64(u[:8], s.ms<<16|s.hi)
	binary.BigEndian.PutUint64(u[8:], s.lo)
	return u
}

// after makes the next id greater than last, so that ids keep growing over a
// restart with a clock that stepped back.
func (s *ulids) after(last ULID) {
	hi := binary.BigEndian.Uint64(last[:8])
	if ms := hi >> 16; ms >= s.ms {
		s.ms, s.hi, s.lo = ms, hi&0xffff, binary.BigEndian.Uint64(last[8:])
	}
}
