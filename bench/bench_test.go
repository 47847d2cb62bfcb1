package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseStatSkipsTheName(t *testing.T) {
	t.Parallel()
	got, err := parseStat("42 (a) b (c) S 1 42 42 0 -1 4194304 500 0 0 0 123 45 0 0 20 0 5 0 100")
	if err != nil {
		t.Fatal(err)
	}
	if want := 1680 * time.Millisecond; got != want {
		t.Errorf("CPU time: got %v, want %v", got, want)
	}
	if _, err := parseStat("42 (a) S 1"); err == nil {
		t.Error("a short line was read without an error")
	}
}

func TestParsePgbench(t *testing.T) {
	t.Parallel()
	const out = `transaction type: <builtin: select only>
number of transactions actually processed: 4000
number of failed transactions: 0 (0.000%)
latency average = 0.5 ms
tps = 1999.5 (without initial connection time)
`
	count, tps, err := parsePgbench(out)
	if err != nil || count != 4000 || tps != 1999.5 {
		t.Errorf("got %v, %v, %v", count, tps, err)
	}
	for name, bad := range map[string]string{
		"failed":  strings.Replace(out, "transactions: 0", "transactions: 1", 1),
		"nothing": strings.Replace(out, "4000", "0", 1),
		"no rate": strings.Replace(out, "tps", "", 1),
	} {
		if _, _, err := parsePgbench(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestReportTakesMedians(t *testing.T) {
	t.Parallel()
	one := func(peer string, tps float64) sample {
		return sample{scenario: "connect", name: "clients=8", peer: peer, values: []value{{unit: "conn/s", n: tps}}}
	}
	samples := []sample{one("direct", 100), one("direct", 300), one("direct", 200), one("pgbouncer", 10), one("pgbouncer", 30)}
	want := `
## pgbench -S -C: connect, one SELECT, close

| case | conn/s direct | conn/s pgbouncer |
|---|---:|---:|
| clients=8 | 200 | 20.0 |
`
	if diff := cmp.Diff(want, tables(samples)); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	text := benchstat(samples[:1], "cpu")
	if want := "BenchmarkConnect/clients=8/peer=direct 1 100 conn/s\n"; !strings.HasSuffix(text, want) {
		t.Errorf("benchstat: got %q, want it to end with %q", text, want)
	}
}
