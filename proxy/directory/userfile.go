package directory

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

// UserFile is a parsed user file, an immutable snapshot. A line is PgBouncer's,
// which ignores what follows the second string; we read two words there:
//
//	; a comment
//	"ann" "SCRAM-SHA-256$4096:…" role=analyst groups=bi,finance
//
// A login may have several lines: any of their passwords lets it in.
type UserFile struct {
	users map[string]*user
}

type user struct {
	verifiers []pgauth.Verifier
	role      string // login of the warehouse; empty: by Mapping
	groups    []string
}

// ParseUserFile reads a user file. Clear passwords in it cost a key derivation
// each. An error names the line, and never what stands in it.
func ParseUserFile(data []byte, key pgauth.SaltKey) (*UserFile, error) {
	f := &UserFile{users: map[string]*user{}}
	var errs []error
	for n, line := range strings.Split(string(data), "\n") {
		e, err := parseLine(line)
		if err == nil && e.name != "" {
			err = f.add(e, key)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", n+1, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *UserFile) add(e entry, key pgauth.SaltKey) error {
	u := f.users[e.name]
	if u == nil {
		u = &user{}
		f.users[e.name] = u
	}
	if e.secret != "" { // PgBouncer: a login that no password opens
		v, err := pgauth.ParseVerifier(e.name, e.secret, key)
		if err != nil {
			return err
		}
		u.verifiers = append(u.verifiers, v)
	}
	if e.role != "" && u.role != "" && e.role != u.role {
		return errors.New("another role than on an earlier line of the login")
	}
	u.role = max(u.role, e.role)
	for _, g := range e.groups {
		if !slices.Contains(u.groups, g) {
			u.groups = append(u.groups, g)
		}
	}
	return nil
}

// Len returns the number of logins.
func (f *UserFile) Len() int {
	if f == nil {
		return 0
	}
	return len(f.users)
}

func (f *UserFile) lookup(login string) *user {
	if f == nil {
		return nil
	}
	return f.users[login]
}

// Entry is a login as a list shows it.
type Entry struct {
	Login  string
	Kinds  []string // of its verifiers: scram-sha-256, md5, password
	Role   string
	Groups []string
}

// List returns the logins by name.
func (f *UserFile) List() []Entry {
	var out []Entry
	if f == nil {
		return out
	}
	for _, name := range slices.Sorted(maps.Keys(f.users)) {
		u := f.users[name]
		e := Entry{Login: name, Role: u.role, Groups: slices.Clone(u.groups)}
		for _, v := range u.verifiers {
			e.Kinds = append(e.Kinds, v.Kind())
		}
		out = append(out, e)
	}
	return out
}
