package backend

import (
	"errors"
	"fmt"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// Causes of a failed Dial or Cancel.
var (
	ErrUnreachable = errors.New("warehouse unreachable")
	ErrTLSRefused  = errors.New("warehouse does not speak TLS")
	ErrTLS         = errors.New("no trusted TLS session with the warehouse")
	ErrNoPassword  = errors.New("warehouse asks for a password and there is none")
	ErrClear       = errors.New("warehouse asks for a clear password over a network without TLS")
	ErrAuthMethod  = errors.New("warehouse asks for a login method that is not supported")
	ErrProtocol    = errors.New("warehouse breaks the protocol")
	ErrNotReadOnly = errors.New("warehouse session did not become read-only")
	ErrNoKey       = errors.New("warehouse gave no key to cancel with")
)

// ServerError is an ErrorResponse of the warehouse during login.
type ServerError struct {
	Frame    []byte // the message as it came, head included
	SQLState string
	Message  string
}

// Error returns message and code.
func (e *ServerError) Error() string {
	return fmt.Sprintf("warehouse: %s (SQLSTATE %s)", e.Message, e.SQLState)
}

func newServerError(frame []byte) *ServerError {
	body := frame[pgwire.HeadSize:]
	message, _ := pgwire.Field(body, 'M')
	return &ServerError{
		Frame:    append([]byte(nil), frame...),
		SQLState: pgwire.SQLState(body),
		Message:  string(message),
	}
}
