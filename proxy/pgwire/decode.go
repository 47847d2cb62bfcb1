package pgwire

import (
	"bytes"
	"encoding/binary"
)

// CString cuts a zero-terminated string off p.
func CString(p []byte) (s, rest []byte, ok bool) {
	if s, rest, ok = bytes.Cut(p, []byte{0}); !ok {
		return nil, nil, false
	}
	return s, rest, true
}

// Query returns the SQL of a Query body.
func Query(body []byte) (sql []byte, ok bool) {
	sql, rest, ok := CString(body)
	return sql, ok && len(rest) == 0
}

// Parse returns statement name and SQL of a Parse body.
func Parse(body []byte) (name, sql []byte, ok bool) {
	name, rest, ok := CString(body)
	if !ok {
		return nil, nil, false
	}
	sql, _, ok = CString(rest)
	return name, sql, ok
}

// Bind returns portal and statement name of a Bind body. It needs no more than
// the beginning of the body.
func Bind(body []byte) (portal, stmt []byte, ok bool) {
	portal, rest, ok := CString(body)
	if !ok {
		return nil, nil, false
	}
	stmt, _, ok = CString(rest)
	return portal, stmt, ok
}

// BindValues calls yield for each parameter value of a complete Bind body
// (nil: NULL) until it returns false; it reports whether the body was sound.
func BindValues(body []byte, yield func(i int, text bool, value []byte) bool) bool {
	_, rest, ok := CString(body)
	if !ok {
		return false
	}
	if _, rest, ok = CString(rest); !ok || len(rest) < 2 {
		return false
	}
	nf := int(binary.BigEndian.Uint16(rest))
	rest = rest[2:]
	if len(rest) < 2*nf+2 {
		return false
	}
	formats := rest[:2*nf]
	rest = rest[2*nf:]
	n := int(binary.BigEndian.Uint16(rest))
	rest = rest[2:]
	for i := range n {
		if len(rest) < 4 {
			return false
		}
		size := int32(binary.BigEndian.Uint32(rest))
		rest = rest[4:]
		var v []byte
		if size < -1 || int(size) > len(rest) {
			return false
		}
		if size >= 0 {
			v, rest = rest[:size:size], rest[size:]
		}
		text := nf == 0
		if nf == 1 {
			text = formats[1] == 0
		} else if i < nf {
			text = formats[2*i+1] == 0
		}
		if !yield(i, text, v) {
			return true
		}
	}
	return true
}

// Execute returns portal and row limit (0: all) of an Execute body.
func Execute(body []byte) (portal []byte, rows uint32, ok bool) {
	portal, rest, ok := CString(body)
	if !ok || len(rest) != 4 {
		return nil, 0, false
	}
	return portal, binary.BigEndian.Uint32(rest), true
}

// Target returns kind ('S' statement, 'P' portal) and name of a Describe or
// Close body.
func Target(body []byte) (kind byte, name []byte, ok bool) {
	if len(body) < 2 {
		return 0, nil, false
	}
	name, rest, ok := CString(body[1:])
	return body[0], name, ok && len(rest) == 0
}

// FunctionOID returns the function of a FunctionCall body.
func FunctionOID(body []byte) (oid uint32, ok bool) {
	if len(body) < 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(body), true
}

// ParameterStatus returns name and value of a ParameterStatus body.
func ParameterStatus(body []byte) (name, value []byte, ok bool) {
	name, rest, ok := CString(body)
	if !ok {
		return nil, nil, false
	}
	value, rest, ok = CString(rest)
	return name, value, ok && len(rest) == 0
}

// Field returns one field of an ErrorResponse or NoticeResponse body.
func Field(body []byte, code byte) ([]byte, bool) {
	for len(body) > 1 && body[0] != 0 {
		v, rest, ok := CString(body[1:])
		if !ok {
			return nil, false
		}
		if body[0] == code {
			return v, true
		}
		body = rest
	}
	return nil, false
}

// SQLState returns the code of an ErrorResponse body, "" if there is none.
func SQLState(body []byte) string {
	v, _ := Field(body, 'C')
	if len(v) != 5 {
		return ""
	}
	return string(v)
}

// Fatal reports whether an ErrorResponse body ends the connection. Servers
// before 9.6, and Redshift, have only the localized severity.
func Fatal(body []byte) bool {
	severity, ok := Field(body, 'V')
	if !ok {
		severity, _ = Field(body, 'S')
	}
	return string(severity) == "FATAL" || string(severity) == "PANIC"
}

// CommandTag returns the tag of a CommandComplete body.
func CommandTag(body []byte) []byte {
	tag, _, ok := CString(body)
	if !ok {
		return nil
	}
	return tag
}

// TagRows returns the count at the end of a command tag, or -1. Redshift's
// SELECT has none.
func TagRows(tag []byte) int64 {
	i := bytes.LastIndexByte(tag, ' ')
	if i < 0 || i+1 == len(tag) || len(tag)-i > 19 {
		return -1
	}
	var n int64
	for _, c := range tag[i+1:] {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
