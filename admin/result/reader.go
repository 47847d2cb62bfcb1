package result

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"sort"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Reader reads a file that a Writer has closed. Several goroutines may use it
// at once. It is a Source.
type Reader struct {
	in     io.ReaderAt
	opener Opener
	index  *index
	size   int64

	mu   sync.Mutex
	idle []*cursor // the one used last stands last
}

// maxIdle bounds the cursors that wait for the next page, each with a chunk.
const maxIdle = 3

// Open reads the index of a file of size bytes.
func Open(in io.ReaderAt, size int64, opener Opener) (*Reader, error) {
	sealed, chunks, err := readIndex(in, size)
	if err != nil {
		return nil, err
	}
	// The number of the final part is the number of chunks, which only the
	// index knows; it says so in the clear in front, and the opener checks it.
	packed, err := opener.Open(chunks, true, sealed)
	if err != nil {
		return nil, indexDamage("it does not open", err)
	}
	dec, err := newDecoder(maxIndex)
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	plain, err := dec.DecodeAll(packed, nil)
	if err != nil {
		return nil, indexDamage("it does not unpack", err)
	}
	x, err := parseIndex(plain, size-int64(trailerLen)-int64(len(sealed)))
	if err != nil {
		return nil, err
	}
	if uint64(len(x.chunks)) != chunks {
		return nil, indexDamage("it was sealed as another part", nil)
	}
	return &Reader{in: in, opener: opener, index: x, size: size}, nil
}

// readIndex returns the sealed index and the number of chunks before it.
func readIndex(in io.ReaderAt, size int64) (sealed []byte, chunks uint64, err error) {
	if size < int64(len(head)+trailerLen) {
		return nil, 0, fmt.Errorf("%w: it has %d bytes", ErrTruncated, size)
	}
	start := make([]byte, len(head))
	if err := readAt(in, start, 0); err != nil {
		return nil, 0, err
	}
	if string(start) != head {
		return nil, 0, &DamageError{Part: "head", Reason: "this is not a stored result, or one of a later version"}
	}
	end := make([]byte, trailerLen)
	if err := readAt(in, end, size-int64(trailerLen)); err != nil {
		return nil, 0, err
	}
	if string(end[trailerLen-len(foot):]) != foot {
		return nil, 0, ErrTruncated
	}
	length := int64(binary.LittleEndian.Uint32(end[8:]))
	chunks = binary.LittleEndian.Uint64(end)
	if length > maxIndex || length > size-int64(len(head)+trailerLen) || chunks > maxIndex {
		return nil, 0, indexDamage("it claims to be longer than the file", nil)
	}
	sealed = make([]byte, length)
	if err := readAt(in, sealed, size-int64(trailerLen)-length); err != nil {
		return nil, 0, err
	}
	if checksum(sealed) != binary.LittleEndian.Uint32(end[12:]) {
		return nil, 0, indexDamage("its checksum does not fit", nil)
	}
	return sealed, chunks, nil
}

// readAt fills b. A file shorter than it was said to be is a truncated one.
func readAt(in io.ReaderAt, b []byte, offset int64) error {
	n, err := in.ReadAt(b, offset)
	switch {
	case n == len(b):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it ends at byte %d", ErrTruncated, offset+int64(n))
	default:
		return fmt.Errorf("read the stored result: %w", err)
	}
}

// newDecoder makes a decoder that runs in its caller's goroutine and makes at
// most limit bytes of one part.
func newDecoder(limit uint64) (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(limit))
}

// Columns describes the cells of a row. The slice must not be changed.
func (r *Reader) Columns() []Column { return r.index.columns }

// Count is the number of rows.
func (r *Reader) Count() int64 { return r.index.count }

// Raw is the number of bytes the rows take before compression.
func (r *Reader) Raw() int64 { return r.index.raw }

// Size is the length of the file in bytes.
func (r *Reader) Size() int64 { return r.size }

// Rows yields rows from offset on, at most limit, or all if limit is negative.
// A row is valid until the next one. ctx is looked at once a chunk.
func (r *Reader) Rows(ctx context.Context, offset, limit int64) iter.Seq2[[][]byte, error] {
	return func(yield func([][]byte, error) bool) {
		offset = max(offset, 0)
		left := r.index.count - offset
		if limit >= 0 {
			left = min(left, limit)
		}
		if left <= 0 {
			return
		}
		at := r.chunkOf(offset)
		c, err := r.cursor(at)
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.release(c)
		skip := offset - r.index.chunks[at].first
		for left > 0 {
			if err := context.Cause(ctx); err != nil {
				yield(nil, err)
				return
			}
			next, err := c.load(at)
			for n := int64(r.index.chunks[at].rows); err == nil && n > 0 && left > 0; n-- {
				if err = c.next(n == 1); err != nil {
					break
				}
				if skip > 0 {
					skip--
					continue
				}
				left--
				if !yield(c.row, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
			at = next
		}
	}
}

// Pick yields the rows with these numbers, which must rise. Each chunk is read
// once, so rows that lie apart cost no more than reading from the first to the
// last. A row is valid until the next one. ctx is looked at once a chunk.
func (r *Reader) Pick(ctx context.Context, rows []uint32) iter.Seq2[[][]byte, error] {
	return func(yield func([][]byte, error) bool) {
		if len(rows) == 0 {
			return
		}
		if last := int64(rows[len(rows)-1]); last >= r.index.count {
			yield(nil, fmt.Errorf("there is no row %d; there are %d", last, r.index.count))
			return
		}
		c, err := r.cursor(r.chunkOf(int64(rows[0])))
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.release(c)
		for len(rows) > 0 {
			if err := context.Cause(ctx); err != nil {
				yield(nil, err)
				return
			}
			at := r.chunkOf(int64(rows[0]))
			_, err := c.load(at)
			first, count := r.index.chunks[at].first, int64(r.index.chunks[at].rows)
			for n := int64(0); err == nil && n < count && len(rows) > 0; n++ {
				if err = c.next(n == count-1); err != nil {
					break
				}
				if first+n != int64(rows[0]) {
					continue
				}
				rows = rows[1:]
				if !yield(c.row, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// chunkOf returns the chunk in which a row starts.
func (r *Reader) chunkOf(row int64) int {
	// The first chunk that begins after the row; before it, continuations.
	at := sort.Search(len(r.index.chunks), func(i int) bool { return r.index.chunks[i].first > row }) - 1
	for at > 0 && r.index.chunks[at].rows == 0 {
		at--
	}
	return at
}

// cursor takes an idle cursor, if possible one that holds the chunk already.
func (r *Reader) cursor(at int) (*cursor, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.idle)
	if n == 0 {
		return newCursor(r)
	}
	pick := n - 1
	for i, c := range r.idle {
		if c.at == at {
			pick = i
		}
	}
	c := r.idle[pick]
	r.idle = append(r.idle[:pick], r.idle[pick+1:]...)
	return c, nil
}

func (r *Reader) release(c *cursor) {
	c.long = nil // a row beyond the usual is not worth keeping
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.idle) == maxIdle {
		r.idle[0].dec.Close()
		r.idle = append(r.idle[:0], r.idle[1:]...)
	}
	r.idle = append(r.idle, c)
}
