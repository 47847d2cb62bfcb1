package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func berlin(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestCalendarWindows(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, tc := range []struct {
		now  string
		per  time.Duration
		want string
	}{
		{"2026-11-25T12:34:56Z", time.Minute, "2026-11-25T13:34:00+01:00 1m0s"},
		{"2026-11-25T12:34:56Z", time.Hour, "2026-11-25T13:00:00+01:00 1h0m0s"},
		{"2026-11-25T12:34:56Z", 6 * time.Hour, "2026-11-25T12:00:00+01:00 6h0m0s"},
		{"2026-11-25T23:30:00Z", day, "2026-11-26T00:00:00+01:00 24h0m0s"},
		{"2026-03-29T12:00:00Z", day, "2026-03-29T00:00:00+01:00 23h0m0s"},           // summer time begins
		{"2026-10-25T12:00:00Z", day, "2026-10-25T00:00:00+02:00 25h0m0s"},           // and ends
		{"2026-10-25T22:30:00Z", 12 * time.Hour, "2026-10-25T23:00:00+01:00 1h0m0s"}, // what is left of a long day
		{"2026-10-25T00:30:00Z", time.Hour, "2026-10-25T02:00:00+02:00 1h0m0s"},      // the hour that comes twice
		{"2026-10-25T01:30:00Z", time.Hour, "2026-10-25T02:00:00+01:00 1h0m0s"},      // is two windows
		{"2026-11-25T12:00:00Z", 7 * day, "2026-11-23T00:00:00+01:00 168h0m0s"},      // from Monday
		{"2026-10-25T12:00:00Z", 7 * day, "2026-10-19T00:00:00+02:00 169h0m0s"},      // a week with an hour more
		{"2026-11-22T23:30:00Z", 7 * day, "2026-11-23T00:00:00+01:00 168h0m0s"},      // Monday there
		{"1969-12-30T12:00:00Z", 7 * day, "1969-12-29T00:00:00+01:00 168h0m0s"},      // before the epoch
	} {
		now, err := time.Parse(time.RFC3339, tc.now)
		if err != nil {
			t.Fatal(err)
		}
		start, end := calendarWindow(now, tc.per, berlin(t))
		if got := start.Format(time.RFC3339) + " " + end.Sub(start).String(); got != tc.want {
			t.Errorf("%s per %s: got %s, want %s", tc.now, tc.per, got, tc.want)
		}
		if now.Before(start) || !now.Before(end) {
			t.Errorf("%s is not in its own window %s..%s", tc.now, start, end)
		}
	}
}

// Windows follow each other without a gap and without overlap.
func TestCalendarWindowsTile(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 9))
	const day = 24 * time.Hour
	for _, per := range []time.Duration{time.Minute, 15 * time.Minute, time.Hour, 8 * time.Hour, day, 2 * day, 7 * day, 30 * day} {
		for range 300 {
			now := noon.Add(time.Duration(r.Int64N(int64(500 * day))))
			start, end := calendarWindow(now, per, berlin(t))
			next, _ := calendarWindow(end, per, berlin(t))
			_, before := calendarWindow(start.Add(-1), per, berlin(t))
			if !next.Equal(end) || !before.Equal(start) {
				t.Fatalf("per %s at %s: %s..%s, the next begins %s, the last ends %s", per, now, start, end, next, before)
			}
		}
	}
}

// A quota of statements never lets more through than its limit in a window,
// or than burst and rate in any stretch of time.
func TestNeverOverLimit(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 4))
	for round := range 60 {
		q := QuotaSource{ID: "q", Key: []QuotaKey{{Name: "user"}}, Unit: UnitStatements, Per: time.Hour, Limit: int64(1 + r.IntN(30))}
		if round%2 == 0 {
			q.Per, q.Burst = time.Second, q.Limit+int64(r.IntN(20))
		}
		e := engineWith(t, Source{Quotas: []QuotaSource{q}})
		c := e.NewConn(ann())
		now := noon
		var passed []time.Time
		refused := 0
		for range 400 {
			now = now.Add(time.Duration(r.Int64N(int64(q.Per) / 20)))
			var tk Ticket
			if d := e.Decide(now, c, batch(read("x")), idle(), &tk); d.Verdict == Deny {
				refused++
				continue
			}
			if r.IntN(10) == 0 {
				e.Leave(now, &tk) // it never ran, and is given back
				continue
			}
			passed = append(passed, now)
			e.Settle(now, &tk, Usage{})
		}
		if refused == 0 || len(passed) == 0 {
			t.Fatalf("round %d: %d refused, %d passed: nothing was tested", round, refused, len(passed))
		}
		for i, from := range passed {
			for j := i; j < len(passed); j++ {
				n := int64(j - i + 1)
				stretch := passed[j].Sub(from)
				if q.Burst > 0 {
					if most := float64(q.Burst) + float64(q.Limit)*stretch.Seconds(); float64(n) > most+1e-3 {
						t.Fatalf("%d statements in %s; at most %.3f", n, stretch, most)
					}
				} else if from.Truncate(time.Hour).Equal(passed[j].Truncate(time.Hour)) && n > q.Limit {
					t.Fatalf("%d statements in an hour; at most %d", n, q.Limit)
				}
			}
		}
	}
}

