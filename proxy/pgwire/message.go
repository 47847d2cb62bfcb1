package pgwire

// Messages of the frontend.
const (
	MsgBind         byte = 'B'
	MsgClose        byte = 'C'
	MsgCopyFail     byte = 'f'
	MsgDescribe     byte = 'D'
	MsgExecute      byte = 'E'
	MsgFlush        byte = 'H'
	MsgFunctionCall byte = 'F'
	MsgParse        byte = 'P'
	MsgPassword     byte = 'p' // also SASLInitialResponse, SASLResponse, GSSResponse
	MsgQuery        byte = 'Q'
	MsgSync         byte = 'S'
	MsgTerminate    byte = 'X'
)

// Messages of both sides.
const (
	MsgCopyData byte = 'd'
	MsgCopyDone byte = 'c'
)

// Messages of the backend.
const (
	MsgAuthentication           byte = 'R'
	MsgBackendKeyData           byte = 'K'
	MsgBindComplete             byte = '2'
	MsgCloseComplete            byte = '3'
	MsgCommandComplete          byte = 'C'
	MsgCopyBothResponse         byte = 'W'
	MsgCopyInResponse           byte = 'G'
	MsgCopyOutResponse          byte = 'H'
	MsgDataRow                  byte = 'D'
	MsgEmptyQueryResponse       byte = 'I'
	MsgErrorResponse            byte = 'E'
	MsgFunctionCallResponse     byte = 'V'
	MsgNegotiateProtocolVersion byte = 'v'
	MsgNoData                   byte = 'n'
	MsgNoticeResponse           byte = 'N'
	MsgNotificationResponse     byte = 'A'
	MsgParameterDescription     byte = 't'
	MsgParameterStatus          byte = 'S'
	MsgParseComplete            byte = '1'
	MsgPortalSuspended          byte = 's'
	MsgReadyForQuery            byte = 'Z'
	MsgRowDescription           byte = 'T'
)

// Codes that stand where a start-up packet has its protocol version.
const (
	ProtocolVersion30 uint32 = 3 << 16
	ProtocolVersion32 uint32 = 3<<16 | 2
	CancelRequestCode uint32 = 1234<<16 | 5678
	SSLRequestCode    uint32 = 1234<<16 | 5679
	GSSENCRequestCode uint32 = 1234<<16 | 5680
)

// Authentication requests (the int32 of an Authentication message).
const (
	AuthOK                uint32 = 0
	AuthCleartextPassword uint32 = 3
	AuthMD5Password       uint32 = 5
	AuthSASL              uint32 = 10
	AuthSASLContinue      uint32 = 11
	AuthSASLFinal         uint32 = 12
	AuthDigestRedshift    uint32 = 13
	AuthIDPRedshift       uint32 = 14
)

// Transaction states of ReadyForQuery.
const (
	TxIdle   byte = 'I'
	TxActive byte = 'T'
	TxFailed byte = 'E'
)

// Bounds, in bytes.
const (
	HeadSize        = 5      // tag and length
	MaxStartup      = 10_000 // Postgres' MAX_STARTUP_PACKET_LENGTH
	MaxAuthMessage  = 64 << 10
	MaxSmallMessage = 10_000 // Postgres' PQ_SMALL_MESSAGE_LIMIT
	MaxMessage      = 1<<30 - 1
	MaxCancelKey    = 256
)

// SmallMessage reports whether the server itself refuses this frontend message
// beyond MaxSmallMessage: such a client has lost synchronisation.
func SmallMessage(tag byte) bool {
	switch tag {
	case MsgClose, MsgDescribe, MsgExecute, MsgFlush, MsgSync, MsgTerminate, MsgCopyDone, MsgCopyFail:
		return true
	}
	return false
}

// FrontendMessage reports whether tag is a message of the frontend after
// start-up; any other means lost synchronisation.
func FrontendMessage(tag byte) bool {
	switch tag {
	case MsgBind, MsgClose, MsgCopyFail, MsgDescribe, MsgExecute, MsgFlush, MsgFunctionCall, MsgParse,
		MsgPassword, MsgQuery, MsgSync, MsgTerminate, MsgCopyData, MsgCopyDone:
		return true
	}
	return false
}
