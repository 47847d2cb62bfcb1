package pgwire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

const (
	chunkSize = 16 << 10 // usual buffer
	bulkSize  = 64 << 10 // buffer once a read filled the usual one
)

// Errors of framing. After one of them the peer has lost synchronisation and
// the connection must end.
var (
	ErrLength   = errors.New("message length out of range")
	ErrTooLarge = errors.New("message exceeds the limit")
	ErrMemory   = errors.New("memory budget for held messages is used up")
)

type chunk [chunkSize]byte

type bulk [bulkSize]byte

// Pools is where Readers of a server get their buffers from and where they
// give them back while they wait for a byte. The zero value is ready to use.
type Pools struct {
	chunks sync.Pool // of *chunk
	bulks  sync.Pool // of *bulk
}

// Budget bounds the bytes that all sessions of a server hold at once beyond
// their usual buffers. A nil Budget is unbounded.
type Budget struct {
	Max  int64
	used atomic.Int64
}

// Take reserves n bytes or reports false.
func (b *Budget) Take(n int) bool {
	if b == nil {
		return true
	}
	if b.used.Add(int64(n)) > b.Max {
		b.used.Add(int64(-n))
		return false
	}
	return true
}

// Give returns n bytes.
func (b *Budget) Give(n int) {
	if b != nil {
		b.used.Add(int64(-n))
	}
}

// Used returns the bytes reserved now.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

// Reader reads frames from a connection. On a plain socket it holds no buffer
// while it waits for the first byte. One goroutine uses it at a time.
type Reader struct {
	src    io.Reader
	raw    syscall.RawConn // nil for TLS: then src is read with a buffer in hand
	pools  *Pools
	budget *Budget

	buf   []byte
	r, w  int
	small *chunk
	big   *bulk
	grown int  // bytes taken from the budget
	eager bool // much came at once: use a bulk buffer

	readFn func(fd uintptr) bool // made once: RawConn.Read must not allocate
	n      int
	err    error
}

// NewReader returns a Reader on src. Pools and budget may be nil.
func NewReader(src io.Reader, pools *Pools, budget *Budget) *Reader {
	if pools == nil {
		pools = &Pools{}
	}
	r := &Reader{src: src, pools: pools, budget: budget}
	switch c := src.(type) {
	case *net.TCPConn:
		r.raw, _ = c.SyscallConn()
	case *net.UnixConn:
		r.raw, _ = c.SyscallConn()
	}
	r.readFn = r.readRaw
	return r
}

// Buffered returns the number of bytes read and not yet discarded.
func (r *Reader) Buffered() int { return r.w - r.r }

// Head returns tag and full size (head included) of the next frame once its
// head is in the buffer.
func (r *Reader) Head() (tag byte, size int, ok bool, err error) { return r.HeadAt(0) }

// HeadAt is Head for the frame that begins off bytes behind the first
// buffered one.
func (r *Reader) HeadAt(off int) (tag byte, size int, ok bool, err error) {
	if r.w-r.r < off+HeadSize {
		return 0, 0, false, nil
	}
	n := binary.BigEndian.Uint32(r.buf[r.r+off+1:])
	if n < 4 || n > MaxMessage {
		return 0, 0, false, fmt.Errorf("message %q: %w: %d", r.buf[r.r+off], ErrLength, n)
	}
	return r.buf[r.r+off], int(n) + 1, true, nil
}

// Next blocks until the head of the next frame is in the buffer.
func (r *Reader) Next() (tag byte, size int, err error) {
	for {
		tag, size, ok, err := r.Head()
		if ok || err != nil {
			return tag, size, err
		}
		if err := r.Fill(); err != nil {
			return 0, 0, err
		}
	}
}

