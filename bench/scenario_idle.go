package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// settle is how long a process may take to give back what logins have cost it.
const settle = 3 * time.Second

func idleCases(b *bench) []testCase {
	return []testCase{{name: fmt.Sprintf("clients=%d", b.idle), proxyOnly: true, run: measureIdle}}
}

// measureIdle opens the connections and looks twice: after the login, when
// PgBouncer has not yet given them a server connection, and after one
// statement on each, when both proxies hold two sockets a client.
func measureIdle(ctx context.Context, b *bench, p *peer) (values []value, err error) {
	empty, err := residentBytes(p.pid)
	if err != nil {
		return nil, err
	}
	conns := make([]*pgconn.PgConn, 0, b.idle)
	defer func() {
		for _, c := range conns {
			err = errors.Join(err, c.Close(ctx))
		}
	}()
	for range b.idle {
		c, err := pgconn.Connect(ctx, p.url())
		if err != nil {
			return nil, fmt.Errorf("connect after %d: %w", len(conns), err)
		}
		conns = append(conns, c)
	}
	fresh, err := perClient(p, empty, len(conns))
	if err != nil {
		return nil, err
	}
	for _, c := range conns {
		if err := c.Exec(ctx, "SELECT 1").Close(); err != nil {
			return nil, fmt.Errorf("first statement: %w", err)
		}
	}
	used, err := perClient(p, empty, len(conns))
	if err != nil {
		return nil, err
	}
	return []value{{unit: "KiB/client-after-login", n: fresh}, {unit: "KiB/client-after-SELECT", n: used}}, nil
}

// perClient returns the memory in KiB that each of n clients has added.
func perClient(p *peer, empty int64, n int) (float64, error) {
	time.Sleep(settle)
	now, err := residentBytes(p.pid)
	if err != nil {
		return 0, err
	}
	return float64(now-empty) / 1024 / float64(n), nil
}
