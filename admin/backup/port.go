package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrForeign says that a file is no backup, or one of a newer Lockkeeper.
	ErrForeign = errors.New("not a backup that this Lockkeeper can read")
	// ErrDamaged says that a backup is cut off or was changed.
	ErrDamaged = errors.New("the backup is damaged")
	// ErrSchema says that a backup's tables are not the store's.
	ErrSchema = errors.New("the backup's schema is not the store's")
	// ErrNotEmpty says that there is something that a restore would mix with.
	ErrNotEmpty = errors.New("a restore needs an empty store")
)

// MissingKeysError says that the key file cannot open what the backup holds.
type MissingKeysError struct {
	IDs []string // of the keys that are not there
}

// Error says which keys are missing and where to look.
func (e *MissingKeysError) Error() string {
	return fmt.Sprintf("the key file does not hold %s, by which parts of the backup are sealed: restore with the key file of the office that wrote it (--key-file)",
		strings.Join(e.IDs, ", "))
}

// Kind is what a column holds.
type Kind string

// The kinds of columns.
const (
	Text  Kind = "text"
	Int   Kind = "int"
	Bytes Kind = "bytes"
)

// Column is a column of a table.
type Column struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
}

// Table is a table with its columns in order.
type Table struct {
	Name    string   `json:"name"`
	Columns []Column `json:"columns"`
}

// Tables is the store, as far as a backup cares: all tables but those that say
// how the store itself is run.
type Tables interface {
	// Read runs fn on one moment, which begins with the first call in it.
	Read(ctx context.Context, fn func(Reading) error) error
	// Write runs fn as the only writer of an empty store; it is ErrNotEmpty for
	// another. What a migration put in is taken out first; references are
	// checked at the end. All of it is kept if fn returns nil, nothing otherwise.
	Write(ctx context.Context, fn func(Writing) error) error
}

// Reading is one moment of the store.
type Reading interface {
	// Schema is the number of the last migration.
	Schema(ctx context.Context) (int64, error)
	// Tables are sorted by name.
	Tables(ctx context.Context) ([]Table, error)
	// Rows calls each with every row of a table: nil, string, int64 or []byte
	// for each column. A row is valid until the next.
	Rows(ctx context.Context, t Table, each func(row []any) error) error
}

// Writing fills the store.
type Writing interface {
	Reading
	// Fill adds rows to a table; it may be called many times.
	Fill(ctx context.Context, t Table, rows [][]any) error
}
