package blob

import (
	"context"
	"fmt"
)

// Draft is what the writers of all places have in common: it ends once, its
// first failure is its last word, and its bytes are reserved. A place's Writer
// embeds one.
type Draft struct {
	Ctx    context.Context //nolint:containedctx // of Create, by the contract of the port
	Name   string
	Budget *Budget

	Size int64 // reserved of the budget
	Err  error // the first failure; a blob with a hole is never committed
	Done bool  // it was committed or aborted
}

// Reserve takes room for bytes that are about to be written.
func (d *Draft) Reserve(n int) error {
	if err := d.usable(); err != nil {
		return err
	}
	if d.Err = d.Budget.Reserve(int64(n)); d.Err != nil {
		return d.Err
	}
	d.Size += int64(n)
	return nil
}

// Finish commits by the place's own means, which set Done when the blob is there.
func (d *Draft) Finish(commit func() error) error {
	if err := d.usable(); err != nil {
		return err
	}
	if d.Err = commit(); d.Err != nil {
		return fmt.Errorf("commit blob: %w", d.Err)
	}
	return nil
}

// Drop gives the room back. It returns false when there is nothing to abort.
func (d *Draft) Drop() bool {
	if d.Done {
		return false
	}
	d.Done = true
	d.Budget.Return(d.Size)
	return true
}

func (d *Draft) usable() error {
	if d.Done {
		return ErrDone
	}
	if d.Err != nil {
		return d.Err
	}
	return context.Cause(d.Ctx)
}
