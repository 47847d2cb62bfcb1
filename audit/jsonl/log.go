package jsonl

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
)

// Log is the writer of a directory, an audit.Sink. Sync may be called beside
// the other methods; those are for one goroutine at a time.
type Log struct {
	cfg    Config
	lock   *os.File // the directory, locked
	sealer *audit.Sealer
	owed   []audit.Event // the log's own records, written before the next batch

	mu      sync.Mutex // guards changes of file, and suspect
	file    *os.File   // the current segment; nil before the first
	suspect bool       // a sync of file failed: it is given up

	size   int64 // of file up to the last whole batch
	began  time.Time
	events bool // file holds more than its header
	dirty  bool // file may hold bytes after size

	buf  []byte
	mark audit.Head // the end of the log with size bytes in file
}

// writeChunk bounds what is written at once, and so the buffer.
const writeChunk = 256 << 10

// Append stores events; see audit.Sink.
func (l *Log) Append(events []audit.Event) (int, error) {
	if err := l.prepare(); err != nil {
		return 0, err
	}
	if len(l.owed) > 0 {
		n, err := l.append(l.owed)
		l.owed = l.owed[n:]
		if err != nil {
			return 0, err
		}
	}
	return l.append(events)
}

func (l *Log) append(events []audit.Event) (int, error) {
	written := 0
	l.buf = l.buf[:0]
	for i := range events {
		if l.size+int64(len(l.buf)) >= l.cfg.MaxBytes || len(l.buf) >= writeChunk {
			if err := l.write(); err != nil {
				return written, err
			}
			written = i
		}
		if l.size >= l.cfg.MaxBytes && l.events {
			if err := l.rotate(); err != nil {
				return written, err
			}
		}
		l.buf = l.sealer.Append(l.buf, &events[i])
	}
	if err := l.write(); err != nil {
		return written, err
	}
	return len(events), nil
}

// write puts buf at the end of the file, whole or not at all.
func (l *Log) write() error {
	if len(l.buf) == 0 {
		return nil
	}
	_, err := l.file.WriteAt(l.buf, l.size)
	if err != nil {
		l.dirty = true
		l.sealer.Rewind(l.mark)
		l.buf = l.buf[:0]
		return errors.Join(fmt.Errorf("append: %w", err), l.cutBack())
	}
	l.size += int64(len(l.buf))
	l.buf = l.buf[:0]
	l.mark = l.sealer.Head()
	l.events = true
	return nil
}

// cutBack removes what a failed write left behind.
func (l *Log) cutBack() error {
	if err := l.file.Truncate(l.size); err != nil {
		return fmt.Errorf("cut back: %w", err)
	}
	l.dirty = false
	return nil
}

// prepare brings the log to where it can be appended to.
func (l *Log) prepare() error {
	if l.lock == nil {
		return os.ErrClosed
	}
	suspect := l.isSuspect()
	if l.dirty && !suspect {
		if err := l.cutBack(); err != nil {
			return err
		}
	}
	old := l.events && l.cfg.MaxAge > 0 && l.cfg.Now().Sub(l.began) >= l.cfg.MaxAge
	if l.file == nil || suspect || old {
		return l.rotate()
	}
	return nil
}

// rotate closes the current segment and begins the next. When it fails, the
// current one stays.
func (l *Log) rotate() error {
	if l.file != nil && !l.isSuspect() {
		if err := l.Sync(); err != nil { // no segment may reach the disk before its forerunner
			return err
		}
	}
	now := l.cfg.Now()
	header := l.sealer.AppendHeader(nil, now)
	file, err := createSegment(l.cfg.Dir, l.sealer.Head().Segment, header)
	if err != nil {
		l.sealer.Rewind(l.mark)
		return fmt.Errorf("begin segment: %w", err)
	}
	l.replace(file)
	l.size, l.began = int64(len(header)), now
	l.events, l.dirty = false, false
	l.mark = l.sealer.Head()
	return l.retire()
}

// createSegment leaves either a segment that is on disk, header and name, or none.
func createSegment(dir string, number uint64, header []byte) (*os.File, error) {
	path := segmentPath(dir, number)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, err
	}
	_, err = file.Write(header)
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(path))
	}
	return file, nil
}

// Sync forces everything to disk; see audit.Sink. After a failure nobody knows
// which pages the disk holds, and asking again would answer yes: the segment is
// given up and the next record begins a new one.
func (l *Log) Sync() error {
	for {
		l.mu.Lock()
		file, suspect := l.file, l.suspect
		l.mu.Unlock()
		if file == nil {
			return nil
		}
		if suspect {
			return errors.New("segment was given up after a failed sync")
		}
		err := file.Sync()
		if err == nil {
			return nil
		}
		l.mu.Lock()
		same := l.file == file
		l.suspect = l.suspect || same
		l.mu.Unlock()
		if same || !errors.Is(err, os.ErrClosed) {
			return err
		}
		// A new segment began meanwhile, after a sync of this one.
	}
}

func (l *Log) isSuspect() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.suspect
}

// replace makes file the current segment and closes the one before, which is
// synced or given up.
func (l *Log) replace(file *os.File) {
	l.mu.Lock()
	old := l.file
	l.file, l.suspect = file, false
	l.mu.Unlock()
	if old != nil {
		_ = old.Close()
	}
}

// Head returns the end of the log as the writer knows it.
func (l *Log) Head() audit.Head { return l.mark }

// Close syncs, closes and unlocks.
func (l *Log) Close() error {
	if l.lock == nil {
		return nil
	}
	var errs []error
	if l.file != nil {
		if !l.isSuspect() {
			errs = append(errs, l.Sync())
		}
		errs = append(errs, l.file.Close())
	}
	// Given back by name: closing alone does not while a process that was just
	// forked still has a copy.
	errs = append(errs, syscall.Flock(int(l.lock.Fd()), syscall.LOCK_UN), l.lock.Close())
	l.lock, l.file = nil, nil
	return errors.Join(errs...)
}
