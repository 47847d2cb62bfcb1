package jsonl

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
)

// ErrLocked says that another process writes to the directory.
var ErrLocked = errors.New("audit directory is in use by another writer")

// Open takes the directory for writing and continues its log where it ends. It
// writes nothing yet, so that it succeeds on a full disk too: a first segment
// and what is to be said about a crash come with the first record.
func Open(cfg Config) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := os.MkdirAll(cfg.Dir, dirMode); err != nil {
		return nil, fmt.Errorf("create audit directory: %w", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	l := &Log{cfg: cfg, lock: lock}
	if err := l.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("open audit log: %w", err), l.Close())
	}
	return l, nil
}

// lockDir locks the directory itself: no file is left behind, and the lock goes
// with the process.
func lockDir(dir string) (*os.File, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open audit directory: %w", err)
	}
	err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLocked
	}
	if err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return d, nil
}

// recover finds the end of the log and repairs what a crash left.
func (l *Log) recover() error {
	retired, err := l.finishRetirement()
	if err != nil {
		return err
	}
	numbers, err := segments(l.cfg.Dir)
	if err != nil {
		return err
	}
	end := tail{}
	if retired != nil {
		end.head = *retired
	}
	for len(numbers) > 0 {
		last := numbers[len(numbers)-1]
		if end, err = readTail(l.cfg.Dir, last); err != nil {
			return fmt.Errorf("read segment %d: %w", last, err)
		}
		if end.lines > 0 {
			break
		}
		// The crash came before the header was whole: the segment never began.
		if err := l.dropUnbegun(last); err != nil {
			return err
		}
		numbers = numbers[:len(numbers)-1]
		end = tail{}
		if retired != nil {
			end.head = *retired
		}
	}
	if l.sealer, err = audit.NewSealer(end.head, end.id); err != nil {
		return err
	}
	l.mark = end.head
	if end.lines == 0 {
		return nil
	}
	return l.resume(end)
}

func (l *Log) dropUnbegun(number uint64) error {
	if err := os.Remove(segmentPath(l.cfg.Dir, number)); err != nil {
		return fmt.Errorf("remove segment without a header: %w", err)
	}
	return syncDir(l.cfg.Dir)
}

// resume opens the last segment to continue it, or leaves it alone when it is
// damaged.
func (l *Log) resume(end tail) error {
	if end.damaged > 0 {
		l.owe("damaged", fmt.Sprintf("segment %d does not verify from line %d on; it was left as it is", end.head.Segment, end.damaged))
		return nil
	}
	file, err := os.OpenFile(segmentPath(l.cfg.Dir, end.head.Segment), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("reopen segment: %w", err)
	}
	l.file, l.size, l.began, l.events = file, end.size, end.began, end.lines > 1
	if end.torn == 0 {
		return nil
	}
	if err := file.Truncate(end.size); err != nil {
		return fmt.Errorf("cut off the unfinished record: %w", err)
	}
	l.owe("torn", fmt.Sprintf("%d bytes of an unfinished record were cut off after a crash", end.torn))
	return nil
}

func (l *Log) owe(reason, message string) {
	l.owed = append(l.owed, audit.Event{
		Kind: audit.KindLoss, Time: l.cfg.Now(), Reason: reason, Lost: 1, Message: message,
	})
}

// tail is what the last segment tells about the end of the log.
type tail struct {
	head    audit.Head // after the last whole line
	id      audit.ULID // of that line
	began   time.Time  // of the header
	lines   uint64     // whole lines
	size    int64      // of the whole lines
	torn    int64      // bytes after them
	damaged uint64     // the first line that does not verify; 0 when all do
}

// readTail checks a segment against itself and returns its end.
func readTail(dir string, number uint64) (tail, error) {
	t := tail{head: audit.Head{Segment: number}}
	file, err := os.Open(segmentPath(dir, number))
	if err != nil {
		return t, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return t, err
	}
	chain := audit.NewChain()
	in := bufio.NewReaderSize(file, 2*audit.MaxRecord)
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			t.damaged = t.lines + 1
			return t, nil
		}
		if errors.Is(err, io.EOF) {
			t.torn = info.Size() - t.size
			return t, nil
		}
		if err != nil {
			return t, err
		}
		if !t.add(chain, line) {
			// Zeros where a line should be are a hole that a power cut left in
			// the file, not a change made by somebody.
			if bytes.IndexByte(line, 0) >= 0 && t.damaged == 0 {
				t.torn = info.Size() - t.size
				return t, nil
			}
			if t.damaged == 0 {
				t.damaged = t.lines + 1
			}
		}
		t.lines++
		t.size += int64(len(line))
	}
}

// add moves the end over one line, in good faith when it does not verify.
func (t *tail) add(chain *audit.Chain, line []byte) bool {
	record, claimed, ok := audit.SplitLine(line[:len(line)-1])
	if !ok {
		return false
	}
	p, ok := audit.ParsePrefix(record)
	if !ok || p.IsHeader() != (t.lines == 0) {
		return false
	}
	prev := t.head.Chain
	when, _ := time.Parse(time.RFC3339Nano, string(p.Time))
	if p.IsHeader() {
		var number uint64
		if number, prev, ok = audit.ParseHeader(record); !ok || number != t.head.Segment {
			return false
		}
		t.began = when
	}
	good := chain.Link(prev, record) == claimed
	t.head.Seq, t.head.Chain, t.head.Time = p.Seq, claimed, when
	return t.id.UnmarshalText(p.ID) == nil && good
}
