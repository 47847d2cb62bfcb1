package proxytest

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// Message is one message as it came.
type Message struct {
	Tag  byte
	Body []byte
}

// String returns the message as transcripts show it: its letter, and in
// brackets what matters of it.
func (m Message) String() string {
	tag := string(rune(m.Tag))
	switch m.Tag {
	case pgwire.MsgErrorResponse, pgwire.MsgNoticeResponse:
		return fmt.Sprintf("%s(%s)", tag, pgwire.SQLState(m.Body))
	case pgwire.MsgCommandComplete:
		return fmt.Sprintf("%s(%s)", tag, pgwire.CommandTag(m.Body))
	case pgwire.MsgReadyForQuery:
		return fmt.Sprintf("%s(%s)", tag, m.Body)
	case pgwire.MsgParameterStatus:
		name, value, _ := pgwire.ParameterStatus(m.Body)
		return fmt.Sprintf("%s(%s=%s)", tag, name, value)
	case pgwire.MsgAuthentication:
		if len(m.Body) >= 4 {
			return fmt.Sprintf("%s(%d)", tag, binary.BigEndian.Uint32(m.Body))
		}
	case pgwire.MsgNotificationResponse:
		if len(m.Body) > 4 {
			channel, payload, _ := pgwire.CString(m.Body[4:])
			return fmt.Sprintf("%s(%s,%s)", tag, channel, strings.TrimRight(string(payload), "\x00"))
		}
	}
	return tag
}

// Notice returns the fields of an ErrorResponse or NoticeResponse.
func (m Message) Notice() pgwire.Notice {
	get := func(code byte) string {
		v, _ := pgwire.Field(m.Body, code)
		return string(v)
	}
	return pgwire.Notice{
		Severity: get('S'), Code: get('C'), Message: get('M'), Detail: get('D'), Hint: get('H'), Routine: get('R'), Rule: get('n'),
	}
}

// Values returns the columns of a DataRow as text, NULL as "<null>".
func (m Message) Values() []string {
	if m.Tag != pgwire.MsgDataRow || len(m.Body) < 2 {
		return nil
	}
	var out []string
	rest := m.Body[2:]
	for range binary.BigEndian.Uint16(m.Body) {
		n := int32(binary.BigEndian.Uint32(rest))
		rest = rest[4:]
		if n < 0 {
			out = append(out, "<null>")
			continue
		}
		out, rest = append(out, string(rest[:n])), rest[n:]
	}
	return out
}

// Transcript returns the messages as one line. Rows and copy data in a row are
// counted ("D*2"); ParameterStatus, which comes when it likes, is left out.
func Transcript(messages []Message) string {
	var words []string
	for i := 0; i < len(messages); i++ {
		m := messages[i]
		switch m.Tag {
		case pgwire.MsgParameterStatus:
			continue
		case pgwire.MsgDataRow, pgwire.MsgCopyData:
			n := 1
			for i+1 < len(messages) && messages[i+1].Tag == m.Tag {
				n, i = n+1, i+1
			}
			if n > 1 {
				words = append(words, fmt.Sprintf("%c*%d", m.Tag, n))
				continue
			}
		}
		words = append(words, m.String())
	}
	return strings.Join(words, " ")
}
