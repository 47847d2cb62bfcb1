package backend

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

func TestMain(m *testing.M) { proxytest.Main(m) }

func dialer(t *testing.T, cfg Config) *Dialer {
	t.Helper()
	if cfg.Network == "" {
		cfg.Network = "tcp"
	}
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// finish closes a session when the test ends.
func finish(t *testing.T, c *Conn) {
	t.Helper()
	t.Cleanup(func() {
		c.Reader.Close()
		_ = c.Close()
	})
}

// ask runs a query of one value on a session.
func ask(t *testing.T, c *Conn, sql string) string {
	t.Helper()
	if _, err := c.Write(pgwire.AppendQuery(nil, sql)); err != nil {
		t.Fatal(err)
	}
	value := ""
	for {
		tag, size, err := c.Reader.Next()
		if err != nil {
			t.Fatal(err)
		}
		frame, err := c.Reader.Frame(size, pgwire.MaxMessage)
		if err != nil {
			t.Fatal(err)
		}
		switch tag {
		case pgwire.MsgDataRow:
			value = string(frame[pgwire.HeadSize+6:])
		case pgwire.MsgErrorResponse:
			value = "ERROR " + pgwire.SQLState(frame[pgwire.HeadSize:])
		}
		c.Reader.Discard(size)
		if tag == pgwire.MsgReadyForQuery {
			return value
		}
	}
}

func params(pairs ...string) []pgwire.Param {
	var out []pgwire.Param
	for ; len(pairs) > 1; pairs = pairs[2:] {
		out = append(out, pgwire.Param{Name: pairs[0], Value: pairs[1]})
	}
	return out
}
