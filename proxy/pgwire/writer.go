package pgwire

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// ErrMidFrame says that an earlier write stopped inside a frame: nothing can
// be told to this peer any more.
var ErrMidFrame = errors.New("connection stopped in the middle of a message")

// Writer sends whole frames to one peer; calls from several goroutines do not
// mix. A stream of a frame larger than any buffer is one Lock … Unlock.
//
// It sets no deadline itself: setting one costs more than a small write. The
// session's watch reads BlockedSince and ends a write that takes too long by a
// deadline in the past or by closing the socket.
type Writer struct {
	dst   io.Writer
	now   func() time.Time
	since atomic.Int64 // UnixNano at which the write under way began; 0: none
	bytes atomic.Int64

	mu  sync.Mutex
	mid bool // guarded by mu
}

// NewWriter returns a Writer on dst.
func NewWriter(dst io.Writer, now func() time.Time) *Writer {
	return &Writer{dst: dst, now: now}
}

// Write sends p, which must hold whole frames. It returns how many bytes left.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mid {
		return 0, ErrMidFrame
	}
	n, err := w.writeLocked(p)
	if err != nil && n > 0 && n < len(p) {
		w.mid = true
	}
	return n, err
}

// Stream sends head, which begins a frame, and then the rest of that frame:
// rest bytes from r, the buffered ones first. No other write cuts in.
func (w *Writer) Stream(r *Reader, size int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mid {
		return ErrMidFrame
	}
	w.mid = true
	for size > 0 {
		if r.Buffered() == 0 {
			if err := r.Fill(); err != nil {
				return err
			}
		}
		k := min(size, r.Buffered())
		if _, err := w.writeLocked(r.Bytes(k)); err != nil {
			return err
		}
		r.Discard(k)
		size -= k
	}
	w.mid = false
	return nil
}

// Resume sends the rest of a frame that an earlier Write could not finish.
func (w *Writer) Resume(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.writeLocked(p)
	w.mid = n < len(p)
	return n, err
}

// MidFrame reports whether the last write stopped inside a frame.
func (w *Writer) MidFrame() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mid
}

// BlockedSince returns the start of the write under way, or false. It takes no
// lock.
func (w *Writer) BlockedSince() (time.Time, bool) {
	n := w.since.Load()
	if n == 0 {
		return time.Time{}, false
	}
	return time.Unix(0, n), true
}

// Bytes returns the number of bytes sent.
func (w *Writer) Bytes() int64 { return w.bytes.Load() }

func (w *Writer) writeLocked(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	w.since.Store(w.now().UnixNano())
	n, err := w.dst.Write(p)
	w.since.Store(0)
	w.bytes.Add(int64(n))
	return n, err
}
