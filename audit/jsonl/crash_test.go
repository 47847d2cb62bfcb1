package jsonl

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
)

// crashDirEnv makes the test binary a writer to be killed.
const crashDirEnv = "LOCKKEEPER_TEST_AUDIT_CRASH_DIR"

// crashWriter records from many sessions until it is killed, and prints a
// record's text once it is acknowledged: "d…" durable, "o…" ordered, the latter
// with the time of its acknowledgement.
func crashWriter(dir string) {
	log, err := Open(Config{Dir: dir, MaxBytes: 64 << 10})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	r, err := audit.New(audit.Config{Sink: log})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx := context.Background()
	var out sync.Mutex
	var wg sync.WaitGroup
	for s := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				e := audit.Event{Kind: audit.KindIntent, Durability: audit.Durable, OnFailure: audit.Closed, Text: fmt.Sprintf("d%d/%d/%d", os.Getpid(), s, i)}
				if s%2 == 1 {
					e.Durability, e.Text = audit.Ordered, "o"+e.Text[1:]
					time.Sleep(200 * time.Microsecond)
				}
				if err := r.Record(ctx, &e); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				out.Lock()
				fmt.Println(e.Text, time.Now().UnixMicro()) // straight to the pipe
				out.Unlock()
			}
		})
	}
	_ = r.Run(ctx)
	wg.Wait()
}

// TestKill kills a writer twenty times in one directory. Whatever it had
// acknowledged as durable is there; what it had acknowledged as ordered is
// there too, unless it was younger than 300 ms; and the log verifies, before
// and after the next writer has repaired its end.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	durable, ordered, torn := 0, 0, 0
	var heads []audit.Head
	for round := range 20 {
		acknowledged, killed := runAndKill(t, dir, time.Duration(20+rng.IntN(500))*time.Millisecond)
		res, err := Verify(t.Context(), dir, heads)
		if err != nil || !res.OK() {
			t.Fatalf("round %d: verify after the kill: %v %v", round, err, res.Broken)
		}
		if res.Torn > 0 {
			torn++
		}
		stored := storedTexts(t, dir)
		for _, line := range acknowledged {
			text, at, _ := strings.Cut(line, " ")
			us, err := strconv.ParseInt(at, 10, 64)
			if err != nil {
				continue // the kill cut the line in the pipe
			}
			switch {
			case text[0] == 'd':
				durable++
			case time.UnixMicro(us).After(killed.Add(-300 * time.Millisecond)):
				continue
			default:
				ordered++
			}
			if !stored[text] {
				t.Errorf("round %d: acknowledged %s, %s before the kill, is lost", round, text, killed.Sub(time.UnixMicro(us)))
			}
		}
		heads = append(heads, res.Head) // nothing up to here may ever change
	}
	t.Logf("%d durable and %d ordered records acknowledged, all there; %d torn ends", durable, ordered, torn)
	if durable == 0 || ordered == 0 {
		t.Error("the writers were killed before they did anything")
	}
}

func runAndKill(t *testing.T, dir string, after time.Duration) (acknowledged []string, killed time.Time) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), crashDirEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() { // the first record: it runs
		t.Fatal("the writer said nothing")
	}
	acknowledged = append(acknowledged, lines.Text())
	at := make(chan time.Time, 1)
	time.AfterFunc(after, func() {
		at <- time.Now()
		_ = cmd.Process.Kill()
	})
	for lines.Scan() {
		acknowledged = append(acknowledged, lines.Text())
	}
	killed = <-at
	_ = cmd.Wait() // killed
	return acknowledged, killed
}

func storedTexts(t *testing.T, dir string) map[string]bool {
	t.Helper()
	page, err := NewReader(dir).Search(t.Context(), audit.Query{Limit: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	stored := map[string]bool{}
	for _, e := range page.Events {
		stored[e.Text] = true
	}
	return stored
}
