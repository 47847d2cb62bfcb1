package jsonl

import (
	"bytes"
	"errors"
	"io"

	"github.com/lockkeeper/lockkeeper/audit"
)

const readChunk = 256 << 10

// backward yields the lines of a file from the last to the first.
type backward struct {
	file io.ReaderAt
	at   int64  // where buf begins in the file
	buf  []byte // ends where the last yielded line began
}

func newBackward(file io.ReaderAt, end int64) *backward {
	return &backward{file: file, at: end}
}

var errLineTooLong = errors.New("line is longer than any record")

// line returns the line before the one returned last, without its newline, or
// io.EOF at the beginning of the file. It is valid until the next call. The
// first call passes over bytes that end in no newline.
func (b *backward) line() ([]byte, error) {
	for {
		if end := len(b.buf) - 1; end >= 0 && b.buf[end] == '\n' {
			start := bytes.LastIndexByte(b.buf[:end], '\n') + 1
			if start > 0 || b.at == 0 {
				line := b.buf[start:end]
				b.buf = b.buf[:start]
				return line, nil
			}
		} else if cut := bytes.LastIndexByte(b.buf, '\n'); cut >= 0 {
			b.buf = b.buf[:cut+1]
			continue
		}
		if b.at == 0 {
			return nil, io.EOF
		}
		if len(b.buf) > 2*audit.MaxRecord {
			return nil, errLineTooLong
		}
		if err := b.fill(); err != nil {
			return nil, err
		}
	}
}

func (b *backward) fill() error {
	n := min(readChunk, b.at)
	buf := make([]byte, int(n)+len(b.buf))
	if _, err := b.file.ReadAt(buf[:n], b.at-n); err != nil {
		return err
	}
	copy(buf[n:], b.buf)
	b.at -= n
	b.buf = buf
	return nil
}
