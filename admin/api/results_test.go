package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/lockkeeper/lockkeeper/audit"
)

// TestEachReadIsRecorded reads a thousand times in every way there is, from many
// sides at once: as many records.
func TestEachReadIsRecorded(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.root.call("POST", "/runs", map[string]any{"sql": "select 1"}).want(201).id()
	token := h.root.program("runs:read", "runs:write")
	ways := []func() *answer{
		func() *answer { return h.root.call("GET", "/runs/"+id+"/rows", nil) },
		func() *answer { return token.call("GET", "/runs/"+id+"/rows?offset=1&limit=1", nil) },
		func() *answer { return token.call("GET", "/runs/"+id+"/result.csv", nil) },
		func() *answer { return h.root.call("GET", "/runs/"+id+"/result.json", nil) },
		func() *answer {
			return h.root.call("POST", "/runs/"+id+"/aggregate", map[string]any{"v": 1, "type": "bar", "x": "n", "y": []any{map[string]any{"col": "n", "agg": "sum"}}})
		},
		func() *answer { return h.root.call("GET", "/runs/"+id+"/rows", nil, header{"If-None-Match": "*"}) },
		func() *answer { return token.call("GET", "/runs/"+id+"/result.csv", nil, header{"If-None-Match": "*"}) },
		func() *answer { return token.call("POST", "/query?format=csv", map[string]any{"sql": "select 1"}) },
	}
	const each, hands = 125, 4
	var wg sync.WaitGroup
	for hand := range hands {
		wg.Go(func() {
			for i := hand; i < each*len(ways); i += hands {
				if a := ways[i%len(ways)](); a.res.StatusCode != http.StatusOK && a.res.StatusCode != http.StatusNotModified {
					t.Errorf("%s: %d %s", a.what, a.res.StatusCode, a.body)
				}
			}
		})
	}
	wg.Wait()
	if got := h.journal.count(audit.KindResultRead, audit.KindResultExport); got != each*len(ways) {
		t.Errorf("%d records of %d reads", got, each*len(ways))
	}
}

// TestNoRecordNoByte: when the record fails, nothing of a result leaves.
func TestNoRecordNoByte(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.root.call("POST", "/runs", map[string]any{"sql": "select 1"}).want(201).id()
	h.journal.breaks(true)
	for _, path := range []string{"/rows", "/result.csv", "/result.ndjson", "/result.parquet"} {
		for _, hs := range []header{nil, {"If-None-Match": "*"}} {
			a := h.root.call("GET", "/runs/"+id+path, nil, hs).code(503, "audit-unavailable")
			if strings.Contains(string(a.body), "SECRETCELL") {
				t.Errorf("%s: %s", path, a.body)
			}
		}
	}
	h.root.call("POST", "/runs/"+id+"/aggregate", map[string]any{"v": 1, "type": "bar", "x": "n", "y": []any{map[string]any{"col": "n", "agg": "sum"}}}).code(503, "audit-unavailable")
	h.root.call("POST", "/query?format=csv", map[string]any{"sql": "select 1"}).code(503, "audit-unavailable")
	if log := h.log.String(); strings.Contains(log, "SECRETCELL") || strings.Contains(log, "select 1") {
		t.Error("the log has SQL or values")
	}
}

// TestWhoHasItMayBeToldSo: 304 for a tag that is still right, only for who may
// read, and never for a stranger.
func TestWhoHasItMayBeToldSo(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	eve := h.person("eve", "member")
	id := h.root.call("POST", "/runs", map[string]any{"sql": "select 1"}).want(201).id()
	for _, path := range []string{"/rows", "/rows?values=json", "/result.csv"} {
		first := h.root.call("GET", "/runs/"+id+path, nil).want(200)
		tag := first.res.Header.Get("ETag")
		if tag == "" || first.res.Header.Get("Cache-Control") != "private, no-cache" {
			t.Fatalf("%s: tag %q, %q", path, tag, first.res.Header.Get("Cache-Control"))
		}
		same := h.root.call("GET", "/runs/"+id+path, nil, header{"If-None-Match": `"x", W/` + tag}).want(304)
		if len(same.body) > 0 || same.res.Header.Get("ETag") != tag {
			t.Errorf("%s: 304 with %q, tag %q", path, same.body, same.res.Header.Get("ETag"))
		}
		h.root.call("GET", "/runs/"+id+path, nil, header{"If-None-Match": `"other"`}).want(200)
		eve.call("GET", "/runs/"+id+path, nil, header{"If-None-Match": tag}).want(404)
	}
	text, json := h.root.call("GET", "/runs/"+id+"/rows", nil), h.root.call("GET", "/runs/"+id+"/rows?values=json", nil)
	if text.res.Header.Get("ETag") == json.res.Header.Get("ETag") {
		t.Error("two forms have one tag")
	}
	for _, name := range []string{"csv", "parquet"} {
		a := h.root.call("HEAD", "/runs/"+id+"/result."+name, nil).want(200)
		if a.res.Header.Get("ETag") == "" || !strings.Contains(a.res.Header.Get("Content-Disposition"), "attachment") {
			t.Errorf("HEAD of %s: %v", name, a.res.Header)
		}
	}
	if c := h.root.call("GET", "/runs/"+id, nil).want(200).res.Header.Get("Cache-Control"); c != "no-store" {
		t.Errorf("a run: %q", c)
	}
	saved := h.root.call("POST", "/queries", map[string]any{"title": "q", "sql": "select 1"}).want(201).id()
	h.root.call("GET", "/queries/"+saved, nil, header{"If-None-Match": `"v1"`}).want(304)
	// The tag is the version, that of what is shown with it is none: whether it is
	// starred, released, where it last ran. A browser that kept it would show it old.
	if c := h.root.call("GET", "/queries/"+saved, nil).want(200).res.Header.Get("Cache-Control"); c != "no-store" {
		t.Errorf("a saved query: %q", c)
	}
	h.root.call("GET", "/targets/warehouse/completions", nil, header{"If-None-Match": `"abc"`}).want(304)
}

