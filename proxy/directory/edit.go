package directory

import (
	"errors"
	"strings"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

// ErrExists says that a login has a line already.
var ErrExists = errors.New("login exists already")

// NewUser is a login to write into a user file.
type NewUser struct {
	Login    string
	Password pgauth.Secret // clear: a verifier is written in its place
	Role     string
	Groups   []string
	Replace  bool // drop the login's earlier lines
	Another  bool // keep them: one more password for the same login
}

func (u *NewUser) validate() error {
	if u.Login == "" || strings.ContainsAny(u.Login, "\n\r\x00") || len(u.Login) > maxLogin {
		return errors.New("a login is 1 to 63 bytes on one line")
	}
	for _, w := range append([]string{u.Role}, u.Groups...) {
		if strings.ContainsAny(w, " \t\n\r\x00\",;") {
			return errors.New("role and groups are words without spaces, quotes, commas and semicolons")
		}
	}
	return nil
}

const maxLogin = 63 // bytes, Postgres' NAMEDATALEN - 1

// Add returns data, a user file, with a line for the login. Other lines and
// comments stay as they are.
func Add(data []byte, u NewUser) ([]byte, error) {
	if err := u.validate(); err != nil {
		return nil, err
	}
	verifier, err := pgauth.NewVerifier(u.Password)
	if err != nil {
		return nil, err
	}
	kept, had := without(data, u.Login)
	switch {
	case had && !u.Replace && !u.Another:
		return nil, ErrExists
	case !u.Replace:
		kept = string(data)
	}
	if kept != "" && !strings.HasSuffix(kept, "\n") {
		kept += "\n"
	}
	e := entry{name: u.Login, secret: verifier, role: u.Role, groups: u.Groups}
	return []byte(kept + e.line() + "\n"), nil
}

// Remove returns data without the lines of a login, or ErrUnknown.
func Remove(data []byte, login string) ([]byte, error) {
	kept, had := without(data, login)
	if !had {
		return nil, ErrUnknown
	}
	return []byte(kept), nil
}

func without(data []byte, login string) (kept string, had bool) {
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		if e, err := parseLine(line); err == nil && e.name == login {
			had = true
			continue
		}
		b.WriteString(line)
	}
	return b.String(), had
}
