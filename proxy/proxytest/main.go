package proxytest

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// shared is the server of this test process: starting one per test would cost
// a second each.
//
//nolint:gochecknoglobals // one per test process is what is meant
var shared struct {
	mu  sync.Mutex // guards what follows
	pg  *Postgres
	err error
}

// Main runs the tests of a package, stops the shared server and fails if a
// goroutine is left. Call it from TestMain; it does not return.
func Main(m *testing.M, opts ...goleak.Option) {
	code := m.Run()
	shared.mu.Lock()
	if shared.pg != nil {
		shared.pg.Stop()
	}
	shared.mu.Unlock()
	if code == 0 {
		if err := goleak.Find(opts...); err != nil {
			fmt.Fprintf(os.Stderr, "goroutines left behind: %v\n", err)
			code = 1
		}
	}
	os.Exit(code)
}
