package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// options is what the command line says.
type options struct {
	scenarios []string
	peers     []string
	seconds   int // length of one measurement
	repeats   int
	scale     int // of pgbench's tables
	idle      int // connections in scenario idle
	binary    string
	results   string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // run has cleaned up; stop only resets the signals
	}
}

func parse(args []string, diag io.Writer) (options, error) {
	var o options
	seconds := 3
	if s := os.Getenv("BENCH_SECONDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return o, fmt.Errorf("BENCH_SECONDS is %q: want a number of seconds", s)
		}
		seconds = n
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(diag)
	names := flags.String("run", "all", "scenarios: all, or some of "+strings.Join(scenarioNames(), ","))
	peers := flags.String("peers", "direct,lockkeeper,pgbouncer", "who is measured")
	flags.IntVar(&o.seconds, "seconds", seconds, "length of one measurement (BENCH_SECONDS)")
	flags.IntVar(&o.repeats, "repeats", 3, "how often each measurement is taken")
	flags.IntVar(&o.scale, "scale", 10, "scale of pgbench's tables")
	flags.IntVar(&o.idle, "idle", 1000, "connections in scenario idle")
	flags.StringVar(&o.binary, "lockkeeper", filepath.Join("bin", "lockkeeper"), "the program to measure")
	flags.StringVar(&o.results, "results", filepath.Join("bench", "results"), "directory for latest.md and latest.txt")
	if err := flags.Parse(args); err != nil {
		return o, fmt.Errorf("read the command line: %w", err)
	}
	if *names == "all" {
		*names = strings.Join(scenarioNames(), ",")
	}
	o.scenarios, o.peers = strings.Split(*names, ","), strings.Split(*peers, ",")
	if o.seconds < 1 || o.repeats < 1 || o.scale < 1 || o.idle < 1 {
		return o, errors.New("seconds, repeats, scale and idle are at least 1")
	}
	return o, nil
}

// run measures everything and removes what it has started.
func run(ctx context.Context, args []string, out, diag io.Writer) (err error) {
	o, err := parse(args, diag)
	if err != nil {
		return err
	}
	if err := raiseFileLimit(); err != nil {
		return err
	}
	pg, err := proxytest.Start("max_connections = "+strconv.Itoa(o.idle+100), "shared_buffers = 512MB") //nolint:contextcheck // its deadline is its own
	if err != nil {
		return fmt.Errorf("start Postgres: %w", err)
	}
	defer pg.Stop()
	scratch, err := os.MkdirTemp("", "lockkeeper-bench")
	if err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()

	b := &bench{options: o, pg: pg, scratch: scratch, diag: diag, load: loadAverage()}
	began := time.Now()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	for _, name := range o.scenarios {
		scenario, ok := scenarioNamed(name)
		if !ok {
			return fmt.Errorf("no scenario %q", name)
		}
		if err := b.measure(ctx, scenario); err != nil {
			return fmt.Errorf("scenario %s: %w", name, err)
		}
	}
	return b.report(ctx, out, time.Since(began))
}

// raiseFileLimit lets us and our children open as many files as the machine
// allows. Setting the limit explicitly also hands it down.
func raiseFileLimit() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise the limit of open files: %w", err)
	}
	return nil
}
