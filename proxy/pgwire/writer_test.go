package pgwire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"
)

// TestWritesDoNotMix lets two goroutines write and one stream to one peer.
func TestWritesDoNotMix(t *testing.T) {
	t.Parallel()
	const rounds = 300
	from, in := pair(t)
	out, to := pair(t)
	w := NewWriter(out, time.Now)
	notice := AppendNotice(nil, &Notice{Severity: "NOTICE", Code: "00000", Message: "hello"})
	large := AppendFrame(nil, MsgDataRow, bytes.Repeat([]byte("x"), 100_000))
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range rounds {
				if _, err := w.Write(notice); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range rounds / 10 {
			_, _ = from.Write(large)
		}
	})
	wg.Go(func() {
		r := NewReader(in, nil, nil)
		defer r.Close()
		for range rounds / 10 {
			_, size, err := r.Next()
			if err == nil {
				err = w.Stream(r, size)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	r := NewReader(to, nil, nil)
	defer r.Close()
	for range 2*rounds + rounds/10 {
		_, size, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Frame(size, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, notice) && !bytes.Equal(got, large) {
			t.Fatalf("a frame is neither: %.40q…", got)
		}
		r.Discard(size)
	}
	wg.Wait()
}

// TestStreamThatWaits has a source that stops in mid-frame: nobody else may
// have to wait for it to find out that nothing can be said.
func TestStreamThatWaits(t *testing.T) {
	t.Parallel()
	from, in := pair(t)
	out, to := pair(t)
	w := NewWriter(out, time.Now)
	r := NewReader(in, nil, nil)
	frame := AppendQuery(nil, "select 1")
	if _, err := from.Write(frame[:7]); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.Stream(r, len(frame)) }() // ends when from closes
	if _, err := io.ReadFull(to, make([]byte, 7)); err != nil {
		t.Fatal(err)
	}
	for !w.MidFrame() { // the peer may have its bytes before the writer knows
		time.Sleep(time.Millisecond)
	}
	if _, err := w.TryWrite(frame); !errors.Is(err, ErrBusy) {
		t.Errorf("TryWrite: %v", err)
	}
	_ = from.Close()
	if err := <-done; !errors.Is(err, io.EOF) {
		t.Errorf("Stream: %v", err)
	}
	for name, write := range map[string]func([]byte) (int, error){"Write": w.Write, "TryWrite": w.TryWrite} {
		if _, err := write(frame); !errors.Is(err, ErrMidFrame) {
			t.Errorf("%s behind half a frame: %v", name, err)
		}
	}
	if err := w.Stream(r, 5); !errors.Is(err, ErrMidFrame) {
		t.Errorf("Stream behind half a frame: %v", err)
	}
}

// TestStreamThatNeverBegan leaves the peer between two messages.
func TestStreamThatNeverBegan(t *testing.T) {
	t.Parallel()
	out, to := pair(t)
	w := NewWriter(out, time.Now)
	if err := w.Stream(NewReader(bytes.NewReader(nil), nil, nil), 10); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if w.MidFrame() {
		t.Error("mid frame, though no byte left")
	}
	bye := AppendError(nil, &Notice{Severity: "FATAL", Code: "57P01", Message: "bye"})
	if _, err := w.Write(bye); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(to, make([]byte, len(bye))); err != nil {
		t.Error(err)
	}
}

// TestBlockedWrite fills the socket of a peer that does not read, ends the
// write by a deadline, and sends the rest.
func TestBlockedWrite(t *testing.T) {
	t.Parallel()
	out, to := pair(t)
	begun := time.Unix(1000, 0)
	w := NewWriter(out, func() time.Time { return begun })
	if _, blocked := w.BlockedSince(); blocked {
		t.Error("blocked before the first write")
	}
	frame := AppendFrame(nil, MsgDataRow, make([]byte, 8<<20))
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	go func() { // ends by the deadline
		n, err := w.Write(frame)
		done <- result{n, err}
	}()
	for {
		if since, blocked := w.BlockedSince(); blocked {
			if !since.Equal(begun) {
				t.Errorf("blocked since %v", since)
			}
			break
		}
		time.Sleep(time.Millisecond)
	}
	_ = out.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	got := <-done
	if !errors.Is(got.err, os.ErrDeadlineExceeded) || got.n == 0 || got.n == len(frame) || !w.MidFrame() {
		t.Fatalf("wrote %d: %v, mid frame %v", got.n, got.err, w.MidFrame())
	}
	_ = out.SetWriteDeadline(time.Time{})
	read := make(chan []byte, 1)
	go func() { // ends when all is written
		p := make([]byte, len(frame))
		_, _ = io.ReadFull(to, p)
		read <- p
	}()
	if _, err := w.Resume(frame[got.n:]); err != nil || w.MidFrame() {
		t.Fatalf("resume: %v, mid frame %v", err, w.MidFrame())
	}
	if !bytes.Equal(<-read, frame) {
		t.Error("the frame arrived changed")
	}
	if w.Bytes() != int64(len(frame)) {
		t.Errorf("counted %d bytes of %d", w.Bytes(), len(frame))
	}
}

func TestWriteThatSendsNothingIsNotMidFrame(t *testing.T) {
	t.Parallel()
	out, _ := pair(t)
	w := NewWriter(out, time.Now)
	_ = out.SetWriteDeadline(time.Now().Add(-time.Second))
	if n, err := w.Write(AppendEmpty(nil, MsgSync)); n != 0 || err == nil || w.MidFrame() {
		t.Errorf("%d, %v, mid frame %v", n, err, w.MidFrame())
	}
}
