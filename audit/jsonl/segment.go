package jsonl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	segmentExt  = ".jsonl"
	segmentName = "%08d" + segmentExt
	fileMode    = 0o600
	dirMode     = 0o700
)

func segmentPath(dir string, number uint64) string {
	return filepath.Join(dir, fmt.Sprintf(segmentName, number))
}

// segments returns the numbers of the segments in dir, ascending. A directory
// that does not exist yet has none.
func segments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	var numbers []uint64
	for _, entry := range entries {
		text, ok := strings.CutSuffix(entry.Name(), segmentExt)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err == nil && n > 0 && entry.Name() == fmt.Sprintf(segmentName, n) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// syncDir forces a directory's entries to disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