func quotaZoo() Source {
	return Source{Quotas: []QuotaSource{
		{ID: "rows", Key: []QuotaKey{{Name: "user"}}, Unit: UnitRowsReturned, Per: time.Hour, Limit: 1000, Ladder: []QuotaStep{{50, QuotaNotify}, {80, QuotaNotify}, {100, QuotaCancel}}},
		{ID: "rate", Key: []QuotaKey{{Name: "user"}, {Name: "fingerprint"}}, Unit: UnitStatements, Per: time.Second, Limit: 3, Burst: 5},
		{ID: "time", Key: []QuotaKey{{Name: "team"}}, Unit: UnitExecSeconds, Per: 24 * time.Hour, Limit: 50},
		{ID: "sum", Key: []QuotaKey{{Name: "database"}}, Unit: UnitBytesOut, Per: time.Minute, Limit: 5000, Burst: 8000},
	}}
}

// A restart in the middle changes nothing that anybody sees.
func TestRestartEqualsNoRestart(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(6, 6))
	for range 30 {
		steady, restarted := engineWith(t, quotaZoo()), engineWith(t, quotaZoo())
		now := noon
		for step := range 120 {
			now = now.Add(time.Duration(r.Int64N(int64(40 * time.Second))))
			if r.IntN(10) == 0 {
				data := restarted.ExportQuotas()
				restarted = NewEngine(EngineConfig{})
				if err := restarted.ImportQuotas(data); err != nil {
					t.Fatal(err)
				}
				restarted.Publish(mustCompile(t, quotaZoo()))
			}
			s := ann()
			s.User = []string{"ann", "bob"}[r.IntN(2)]
			b := batch(read("x"))
			b.Statements[0].Fingerprint = []string{"a", "b"}[r.IntN(2)]
			u := Usage{RowsReturned: r.Int64N(200), Exec: time.Duration(r.Int64N(int64(3 * time.Second))), BytesOut: r.Int64N(2000)}
			var got [2]string
			for i, e := range []*Engine{steady, restarted} {
				var tk Ticket
				d := e.Decide(now, e.NewConn(s), b, idle(), &tk)
				stop := e.Charge(now, &tk, u)
				e.Settle(now, &tk, Usage{RowsReturned: 1})
				got[i] = fmt.Sprintf("%v %+v %+v %+v", d.Verdict, d.Warnings, d.Refusal, stop)
				if d.Refusal != nil {
					got[i] = fmt.Sprintf("%v %+v", d.Verdict, *d.Refusal)
				}
			}
			if got[0] != got[1] {
				t.Fatalf("step %d: steady says %s\nrestarted says %s", step, got[0], got[1])
			}
		}
		if diff := cmp.Diff(steady.Quotas(now), restarted.Quotas(now)); diff != "" {
			t.Fatalf("counters differ (-steady +restarted):\n%s", diff)
		}
	}
}

