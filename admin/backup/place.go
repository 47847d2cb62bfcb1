package backup

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/lockkeeper/lockkeeper/admin/blob"
)

// vacate refuses a place that holds blobs, unless they were left by a restore
// that was killed.
func vacate(ctx context.Context, blobs blob.Store) error {
	there, err := blobs.List(ctx, "", "", 1)
	if err != nil {
		return fmt.Errorf("look for blobs: %w", err)
	}
	if len(there) == 0 {
		return nil
	}
	o, err := blobs.Open(ctx, unfinished)
	if errors.Is(err, blob.ErrNotFound) {
		return fmt.Errorf("%w: there are results already, such as %s; restore with a new folder or bucket for them, or remove what is in this one", ErrNotEmpty, there[0].Name)
	}
	if err != nil {
		return fmt.Errorf("look for an unfinished restore: %w", err)
	}
	if err := o.Close(); err != nil {
		return fmt.Errorf("look for an unfinished restore: %w", err)
	}
	return removeAll(ctx, blobs)
}

// removeAll removes all blobs, the mark of an unfinished restore last.
func removeAll(ctx context.Context, blobs blob.Store) error {
	after := ""
	for {
		page, err := blobs.List(ctx, "", after, 0)
		if err != nil {
			return fmt.Errorf("remove what was restored: %w", err)
		}
		if len(page) == 0 {
			break
		}
		for _, info := range page {
			after = info.Name
			if info.Name == unfinished {
				continue
			}
			if err := blobs.Delete(ctx, info.Name); err != nil {
				return fmt.Errorf("remove what was restored: %w", err)
			}
		}
	}
	if err := blobs.Delete(ctx, unfinished); err != nil {
		return fmt.Errorf("remove what was restored: %w", err)
	}
	return nil
}

// put writes a blob whole or not at all.
func put(ctx context.Context, blobs blob.Store, name string, from io.Reader, buffer []byte) error {
	w, err := blobs.Create(ctx, name)
	if err != nil {
		return fmt.Errorf("restore blob %s: %w", name, err)
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, pace{ctx, from}, buffer)
	if err == nil {
		err = w.Commit()
	}
	if err != nil {
		return fmt.Errorf("restore blob %s: %w", name, errors.Join(err, w.Abort()))
	}
	return nil
}
