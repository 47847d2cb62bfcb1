package transform

import (
	"context"

	"github.com/lockkeeper/lockkeeper/admin/result"
)

// SortWithin sorts with so many bytes of keys at a time.
func SortWithin(ctx context.Context, src result.Source, keys []Key, pieces int) (*Sorted, error) {
	return sortWithin(ctx, src, keys, pieces)
}
