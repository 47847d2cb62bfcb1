package admin

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Principal is somebody who can hold rights and log in: a person or a service.
// Their logins share one space, for the door knows logins only.
type Principal struct {
	ID     string
	Kind   Kind // KindPerson, KindService
	Login  string
	Name   string
	Email  string // persons
	About  string // services: what it is for
	TeamID string // services: the team that holds it

	Disabled bool // by an admin
	Barred   bool // by the identity provider: the required group is missing

	Password string // persons: the hash of a local password in PHC form; empty: none
	Salt     []byte // of the verifiers of all their database passwords

	Created  time.Time
	SignedIn time.Time // the last interactive sign-in; zero: never
}

// Live reports whether the principal may come in at all.
func (p *Principal) Live() bool { return !p.Disabled && !p.Barred }

// Person is a person with what follows from grants and teams.
type Person struct {
	Principal

	Teams []string
	Roles map[string]Role
}

// Service is a service with what follows from its grants.
type Service struct {
	Principal

	Team  string // the name of the team that holds it
	Roles map[string]Role
}

// saltSize is of the salt of database passwords, in bytes, as Postgres' own.
const saltSize = 16

// Bounds of what people type, in bytes.
const (
	maxLogin = 63 // as Postgres: the door takes it as the user's name
	maxName  = 200
	maxEmail = 254
	maxAbout = 2000
)

// operatorLogin belongs to whoever works at the machine itself.
const operatorLogin = "local"

// loginMarks are allowed in a login beside letters and digits, not at its beginning.
const loginMarks = "._@+-"

// CleanLogin returns a login as it is stored: lower case, without space around it.
func CleanLogin(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > maxLogin {
		return "", invalid("/login", "A login has 1 to %d characters.", maxLogin)
	}
	s = strings.ToLower(s)
	for i, r := range s {
		plain := r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
		if !plain && (i == 0 || !strings.ContainsRune(loginMarks, r)) {
			return "", invalid("/login", "A login is made of letters, digits and %s, and begins with a letter or a digit.", loginMarks)
		}
	}
	if s == operatorLogin {
		return "", invalid("/login", "%q is the login of the machine's operator; take another.", operatorLogin)
	}
	return s, nil
}

// text bounds a free text of a request.
func text(pointer, s string, limit int) (string, error) {
	s = strings.TrimSpace(s)
	if len(s) > limit || !utf8.ValidString(s) {
		return "", invalid(pointer, "At most %d bytes of UTF-8.", limit)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == '\x7f' }) {
		return "", invalid(pointer, "No control characters.")
	}
	return s, nil
}
