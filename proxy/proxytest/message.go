package proxytest

import (
	"encoding/binary"
	"slices"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// Messages of a client, as bytes for Client.Send.

// Query returns a Query.
func Query(sql string) []byte { return pgwire.AppendQuery(nil, sql) }

// Parse returns a Parse with parameter types left to the server.
func Parse(name, sql string) []byte { return pgwire.AppendParse(nil, name, sql) }

// Bind returns a Bind with text parameters; nil is NULL.
func Bind(portal, stmt string, values ...any) []byte {
	body := append(append([]byte(portal), 0), stmt...)
	body = append(body, 0, 0, 0)
	body = binary.BigEndian.AppendUint16(body, uint16(len(values)))
	for _, v := range values {
		switch v := v.(type) {
		case string:
			body = append(binary.BigEndian.AppendUint32(body, uint32(len(v))), v...)
		case []byte:
			body = append(binary.BigEndian.AppendUint32(body, uint32(len(v))), v...)
		default:
			body = binary.BigEndian.AppendUint32(body, 0xffffffff)
		}
	}
	return pgwire.AppendFrame(nil, pgwire.MsgBind, append(body, 0, 0))
}

// Execute returns an Execute of at most rows rows; 0: all.
func Execute(portal string, rows uint32) []byte {
	body := binary.BigEndian.AppendUint32(append([]byte(portal), 0), rows)
	return pgwire.AppendFrame(nil, pgwire.MsgExecute, body)
}

// Describe returns a Describe of a statement ('S') or a portal ('P').
func Describe(kind byte, name string) []byte {
	return pgwire.AppendTarget(nil, pgwire.MsgDescribe, kind, name)
}

// Close returns a Close of a statement ('S') or a portal ('P').
func Close(kind byte, name string) []byte {
	return pgwire.AppendTarget(nil, pgwire.MsgClose, kind, name)
}

// Sync returns a Sync.
func Sync() []byte { return pgwire.AppendEmpty(nil, pgwire.MsgSync) }

// Flush returns a Flush.
func Flush() []byte { return pgwire.AppendEmpty(nil, pgwire.MsgFlush) }

// Terminate returns a Terminate.
func Terminate() []byte { return pgwire.AppendEmpty(nil, pgwire.MsgTerminate) }

// CopyData returns a CopyData; both sides send it.
func CopyData(text string) []byte {
	return pgwire.AppendFrame(nil, pgwire.MsgCopyData, []byte(text))
}

// CopyDone returns a CopyDone; both sides send it.
func CopyDone() []byte { return pgwire.AppendEmpty(nil, pgwire.MsgCopyDone) }

// CopyFail returns a CopyFail.
func CopyFail(why string) []byte { return pgwire.AppendString(nil, pgwire.MsgCopyFail, why) }

// FunctionCall returns a FunctionCall with text arguments and result.
func FunctionCall(oid uint32, args ...string) []byte {
	body := binary.BigEndian.AppendUint32(nil, oid)
	body = append(body, 0, 0)
	body = binary.BigEndian.AppendUint16(body, uint16(len(args)))
	for _, a := range args {
		body = append(binary.BigEndian.AppendUint32(body, uint32(len(a))), a...)
	}
	return pgwire.AppendFrame(nil, pgwire.MsgFunctionCall, append(body, 0, 0))
}

// Messages of a warehouse, as bytes for Send steps of a Fake.

// Ready returns a ReadyForQuery.
func Ready(status byte) []byte { return pgwire.AppendReady(nil, status) }

// Complete returns a CommandComplete.
func Complete(tag string) []byte { return pgwire.AppendCommandComplete(nil, tag) }

// Error returns an ErrorResponse of severity ERROR.
func Error(code, message string) []byte {
	return pgwire.AppendError(nil, &pgwire.Notice{Severity: "ERROR", Code: code, Message: message})
}

// Notice returns a NoticeResponse.
func Notice(message string) []byte {
	return pgwire.AppendNotice(nil, &pgwire.Notice{Severity: "NOTICE", Code: "00000", Message: message})
}

// Columns returns a RowDescription of text columns.
func Columns(names ...string) []byte {
	body := binary.BigEndian.AppendUint16(nil, uint16(len(names)))
	for _, n := range names {
		body = append(append(body, n...), 0)
		body = append(body, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0)
	}
	return pgwire.AppendFrame(nil, pgwire.MsgRowDescription, body)
}

// Row returns a DataRow of text values.
func Row(values ...string) []byte {
	body := binary.BigEndian.AppendUint16(nil, uint16(len(values)))
	for _, v := range values {
		body = append(binary.BigEndian.AppendUint32(body, uint32(len(v))), v...)
	}
	return pgwire.AppendFrame(nil, pgwire.MsgDataRow, body)
}

// Empty returns any message without a body: ParseComplete, NoData …
func Empty(tag byte) []byte { return pgwire.AppendEmpty(nil, tag) }

// Join puts messages behind one another, to be sent in one write.
func Join(messages ...[]byte) []byte { return slices.Concat(messages...) }
