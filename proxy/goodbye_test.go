package proxy_test

import (
	"io"
	"sync"
	"testing"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// A client that says goodbye hears nothing more, least of all that the
// warehouse, which it leaves, has closed the connection: node-postgres ends the
// process over an error that nobody waits for.
func TestGoodbyeIsNotAnswered(t *testing.T) {
	t.Parallel()
	d := open(t, policy.Source{})
	var wg sync.WaitGroup
	for range 40 {
		c := d.client()
		wg.Go(func() { // ends with its connection; waited for below
			c.Send(pgwire.AppendEmpty(nil, pgwire.MsgTerminate))
			rest, err := io.ReadAll(c.Conn)
			if len(rest) > 0 || err != nil {
				t.Errorf("after a goodbye: %q, %v", rest, err)
			}
		})
	}
	wg.Wait()
}
