package directory

import (
	"errors"
	"fmt"
	"strings"
)

// entry is one line of a user file.
type entry struct {
	name, secret string
	role         string
	groups       []string
}

// parseLine returns a zero entry for a line without a login.
func parseLine(line string) (entry, error) {
	line = strings.TrimSpace(line)
	if line == "" || strings.HasPrefix(line, ";") {
		return entry{}, nil
	}
	var e entry
	var err error
	if e.name, line, err = quoted(line); err != nil {
		return e, fmt.Errorf("login: %w", err)
	}
	if e.name == "" {
		return e, errors.New("login: empty")
	}
	if e.secret, line, err = quoted(strings.TrimLeft(line, " \t")); err != nil {
		return e, fmt.Errorf("password: %w", err)
	}
	return e, e.words(line)
}

// words reads role= and groups= and leaves other text alone, as PgBouncer
// leaves all of it; but a key nobody knows is a slip that somebody relies on.
func (e *entry) words(line string) error {
	for w := range strings.FieldsSeq(line) {
		if strings.HasPrefix(w, ";") {
			return nil
		}
		key, value, ok := strings.Cut(w, "=")
		switch {
		case ok && key == "role" && value != "":
			e.role = value
		case ok && key == "groups" && value != "":
			e.groups = strings.Split(value, ",")
		case ok:
			return errors.New("behind the password: want role=NAME or groups=A,B")
		}
	}
	return nil
}

// quoted cuts a string in double quotes off line; "" in it is a quote.
func quoted(line string) (s, rest string, err error) {
	if !strings.HasPrefix(line, `"`) {
		return "", "", errors.New(`want a string in double quotes`)
	}
	var b strings.Builder
	for i := 1; i < len(line); i++ {
		switch {
		case line[i] != '"':
			b.WriteByte(line[i])
		case i+1 < len(line) && line[i+1] == '"':
			b.WriteByte('"')
			i++
		default:
			return b.String(), line[i+1:], nil
		}
	}
	return "", "", errors.New("string without end")
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func (e *entry) line() string {
	var b strings.Builder
	b.WriteString(quote(e.name) + " " + quote(e.secret))
	if e.role != "" {
		b.WriteString(" role=" + e.role)
	}
	if len(e.groups) > 0 {
		b.WriteString(" groups=" + strings.Join(e.groups, ","))
	}
	return b.String()
}
