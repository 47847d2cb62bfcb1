package api_test

import (
	"strings"
	"sync"
	"testing"
)

// TestSameKeyRunsOnce: however often and however many at once.
func TestSameKeyRunsOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := header{"Idempotency-Key": "exp-1"}
	var mu sync.Mutex
	ids, replayed := map[string]bool{}, 0
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			a := h.root.call("POST", "/runs", map[string]any{"sql": "select 1"}, key).want(201)
			mu.Lock()
			defer mu.Unlock()
			ids[a.id()] = true
			if a.res.Header.Get("Idempotent-Replayed") == "true" {
				replayed++
			}
		})
	}
	wg.Wait()
	if len(ids) != 1 || replayed != 19 || h.door.count() != 1 {
		t.Errorf("%d runs, %d replayed, %d begun", len(ids), replayed, h.door.begun)
	}
	h.root.call("POST", "/runs", map[string]any{"sql": "select 2"}, key).code(422, "idempotency-key-reused")
}

// TestWaiting: as long as asked and no longer, and it says what it did.
func TestWaiting(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.root.call("POST", "/runs", map[string]any{"sql": "select slow"}, header{"Prefer": "respond-async"}).want(202)
	id := a.id()
	if a.res.Header.Get("Preference-Applied") != "respond-async" || a.res.Header.Get("Location") != "/api/v1/runs/"+id {
		t.Errorf("%v", a.res.Header)
	}
	h.root.call("POST", "/runs", map[string]any{"sql": "select slow"}, header{"Prefer": "wait=1"}).want(202)
	h.root.call("GET", "/runs/"+id+"/rows", nil).code(409, "run-not-finished")
	waiting := make(chan *answer, 1)
	go func() { waiting <- h.root.call("GET", "/runs/"+id, nil, header{"Prefer": "wait=50"}) }()
	h.door.finish(id)
	if a := <-waiting; a.object()["state"] != "succeeded" || a.res.Header.Get("Preference-Applied") != "wait=50" {
		t.Errorf("%s, %v", a.body, a.res.Header)
	}
	h.root.call("POST", "/runs/"+id+"/cancel", nil).want(200)
	other := h.root.call("POST", "/runs", map[string]any{"sql": "select slow"}, header{"Prefer": "wait=0"}).want(202).id()
	h.root.call("POST", "/runs/"+other+"/cancel", map[string]any{"reason": "enough"}).want(200, 202)
	if got := h.root.call("GET", "/runs/"+other, nil, header{"Prefer": "wait=50"}).object(); got["state"] != "canceled" || got["cancel"].(map[string]any)["reason"] != "enough" {
		t.Errorf("%v", got)
	}
}

// TestOneShot: rows in the answer, or a run to ask for, or what is wrong.
func TestOneShot(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	b := h.root.program("runs:write", "runs:read")
	sql := header{"Content-Type": "application/sql"}
	a := b.call("POST", "/query?format=csv&p.since=2026-01-01&p.n:int8=5", "select :since, :n", sql).want(200)
	run := a.res.Header.Get("Lockkeeper-Run")
	if !strings.HasPrefix(string(a.body), "n,big,t\r\n1,9223372036854775807,") || run == "" || !strings.HasPrefix(a.res.Header.Get("Content-Type"), "text/csv") {
		t.Errorf("%q %v", a.body, a.res.Header)
	}
	got := b.call("GET", "/runs/"+run, nil).object()
	if got["sql"] != "select :since, :n" || len(got["params"].([]any)) != 2 {
		t.Errorf("ran %v with %v", got["sql"], got["params"])
	}
	a = b.call("POST", "/query?format=csv", "select slow", sql, header{"Prefer": "wait=0"}).want(202)
	if a.res.Header.Get("Location") != "/api/v1/runs/"+a.id() || a.res.Header.Get("Retry-After") == "" {
		t.Errorf("%v", a.res.Header)
	}
	p := b.call("POST", "/query", "select wrong", sql).code(422, "sql-error").object()
	if p["sqlstate"] != "42601" || p["run_id"] == "" || p["position"].(map[string]any)["column"] != 8.0 {
		t.Errorf("%v", p)
	}
	for _, q := range []string{"?fromat=csv", "?p.=1", "?p.a=1&p.a=2", "?format=xml"} {
		b.call("POST", "/query"+q, "select 1", sql).code(400, "bad-request")
	}
	b.call("POST", "/query?target=nowhere", "select 1", sql).want(403, 404)
}

// TestSavedQueriesNeedTheirVersion: nobody overwrites what they have not seen.
func TestSavedQueriesNeedTheirVersion(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.root.call("POST", "/queries", map[string]any{"title": "q", "sql": "select 1", "chart": map[string]any{"v": 1}, "team": "everyone"}).want(201)
	id := a.id()
	if a.res.Header.Get("ETag") != `"v1"` || a.res.Header.Get("Location") != "/api/v1/queries/"+id {
		t.Errorf("%v", a.res.Header)
	}
	h.root.call("PATCH", "/queries/"+id, map[string]any{"title": "r"}).code(428, "if-match-required")
	h.root.call("PATCH", "/queries/"+id, map[string]any{"title": "r"}, header{"If-Match": `"v9"`}).code(412, "version-conflict")
	h.root.call("PATCH", "/queries/"+id, map[string]any{"title": "r"}, header{"If-Match": "yes"}).code(400, "bad-request")
	got := h.root.call("PATCH", "/queries/"+id, map[string]any{"title": "r", "team": nil, "chart": nil}, header{"If-Match": `"v1"`}).want(200).object()
	if got["title"] != "r" || got["team"] != nil || got["chart"] != nil || got["rev"] != 2.0 {
		t.Errorf("%v", got)
	}
	h.root.call("POST", "/queries/"+id+"/runs", nil).want(201)
	if a := h.root.call("GET", "/queries/"+id+"/latest", nil).want(303); !strings.HasPrefix(a.res.Header.Get("Location"), "/api/v1/runs/r_") {
		t.Errorf("%v", a.res.Header)
	}
}