func TestImportRefusesNonsense(t *testing.T) {
	t.Parallel()
	e := engineWith(t, quotaZoo())
	for _, data := range []string{
		"", "{", `{"version":2}`, `{"version":1,"cells":[{"quota":"","key":["a"]}]}`, `{"version":1,"cells":[{"quota":"rows","key":["a"],"used":-1}]}`,
		`{"version":1,"cells":[{"quota":"rows","key":["a"],"start":5,"end":1}]}`, `{"version":1,"cells":[{"quota":"rate","key":["a","b"],"level":-1}]}`,
	} {
		if err := e.ImportQuotas([]byte(data)); err == nil {
			t.Errorf("%q: want an error", data)
		}
	}
	before := e.QuotaDirty()
	if err := e.ImportQuotas([]byte(`{"version":1,"cells":[{"quota":"gone","key":["a"],"shape":"x","used":5},{"quota":"rows","key":["ann"],"shape":"other","used":999,"end":9999999999999999999}]}`)); err == nil {
		t.Error("a time beyond time: want an error")
	}
	if err := e.ImportQuotas([]byte(`{"version":1,"cells":[{"quota":"gone","key":["a"],"shape":"x","used":5},{"quota":"rows","key":["ann"],"shape":"other","used":5000,"end":4000000000000000000}]}`)); err != nil {
		t.Fatal(err)
	}
	if e.QuotaDirty() == before {
		t.Error("an import is a change")
	}
	if got := e.Quotas(noon); len(got) != 0 {
		t.Errorf("counters of another shape are shown: %+v", got)
	}
	var tk Ticket
	if d := e.Decide(noon, e.NewConn(ann()), batch(read("x")), idle(), &tk); d.Verdict != Allow {
		t.Errorf("a counter of another shape counts: %+v", d.Refusal)
	}
	e.Publish(mustCompile(t, quotaZoo()))
	if data := string(e.ExportQuotas()); strings.Contains(data, "gone") {
		t.Errorf("what fits no quota is kept: %s", data)
	}
}

func TestLedgerIsBounded(t *testing.T) {
	t.Parallel()
	e := NewEngine(EngineConfig{MaxCells: 40})
	e.Publish(mustCompile(t, Source{Quotas: []QuotaSource{
		{ID: "q", Key: []QuotaKey{{Name: "user"}, {Name: "fingerprint"}}, Unit: UnitStatements, Per: time.Hour, Limit: 10},
		{ID: "b", Key: []QuotaKey{{Name: "fingerprint"}}, Unit: UnitStatements, Per: time.Second, Limit: 10},
	}}))
	c := e.NewConn(ann())
	heavy := batch(read("x"))
	heavy.Statements[0].Fingerprint = "heavy"
	for range 10 {
		var tk Ticket
		e.Decide(noon, c, heavy, idle(), &tk)
		e.Settle(noon, &tk, Usage{})
	}
	for i := range 500 {
		b := batch(read("x"))
		b.Statements[0].Fingerprint = fmt.Sprint(i)
		var tk Ticket
		e.Decide(noon.Add(time.Duration(i)*10*time.Millisecond), c, b, idle(), &tk)
		e.Settle(noon, &tk, Usage{})
		if n := len(e.Quotas(noon)); n > 40 {
			t.Fatalf("%d counters, at most 40", n)
		}
	}
	var tk Ticket
	if d := e.Decide(noon.Add(6*time.Second), c, heavy, idle(), &tk); d.Verdict != Deny {
		t.Errorf("the counter that is used up was dropped before empty ones: %v", d.Verdict)
	}
	if err := e.ImportQuotas(e.ExportQuotas()); err != nil {
		t.Fatal(err)
	}
	if n := len(e.Quotas(noon)); n > 40 {
		t.Errorf("%d counters after an import", n)
	}
}