// TestRowsAsTextAndAsJSON: text loses nothing, JSON only takes what it can hold.
func TestRowsAsTextAndAsJSON(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.root.call("POST", "/runs", map[string]any{"sql": "select 1"}).want(201).id()
	for values, want := range map[string]string{
		"text": `[["1","9223372036854775807","SECRETCELL"],["2",null,""],["3","0",null]]`,
		"json": `[[1,"9223372036854775807","SECRETCELL"],[2,null,""],[3,"0",null]]`,
	} {
		a := h.root.call("GET", "/runs/"+id+"/rows?values="+values, nil).want(200)
		if !strings.Contains(string(a.body), `"rows":`+want) {
			t.Errorf("%s: %s", values, a.body)
		}
	}
	// The next page is where the answer says.
	seen, next := 0, "/api/v1/runs/"+id+"/rows?limit=2"
	for next != "" {
		page := h.root.call("GET", "!"+next, nil).want(200).object()
		seen += len(page["rows"].([]any))
		next, _ = page["next"].(string)
	}
	if seen != 3 {
		t.Errorf("%d rows by pages", seen)
	}
	a := h.root.call("GET", "/runs/"+id+"/rows?sort=c0:desc&filter="+url.QueryEscape(`[{"col":"n","op":"ge","value":"2"}]`), nil).want(200)
	if got := a.object(); fmt.Sprint(got["rows"]) != "[[3 0 <nil>] [2 <nil> ]]" || got["filtered_count"] != 2.0 {
		t.Errorf("%s", a.body)
	}
	for _, q := range []string{"sort=:asc", "filter={}", `filter=[{"col":"a","x":1}]`, "limit=10001", "offset=-1", "values=xml", "statement=-1"} {
		h.root.call("GET", "/runs/"+id+"/rows?"+q, nil).code(400, "bad-request")
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	b := &browser{h: h}
	for encodings, want := range map[string]string{"": "let plain", "gzip": "let gzip", "gzip, br": "let brotli", "br;q=0, gzip;q=0.5": "let gzip", "identity": "let plain", "br;q=0": "let plain"} {
		a := b.call("GET", "!/assets/app-1a2b.js", nil, header{"Accept-Encoding": encodings}).want(200)
		if string(a.body) != want || !strings.Contains(a.res.Header.Get("Cache-Control"), "immutable") || !strings.HasPrefix(a.res.Header.Get("Content-Type"), "text/javascript") {
			t.Errorf("%q: %q %v", encodings, a.body, a.res.Header)
		}
		// The worker that follows events obeys the policy of its own script.
		if policy := a.res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "connect-src 'self'") {
			t.Errorf("%q: policy %q", encodings, policy)
		}
	}
	nonces := map[string]bool{}
	for _, path := range []string{"!/", "!/r/ABC", "!/signin", "!/index.html", "!/a/b/c"} {
		a := b.call("GET", path, nil).want(200)
		nonce := strings.TrimSuffix(strings.TrimPrefix(string(a.body), "<html>/ "), "</html>")
		if !strings.Contains(a.res.Header.Get("Content-Security-Policy"), "'nonce-"+nonce+"'") || nonces[nonce] || a.res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %q, %v", path, a.body, a.res.Header)
		}
		nonces[nonce] = true
	}
	b.call("GET", "!/assets/gone.js", nil).code(404, "not-found")
	b.call("GET", "!/assets/..%2findex.html", nil).want(404)
	b.call("POST", "!/r/ABC", "{}").want(404)
	b.call("GET", "!/problems/nothing", nil).want(404)
	if a := b.call("GET", "!/problems/sql-error", nil).want(200); !strings.Contains(string(a.body), "The SQL failed") {
		t.Errorf("%s", a.body)
	}
}

func TestPolicyReportsAreCounted(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	b := &browser{h: h}
	b.call("POST", "/csp-reports", `{"csp-report":{"blocked-uri":"https://evil.example/secretpath"}}`, header{"Content-Type": "application/csp-report"}).want(204)
	b.call("POST", "/csp-reports", `[{"type":"csp-violation"}]`, header{"Content-Type": "application/reports+json"}).want(204)
	if n := h.api.CSPReports(); n != 2 {
		t.Errorf("%d reports", n)
	}
	if log := h.log.String(); !strings.Contains(log, "content security policy") || strings.Contains(log, "secretpath") {
		t.Errorf("logged: %s", log)
	}
}
