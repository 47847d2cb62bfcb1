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
	ErrTLS         = errors.New("TLS with the warehouse cannot be trusted")
	ErrNoPassword  = errors.New("warehouse asks for a password and there is none")
	ErrAuthMethod  = errors.New("warehouse asks for a login method that is not supported")
	ErrProtocol    = errors.New("warehouse breaks the protocol")
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
