package transform

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"

	"github.com/lockkeeper/lockkeeper/admin/result"
)

// maxSpec bounds the JSON text of a filter, a sort or a chart spec.
const maxSpec = 64 << 10

// Ref names a column: by name, or, where names repeat, by index from 0. In
// JSON it is a string or a number.
type Ref struct {
	Name  string
	Index int // if ByIndex
	// ByIndex says that Index counts and not Name.
	ByIndex bool
}

// MarshalJSON writes the name or the index.
func (r Ref) MarshalJSON() ([]byte, error) {
	if r.ByIndex {
		return strconv.AppendInt(nil, int64(r.Index), 10), nil
	}
	return json.Marshal(r.Name)
}

// UnmarshalJSON reads a name or an index.
func (r *Ref) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*r = Ref{}
		return json.Unmarshal(b, &r.Name)
	}
	i, err := strconv.ParseUint(string(b), 10, 16)
	if err != nil {
		return errors.New("a column is its name or its index from 0")
	}
	*r = Ref{Index: int(i), ByIndex: true}
	return nil
}

// find returns the index of the column that is meant.
func (r Ref) find(where string, columns []result.Column) (int, error) {
	if r.ByIndex {
		if r.Index < 0 || r.Index >= len(columns) {
			return 0, wrong(where, "there is no column %d; there are %d, counted from 0", r.Index, len(columns))
		}
		return r.Index, nil
	}
	found := -1
	for i, c := range columns {
		if c.Name != r.Name {
			continue
		}
		if found >= 0 {
			return 0, wrong(where, "several columns are named %.64q; give the index of the one you mean, as in %d or %d", r.Name, found, i)
		}
		found = i
	}
	if found < 0 {
		return 0, wrong(where, "there is no column named %.64q", r.Name)
	}
	return found, nil
}

// decode reads one JSON value strictly: nothing unknown, nothing after it.
func decode(where string, text []byte, into any) error {
	if len(text) > maxSpec {
		return wrong(where, "longer than %d bytes", maxSpec)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return wrong(where, "does not read: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return wrong(where, "something follows after its end")
	}
	return nil
}

// total is the number of rows that a view was made of.
func total(src result.Source) int64 {
	if view, ok := src.(interface{ Total() int64 }); ok {
		return view.Total()
	}
	return src.Count()
}

func cellError(c result.Column, cell []byte) error {
	return &CellError{Column: c.Name, Type: c.Type, Text: string(cell[:min(len(cell), 64)])}
}
