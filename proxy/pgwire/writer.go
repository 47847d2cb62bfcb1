package pgwire

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Errors of writing.
var (
	// ErrMidFrame says that an earlier write stopped inside a frame: nothing
	// can be told to this peer any more.
	ErrMidFrame = errors.New("connection stopped in the middle of a message")
	// ErrBusy says that another write is under way.
	ErrBusy = errors.New("another message is being written")
)

// Writer sends whole frames to one peer; calls from several goroutines do not
// mix. A frame larger than any buffer is streamed: others wait until it is out.
//
// It sets no deadline itself: setting one costs more than a small write. The
// session's watch reads BlockedSince and ends a write that takes too long by a
// deadline in the past or by closing the socket.
type Writer struct {
	dst   io.Writer
	now   func() time.Time
	since atomic.Int64 // UnixNano at which the write under way began; 0: none
	bytes atomic.Int64
	stall atomic.Int64 // nanoseconds spent in writes

	mid atomic.Bool // part of a frame is out; set under mu

	mu sync.Mutex // held for a whole frame
}

// NewWriter returns a Writer on dst.
func NewWriter(dst io.Writer, now func() time.Time) *Writer {
	return &Writer{dst: dst, now: now}
}

// Write sends p, which must hold whole frames. It returns how many bytes left.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.framesLocked(p)
}

// TryWrite is Write for what can also be said later or not at all, such as a
// notice: while another write is under way, which may last as long as the peer
// or the source of a stream likes, it is ErrBusy.
func (w *Writer) TryWrite(p []byte) (int, error) {
	if !w.mu.TryLock() {
		return 0, ErrBusy
	}
	defer w.mu.Unlock()
	return w.framesLocked(p)
}

// Stream sends one frame of size bytes, head included, from r: what is
// buffered first, then what r reads. No other write cuts in.
func (w *Writer) Stream(r *Reader, size int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mid.Load() {
		return ErrMidFrame
	}
	for size > 0 {
		if r.Buffered() == 0 {
			if err := r.Fill(); err != nil {
				return err
			}
		}
		k := min(size, r.Buffered())
		n, err := w.writeLocked(r.Bytes(k))
		r.Discard(n)
		size -= n
		if n > 0 {
			w.mid.Store(size > 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Resume sends the rest of a frame that an earlier Write could not finish.
func (w *Writer) Resume(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.writeLocked(p)
	w.mid.Store(n < len(p))
	return n, err
}

// MidFrame reports whether a stream is inside a frame, or the last write
// stopped there. It takes no lock: a stream may wait for ever.
func (w *Writer) MidFrame() bool { return w.mid.Load() }

// BlockedSince returns the start of the write under way, or false. It takes no
// lock.
func (w *Writer) BlockedSince() (time.Time, bool) {
	n := w.since.Load()
	if n == 0 {
		return time.Time{}, false
	}
	return time.Unix(0, n), true
}

// Stalled returns the time spent in writes, all of them together.
func (w *Writer) Stalled() time.Duration { return time.Duration(w.stall.Load()) }

// Bytes returns the number of bytes sent.
func (w *Writer) Bytes() int64 { return w.bytes.Load() }

func (w *Writer) framesLocked(p []byte) (int, error) {
	if w.mid.Load() {
		return 0, ErrMidFrame
	}
	n, err := w.writeLocked(p)
	if err != nil && n > 0 && n < len(p) {
		w.mid.Store(true)
	}
	return n, err
}

func (w *Writer) writeLocked(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	begin := w.now().UnixNano()
	w.since.Store(begin)
	n, err := w.dst.Write(p)
	w.since.Store(0)
	w.stall.Add(w.now().UnixNano() - begin)
	w.bytes.Add(int64(n))
	return n, err
}
