package blob

import (
	"fmt"
	"sync"
)

// Budget counts the bytes of a place and keeps them under its bound, those that
// are still being written with them: two writers cannot both take the last room.
// The zero value has no bound.
type Budget struct {
	Max int64 // bytes; 0: no bound. Not changed after first use.

	mu      sync.Mutex // guards what is below
	kept    int64      // committed
	writing int64      // reserved by writers
}

// Start sets what is there, at first and whenever it was counted again.
func (b *Budget) Start(kept int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = kept
}

// Reserve takes room for n bytes to be written, or returns ErrFull.
func (b *Budget) Reserve(n int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.Max > 0 && n > b.Max-b.kept-b.writing {
		return fmt.Errorf("%w: %d of %d bytes are taken; delete results or raise the bound", ErrFull, b.kept+b.writing, b.Max)
	}
	b.writing += n
	return nil
}

// Return gives back what was reserved and not kept.
func (b *Budget) Return(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writing -= n
}

// Keep makes n reserved bytes kept ones, in the place of replaced ones.
func (b *Budget) Keep(n, replaced int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writing -= n
	b.kept += n - replaced
}

// Drop counts kept bytes out that were deleted.
func (b *Budget) Drop(n int64) { b.Keep(0, n) }

// Kept returns the committed bytes.
func (b *Budget) Kept() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept
}
