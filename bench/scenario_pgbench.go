package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
)

func pgbenchCases(*bench) []testCase {
	var cases []testCase
	for _, mode := range []string{"simple", "prepared"} {
		for _, clients := range []int{1, 8, 32} {
			cases = append(cases, testCase{
				name: fmt.Sprintf("mode=%s/clients=%d", mode, clients),
				run: func(ctx context.Context, b *bench, p *peer) ([]value, error) {
					return b.pgbench(ctx, p, clients, "tx", "--protocol", mode)
				},
			})
		}
	}
	return cases
}

// connectCases open a connection for each transaction.
func connectCases(*bench) []testCase {
	const clients = 8
	return []testCase{{
		name: fmt.Sprintf("clients=%d", clients),
		run: func(ctx context.Context, b *bench, p *peer) ([]value, error) {
			return b.pgbench(ctx, p, clients, "conn", "--connect")
		},
	}}
}

// pgbench runs the select-only script and sets the CPU time of the peer
// against the transactions; what names one of them in the units.
func (b *bench) pgbench(ctx context.Context, p *peer, clients int, what string, more ...string) ([]value, error) {
	args := append([]string{
		"--select-only", "--no-vacuum", "--client", strconv.Itoa(clients), "--jobs", strconv.Itoa(min(clients, 2)),
		"--time", strconv.Itoa(b.seconds),
	}, more...)
	before, err := cpuTime(p.pid)
	if err != nil {
		return nil, err
	}
	out, err := b.tool(ctx, p, "pgbench", append(args, database)...)
	if err != nil {
		return nil, err
	}
	after, err := cpuTime(p.pid)
	if err != nil {
		return nil, err
	}
	count, tps, err := parsePgbench(out)
	if err != nil {
		return nil, err
	}
	values := []value{{unit: what + "/s", n: tps}}
	if p.pid != 0 {
		values = append(values, value{unit: "cpu-µs/" + what, n: float64((after - before).Microseconds()) / count})
	}
	return values, nil
}

// parsePgbench finds the number of transactions and their rate, and refuses a
// run in which one failed.
func parsePgbench(out string) (count, tps float64, err error) {
	number := func(pattern string) float64 {
		found := regexp.MustCompile(pattern).FindStringSubmatch(out)
		if found == nil {
			err = fmt.Errorf("pgbench printed no %q: %s", pattern, out)
			return 0
		}
		n, _ := strconv.ParseFloat(found[1], 64)
		return n
	}
	count = number(`(?m)^number of transactions actually processed: (\d+)`)
	failed := number(`(?m)^number of failed transactions: (\d+)`)
	tps = number(`(?m)^tps = ([\d.]+) `)
	if err == nil && (failed > 0 || count == 0) {
		err = fmt.Errorf("pgbench counts %v transactions and %v failed", count, failed)
	}
	return count, tps, err
}
