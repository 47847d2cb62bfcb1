package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
)

var errTwins = errors.New("a member of an object stands there twice, perhaps in another case")

// strictFormat is JSON in which no object has a member twice, in whatever case:
// what checks a body and what reads it could take different ones.
func strictFormat() huma.Format {
	f := huma.DefaultJSONFormat
	read, write := f.Unmarshal, f.Marshal
	f.Marshal = func(w io.Writer, v any) error {
		if b, ok := v.(*rowsBody); ok {
			return b.writeJSON(w)
		}
		return write(w, v)
	}
	f.Unmarshal = func(data []byte, v any) error {
		if err := noTwins(data); err != nil {
			return err
		}
		return read(data, v)
	}
	return f
}

// level is an object or list that a scan is in.
type level struct {
	members map[string]bool // nil: a list
	value   bool            // in an object: the next token is a member's value
}

// noTwins returns an error if an object in the text has two members of a name.
// Text that is no JSON it leaves to whoever reads it.
func noTwins(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var in []level
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) || err != nil {
			return nil //nolint:nilerr // the reader says what is wrong, better than we could
		}
		top := len(in) - 1
		if name, ok := token.(string); ok && top >= 0 && in[top].members != nil && !in[top].value {
			if name = fold(name); in[top].members[name] {
				return errTwins
			}
			in[top].members[name], in[top].value = true, true
			continue
		}
		switch token {
		case json.Delim('}'), json.Delim(']'):
			in = in[:top]
			continue
		}
		if top >= 0 {
			in[top].value = false
		}
		switch token {
		case json.Delim('{'):
			in = append(in, level{members: map[string]bool{}})
		case json.Delim('['):
			in = append(in, level{})
		}
	}
}

// fold maps names that strings.EqualFold takes for the same to one.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}
