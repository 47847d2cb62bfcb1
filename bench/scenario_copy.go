package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func copyCases(*bench) []testCase {
	var cases []testCase
	for _, c := range []struct{ name, sql string }{
		{"rows=97B", "COPY pgbench_accounts TO STDOUT"},
		{"rows=8kB", "COPY (SELECT repeat('x', 8000) FROM generate_series(1, 20000)) TO STDOUT"},
	} {
		cases = append(cases, testCase{name: c.name, run: func(ctx context.Context, b *bench, p *peer) ([]value, error) {
			return b.copyOut(ctx, p, c.sql)
		}})
	}
	return cases
}

// counter is a writer that only counts.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// copyOut repeats a COPY for as long as one measurement takes; the last one is
// not cut short.
func (b *bench) copyOut(ctx context.Context, p *peer, sql string) (values []value, err error) {
	conn, err := pgconn.Connect(ctx, p.url())
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	before, err := cpuTime(p.pid)
	if err != nil {
		return nil, err
	}
	var bytes counter
	began := time.Now()
	for time.Since(began) < time.Duration(b.seconds)*time.Second {
		if _, err := conn.CopyTo(ctx, &bytes, sql); err != nil {
			return nil, fmt.Errorf("copy: %w", err)
		}
	}
	took := time.Since(began)
	after, err := cpuTime(p.pid)
	if err != nil {
		return nil, err
	}
	values = []value{{unit: "MB/s", n: float64(bytes) / 1e6 / took.Seconds()}}
	if p.pid != 0 {
		values = append(values, value{unit: "cpu-ns/B", n: float64((after - before).Nanoseconds()) / float64(bytes)})
	}
	return values, nil
}
