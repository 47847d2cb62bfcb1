package jsonl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
)

// retainedName is the file that says where the chain begins once segments have
// been deleted: the head after the last line that is gone.
const retainedName = "retained.json"

// Retirement, in an order that survives a crash between any two steps:
//
//	1. a record in the log names the last h of what will go; it is synced
//	2. retained.json names it too
//	3. the files go, oldest first
//
// Verify wants 1 and 2 to agree, so segments that somebody else deleted are
// found missing. Open finishes a step 3 that was cut short.

// retire deletes the segments that the bounds of the configuration no longer
// keep. It is called at the beginning of a segment, which always stays.
func (l *Log) retire() error {
	if l.cfg.RetainAge == 0 && l.cfg.RetainBytes == 0 {
		return nil
	}
	upTo, err := l.retirable()
	if err != nil || upTo == 0 {
		return err
	}
	checkpoint, err := endOf(l.cfg.Dir, upTo)
	if err != nil {
		return fmt.Errorf("retire segments: %w", err)
	}
	_, err = l.append([]audit.Event{{
		Kind: audit.KindConfig, Time: l.cfg.Now(), What: audit.RetentionPart, Hash: checkpoint.Chain.String(),
		Message: fmt.Sprintf("segments up to %d, seq %d, are deleted", checkpoint.Segment, checkpoint.Seq),
	}})
	if err != nil {
		return err
	}
	if err := l.Sync(); err != nil {
		return err
	}
	if err := writeRetained(l.cfg.Dir, checkpoint); err != nil {
		return fmt.Errorf("write retention checkpoint: %w", err)
	}
	_, err = l.finishRetirement()
	return err
}

// retirable returns the last segment that may go; 0 when none may.
func (l *Log) retirable() (uint64, error) {
	numbers, err := segments(l.cfg.Dir)
	if err != nil || len(numbers) < 2 {
		return 0, err
	}
	var kept int64
	for i, number := range slices.Backward(numbers) {
		info, err := os.Stat(segmentPath(l.cfg.Dir, number))
		if err != nil {
			return 0, fmt.Errorf("retire segments: %w", err)
		}
		if kept += info.Size(); i == len(numbers)-1 {
			continue
		}
		if l.cfg.RetainBytes > 0 && kept > l.cfg.RetainBytes {
			return number, nil
		}
		// The next segment began when this one ended.
		next, err := readHeader(segmentPath(l.cfg.Dir, numbers[i+1]))
		if err != nil {
			return 0, fmt.Errorf("retire segments: %w", err)
		}
		if l.cfg.RetainAge > 0 && l.cfg.Now().Sub(next.time) > l.cfg.RetainAge {
			return number, nil
		}
	}
	return 0, nil
}

// endOf returns the head at the end of a segment that another follows.
func endOf(dir string, number uint64) (audit.Head, error) {
	next, err := readHeader(segmentPath(dir, number+1))
	if err != nil {
		return audit.Head{}, err
	}
	return audit.Head{Seq: next.seq, Segment: number, Chain: next.prev, Time: next.time}, nil
}

// header is the first line of a segment.
type header struct {
	segment uint64
	seq     uint64 // of the event before the segment
	prev    audit.Hash
	time    time.Time
}

var errHeader = errors.New("no segment header")

func readHeader(path string) (header, error) {
	var h header
	file, err := os.Open(path)
	if err != nil {
		return h, err
	}
	defer file.Close()
	var buf [512]byte
	n, err := file.Read(buf[:])
	if err != nil && n == 0 {
		return h, fmt.Errorf("%s: %w", filepath.Base(path), errHeader)
	}
	p, ok := audit.ParsePrefix(buf[:n])
	if !ok || !p.IsHeader() {
		return h, fmt.Errorf("%s: %w", filepath.Base(path), errHeader)
	}
	if h.segment, h.prev, ok = audit.ParseHeader(buf[:n]); !ok {
		return h, fmt.Errorf("%s: %w", filepath.Base(path), errHeader)
	}
	h.seq = p.Seq
	h.time, err = time.Parse(time.RFC3339Nano, string(p.Time))
	return h, err
}

// readRetained returns the checkpoint, nil when nothing was ever deleted.
func readRetained(dir string) (*audit.Head, error) {
	text, err := os.ReadFile(filepath.Join(dir, retainedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read retention checkpoint: %w", err)
	}
	var head audit.Head
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("read retention checkpoint: %w", err)
	}
	return &head, nil
}

// writeRetained replaces the checkpoint as a whole.
func writeRetained(dir string, head audit.Head) error {
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, retainedName)
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(path+".new"))
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(dir)
}

// finishRetirement deletes what the checkpoint says is gone.
func (l *Log) finishRetirement() (*audit.Head, error) {
	retired, err := readRetained(l.cfg.Dir)
	if err != nil || retired == nil {
		return nil, err
	}
	numbers, err := segments(l.cfg.Dir)
	if err != nil {
		return nil, err
	}
	if len(numbers) == 0 || numbers[0] > retired.Segment {
		return retired, nil
	}
	if end, err := endOf(l.cfg.Dir, retired.Segment); err != nil || end.Chain != retired.Chain {
		return nil, errors.Join(fmt.Errorf("%s does not fit the segments: nothing is deleted", retainedName), err)
	}
	for _, n := range numbers {
		if n > retired.Segment {
			break
		}
		if err := os.Remove(segmentPath(l.cfg.Dir, n)); err != nil {
			return nil, fmt.Errorf("delete retired segment: %w", err)
		}
	}
	return retired, nil
}
