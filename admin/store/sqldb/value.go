package sqldb

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Value is a field of a row that is not stored as it is.
type Value interface {
	sql.Scanner
	driver.Valuer
}

// Micros stores a time as microseconds of Unix time; the zero time is 0.
func Micros(t *time.Time) Value { return (*micros)(t) }

type micros time.Time

func (m *micros) Value() (driver.Value, error) {
	if t := (*time.Time)(m); !t.IsZero() {
		return t.UnixMicro(), nil
	}
	return int64(0), nil
}

func (m *micros) Scan(src any) error {
	n, ok := src.(int64)
	if !ok {
		return fmt.Errorf("a time of type %T", src)
	}
	if n == 0 {
		*m = micros(time.Time{})
		return nil
	}
	*m = micros(time.UnixMicro(n).UTC())
	return nil
}

// Flag stores a truth as 0 or 1.
func Flag(b *bool) Value { return (*flag)(b) }

type flag bool

func (f *flag) Value() (driver.Value, error) {
	if *f {
		return int64(1), nil
	}
	return int64(0), nil
}

func (f *flag) Scan(src any) error {
	n, ok := src.(int64)
	if !ok {
		return fmt.Errorf("a flag of type %T", src)
	}
	*f = n != 0
	return nil
}

// Null stores an empty string as NULL, for references.
func Null(s *string) Value { return (*null)(s) }

type null string

func (n *null) Value() (driver.Value, error) {
	if *n == "" {
		return nil, nil //nolint:nilnil // this is NULL
	}
	return string(*n), nil
}

func (n *null) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*n = ""
	case string:
		*n = null(v)
	case []byte:
		*n = null(v)
	default:
		return fmt.Errorf("a reference of type %T", src)
	}
	return nil
}

// JSON stores any value as JSON text.
func JSON[T any](v *T) Value { return &jsonText[T]{v} }

type jsonText[T any] struct{ v *T }

func (j *jsonText[T]) Value() (driver.Value, error) {
	b, err := json.Marshal(j.v)
	if err != nil {
		return nil, fmt.Errorf("store as JSON: %w", err)
	}
	return string(b), nil
}

func (j *jsonText[T]) Scan(src any) error {
	var b []byte
	switch v := src.(type) {
	case string:
		b = []byte(v)
	case []byte:
		b = v
	default:
		return errors.New("stored JSON is no text")
	}
	var fresh T
	if err := json.Unmarshal(b, &fresh); err != nil {
		return fmt.Errorf("read stored JSON: %w", err)
	}
	*j.v = fresh
	return nil
}
