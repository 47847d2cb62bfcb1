package pgauth

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// response reads one message of the client's and returns a copy of its body.
func (x *Exchange) response(what string) ([]byte, error) {
	tag, size, err := x.Reader.Next()
	switch {
	case errors.Is(err, pgwire.ErrLength):
		return nil, violation("invalid message length")
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", what, err)
	case tag != pgwire.MsgPassword:
		return nil, violation(fmt.Sprintf("expected %s, got message type %d", what, tag))
	case size-pgwire.HeadSize > x.maxMessage():
		return nil, violation("invalid message length")
	}
	frame, err := x.Reader.Frame(size, size)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	body := append([]byte(nil), frame[pgwire.HeadSize:]...)
	x.Reader.Discard(size)
	return body, nil
}

func (x *Exchange) maxMessage() int {
	if x.MaxMessage > 0 {
		return x.MaxMessage
	}
	return pgwire.MaxAuthMessage
}

func (x *Exchange) request(code uint32, data []byte) error {
	if _, err := x.Writer.Write(pgwire.AppendAuthentication(nil, code, data)); err != nil {
		return fmt.Errorf("write authentication request: %w", err)
	}
	return nil
}

// clear returns the password of a PasswordMessage.
func (x *Exchange) clear() (string, error) {
	body, err := x.response("password response")
	if err != nil {
		return "", err
	}
	text, rest, ok := pgwire.CString(body)
	if !ok || len(rest) != 0 {
		return "", violation("invalid password packet size")
	}
	if len(text) == 0 {
		return "", &Error{StateInvalidPassword, "empty password returned by client", ""}
	}
	return string(text), nil
}

// saslInitial takes a SASLInitialResponse apart. data is nil if the client
// sent no first message along.
func saslInitial(body []byte) (mechanism string, data []byte, ok bool) {
	name, rest, ok := pgwire.CString(body)
	if !ok || len(rest) < 4 {
		return "", nil, false
	}
	n := int32(binary.BigEndian.Uint32(rest))
	rest = rest[4:]
	if n == -1 {
		return string(name), nil, len(rest) == 0
	}
	return string(name), rest, int(n) == len(rest)
}

// AppendSASLInitial appends a SASLInitialResponse.
func AppendSASLInitial(dst []byte, mechanism string, data []byte) []byte {
	body := append([]byte(mechanism), 0)
	body = binary.BigEndian.AppendUint32(body, uint32(len(data)))
	return pgwire.AppendFrame(dst, pgwire.MsgPassword, append(body, data...))
}

// Mechanisms returns the names in an AuthenticationSASL request (the bytes
// behind its code).
func Mechanisms(data []byte) []string {
	return strings.FieldsFunc(string(data), func(r rune) bool { return r == 0 })
}
