package main

import (
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// A cancel of the page is a cancel: whatever the run does, it is gone from the
// warehouse soon after, as somebody sees who looks from outside.
func TestOfficeCancel(t *testing.T) {
	t.Parallel()
	h := serveOffice(t)
	h.writePolicy("version: 1\nclassify: [{when: {user: quin}, class: narrow}, {class: all}]\nclasses: {all: {}, narrow: {concurrency: {hard: 1}}}\n")
	h.console("reload")
	ann, quin := h.welcome(t, "ann", "reader", "--admin"), h.welcome(t, "quin", "reader")
	super := h.pg.Super(t)
	locker := h.pg.Super(t)
	active := func(mark string) bool {
		var n int
		if err := super.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%/* "+mark+" */%'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n > 0
	}
	submit := func(u *officeUser, sql string) (id string) {
		var r struct{ ID string }
		u.must(http.MethodPost, "/runs", map[string]any{"sql": sql, "limits": map[string]any{"max_rows": 5_000_000}}, &r)
		return r.ID
	}
	ended := func(u *officeUser, id string) string {
		var r struct{ State string }
		eventually(t, id+" ends", func() bool {
			time.Sleep(50 * time.Millisecond) // the API bounds how often one may ask
			u.must(http.MethodGet, "/runs/"+id, nil, &r)
			return r.State != "queued" && r.State != "running"
		})
		return r.State
	}
	ann.http.Timeout, quin.http.Timeout = time.Minute, time.Minute
	longest := map[string]time.Duration{}
	kinds := map[string]string{
		"sleep":  "pg_sleep(300)",
		"join":   "count(*) FROM generate_series(1, 100000000) a, generate_series(1, 1000) b WHERE a.a % 7 = b.b % 5",
		"stream": "i, md5(i::text) FROM generate_series(1, 5000000) i",
		"lock":   "count(*) FROM public.sales",
	}
	for range scale(2, 20) {
		for kind, sql := range kinds {
			if kind == "lock" {
				proxytest.Exec(t, locker, "BEGIN", "LOCK TABLE public.sales IN ACCESS EXCLUSIVE MODE")
			}
			id := submit(ann.prefer("respond-async"), "SELECT /* "+kind+" */ "+sql)
			eventually(t, kind+" runs", func() bool { return active(kind) })
			began := time.Now()
			ann.must(http.MethodPost, "/runs/"+id+"/cancel", map[string]any{"reason": "enough"}, nil)
			for active(kind) && time.Since(began) < 20*time.Second {
				time.Sleep(50 * time.Millisecond)
			}
			longest[kind] = max(longest[kind], time.Since(began))
			want(t, ended(ann, id), "canceled")
			if kind == "lock" {
				proxytest.Exec(t, locker, "ROLLBACK")
			}
		}
		first := submit(quin.prefer("respond-async"), "SELECT /* first */ pg_sleep(300)")
		eventually(t, "the first runs", func() bool { return active("first") })
		waits := submit(quin.prefer("respond-async"), "SELECT 2")
		eventually(t, "it waits", func() bool {
			var r struct {
				State string
				Wait  *struct{ Reason string }
			}
			time.Sleep(50 * time.Millisecond)
			quin.must(http.MethodGet, "/runs/"+waits, nil, &r)
			return r.State == "queued" && r.Wait != nil && r.Wait.Reason == "slot"
		})
		began := time.Now()
		quin.must(http.MethodPost, "/runs/"+waits+"/cancel", map[string]any{}, nil)
		want(t, ended(quin, waits), "canceled")
		longest["queued"] = max(longest["queued"], time.Since(began))
		quin.must(http.MethodPost, "/runs/"+first+"/cancel", map[string]any{}, nil)
		want(t, ended(quin, first), "canceled")
	}
	bound := 3 * time.Second // other tests run beside it
	if heavy() {
		bound = time.Second
	}
	for kind, d := range longest {
		t.Logf("%s: gone after %s at most", kind, d.Round(time.Millisecond))
		if d > bound {
			t.Errorf("%s: still there after %s", kind, d)
		}
	}
	h.stop()
}

// prefer sends a Prefer header with each request, beside those there are.
func (u *officeUser) prefer(what string) *officeUser {
	next := *u
	next.header = http.Header{}
	maps.Copy(next.header, u.header)
	next.header.Set("Prefer", what)
	return &next
}
