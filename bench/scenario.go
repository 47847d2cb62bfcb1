package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// database is the one that all scenarios use.
const database = "bench"

// bench is one run: a server, samples, and the peers while a scenario lasts.
type bench struct {
	options
	pg      *proxytest.Postgres
	scratch string
	diag    io.Writer
	load    string // what else the machine did when the run began
	samples []sample
}

// sample is one measurement of one peer.
type sample struct {
	scenario string // "pgbench"
	name     string // "mode=simple/clients=8"
	peer     string
	values   []value
}

type value struct {
	unit string
	n    float64
}

// scenario measures each of its cases on each peer.
type scenario struct {
	name  string
	about string
	once  bool // a second measurement of the same process would be another thing
	cases func(*bench) []testCase
}

// testCase is one load. Proxies only: direct has nothing to measure.
type testCase struct {
	name      string
	proxyOnly bool
	run       func(context.Context, *bench, *peer) ([]value, error)
}

func scenarios() []scenario {
	return []scenario{
		{name: "pgbench", about: "pgbench -S", cases: pgbenchCases},
		{name: "copy", about: "COPY OUT", cases: copyCases},
		{name: "connect", about: "pgbench -S -C: connect, one SELECT, close", cases: connectCases},
		{name: "idle", about: "idle plaintext connections", once: true, cases: idleCases},
	}
}

func scenarioNames() []string {
	var names []string
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	return names
}

func scenarioNamed(name string) (scenario, bool) {
	for _, s := range scenarios() {
		if s.name == name {
			return s, true
		}
	}
	return scenario{}, false
}

// prepare makes the tables of pgbench.
func (b *bench) prepare(ctx context.Context) error {
	for _, cmd := range [][]string{
		{"createdb", database},
		{"pgbench", "--initialize", "--quiet", "--scale", strconv.Itoa(b.scale), database},
		{"psql", "--quiet", "--no-psqlrc", "--dbname", database, "--command", "VACUUM ANALYZE", "--command", "CHECKPOINT"},
	} {
		if _, err := b.tool(ctx, direct(b.pg), cmd[0], cmd[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// measure runs all cases of a scenario on fresh processes. The peers take
// turns within a repeat, each repeat beginning with another one, so that what
// the machine does meanwhile falls on all of them.
func (b *bench) measure(ctx context.Context, s scenario) (err error) {
	peers, stop, err := b.startPeers(ctx)
	defer stop()
	if err != nil {
		return err
	}
	repeats := b.repeats
	if s.once {
		repeats = 1
	}
	for _, c := range s.cases(b) {
		for r := range repeats {
			for i := range peers {
				p := peers[(i+r)%len(peers)]
				if c.proxyOnly && p.pid == 0 {
					continue
				}
				values, err := c.run(ctx, b, p)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", c.name, p.name, err)
				}
				b.samples = append(b.samples, sample{scenario: s.name, name: c.name, peer: p.name, values: values})
				_, _ = fmt.Fprintf(b.diag, "%-8s %-26s %-10s %s\n", s.name, c.name, p.name, words(values))
			}
		}
	}
	return nil
}

// tool runs one of Postgres' own programs against a peer and returns what it
// printed.
func (b *bench) tool(ctx context.Context, p *peer, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(b.pg.BinDir(), name), args...)
	cmd.Env = append(cmd.Environ(), "PGHOST="+p.host, "PGPORT="+p.port, "PGUSER="+proxytest.Superuser, "PGSSLMODE=disable", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return string(out), nil
}
