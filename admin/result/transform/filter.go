package transform

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"slices"
	"unicode/utf8"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/pgtext"
)

// maxConditions bounds a filter.
const maxConditions = 50

// Condition is one test of a filter; a row must pass all of them.
type Condition struct {
	Column Ref    `json:"col"`
	Op     string `json:"op"` // eq, ne, lt, le, gt, ge, contains, isnull, notnull
	Value  Text   `json:"value"`
}

// Text is a value as Postgres writes it. In JSON it is a string, or a number
// or a boolean that is taken by its digits.
type Text struct {
	Text  string
	Given bool
}

// MarshalJSON writes a string, or null if there is none.
func (t Text) MarshalJSON() ([]byte, error) {
	if !t.Given {
		return []byte("null"), nil
	}
	return json.Marshal(t.Text)
}

// UnmarshalJSON reads a string, a number, a boolean or null.
func (t *Text) UnmarshalJSON(b []byte) error {
	switch {
	case string(b) == "null":
		*t = Text{}
		return nil
	case b[0] == '"':
		t.Given = true
		return json.Unmarshal(b, &t.Text)
	case string(b) == "true", string(b) == "false":
		*t = Text{Text: string(b[:1]), Given: true} // as Postgres writes it
		return nil
	case b[0] == '{' || b[0] == '[':
		return wrong("value", "is a string, a number or a boolean")
	default:
		*t = Text{Text: string(b), Given: true}
		return nil
	}
}

// ParseFilter reads a filter from JSON: [{"col":"n","op":"ge","value":"10"}].
func ParseFilter(text []byte) ([]Condition, error) {
	var filter []Condition
	if err := decode("filter", text, &filter); err != nil {
		return nil, err
	}
	return filter, nil
}

// test is a condition that is ready to be asked.
type test struct {
	column result.Column
	at     int
	kind   pgtext.Kind
	op     string
	value  pgtext.Value
	lower  []byte // what is looked for, in lower case
}

func prepare(filter []Condition, columns []result.Column) ([]test, error) {
	if len(filter) > maxConditions {
		return nil, wrong("filter", "%d conditions; at most %d are possible", len(filter), maxConditions)
	}
	tests := make([]test, len(filter))
	for i, c := range filter {
		where := "filter[" + itoa(i) + "]"
		at, err := c.Column.find(where+".col", columns)
		if err != nil {
			return nil, err
		}
		t := test{column: columns[at], at: at, kind: columns[at].Kind(), op: c.Op}
		nulls := c.Op == "isnull" || c.Op == "notnull"
		switch {
		case nulls && c.Value.Given:
			return nil, wrong(where+".value", "%s takes none", c.Op)
		case nulls:
		case !slices.Contains([]string{"eq", "ne", "lt", "le", "gt", "ge", "contains"}, c.Op):
			return nil, wrong(where+".op", "is eq, ne, lt, le, gt, ge, contains, isnull or notnull, not %.32q", c.Op)
		case !c.Value.Given:
			return nil, wrong(where+".value", "is missing; to look for NULL take isnull")
		case c.Op == "contains":
			t.lower = bytes.ToLower([]byte(c.Value.Text))
		default:
			var ok bool
			if t.value, ok = pgtext.Parse(t.kind, []byte(c.Value.Text)); !ok {
				return nil, wrong(where+".value", "%.64q is not a value of type %s as Postgres writes it", c.Value.Text, t.column.Type)
			}
		}
		tests[i] = t
	}
	return tests, nil
}

// match tells whether a cell passes. NULL passes isnull only.
func (t *test) match(cell []byte) (bool, error) {
	if cell == nil || t.op == "isnull" {
		return cell == nil && t.op == "isnull", nil
	}
	switch t.op {
	case "notnull":
		return true, nil
	case "contains":
		return containsFold(cell, t.lower), nil
	}
	v, ok := pgtext.Parse(t.kind, cell)
	if !ok {
		return false, cellError(t.column, cell)
	}
	c := pgtext.Compare(t.kind, v, t.value)
	switch t.op {
	case "eq":
		return c == 0, nil
	case "ne":
		return c != 0, nil
	case "lt":
		return c < 0, nil
	case "le":
		return c <= 0, nil
	case "gt":
		return c > 0, nil
	default:
		return c >= 0, nil
	}
}

// containsFold tells whether s has lower in it, whatever the case of s.
func containsFold(s, lower []byte) bool {
	for _, c := range s {
		if c >= utf8.RuneSelf {
			return bytes.Contains(bytes.ToLower(s), lower)
		}
	}
	for i := 0; i+len(lower) <= len(s); i++ {
		if equalFold(s[i:i+len(lower)], lower) {
			return true
		}
	}
	return false
}

// equalFold compares ASCII letters without case; lower may have other bytes,
// which then differ.
func equalFold(s, lower []byte) bool {
	for i, c := range s {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// Filtered is the rows of a source that pass a filter, in their order. It is a
// Source.
type Filtered struct {
	src   result.Source
	tests []test
	count int64
	marks []int64 // where in src each markEvery-th match stands
}

// markEvery is how many matches a page may have to pass over.
const markEvery = 1024

// Filter reads the source once to count what passes. Nothing is kept of the
// rows but where they stand.
func Filter(ctx context.Context, src result.Source, filter []Condition) (*Filtered, error) {
	tests, err := prepare(filter, src.Columns())
	if err != nil {
		return nil, err
	}
	f := &Filtered{src: src, tests: tests}
	var at int64
	for row, err := range src.Rows(ctx, 0, -1) {
		if err != nil {
			return nil, err
		}
		ok, err := f.match(row)
		if err != nil {
			return nil, err
		}
		if ok {
			if f.count%markEvery == 0 {
				f.marks = append(f.marks, at)
			}
			f.count++
		}
		at++
	}
	return f, nil
}

func (f *Filtered) match(row [][]byte) (bool, error) {
	for i := range f.tests {
		if ok, err := f.tests[i].match(row[f.tests[i].at]); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// Of returns the same view of the same source opened again; of nil: one that
// can be kept while no source is open.
func (f *Filtered) Of(src result.Source) *Filtered {
	out := *f
	out.src = src
	return &out
}

// Size is the memory that the view takes without its source, in bytes.
func (f *Filtered) Size() int64 {
	size := int64(cap(f.marks)) * 8
	for i := range f.tests {
		size += 256 + int64(len(f.tests[i].lower))
	}
	return size
}

// Columns are those of the source.
func (f *Filtered) Columns() []result.Column { return f.src.Columns() }

// Count is the number of rows that pass.
func (f *Filtered) Count() int64 { return f.count }

// Total is the number of rows that were asked.
func (f *Filtered) Total() int64 { return total(f.src) }

// Rows yields rows that pass.
func (f *Filtered) Rows(ctx context.Context, offset, limit int64) iter.Seq2[[][]byte, error] {
	return func(yield func([][]byte, error) bool) {
		offset = max(offset, 0)
		left := f.count - offset
		if limit >= 0 {
			left = min(left, limit)
		}
		if left <= 0 {
			return
		}
		skip := offset % markEvery
		for row, err := range f.src.Rows(ctx, f.marks[offset/markEvery], -1) {
			ok := false
			if err == nil {
				ok, err = f.match(row)
			}
			switch {
			case err != nil:
				yield(nil, err)
				return
			case !ok:
			case skip > 0:
				skip--
			default:
				left--
				if !yield(row, nil) || left == 0 {
					return
				}
			}
		}
	}
}
