package jsonl

import (
	"bufio"
	"errors"
	"io"

	"github.com/lockkeeper/lockkeeper/audit"
)

// seekSeq returns where the first line with a seq of at least seq begins in the
// first size bytes of a segment, or size when there is none. It halves the
// range while that is worth it and walks the rest.
func seekSeq(file io.ReaderAt, size int64, seq uint64) (int64, error) {
	low, high := int64(0), size // a line begins at low; all lines from high on are not smaller than seq
	for high-low > readChunk {
		mid := low + (high-low)/2
		start, found, err := lineAfter(file, mid, high)
		switch {
		case err != nil:
			return 0, err
		case start < 0 || found >= seq:
			high = mid
		default:
			low = start
		}
	}
	return walkTo(file, low, size, seq)
}

// lineAfter returns the first readable line that begins after from and before
// to, and its seq; -1 when there is none.
func lineAfter(file io.ReaderAt, from, to int64) (start int64, seq uint64, err error) {
	in := bufio.NewReaderSize(io.NewSectionReader(file, from, to-from), 64<<10)
	at := from
	for first := true; ; first = false {
		line, err := readLine(in)
		if errors.Is(err, io.EOF) {
			return -1, 0, nil
		}
		if err != nil {
			return 0, 0, err
		}
		if !first {
			if p, ok := audit.ParsePrefix(line.head); ok {
				return at, p.Seq, nil
			}
		}
		at += line.size
	}
}

func walkTo(file io.ReaderAt, from, size int64, seq uint64) (int64, error) {
	in := bufio.NewReaderSize(io.NewSectionReader(file, from, size-from), 64<<10)
	for at := from; ; {
		line, err := readLine(in)
		if errors.Is(err, io.EOF) {
			return size, nil
		}
		if err != nil {
			return 0, err
		}
		if p, ok := audit.ParsePrefix(line.head); ok && p.Seq >= seq {
			return at, nil
		}
		at += line.size
	}
}

// lineStart is the beginning of a line of any length.
type lineStart struct {
	head []byte // valid until the next read
	size int64  // of the whole line
}

func readLine(in *bufio.Reader) (lineStart, error) {
	head, err := in.ReadSlice('\n')
	line := lineStart{head: head, size: int64(len(head))}
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	line.head = append([]byte(nil), head[:512]...) // the prefix is shorter than that
	for errors.Is(err, bufio.ErrBufferFull) {
		head, err = in.ReadSlice('\n')
		line.size += int64(len(head))
	}
	return line, err
}
