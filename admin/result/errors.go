package result

import (
	"errors"
	"fmt"
)

// What can be wrong with a row that is written or a file that is read.
var (
	ErrDamaged    = errors.New("the stored result is damaged")
	ErrTruncated  = errors.New("the stored result is cut off, or was never finished")
	ErrRowTooLong = fmt.Errorf("a row is longer than %d bytes", MaxRow)
	ErrColumns    = errors.New("a row does not have as many cells as there are columns")
)

// DamageError says which part of a file is damaged and how. It is an
// ErrDamaged.
type DamageError struct {
	Part   string // as in "chunk 3" or "index"
	Reason string
	Err    error // what the part's reader said, or nil
}

func (e *DamageError) Error() string {
	text := ErrDamaged.Error() + ": " + e.Part + ": " + e.Reason
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns ErrDamaged and the cause.
func (e *DamageError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrDamaged}
	}
	return []error{ErrDamaged, e.Err}
}

func chunkDamage(i int, reason string, err error) error {
	return &DamageError{Part: fmt.Sprintf("chunk %d", i), Reason: reason, Err: err}
}

func indexDamage(reason string, err error) error {
	return &DamageError{Part: "index", Reason: reason, Err: err}
}