// Frame blocks until the n bytes of the next frame are in the buffer and
// returns them. It grows the buffer as bytes arrive, never by declared length,
// up to limit.
func (r *Reader) Frame(n, limit int) ([]byte, error) {
	if n > limit {
		return nil, ErrTooLarge
	}
	for r.w-r.r < n {
		if err := r.Fill(); err != nil {
			return nil, err
		}
	}
	return r.Bytes(n), nil
}

// Bytes returns the first n buffered bytes; n must not exceed Buffered. To
// append to them does not touch those behind.
func (r *Reader) Bytes(n int) []byte { return r.buf[r.r : r.r+n : r.r+n] }

// Discard drops n buffered bytes.
func (r *Reader) Discard(n int) {
	r.r += n
	if r.r == r.w {
		r.r, r.w = 0, 0
	}
}

// Skip drops n bytes, reading what is not buffered yet.
func (r *Reader) Skip(n int) error {
	for n > 0 {
		if r.r == r.w {
			if err := r.Fill(); err != nil {
				return err
			}
		}
		k := min(n, r.w-r.r)
		r.Discard(k)
		n -= k
	}
	return nil
}

// Fill does one read of at least a byte behind what is buffered.
func (r *Reader) Fill() error {
	if r.w == len(r.buf) && r.buf != nil {
		if err := r.room(); err != nil {
			return err
		}
	}
	if r.raw == nil {
		if r.r == r.w && r.grown > 0 {
			r.release() // what one large frame took is not kept for the next
		}
		r.acquire()
		n, err := r.src.Read(r.buf[r.w:])
		if n > 0 {
			r.got(n)
			return nil
		}
		return eof(err)
	}
	if r.r == r.w {
		r.release()
	}
	r.n, r.err = 0, nil
	if err := r.raw.Read(r.readFn); err != nil {
		return err
	}
	if r.err != nil {
		return r.err
	}
	if r.n == 0 {
		return io.EOF
	}
	r.got(r.n)
	return nil
}

// Close gives the buffers back. The Reader must not be used after it.
func (r *Reader) Close() {
	r.r, r.w = 0, 0
	r.release()
}

func (r *Reader) got(n int) {
	r.w += n
	r.eager = r.w >= chunkSize
}

// readRaw is called by the runtime whenever the socket may be readable.
func (r *Reader) readRaw(fd uintptr) bool {
	r.acquire()
	for {
		n, err := syscall.Read(int(fd), r.buf[r.w:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			if r.r == r.w {
				r.release()
			}
			return false
		case err != nil:
			r.err = err
			return true
		}
		r.n = n
		return true
	}
}

func (r *Reader) acquire() {
	if r.buf != nil {
		return
	}
	if r.eager {
		b, _ := r.pools.bulks.Get().(*bulk)
		if b == nil {
			b = new(bulk)
		}
		r.big, r.buf = b, b[:]
		return
	}
	b, _ := r.pools.chunks.Get().(*chunk)
	if b == nil {
		b = new(chunk)
	}
	r.small, r.buf = b, b[:]
}

// release gives the buffer back; only when nothing is in it.
func (r *Reader) release() {
	if r.small != nil {
		r.pools.chunks.Put(r.small)
		r.small = nil
	}
	if r.big != nil {
		r.pools.bulks.Put(r.big)
		r.big = nil
	}
	r.budget.Give(r.grown)
	r.grown = 0
	r.buf, r.r, r.w = nil, 0, 0
}

// room makes space behind the buffered bytes: by moving them to the front, or
// by doubling the buffer.
func (r *Reader) room() error {
	if r.r > 0 {
		copy(r.buf, r.buf[r.r:r.w])
		r.w -= r.r
		r.r = 0
		return nil
	}
	size := 2 * len(r.buf)
	if !r.budget.Take(size) {
		return ErrMemory
	}
	buf := make([]byte, size)
	n := copy(buf, r.buf[r.r:r.w])
	r.release()
	r.buf, r.r, r.w, r.grown = buf, 0, n, size
	return nil
}

func eof(err error) error {
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}
