package result

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// Writer packs rows into a file. It is used by one goroutine. After an error
// it only repeats it.
type Writer struct {
	out    io.Writer
	sealer Sealer
	enc    *zstd.Encoder
	chunk  []byte // raw bytes of the chunk being filled; never grows
	rows   uint32 // that start in it
	packed []byte
	index  index
	size   int64
	err    error
}

var errClosed = errors.New("the result is written and closed")

// NewWriter begins a file in out, which stays the caller's to close.
func NewWriter(out io.Writer, sealer Sealer, columns []Column) (*Writer, error) {
	if len(columns) > MaxColumns {
		return nil, fmt.Errorf("a result of %d columns; at most %d are possible", len(columns), MaxColumns)
	}
	for i, c := range columns {
		if len(c.Name) > maxName || len(c.Type) > maxName {
			return nil, fmt.Errorf("the name of column %d, or of its type, is longer than %d bytes", i+1, maxName)
		}
	}
	enc, err := newEncoder()
	if err != nil {
		return nil, err
	}
	w := &Writer{out: out, sealer: sealer, enc: enc, chunk: make([]byte, 0, chunkSize), index: index{columns: slices.Clone(columns)}}
	w.write([]byte(head))
	return w, w.err
}

// newEncoder makes the fastest zstd encoder that runs in its caller's
// goroutine. Checksums are ours.
func newEncoder() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(chunkSize), zstd.WithEncoderCRC(false))
}

// Write adds a row, a nil cell being NULL. Nothing of the row is kept.
func (w *Writer) Write(row [][]byte) error {
	if w.err != nil {
		return w.err
	}
	if len(row) != len(w.index.columns) {
		w.err = fmt.Errorf("%w: %d cells, %d columns", ErrColumns, len(row), len(w.index.columns))
		return w.err
	}
	size := packedLen(row)
	switch {
	case size > MaxRow:
		w.err = ErrRowTooLong
	case size > chunkSize:
		w.writeLong(row)
	default:
		if len(w.chunk)+size > chunkSize {
			w.flush()
		}
		w.chunk = AppendRow(w.chunk, row)
		w.rows++
	}
	if w.err == nil {
		w.index.count++
	}
	return w.err
}

// writeLong gives a row that no chunk can hold chunks of its own.
func (w *Writer) writeLong(row [][]byte) {
	w.flush()
	w.rows = 1
	for _, cell := range row {
		if w.spill(appendLength(nil, cell)); cell != nil {
			w.spill(cell)
		}
	}
	w.flush()
}

// spill adds bytes of a long row and stores each chunk that is full.
func (w *Writer) spill(b []byte) {
	for len(b) > 0 && w.err == nil {
		n := min(len(b), chunkSize-len(w.chunk))
		w.chunk = append(w.chunk, b[:n]...)
		b = b[n:]
		if len(w.chunk) == chunkSize {
			w.flush()
		}
	}
}

// Close stores what is left and the index. It must be called for the file to
// be readable.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	w.flush()
	if w.err != nil {
		return w.err
	}
	plain := w.index.append(nil)
	sealed, err := w.sealer.Seal(uint64(len(w.index.chunks)), true, w.enc.EncodeAll(plain, nil))
	switch {
	case err != nil:
		w.err = fmt.Errorf("seal the index: %w", err)
	case len(plain) > maxIndex || len(sealed) > maxIndex:
		w.err = fmt.Errorf("a result of %d chunks is more than an index can hold", len(w.index.chunks))
	default:
		w.write(sealed)
		trailer := binary.LittleEndian.AppendUint64(nil, uint64(len(w.index.chunks)))
		trailer = binary.LittleEndian.AppendUint32(trailer, uint32(len(sealed)))
		trailer = binary.LittleEndian.AppendUint32(trailer, checksum(sealed))
		w.write(append(trailer, foot...))
	}
	err = errors.Join(w.err, w.enc.Close())
	w.err = errClosed
	w.chunk, w.packed = nil, nil
	return err
}

// Count is the number of rows written.
func (w *Writer) Count() int64 { return w.index.count }

// Size is the number of bytes stored so far; what waits in the chunk being
// filled is not among them.
func (w *Writer) Size() int64 { return w.size }

// Raw is the number of bytes the rows take before compression.
func (w *Writer) Raw() int64 { return w.index.raw + int64(len(w.chunk)) }

// flush compresses, seals and stores the chunk, if there is anything in it.
func (w *Writer) flush() {
	if len(w.chunk) == 0 || w.err != nil {
		return
	}
	w.packed = w.enc.EncodeAll(w.chunk, w.packed[:0])
	sealed, err := w.sealer.Seal(uint64(len(w.index.chunks)), false, w.packed)
	if err != nil {
		w.err = fmt.Errorf("seal chunk %d: %w", len(w.index.chunks), err)
		return
	}
	if len(sealed) > maxSealed {
		w.err = fmt.Errorf("seal chunk %d: it grew to %d bytes, at most %d fit", len(w.index.chunks), len(sealed), maxSealed)
		return
	}
	w.index.chunks = append(w.index.chunks, entry{rows: w.rows, raw: uint32(len(w.chunk)), sealed: uint32(len(sealed)), sum: checksum(sealed)})
	w.index.raw += int64(len(w.chunk))
	w.write(sealed)
	w.chunk, w.rows = w.chunk[:0], 0
}

func (w *Writer) write(b []byte) {
	n, err := w.out.Write(b)
	w.size += int64(n)
	if err != nil {
		w.err = fmt.Errorf("store the result: %w", err)
	}
}
