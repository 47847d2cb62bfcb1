package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// countRecords counts the records of some kinds in the segments, line by line.
func countRecords(t testing.TB, state string, match func(line []byte) bool) int {
	t.Helper()
	n := 0
	for _, file := range segmentFiles(t, state) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			if match(line) {
				n++
			}
		}
	}
	return n
}

func segmentFiles(t testing.TB, state string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(state, "audit", "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("segments: %v, %v", files, err)
	}
	return files
}

func ofKind(kind, text string) func([]byte) bool {
	k, x := []byte(`"kind":"`+kind+`"`), []byte(text)
	return func(line []byte) bool { return bytes.Contains(line, k) && bytes.Contains(line, x) }
}

// Every statement of pgbench is in the record as one intent and one outcome,
// and nothing else is but what pgbench asks at its start.
func TestRecordOfPgbench(t *testing.T) {
	pg := proxytest.StartPrivate(t, "fsync = off")
	bench := filepath.Join(pg.BinDir(), "pgbench")
	fill := exec.CommandContext(t.Context(), bench, "-i", "-q", "-s", "1", pg.URL(proxytest.Superuser, "postgres"))
	if out, exit := run(t, fill); exit != 0 {
		t.Fatal(out)
	}
	const clients = 8
	each := scale(250, 42_000) // with three modes: 6 000 or 1 008 000 transactions
	for _, mode := range []string{"simple", "extended", "prepared"} {
		p := serve(t, pg, "")
		began := time.Now()
		cmd := exec.CommandContext(t.Context(), bench, "-S", "-n", "-M", mode, "-c", strconv.Itoa(clients), "-j", "2", "-t", strconv.Itoa(each), p.url(proxytest.Superuser))
		if out, exit := run(t, cmd); exit != 0 || !strings.Contains(out, fmt.Sprintf("processed: %d/%d", clients*each, clients*each)) {
			t.Fatalf("%s: %s", mode, out)
		}
		took := time.Since(began)
		p.stop()
		for _, kind := range []string{"intent", "outcome"} {
			all := countRecords(t, p.state, ofKind(kind, ""))
			selects := countRecords(t, p.state, ofKind(kind, `"reads":["pgbench_accounts"]`))
			t.Logf("%s: %d %ss, %d of the benchmark, in %s", mode, all, kind, selects, took.Round(time.Millisecond))
			if selects != clients*each || all != selects+setupStatements {
				t.Errorf("%s: %d %ss, %d of the benchmark; want %d and %d to set up", mode, all, kind, selects, clients*each, setupStatements)
			}
		}
		if out := p.verify(); !strings.Contains(out, "unproven") {
			t.Errorf("verify: %s", out)
		}
	}
}

// setupStatements is what pgbench asks once: how many branches there are, and
// whether the accounts are partitioned.
const setupStatements = 2

// A server that dies at any moment has the intent of whatever ran: rows that
// are in the warehouse without one would be acts that nobody recorded. And
// what it left behind verifies.
func TestRecordSurvivesKill(t *testing.T) {
	pg := proxytest.StartPrivate(t)
	super := pg.Super(t)
	proxytest.Exec(t, super, "CREATE TABLE marks(n int)")
	p := serve(t, pg, "")
	var acknowledged []int
	rounds, crashed := scale(4, 20), 0
	for round := range rounds {
		acked := writeUntilKilled(t, p, round*1_000_000)
		acknowledged = append(acknowledged, acked...)
		p.verify() // as it was left
		p.start()
		out := p.verify()
		if !strings.Contains(out, "unproven") {
			t.Fatalf("verify after kill %d: %s", round, out)
		}
		want(t, p.client().One("SELECT 1"), "1")
		if len(acked) > 0 {
			crashed++
		}
	}
	head, _ := command(t, "audit", "head", p.state)
	p.stop()
	heads := filepath.Join(t.TempDir(), "heads")
	if err := os.WriteFile(heads, []byte(head), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", p.verify("--head", heads))

	intents := taggedIntents(t, p.state)
	rows, err := super.Query(t.Context(), "SELECT n FROM marks")
	if err != nil {
		t.Fatal(err)
	}
	present, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range append(present, acknowledged...) {
		if !intents[n] {
			t.Errorf("row %d was written without an intent", n)
		}
	}
	t.Logf("%d kills, %d of them under load: %d rows acknowledged, %d in the table, %d intents", rounds, crashed, len(acknowledged), len(present), len(intents))
	if crashed < rounds/2 {
		t.Errorf("only %d of %d kills came under load", crashed, rounds)
	}
}

// writeUntilKilled inserts marked rows from several sessions, kills the server
// in the middle, and returns the marks whose INSERT was acknowledged.
func writeUntilKilled(t *testing.T, p *process, first int) []int {
	t.Helper()
	const writers = 6
	var (
		mu      sync.Mutex
		acked   []int
		workers sync.WaitGroup
	)
	enough := make(chan struct{}, 1)
	for w := range writers {
		workers.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			conn, err := pgx.Connect(ctx, p.url(proxytest.Superuser)+"&default_query_exec_mode=simple_protocol")
			if err != nil {
				return // killed before it came in
			}
			defer conn.Close(ctx)
			for n := first + w*100_000; ; n++ {
				if _, err := conn.Exec(ctx, fmt.Sprintf("INSERT INTO marks VALUES (%d) /* mark='%d' */", n, n)); err != nil {
					return
				}
				mu.Lock()
				acked = append(acked, n)
				if len(acked) == 60 {
					enough <- struct{}{}
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(20 * time.Second):
		t.Error("the writers do not come forward")
	}
	p.kill()
	workers.Wait()
	return acked
}

// taggedIntents returns the marks of the intents in the record.
func taggedIntents(t *testing.T, state string) map[int]bool {
	t.Helper()
	out := map[int]bool{}
	for _, file := range segmentFiles(t, state) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			var ev struct {
				Kind string            `json:"kind"`
				Tags map[string]string `json:"tags"`
			}
			if err := json.Unmarshal(line, &ev); err != nil {
				t.Fatalf("%s: %v in %s", file, err, line)
			}
			if ev.Kind == "intent" && ev.Tags["mark"] != "" {
				n, _ := strconv.Atoi(ev.Tags["mark"])
				out[n] = true
			}
		}
	}
	return out
}
