package jsonl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
)

// pollInterval is how soon a new record is seen. Polling a file that is in the
// page cache costs less than being told of every write.
const pollInterval = 100 * time.Millisecond

// Tail follows the log; see audit.Reader. Records that were written and then
// cut back by a full disk may be seen although they are given again later.
func (r *Reader) Tail(ctx context.Context, after uint64, f audit.Filter) iter.Seq2[audit.Event, error] {
	return func(yield func(audit.Event, error) bool) {
		t := follower{dir: r.dir, after: after, match: newMatcher(f)}
		defer t.close()
		timer := time.NewTimer(pollInterval)
		defer timer.Stop()
		for {
			e, ok, err := t.next()
			if err != nil {
				yield(audit.Event{}, fmt.Errorf("follow audit log: %w", err))
				return
			}
			if ok {
				if !yield(e, nil) || ctx.Err() != nil {
					return
				}
				continue
			}
			timer.Reset(pollInterval)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

// follower reads forward, from segment to segment.
type follower struct {
	dir   string
	after uint64
	match *matcher

	number uint64
	file   *os.File
	in     *bufio.Reader
	at     int64 // of the next line in file
}

// next returns the next event that matches; ok is false when the log has no
// more for now.
func (t *follower) next() (audit.Event, bool, error) {
	if t.file == nil {
		if ok, err := t.open(); err != nil || !ok {
			return audit.Event{}, false, err
		}
	}
	for {
		line, err := t.in.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			// A line without its end is read again when it has grown.
			if more, err := t.atEnd(); err != nil || !more {
				return audit.Event{}, false, err
			}
			continue
		}
		if err != nil {
			return audit.Event{}, false, err
		}
		t.at += int64(len(line))
		p, ok := audit.ParsePrefix(line)
		if !ok || p.IsHeader() || p.Seq <= t.after {
			continue
		}
		t.after = p.Seq
		if e, match, _ := t.match.line(p, line[:len(line)-1]); match {
			return e, true, nil
		}
	}
}

// open begins with the last segment whose header is not after the cursor.
func (t *follower) open() (bool, error) {
	numbers, err := segments(t.dir)
	if err != nil {
		return false, err
	}
	start := uint64(0)
	for _, n := range numbers {
		h, err := readHeader(segmentPath(t.dir, n))
		if errors.Is(err, errHeader) || errors.Is(err, fs.ErrNotExist) {
			continue // not begun, damaged, or retired meanwhile
		}
		if err != nil {
			return false, err
		}
		if start == 0 || h.seq <= t.after {
			start = n
		}
	}
	if start == 0 {
		return false, nil
	}
	return t.enter(start)
}

func (t *follower) enter(number uint64) (bool, error) {
	file, err := os.Open(segmentPath(t.dir, number))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	t.close()
	t.file, t.number = file, number
	info, err := file.Stat()
	if err != nil {
		return false, err
	}
	at, err := seekSeq(file, info.Size(), t.after+1)
	if err != nil {
		return false, err
	}
	return true, t.seek(wholeLines(file, at, info.Size()))
}

// wholeLines returns at, or, when that is the end of the file, the end of its
// last whole line: the rest is still being written.
func wholeLines(file io.ReaderAt, at, size int64) int64 {
	if at < size {
		return at
	}
	lines := newBackward(file, size)
	line, err := lines.line()
	if err != nil {
		return 0
	}
	return lines.at + int64(len(lines.buf)+len(line)) + 1
}

func (t *follower) seek(at int64) error {
	if _, err := t.file.Seek(at, io.SeekStart); err != nil {
		return err
	}
	t.at = at
	if t.in == nil {
		t.in = bufio.NewReaderSize(t.file, 2*audit.MaxRecord)
	} else {
		t.in.Reset(t.file)
	}
	return nil
}

// atEnd reports whether there is more to read after all: more of this file, or
// the next segment, which begins only when this one is complete.
func (t *follower) atEnd() (bool, error) {
	next, err := nextSegment(t.dir, t.number)
	if err != nil {
		return false, err
	}
	info, err := t.file.Stat()
	if err != nil {
		return false, err
	}
	switch {
	case info.Size() < t.at: // cut back by the writer: find the cursor again
		return t.enter(t.number)
	case info.Size() > t.at && t.lineEnds(info.Size()):
		return true, t.seek(t.at)
	case next > 0:
		return t.enter(next)
	default:
		return false, t.seek(t.at)
	}
}

// lineEnds reports whether a whole line stands at the cursor.
func (t *follower) lineEnds(size int64) bool {
	in := bufio.NewReaderSize(io.NewSectionReader(t.file, t.at, size-t.at), 4<<10)
	_, err := readLine(in)
	return err == nil
}

func (t *follower) close() {
	if t.file != nil {
		_ = t.file.Close() // only read
		t.file = nil
	}
}

// nextSegment returns the first segment after number that has a header; 0 when
// there is none.
func nextSegment(dir string, number uint64) (uint64, error) {
	numbers, err := segments(dir)
	if err != nil {
		return 0, err
	}
	for _, n := range numbers {
		if n <= number {
			continue
		}
		if _, err := readHeader(segmentPath(dir, n)); err != nil {
			if errors.Is(err, errHeader) {
				return 0, nil
			}
			return 0, err
		}
		return n, nil
	}
	return 0, nil
}

func parseTime(text []byte) (time.Time, error) {
	return time.Parse(time.RFC3339Nano, string(text))
}
