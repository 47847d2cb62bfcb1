package pgauth

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// byHand has the door read messages that no client would send.
func byHand(t *testing.T, method Method, overTLS bool, messages ...[]byte) error {
	t.Helper()
	key := NewSaltKey([]byte("seed"))
	x := Exchange{
		Reader: pgwire.NewReader(bytes.NewReader(bytes.Join(messages, nil)), nil, nil), Writer: io.Discard,
		Method: method, User: "ann", Account: account(t, "ann", key, "right"), Local: true,
	}
	if overTLS {
		x.TLS, x.ServerCert = &tls.ConnectionState{}, proxytest.Certs(t).Server.Certificate[0]
	}
	_, err := New(key).Authenticate(t.Context(), x)
	return err
}

func TestMessagesThatAreNone(t *testing.T) {
	t.Parallel()
	long := func(n int) []byte { return pgwire.AppendFrame(nil, pgwire.MsgPassword, make([]byte, n)) }
	claim := binary.BigEndian.AppendUint32([]byte{pgwire.MsgPassword}, 1<<30)
	initial := AppendSASLInitial(nil, mechScram, []byte("n,,n=,r=abc"))
	for name, c := range map[string]struct {
		method   Method
		messages [][]byte
		want     string // empty: an error of the connection
	}{
		"a query instead":          {Password, [][]byte{pgwire.AppendQuery(nil, "SELECT 1")}, "expected password response, got message type 81"},
		"a query instead of SASL":  {Scram, [][]byte{pgwire.AppendQuery(nil, "SELECT 1")}, "expected SASL response, got message type 81"},
		"too long":                 {Password, [][]byte{long(pgwire.MaxAuthMessage + 1)}, "invalid message length"},
		"a gigabyte claimed":       {Scram, [][]byte{claim}, "invalid message length"},
		"length of nothing":        {Scram, [][]byte{{pgwire.MsgPassword, 0, 0, 0, 3}}, "invalid message length"},
		"no terminator":            {Password, [][]byte{pgwire.AppendFrame(nil, pgwire.MsgPassword, []byte("right"))}, "invalid password packet size"},
		"a zero within":            {Password, [][]byte{pgwire.AppendFrame(nil, pgwire.MsgPassword, []byte("ri\x00ght\x00"))}, "invalid password packet size"},
		"empty password":           {Password, [][]byte{pgwire.AppendString(nil, pgwire.MsgPassword, "")}, "empty password returned by client"},
		"SASL without length":      {Scram, [][]byte{pgwire.AppendString(nil, pgwire.MsgPassword, mechScram)}, "malformed SASL response"},
		"SASL with another length": {Scram, [][]byte{pgwire.AppendFrame(nil, pgwire.MsgPassword, append([]byte(mechScram), 0, 0, 0, 0, 9, 'x'))}, "malformed SASL response"},
		"no final":                 {Scram, [][]byte{initial, pgwire.AppendFrame(nil, pgwire.MsgPassword, []byte("c=biws"))}, "malformed SCRAM message"},
		"another nonce": {Scram, [][]byte{initial, pgwire.AppendFrame(nil, pgwire.MsgPassword,
			[]byte("c=biws,r=abcdef,p="+strings.Repeat("A", 43)+"="))}, "invalid SCRAM response"},
		"end":             {Scram, nil, ""},
		"end in the head": {Scram, [][]byte{{pgwire.MsgPassword, 0}}, ""},
		"end in the body": {Scram, [][]byte{initial[:12]}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := byHand(t, c.method, false, c.messages...)
			refused, ok := errors.AsType[*Error](err)
			switch {
			case c.want == "" && (ok || !errors.Is(err, io.EOF)):
				t.Errorf("error %v, want EOF", err)
			case c.want != "" && (!ok || refused.Message != c.want):
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

// A client may send its first message only when asked again.
func TestInitialWithoutData(t *testing.T) {
	t.Parallel()
	empty := pgwire.AppendFrame(nil, pgwire.MsgPassword, append([]byte(mechScram), 0, 0xff, 0xff, 0xff, 0xff))
	first := pgwire.AppendFrame(nil, pgwire.MsgPassword, []byte("n,,n=,r=abc"))
	var said bytes.Buffer
	key := NewSaltKey([]byte("seed"))
	_, err := New(key).Authenticate(t.Context(), Exchange{
		Reader: pgwire.NewReader(bytes.NewReader(append(empty, first...)), nil, nil), Writer: &said, Method: Scram, User: "ann",
	})
	if !errors.Is(err, io.EOF) {
		t.Fatalf("error %v, want EOF behind the first message", err)
	}
	if !strings.Contains(said.String(), "r=abc") {
		t.Errorf("no server-first-message in %q", said.String())
	}
}
