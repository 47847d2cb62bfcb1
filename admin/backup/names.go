package backup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/lockkeeper/lockkeeper/admin/blob"
)

// listBlobs returns the names of all blobs at about one moment. They are many,
// and sorted: compressed they take some bytes each.
func listBlobs(ctx context.Context, blobs blob.Store) (*bytes.Buffer, error) {
	names := &bytes.Buffer{}
	z, err := zstd.NewWriter(names, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(windowSize))
	if err != nil {
		return nil, fmt.Errorf("list blobs: %w", err)
	}
	after := ""
	for {
		page, err := blobs.List(ctx, "", after, 0)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("list blobs: %w", err), z.Close())
		}
		if len(page) == 0 {
			break
		}
		for _, info := range page {
			if after = info.Name; after == unfinished {
				continue
			}
			if _, err := z.Write([]byte(after + "\n")); err != nil {
				return nil, errors.Join(fmt.Errorf("list blobs: %w", err), z.Close())
			}
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("list blobs: %w", err)
	}
	return names, nil
}

// eachName calls fn with the names of a list.
func eachName(list *bytes.Buffer, fn func(name string) error) error {
	z, err := zstd.NewReader(list, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("read the list of blobs: %w", err)
	}
	defer z.Close()
	lines := bufio.NewScanner(z)
	for lines.Scan() {
		if err := fn(lines.Text()); err != nil {
			return err
		}
	}
	return lines.Err()
}
