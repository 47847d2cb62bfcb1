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
		wire   []byte
		want   string // of the server
		broken bool   // to us
	}{
		"plain":             {pgwire.AppendStartup(nil, pgwire.ProtocolVersion30, []pgwire.Param{{Name: "user", Value: "postgres"}}), "in", false},
		"given twice":       {pgwire.AppendStartup(nil, pgwire.ProtocolVersion30, []pgwire.Param{{Name: "user", Value: "nobody"}, {Name: "user", Value: "postgres"}}), "in", false},
		"given twice, last": {pgwire.AppendStartup(nil, pgwire.ProtocolVersion30, []pgwire.Param{{Name: "user", Value: "postgres"}, {Name: "user", Value: "nobody"}}), "28000", false},
		"empty name":        {at(32, v3+"user\x00postgres\x00\x00x\x00y\x00z\x00\x00\x00\x00"), "08P01", true},
		"no terminator":     {at(22, v3+"user\x00postgres\x00"), "08P01", true},
		"protocol 2":        {at(12, "\x00\x02\x00\x00abcd"), "EOF", false},
		"longest": {pgwire.AppendStartup(nil, pgwire.ProtocolVersion30, []pgwire.Param{
			{Name: "user", Value: "postgres"},
			{Name: "application_name", Value: string(bytes.Repeat([]byte("x"), pgwire.MaxStartup-4-1-14-18))},
		}), "in", false},
		"too long": {at(pgwire.MaxStartup+5, v3+string(make([]byte, pgwire.MaxStartup-3))), "EOF", true},
	} {
		c := proxytest.Dial(t, "tcp", pg.Addr())
		c.Send(tc.wire)
		got := answer(c)
		if got != tc.want {
			t.Errorf("%s: the server says %s, want %s", name, got, tc.want)
		}
		s, err := pgwire.ReadStartup(pgwire.NewReader(bytes.NewReader(tc.wire), nil, nil))
		if (err != nil) != tc.broken {
			t.Errorf("%s: %v", name, err)
		}
		if user, _ := s.Get("user"); tc.want == "in" && user != "postgres" {
			t.Errorf("%s: user %q", name, user)
		}
	}
}

// answer is what the server says in the end; to protocol 2 it speaks in a way
// that reads as the end.
func answer(c *proxytest.Client) string {
	for {
		switch m, err := c.Next(); {
		case err != nil:
			return "EOF"
		case m.Tag == pgwire.MsgErrorResponse:
			return m.Notice().Code
		case m.Tag == pgwire.MsgReadyForQuery:
			return "in"
		}
	}
}