func TestQuotaSourceErrors(t *testing.T) {
	t.Parallel()
	good := QuotaSource{ID: "q", Key: []QuotaKey{{Name: "user"}}, Unit: UnitStatements, Per: time.Hour, Limit: 1}
	for name, change := range map[string]func(*QuotaSource){
		"no id":          func(q *QuotaSource) { q.ID = "" },
		"no key":         func(q *QuotaSource) { q.Key = nil },
		"wrong key":      func(q *QuotaSource) { q.Key = []QuotaKey{{Name: "shoe"}} },
		"a key twice":    func(q *QuotaSource) { q.Key = []QuotaKey{{Name: "user"}, {Name: "user"}} },
		"idle table":     func(q *QuotaSource) { q.Unit, q.Key = UnitIdleTxSeconds, []QuotaKey{{Name: "table", Table: "x"}} },
		"idle cancel":    func(q *QuotaSource) { q.Unit, q.Ladder = UnitIdleTxSeconds, []QuotaStep{{100, QuotaCancel}} },
		"no limit":       func(q *QuotaSource) { q.Limit = 0 },
		"endless limit":  func(q *QuotaSource) { q.Unit, q.Limit = UnitExecSeconds, 1<<62 },
		"endless burst":  func(q *QuotaSource) { q.Unit, q.Burst = UnitExecSeconds, 1<<62 },
		"negative burst": func(q *QuotaSource) { q.Burst = -1 },
		"no period":      func(q *QuotaSource) { q.Per = 0 },
		"odd period":     func(q *QuotaSource) { q.Per = 7 * time.Hour },
		"odd days":       func(q *QuotaSource) { q.Per = 36 * time.Hour },
		"percent":        func(q *QuotaSource) { q.Ladder = []QuotaStep{{0, QuotaNotify}} },
		"percent twice":  func(q *QuotaSource) { q.Ladder = []QuotaStep{{5, QuotaNotify}, {5, QuotaCancel}} },
		"too many steps": func(q *QuotaSource) {
			q.Ladder = make([]QuotaStep, 17)
			for i := range q.Ladder {
				q.Ladder[i].Percent = i + 1
			}
		},
		"an id of a rule": func(q *QuotaSource) { q.ID = "rule" },
	} {
		q := good
		change(&q)
		if _, err := Compile(Source{Rules: []RuleSource{{ID: "rule", Warn: "w"}}, Quotas: []QuotaSource{q}}); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
}

func TestQuotaWords(t *testing.T) {
	t.Parallel()
	for per, want := range map[time.Duration]string{
		time.Minute: "per-minute quota", time.Hour: "hourly quota", 24 * time.Hour: "daily quota", 168 * time.Hour: "weekly quota",
		90 * time.Minute: "1h30m quota", 48 * time.Hour: "2d quota", 2 * time.Hour: "2h quota",
	} {
		if got := (&quota{src: QuotaSource{Per: per}}).title(); got != want {
			t.Errorf("%s: got %s, want %s", per, got, want)
		}
	}
	for _, name := range QuotaUnits() {
		if u, ok := ParseQuotaUnit(name); !ok || u.String() != name {
			t.Errorf("%s: got %v, %v", name, u, ok)
		}
	}
	if _, ok := ParseQuotaUnit("shoes"); ok {
		t.Error("shoes are no unit")
	}
	use := &Usage{RowsReturned: 1, RowsWritten: 2, BytesOut: 3, BytesIn: 4, Exec: 5, Queued: 6, IdleTx: 7}
	want := []int64{0, 5, 6, 1, 2, 3, 4, 7}
	for u := UnitStatements; u <= UnitIdleTxSeconds; u++ {
		if got := u.of(use); got != want[u] {
			t.Errorf("%s: got %d, want %d", u, got, want[u])
		}
	}
	if !slices.Contains(QuotaKeyNames(), "fingerprint") {
		t.Error("fingerprint is a key")
	}
}

// A statement that runs over midnight is charged to the day it uses.
func TestChargeFollowsTheWindow(t *testing.T) {
	t.Parallel()
	e := engineWith(t, Source{Quotas: []QuotaSource{{ID: "q", Key: []QuotaKey{{Name: "user"}}, Unit: UnitExecSeconds, Per: time.Hour, Limit: 100}}})
	c := e.NewConn(ann())
	var tk Ticket
	e.Decide(noon.Add(59*time.Minute), c, batch(read("x")), idle(), &tk)
	e.Charge(noon.Add(59*time.Minute), &tk, Usage{Exec: 40 * time.Second})
	e.Settle(noon.Add(61*time.Minute), &tk, Usage{Exec: 25 * time.Second})
	if q := e.Quotas(noon.Add(61 * time.Minute)); q[0].Used != 25 {
		t.Errorf("got %d s, want 25", q[0].Used)
	}
	// a clock that goes back does not give a new window
	if q := e.Quotas(noon); q[0].Used != 25 {
		t.Errorf("after the clock went back: got %d s, want 25", q[0].Used)
	}
}

// A swap of the ruleset while a statement runs neither loses nor doubles.
func TestChargeAcrossPublish(t *testing.T) {
	t.Parallel()
	src := quotaZoo()
	e := engineWith(t, src)
	var tk Ticket
	e.Decide(noon, e.NewConn(ann()), batch(read("x")), idle(), &tk)
	e.Publish(mustCompile(t, src))
	e.Charge(noon, &tk, Usage{RowsReturned: 7})
	other := quotaZoo()
	other.Quotas[0].Unit = UnitRowsWritten
	e.Publish(mustCompile(t, other))
	var second Ticket
	e.Decide(noon, e.NewConn(ann()), batch(read("x")), idle(), &second)
	e.Charge(noon, &tk, Usage{RowsReturned: 7, RowsWritten: 3}) // of the old shape: nothing of the new is touched
	e.Leave(noon, &tk)
	for _, q := range e.Quotas(noon) {
		if q.ID == "rows" && q.Used != 0 {
			t.Errorf("rows: got %d", q.Used)
		}
	}
	e.Settle(noon, &second, Usage{RowsWritten: 2})
}
