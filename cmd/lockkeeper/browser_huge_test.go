//go:build browser

package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// maxOffice is what a server may need with a result of ten million rows, in MiB.
const maxOffice = 300

// A result of many rows and twenty columns: the server keeps none of it in
// memory, its page scrolls smoothly, a download is fast, and none of that asks
// the warehouse anything.
//
// With LOCKKEEPER_ACCEPTANCE=1 it has ten million rows.
func TestBrowserHugeResult(t *testing.T) {
	chromium := browserTools(t)
	rows := scale(300_000, 10_000_000)
	pg := proxytest.StartPrivate(t, "shared_preload_libraries = 'pg_stat_statements'")
	super := pg.Super(t)
	proxytest.Exec(t, super, "CREATE EXTENSION pg_stat_statements", "CREATE ROLE reader LOGIN PASSWORD 'reader-secret'",
		"CREATE ROLE watcher LOGIN PASSWORD 'watcher' IN ROLE pg_monitor, pg_signal_backend", "CREATE DATABASE shop")
	pg.Auth(t, "reader", "scram-sha-256")
	web := freeAddress(t)
	h := &officeHouse{pg: pg, web: "http://" + web + "/api/v1"}
	h.process = serve(t, pg, "version: 1\nclassify: [{class: all}]\nclasses: {all: {}}\n",
		"--web-listen", web, "--operator", "postgres://watcher:watcher@"+pg.Addr()+"/postgres?sslmode=disable")
	olga := h.welcome(t, "olga", "reader")
	olga.http.Timeout = 10 * time.Minute
	began := time.Now()
	id := olga.runWith(map[string]any{"sql": hugeResult(rows), "limits": map[string]any{"max_rows": rows, "max_bytes": 16 << 30, "run_timeout_ms": 600_000}})
	t.Logf("%d rows stored in %s, %d MiB at the highest", rows, time.Since(began).Round(time.Second), h.memory())

	calls := func(like string) (n int64) {
		t.Helper()
		err := super.QueryRow(t.Context(), "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid WHERE rolname = 'reader' AND query LIKE $1", like).Scan(&n)
		if err != nil || n == 0 {
			t.Fatalf("%d statements of the reader, %v", n, err)
		}
		return n
	}
	before := calls("%")
	hugeDownload(t, olga, id, int64(rows))
	for _, offset := range []int{0, rows / 2, rows - 200} {
		began := time.Now()
		var page struct{ Rows [][]any }
		olga.must(http.MethodGet, fmt.Sprintf("/runs/%s/rows?offset=%d&limit=200", id, offset), nil, &page)
		if len(page.Rows) != 200 {
			t.Errorf("at %d: %d rows", offset, len(page.Rows))
		}
		t.Logf("200 rows at %d in %s", offset, time.Since(began).Round(time.Millisecond))
	}
	if after := calls("%"); after != before {
		t.Errorf("the warehouse ran %d statements for downloads of what is stored", after-before)
	}
	stage := httptest.NewServer(browserStage(pg, h.state))
	t.Cleanup(stage.Close)
	browserScript(t, h.process, "huge", "LK_WEB=http://"+web, "LK_STAGE="+stage.URL, "CHROMIUM="+chromium,
		"LK_RUN="+strings.TrimPrefix(id, "r_"), fmt.Sprintf("LK_ROWS=%d", rows))
	if n := calls("%AS code%"); n != 1 { // the page asks the catalog for names besides
		t.Errorf("the statement ran %d times", n)
	}
	if got := h.memory(); got > maxOffice && !raceEnabled {
		t.Errorf("%d MiB resident at the highest, want at most %d", got, maxOffice)
	}
	t.Logf("%d MiB resident at the highest", h.memory())
}

// hugeResult gives rows of twenty columns, some two hundred bytes each.
func hugeResult(rows int) string {
	columns := []string{"g AS id", "g * 7 % 1000003 AS code", "(g / 3.0)::numeric(14,4) AS price", "timestamp '2026-01-01' + g * interval '1 second' AS at", "CASE WHEN g % 5 > 0 THEN 'note ' || g END AS note"}
	for i := len(columns); i < 20; i++ {
		columns = append(columns, fmt.Sprintf("g %% %d AS c%d", 97+i, i))
	}
	return fmt.Sprintf("SELECT %s FROM generate_series(1, %d) g", strings.Join(columns, ", "), rows)
}

// hugeDownload reads a result as CSV and counts its lines.
func hugeDownload(t *testing.T, u *officeUser, id string, rows int64) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.web+"/runs/"+id+"/result.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	answer, err := u.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines, size := int64(0), int64(0)
	for buf := make([]byte, 1<<20); err == nil; {
		var n int
		n, err = answer.Body.Read(buf)
		size += int64(n)
		lines += int64(bytes.Count(buf[:n], []byte("\n")))
	}
	if err != io.EOF || answer.StatusCode != http.StatusOK || lines != rows+1 {
		t.Fatalf("CSV: %d, %d lines of %d, %v", answer.StatusCode, lines, rows+1, err)
	}
	t.Logf("CSV: %d MB at %.0f MB/s", size/1e6, float64(size)/1e6/time.Since(began).Seconds())
}
