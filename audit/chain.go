package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"time"
)

// The chain. A log is a row of segments, a segment is a row of lines. The first
// line of a segment is its header, all others are events:
//
//	{"v":1,"id":"01…","seq":17,"time":"…","kind":"segment","segment":3,"prev":"<h>","chain":"<h>"}
//	{"v":1,"id":"01…","seq":18,"time":"…","kind":"intent",…,"chain":"<h>"}
//
// The record of a line is its bytes before `,"chain":"`. With leaf_i =
// SHA256(0x00 ‖ record_i), the chain is h_i = SHA256(h_{i-1} ‖ leaf_i), and
// h_0 is 32 zero bytes. It runs through headers and events alike, over all
// segments. A header repeats the number and, as "prev", the h of the line
// before it, and carries the seq of the event before it.

// chainTail is the length of `,"chain":"` + 64 hex digits + `"}`.
const chainTail = 10 + 2*sha256.Size + 2

// Hash is one value of the chain.
type Hash [sha256.Size]byte

// String returns 64 hex digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText returns 64 hex digits.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads 64 hex digits.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != 2*len(h) {
		return fmt.Errorf("chain hash: %d bytes, want %d", len(text), 2*len(h))
	}
	if _, err := hex.Decode(h[:], text); err != nil {
		return fmt.Errorf("chain hash: %w", err)
	}
	return nil
}

// Chain computes links. It holds working memory only; the place in the log is
// the caller's.
type Chain struct {
	sum   hash.Hash
	zero  [1]byte
	words [2 * sha256.Size]byte // h ‖ leaf
}

// NewChain returns a Chain.
func NewChain() *Chain { return &Chain{sum: sha256.New()} }

// Link returns the h that follows prev over record.
func (c *Chain) Link(prev Hash, record []byte) Hash {
	c.sum.Reset()
	c.sum.Write(c.zero[:])
	c.sum.Write(record)
	copy(c.words[:], prev[:])
	c.sum.Sum(c.words[:sha256.Size])
	c.sum.Reset()
	c.sum.Write(c.words[:])
	c.sum.Sum(c.words[:0])
	return Hash(c.words[:sha256.Size])
}

// Head is the end of a log at some moment. Kept in another place, it proves
// everything before it.
type Head struct {
	Seq     uint64    `json:"seq"`     // of the last event; 0 in an empty log
	Segment uint64    `json:"segment"` // that holds the last line
	Chain   Hash      `json:"chain"`   // h of the last line
	Time    time.Time `json:"time"`    // of the last line
}

// Sealer gives events their place in the log: seq, id and chain. Rewind goes
// back over lines that could not be written.
type Sealer struct {
	head  Head
	ids   ulids
	chain *Chain
}

// NewSealer continues a log at head. last is the id of the last line, zero in
// an empty log.
func NewSealer(head Head, last ULID) (*Sealer, error) {
	ids, err := newULIDs()
	if err != nil {
		return nil, err
	}
	ids.after(last)
	return &Sealer{head: head, ids: ids, chain: NewChain()}, nil
}

// Head returns the end of the log as it is with all lines appended so far.
func (s *Sealer) Head() Head { return s.head }

// Rewind forgets the lines appended after head was the Head. Their ids are not
// given again.
func (s *Sealer) Rewind(head Head) { s.head = head }

// Append gives e its ID and Seq and appends its line to b.
func (s *Sealer) Append(b []byte, e *Event) []byte {
	e.Seq = s.head.Seq + 1
	e.ID = s.ids.next(e.Time)
	start := len(b)
	if e.bulk() <= MaxRecord {
		b = appendRecord(b, e)
	}
	if n := len(b) - start; n == 0 || n > MaxRecord {
		short := e.shortened()
		b = appendRecord(b[:start], &short)
	}
	s.head.Seq, s.head.Time = e.Seq, e.Time
	return s.close(b, start)
}

// AppendHeader begins the next segment: it appends its first line to b.
func (s *Sealer) AppendHeader(b []byte, now time.Time) []byte {
	start := len(b)
	s.head.Segment++
	s.head.Time = now
	id := s.ids.next(now)
	b = fmt.Appendf(b, `{"v":%d,"id":"%s","seq":%d,"time":"`, Version, id, s.head.Seq)
	b = appendTime(b, now)
	b = append(b, `","kind":"`+KindSegment+`","segment":`...)
	b = strconv.AppendUint(b, s.head.Segment, 10)
	b = append(b, `,"prev":"`...)
	b = hex.AppendEncode(b, s.head.Chain[:])
	b = append(b, '"')
	return s.close(b, start)
}

// close hashes the record that begins at start and ends the line with it.
func (s *Sealer) close(b []byte, start int) []byte {
	s.head.Chain = s.chain.Link(s.head.Chain, b[start:])
	b = append(b, `,"chain":"`...)
	b = hex.AppendEncode(b, s.head.Chain[:])
	return append(b, '"', '}', '\n')
}
