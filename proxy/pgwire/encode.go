package pgwire

import (
	"encoding/binary"
	"strings"

	"github.com/jackc/pgproto3/v2"
)

// Notice is what an ErrorResponse or NoticeResponse says. Severity, Code and
// Message are always there; the rest may be empty.
type Notice struct {
	Severity string // S and V
	Code     string // C
	Message  string // M
	Detail   string // D
	Hint     string // H
	Routine  string // R: "lockkeeper.<reason>"
	Rule     string // n, the constraint name: the rule, class or quota
}

// AppendError appends an ErrorResponse.
func AppendError(dst []byte, n *Notice) []byte {
	m := n.message()
	return encoded(dst, m.Encode)
}

// AppendNotice appends a NoticeResponse.
func AppendNotice(dst []byte, n *Notice) []byte {
	m := pgproto3.NoticeResponse(n.message())
	return encoded(dst, m.Encode)
}

func (n *Notice) message() pgproto3.ErrorResponse {
	return pgproto3.ErrorResponse{
		Severity: n.Severity, SeverityUnlocalized: n.Severity, Code: n.Code, Message: text(n.Message),
		Detail: text(n.Detail), Hint: text(n.Hint), Routine: text(n.Routine), ConstraintName: text(n.Rule),
	}
}

// text drops zero bytes: one of them, in words that come from a file, would
// end its field and make a field of what follows.
func text(s string) string { return strings.ReplaceAll(s, "\x00", "") }

// encoded keeps dst as it is if a text is too long to be a message at all.
func encoded(dst []byte, encode func([]byte) ([]byte, error)) []byte {
	out, err := encode(dst)
	if err != nil {
		return dst
	}
	return out
}

// AppendFrame appends a message with the given body.
func AppendFrame(dst []byte, tag byte, body []byte) []byte {
	dst = append(dst, tag)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(body)+4))
	return append(dst, body...)
}

// AppendString appends a message whose body is one zero-terminated string.
func AppendString(dst []byte, tag byte, s string) []byte {
	dst = append(dst, tag)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)+5))
	return append(append(dst, s...), 0)
}

// AppendQuery appends a Query.
func AppendQuery(dst []byte, sql string) []byte { return AppendString(dst, MsgQuery, sql) }

// AppendCommandComplete appends a CommandComplete.
func AppendCommandComplete(dst []byte, tag string) []byte {
	return AppendString(dst, MsgCommandComplete, tag)
}

// AppendReady appends a ReadyForQuery.
func AppendReady(dst []byte, status byte) []byte {
	return append(dst, MsgReadyForQuery, 0, 0, 0, 5, status)
}

// AppendEmpty appends a message without a body, such as Sync or Flush.
func AppendEmpty(dst []byte, tag byte) []byte { return append(dst, tag, 0, 0, 0, 4) }

// AppendTarget appends a Describe or Close of a statement ('S') or portal ('P').
func AppendTarget(dst []byte, tag, kind byte, name string) []byte {
	dst = append(dst, tag)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(name)+6))
	dst = append(dst, kind)
	return append(append(dst, name...), 0)
}

// AppendParse appends a Parse without parameter types.
func AppendParse(dst []byte, name, sql string) []byte {
	dst = append(dst, MsgParse)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(name)+len(sql)+8))
	dst = append(append(dst, name...), 0)
	dst = append(append(dst, sql...), 0)
	return append(dst, 0, 0)
}

// AppendBind appends a Bind without parameters; results come as text.
func AppendBind(dst []byte, portal, stmt string) []byte {
	dst = append(dst, MsgBind)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(portal)+len(stmt)+12))
	dst = append(append(dst, portal...), 0)
	dst = append(append(dst, stmt...), 0)
	return append(dst, 0, 0, 0, 0, 0, 0)
}

// AppendExecute appends an Execute of all rows.
func AppendExecute(dst []byte, portal string) []byte {
	dst = append(dst, MsgExecute)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(portal)+9))
	dst = append(append(dst, portal...), 0)
	return append(dst, 0, 0, 0, 0)
}

// AppendParameterStatus appends a ParameterStatus.
func AppendParameterStatus(dst []byte, p Param) []byte {
	dst = append(dst, MsgParameterStatus)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(p.Name)+len(p.Value)+6))
	dst = append(append(dst, p.Name...), 0)
	return append(append(dst, p.Value...), 0)
}

// AppendBackendKeyData appends a BackendKeyData; protocol 3.0 has four byte
// keys, 3.2 up to MaxCancelKey.
func AppendBackendKeyData(dst []byte, pid uint32, key []byte) []byte {
	dst = append(dst, MsgBackendKeyData)
	dst = binary.BigEndian.AppendUint32(dst, uint32(8+len(key)))
	dst = binary.BigEndian.AppendUint32(dst, pid)
	return append(dst, key...)
}

// AppendAuthentication appends an Authentication request.
func AppendAuthentication(dst []byte, code uint32, data []byte) []byte {
	dst = append(dst, MsgAuthentication)
	dst = binary.BigEndian.AppendUint32(dst, uint32(8+len(data)))
	dst = binary.BigEndian.AppendUint32(dst, code)
	return append(dst, data...)
}

// AppendNegotiateVersion appends a NegotiateProtocolVersion that offers the
// newest minor version we speak and names the options we do not know.
func AppendNegotiateVersion(dst []byte, version uint32, options []string) []byte {
	body := binary.BigEndian.AppendUint32(nil, version)
	body = binary.BigEndian.AppendUint32(body, uint32(len(options)))
	for _, o := range options {
		body = append(append(body, o...), 0)
	}
	return AppendFrame(dst, MsgNegotiateProtocolVersion, body)
}

// textOID is the type of every column we make up ourselves.
const textOID = 25

// AppendRowDescription appends a RowDescription of text columns.
func AppendRowDescription(dst []byte, names []string) []byte {
	body := binary.BigEndian.AppendUint16(nil, uint16(len(names)))
	for _, n := range names {
		body = append(append(body, n...), 0)
		body = append(body, 0, 0, 0, 0, 0, 0) // no table, no column of it
		body = binary.BigEndian.AppendUint32(body, textOID)
		body = binary.BigEndian.AppendUint16(body, 0xffff) // variable size
		body = binary.BigEndian.AppendUint32(body, 0xffffffff)
		body = append(body, 0, 0) // text
	}
	return AppendFrame(dst, MsgRowDescription, body)
}

// AppendTextRow appends a DataRow of text values.
func AppendTextRow(dst []byte, values []string) []byte {
	body := binary.BigEndian.AppendUint16(nil, uint16(len(values)))
	for _, v := range values {
		body = binary.BigEndian.AppendUint32(body, uint32(len(v)))
		body = append(body, v...)
	}
	return AppendFrame(dst, MsgDataRow, body)
}
