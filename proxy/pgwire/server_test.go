package pgwire_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// TestStartupAsTheServer sends the same packets to a real server: what it
// calls a broken layout must be broken to us, and of a name given twice both
// must mean the same one.
func TestStartupAsTheServer(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	at := func(n uint32, rest string) []byte {
		return append(binary.BigEndian.AppendUint32(nil, n), rest...)
	}
	v3 := "\x00\x03\x00\x00"
	for name, tc := range map[string]struct {
		wire []byte
		want string // of the server
	}{
		"plain":             {pgwire.AppendStartup(nil, pgwire.ProtocolVersion30, []pgwire.Param{{Name: "user", Value: "postgres"}}), "in"},
		"given twice":       {pgwire.AppendStartup(nil, pgwire.ProtocolVersion30, []pgwire.Param{{Name: "user", Value: "nobody"}, {Name: "user", Value: "postgres"}}), "in"},
		"given twice, last": {pgwire.AppendStartup(nil, pgwire.ProtocolVersion30, []pgwire.Param{{Name: "user", Value: "postgres"}, {Name: "user", Value: "nobody"}}), "28000"},
		"empty name":        {at(32, v3+"user\x00postgres\x00\x00x\x00y\x00z\x00\x00\x00\x00"), "08P01"},
		"no terminator":     {at(22, v3+"user\x00postgres\x00"), "08P01"},
		"protocol 2":        {at(12, "\x00\x02\x00\x00abcd"), "0A000"},
		"longest": {pgwire.AppendStartup(nil, pgwire.ProtocolVersion30, []pgwire.Param{
			{Name: "user", Value: "postgres"},
			{Name: "application_name", Value: string(bytes.Repeat([]byte("x"), pgwire.MaxStartup-4-1-14-18))},
		}), "in"},
		"too long": {at(pgwire.MaxStartup+5, v3+string(make([]byte, pgwire.MaxStartup-3))), "EOF"},
	} {
		c := proxytest.Dial(t, "tcp", pg.Addr())
		c.Send(tc.wire)
		got := ""
		switch m, err := c.Next(); {
		case err != nil:
			got = "EOF"
		case m.Tag == pgwire.MsgErrorResponse:
			got = m.Notice().Code
		default:
			got = "in"
		}
		if got != tc.want {
			t.Errorf("%s: the server says %s, want %s", name, got, tc.want)
		}
		s, err := pgwire.ReadStartup(pgwire.NewReader(bytes.NewReader(tc.wire), nil, nil))
		if broken := tc.want == "08P01" || tc.want == "EOF"; (err != nil) != broken {
			t.Errorf("%s: %v", name, err)
		}
		if user, _ := s.Get("user"); tc.want == "in" && user != "postgres" {
			t.Errorf("%s: user %q", name, user)
		}
	}
}
