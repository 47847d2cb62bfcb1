package backend

import "testing"

// Without a pool of their own to share, each idle connection would keep the
// buffer it last read into.
func TestConnectionsOfADialerShareBuffers(t *testing.T) {
	t.Parallel()
	d, err := New(Config{Network: "tcp", Address: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if d.cfg.Pools == nil {
		t.Error("the dialer has no pool of buffers")
	}
}
