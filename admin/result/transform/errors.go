package transform

import (
	"errors"
	"fmt"
)

// The bounds, as errors; a text with the numbers is wrapped around them.
var (
	ErrSortTooLarge  = errors.New("too many rows to sort")
	ErrTooManyGroups = errors.New("too many groups for a chart")
	ErrTooManyValues = errors.New("too many values for a median")
)

// SpecError says what is wrong in a filter, a sort or a chart spec; its text is
// meant for the person who wrote it.
type SpecError struct {
	Where  string // as in "filter[2].op"
	Reason string
}

func (e *SpecError) Error() string { return e.Where + ": " + e.Reason }

func wrong(where, format string, args ...any) error {
	return &SpecError{Where: where, Reason: fmt.Sprintf(format, args...)}
}

// CellError is a cell that does not read as its type says, so that it can be
// neither compared nor added.
type CellError struct {
	Column string
	Type   string
	Text   string // the beginning of the cell
}

func (e *CellError) Error() string {
	return fmt.Sprintf("column %q: %q is not a %s in Postgres' default style; its column can be shown but not computed with", e.Column, e.Text, e.Type)
}
