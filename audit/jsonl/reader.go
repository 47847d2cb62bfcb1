package jsonl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sort"

	"github.com/lockkeeper/lockkeeper/audit"
)

// Reader reads a directory of segments, beside its writer or without one. It
// is safe for concurrent use.
type Reader struct {
	dir string
}

// NewReader returns a Reader of dir.
func NewReader(dir string) *Reader { return &Reader{dir: dir} }

const defaultLimit = 100

// Search walks from the newest line to the oldest until the page is full; see
// audit.Reader.
func (r *Reader) Search(ctx context.Context, q audit.Query) (audit.Page, error) {
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	s := search{query: q, match: newMatcher(q.Filter)}
	numbers, err := segments(r.dir)
	if err != nil {
		return audit.Page{}, err
	}
	for _, number := range slices.Backward(r.upTo(numbers, q.Before)) {
		if s.done {
			break
		}
		err := s.segment(ctx, segmentPath(r.dir, number))
		if errors.Is(err, fs.ErrNotExist) {
			break // retired meanwhile, and so are all before it
		}
		if err != nil {
			return audit.Page{}, fmt.Errorf("search segment %d: %w", number, err)
		}
	}
	slices.Reverse(s.page.Events)
	return s.page, nil
}

// upTo returns the segments that hold events before seq.
func (r *Reader) upTo(numbers []uint64, seq uint64) []uint64 {
	if seq == 0 {
		return numbers
	}
	return numbers[:sort.Search(len(numbers), func(i int) bool {
		h, err := readHeader(segmentPath(r.dir, numbers[i]))
		return err == nil && h.seq+1 >= seq
	})]
}

// search is one walk backwards.
type search struct {
	query audit.Query
	match *matcher
	page  audit.Page
	done  bool
}

func (s *search) segment(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	end, err := s.end(file)
	if err != nil {
		return err
	}
	lines := newBackward(file, end)
	for n := 0; !s.done; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		line, err := lines.line()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s.line(line)
	}
	return nil
}

// end returns where in the segment the walk begins.
func (s *search) end(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil || s.query.Before == 0 {
		return info.Size(), err
	}
	return seekSeq(file, info.Size(), s.query.Before)
}

func (s *search) line(line []byte) {
	p, ok := audit.ParsePrefix(line)
	if !ok {
		s.page.Unreadable++
		return
	}
	if s.match.past(p) {
		s.done = true
		return
	}
	if p.IsHeader() || s.query.Before > 0 && p.Seq >= s.query.Before {
		return
	}
	e, match, readable := s.match.line(p, line)
	switch {
	case !readable:
		s.page.Unreadable++
	case match && len(s.page.Events) == s.query.Limit:
		// One more than asked for: there is an older page.
		s.page.Before = s.page.Events[len(s.page.Events)-1].Seq
		s.done = true
	case match:
		s.page.Events = append(s.page.Events, e)
	}
}

// Head returns the end of the log in dir: of the last whole line. It does not
// verify it.
func Head(dir string) (audit.Head, error) {
	numbers, err := segments(dir)
	if err != nil {
		return audit.Head{}, err
	}
	for _, number := range slices.Backward(numbers) {
		head, ok, err := lastLine(segmentPath(dir, number), number)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it could not be begun and is gone again
		}
		if err != nil {
			return audit.Head{}, fmt.Errorf("read segment %d: %w", number, err)
		}
		if ok {
			return head, nil
		}
	}
	retired, err := readRetained(dir)
	if err != nil || retired == nil {
		return audit.Head{}, err
	}
	return *retired, nil
}

func lastLine(path string, number uint64) (audit.Head, bool, error) {
	head := audit.Head{Segment: number}
	file, err := os.Open(path)
	if err != nil {
		return head, false, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return head, false, err
	}
	line, err := newBackward(file, info.Size()).line()
	if errors.Is(err, io.EOF) {
		return head, false, nil
	}
	if err != nil {
		return head, false, err
	}
	record, claimed, ok := audit.SplitLine(line)
	if !ok {
		return head, false, errors.New("last line has no chain value")
	}
	p, ok := audit.ParsePrefix(record)
	if !ok {
		return head, false, errors.New("last line is not a record")
	}
	head.Seq, head.Chain = p.Seq, claimed
	head.Time, err = parseTime(p.Time)
	return head, err == nil, err
}
