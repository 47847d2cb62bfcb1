package pgauth

import (
	"fmt"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// SQLSTATEs of a refused login.
const (
	StateInvalidPassword      = "28P01"
	StateInvalidAuthorization = "28000"
	StateProtocolViolation    = "08P01"
)

// Error is a refused login. Message is safe to show to the stranger; Reason is
// for the log and never holds a secret.
type Error struct {
	SQLState string
	Message  string
	Reason   string
}

// Error returns message and reason.
func (e *Error) Error() string {
	if e.Reason == "" {
		return e.Message
	}
	return e.Message + ": " + e.Reason
}

// Notice returns the error as the client shall see it.
func (e *Error) Notice() *pgwire.Notice {
	return &pgwire.Notice{Severity: "FATAL", Code: e.SQLState, Message: e.Message, Routine: "lockkeeper.auth"}
}

func refused(m Method, user, reason string) *Error {
	switch m {
	case Scram, ScramPlus, MD5, Password, Passthrough:
		return &Error{StateInvalidPassword, fmt.Sprintf("password authentication failed for user %q", user), reason}
	case Cert:
		return &Error{StateInvalidAuthorization, fmt.Sprintf("certificate authentication failed for user %q", user), reason}
	case Internal: // never asked for proof
	case Trust:
		return &Error{StateInvalidAuthorization, fmt.Sprintf("\"trust\" authentication failed for user %q", user), reason}
	}
	return &Error{StateInvalidAuthorization, fmt.Sprintf("authentication failed for user %q", user), reason}
}

func violation(message string) *Error {
	return &Error{SQLState: StateProtocolViolation, Message: message}
}
