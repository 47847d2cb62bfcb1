package pgwire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// Startup is a packet without a tag: the first of a connection.
type Startup struct {
	Code   uint32  // protocol version or one of the request codes
	Params []Param // of a StartupMessage, in the client's order
	PID    uint32  // of a CancelRequest
	Key    []byte  // of a CancelRequest
}

// Param is a start-up parameter or a ParameterStatus.
type Param struct{ Name, Value string }

// Get returns the value of a start-up parameter. Of one that is given twice it
// is the last, as the server takes it: who is let in by the first name and
// logged in by the last would be two people.
func (s *Startup) Get(name string) (string, bool) {
	for _, p := range slices.Backward(s.Params) {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

// ReadStartup reads one packet of at most MaxStartup bytes behind its length.
// Its bytes are copied. A packet of another major version than 3 has a layout
// of its own: it comes without parameters.
func ReadStartup(r *Reader) (Startup, error) {
	const lengthSize = 4
	for r.Buffered() < lengthSize {
		if err := r.Fill(); err != nil {
			return Startup{}, err
		}
	}
	n := binary.BigEndian.Uint32(r.Bytes(lengthSize))
	if n < 8 || n > MaxStartup+lengthSize {
		return Startup{}, fmt.Errorf("start-up packet: %w: %d", ErrLength, n)
	}
	p, err := r.Frame(int(n), MaxStartup+lengthSize)
	if err != nil {
		return Startup{}, err
	}
	s, err := parseStartup(p)
	r.Discard(int(n))
	return s, err
}

func parseStartup(p []byte) (Startup, error) {
	s := Startup{Code: binary.BigEndian.Uint32(p[4:])}
	rest := p[8:]
	switch s.Code {
	case SSLRequestCode, GSSENCRequestCode:
		if len(rest) != 0 {
			return s, fmt.Errorf("encryption request: %w: %d", ErrLength, len(p))
		}
		return s, nil
	case CancelRequestCode:
		if len(rest) < 8 || len(rest)-4 > MaxCancelKey {
			return s, fmt.Errorf("cancel request: %w: %d", ErrLength, len(p))
		}
		s.PID, s.Key = binary.BigEndian.Uint32(rest), bytes.Clone(rest[4:])
		return s, nil
	}
	if s.Code>>16 != ProtocolVersion30>>16 {
		return s, nil
	}
	for len(rest) > 1 {
		name, tail, ok := CString(rest)
		if !ok || len(name) == 0 { // an empty name is the terminator, and nothing may follow it
			return s, fmt.Errorf("start-up packet: parameter without name: %w", ErrLength)
		}
		value, tail, ok := CString(tail)
		if !ok {
			return s, fmt.Errorf("start-up packet: parameter without value: %w", ErrLength)
		}
		s.Params = append(s.Params, Param{string(name), string(value)})
		rest = tail
	}
	if len(rest) != 1 || rest[0] != 0 {
		return s, fmt.Errorf("start-up packet: no terminator: %w", ErrLength)
	}
	return s, nil
}

// AppendStartup appends a StartupMessage.
func AppendStartup(dst []byte, version uint32, params []Param) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, version)
	for _, p := range params {
		dst = append(append(dst, p.Name...), 0)
		dst = append(append(dst, p.Value...), 0)
	}
	dst = append(dst, 0)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at))
	return dst
}

// AppendRequest appends an SSLRequest or GSSENCRequest.
func AppendRequest(dst []byte, code uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(dst, 8), code)
}

// AppendCancelRequest appends a CancelRequest.
func AppendCancelRequest(dst []byte, pid uint32, key []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(12+len(key)))
	dst = binary.BigEndian.AppendUint32(dst, CancelRequestCode)
	dst = binary.BigEndian.AppendUint32(dst, pid)
	return append(dst, key...)
}
