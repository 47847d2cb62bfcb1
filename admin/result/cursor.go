package result

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// cursor stands in one chunk and reads rows from it. It is used by one
// goroutine at a time.
type cursor struct {
	r      *Reader
	dec    *zstd.Decoder
	at     int    // the chunk in raw, -1 if none
	sealed []byte // as stored
	raw    []byte // the chunk's rows
	long   []byte // a row that spans chunks, while it is read
	rest   []byte // what is not yet read of raw or long
	part   int    // the chunk in which rest began
	row    [][]byte
}

func newCursor(r *Reader) (*cursor, error) {
	dec, err := newDecoder(chunkSize)
	if err != nil {
		return nil, err
	}
	return &cursor{r: r, dec: dec, at: -1, row: make([][]byte, len(r.index.columns))}, nil
}

// load makes a chunk, with the ones that continue it, ready to be read and
// returns the chunk that follows.
func (c *cursor) load(at int) (next int, err error) {
	chunks := c.r.index.chunks
	next = at + 1
	if err := c.fetch(at); err != nil {
		return 0, err
	}
	c.rest, c.part = c.raw, at
	if next == len(chunks) || chunks[next].rows > 0 {
		return next, nil
	}
	if chunks[at].rows != 1 {
		return 0, chunkDamage(at, "more than one row goes on in the next chunk", nil)
	}
	c.long = append(c.long[:0], c.raw...)
	for ; next < len(chunks) && chunks[next].rows == 0; next++ {
		if len(c.long) > MaxRow {
			return 0, chunkDamage(at, "its row is too long", nil)
		}
		if err := c.fetch(next); err != nil {
			return 0, err
		}
		c.long = append(c.long, c.raw...)
	}
	c.rest = c.long
	return next, nil
}

// fetch reads and unpacks one chunk into raw, unless it is there.
func (c *cursor) fetch(at int) error {
	if c.at == at {
		return nil
	}
	c.at = -1
	e := c.r.index.chunks[at]
	if cap(c.sealed) < int(e.sealed) {
		c.sealed = make([]byte, e.sealed)
	}
	c.sealed = c.sealed[:e.sealed]
	if err := readAt(c.r.in, c.sealed, e.offset); err != nil {
		return fmt.Errorf("chunk %d: %w", at, err)
	}
	if checksum(c.sealed) != e.sum {
		return chunkDamage(at, "its checksum does not fit", nil)
	}
	packed, err := c.r.opener.Open(uint64(at), false, c.sealed)
	if err != nil {
		return chunkDamage(at, "it does not open", err)
	}
	c.raw, err = c.dec.DecodeAll(packed, c.raw[:0])
	if err != nil {
		return chunkDamage(at, "it does not unpack", err)
	}
	if len(c.raw) != int(e.raw) {
		return chunkDamage(at, fmt.Sprintf("it has %d bytes instead of %d", len(c.raw), e.raw), nil)
	}
	c.at = at
	return nil
}

// next reads one row; after the last one of a chunk nothing may be left.
func (c *cursor) next(last bool) error {
	rest, ok := ParseRow(c.rest, c.row)
	if !ok {
		return chunkDamage(c.part, "a row in it does not read", nil)
	}
	if last && len(rest) > 0 {
		return chunkDamage(c.part, "it has more rows than the index says", nil)
	}
	c.rest = rest
	return nil
}
