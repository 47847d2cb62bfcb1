package policy

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestNewEngineAllowsAndAuditsEverything(t *testing.T) {
	t.Parallel()
	e := NewEngine(EngineConfig{})
	c := e.NewConn(ann())
	var tk Ticket
	d := e.Decide(noon, c, batch(del("orders", false)), idle(), &tk)
	if d.Verdict != Allow || d.Class != DefaultClass || d.Release == nil {
		t.Errorf("got %v in %q, want allow in default with a release plan", d.Verdict, d.Class)
	}
	want := AuditPlan{Text: TextNormalized, Durability: Durable, OnFailure: FailClosedForWrites}
	if d.Audit != want {
		t.Errorf("audit: got %+v, want %+v", d.Audit, want)
	}
	e.Settle(noon, &tk, Usage{})
	d = e.Decide(noon, c, batch(read("orders")), idle(), &tk)
	if d.Audit.Durability != Ordered {
		t.Errorf("a read: got %v, want ordered", d.Audit.Durability)
	}
}

// fiveHundredRules is a policy of the size the engine is built for: rules over
// every side, a few lines of classify, bounds and quotas.
func fiveHundredRules() Source {
	src := Source{
		Classify: []ClassifyLine{
			{When: Condition{Team: []string{"data-eng"}, Tool: []string{"airflow*", "dbt*"}}, Class: "etl"},
			{When: Condition{Tool: []string{"metabase*", "tableau*"}}, Class: "bi/${user}"},
			{Class: "adhoc/${team}/${user}"},
		},
		Classes: []ClassSource{{Name: "adhoc", Hard: 1000, Limits: Limits{QueryExecutionTime: time.Minute}}},
	}
	for i := range 500 {
		r := RuleSource{ID: fmt.Sprintf("r%d", i)}
		switch i % 5 {
		case 0:
			r.When, r.Deny = Condition{User: []string{fmt.Sprintf("user%d*", i)}}, "no"
		case 1:
			r.When, r.Deny = Condition{Reads: []string{fmt.Sprintf("s%d.*", i)}}, "no"
		case 2:
			r.When, r.Warn = Condition{Class: []string{fmt.Sprintf("etl/%d/*", i)}}, "careful"
		case 3:
			r.When, r.Deny = Condition{Verb: VerbDelete, HasWhere: new(false), Database: []string{fmt.Sprintf("db%d", i)}}, "no"
		case 4:
			r.When, r.Limits = Condition{Reads: []string{"public.*"}, Team: []string{"growth"}}, Limits{ReturnRowCount: int64(1000 + i)}
		}
		src.Rules = append(src.Rules, r)
	}
	return src
}

// cpu reports the time spent computing: on a busy machine the clock on the
// wall says little.
func cpu(b *testing.B) func() {
	b.Helper()
	b.ReportAllocs()
	spent := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := spent()
	return func() { b.ReportMetric(float64(spent()-before)/float64(b.N), "cpu-ns/op") }
}

func BenchmarkDecide500(b *testing.B) {
	e := engineWith(b, fiveHundredRules())
	c := e.NewConn(ann())
	st := idle()
	bt := batch(read("public.orders"))
	var tk Ticket
	defer cpu(b)()
	for b.Loop() {
		if d := e.Decide(noon, c, bt, st, &tk); d.Verdict != Allow {
			b.Fatal(d.Verdict)
		}
		e.Settle(noon, &tk, Usage{})
	}
}

func BenchmarkDecideQuota(b *testing.B) {
	src := fiveHundredRules()
	src.Quotas = []QuotaSource{
		{ID: "day", Key: []QuotaKey{{Name: "team"}}, Unit: UnitExecSeconds, Per: 24 * time.Hour, Limit: 36000},
		{ID: "shape", Key: []QuotaKey{{Name: "user"}, {Name: "fingerprint"}}, Unit: UnitStatements, Per: time.Second, Limit: 1 << 40},
	}
	e := engineWith(b, src)
	c := e.NewConn(ann())
	st := idle()
	bt := batch(read("public.orders"))
	var tk Ticket
	defer cpu(b)()
	for b.Loop() {
		if d := e.Decide(noon, c, bt, st, &tk); d.Verdict != Allow {
			b.Fatal(d.Verdict)
		}
		e.Settle(noon, &tk, Usage{Exec: time.Millisecond})
	}
}

func TestDecideDoesNotAllocate(t *testing.T) {
	src := fiveHundredRules()
	src.Quotas = []QuotaSource{
		{ID: "day", Key: []QuotaKey{{Name: "team"}}, Unit: UnitExecSeconds, Per: 24 * time.Hour, Limit: 36000},
		{ID: "shape", Key: []QuotaKey{{Name: "user"}, {Name: "fingerprint"}}, Unit: UnitStatements, Per: time.Second, Limit: 1 << 40},
	}
	e := engineWith(t, src)
	c := e.NewConn(ann())
	st := idle()
	bt := batch(read("public.orders"))
	tk := &Ticket{Waker: &signal{}}
	n := testing.AllocsPerRun(200, func() {
		e.Decide(noon, c, bt, st, tk)
		e.Charge(noon, tk, Usage{RowsReturned: 1})
		e.Settle(noon, tk, Usage{Exec: time.Millisecond})
	})
	if n != 0 {
		t.Errorf("a decision allocates %v times, want 0", n)
	}
}

func TestDecideWithLittle(t *testing.T) {
	t.Parallel()
	e := engineWith(t, Source{
		Classify: []ClassifyLine{{Class: "c"}},
		Classes:  []ClassSource{{Name: "c", Hard: 1, Queue: &QueueSource{MaxWait: ptr(1500 * time.Millisecond)}}},
		Rules: []RuleSource{
			{ID: "dark", When: Condition{Verb: VerbDDL}, Deny: "no ddl"},
			{ID: "slow", When: Condition{Verb: VerbCopyOut}, Queue: true, Warn: "w"},
		},
	})
	c := e.NewConn(ann())
	if d := e.Decide(noon, c, nil, nil, nil); d.Verdict != Deny || d.Audit.Durability != Durable {
		t.Errorf("a message that nobody can read: got %v, %v", d.Verdict, d.Audit.Durability)
	}
	copyOut := batch(Statement{Kind: KindCopyOut, Verbs: VerbCopyOut})
	if d := e.Decide(noon, c, copyOut, idle(), nil); d.Verdict != Queue || d.QueueWhy != "slow" {
		t.Errorf("without a ticket: got %v, %s", d.Verdict, d.QueueWhy)
	}
	held := idle()
	held.Held = true
	if d := e.Decide(noon, c, copyOut, held, nil); d.Verdict != Warn {
		t.Errorf("what must not wait: got %v", d.Verdict)
	}
	if r := e.Charge(noon, &Ticket{}, Usage{RowsReturned: 1}); r != nil {
		t.Errorf("a ticket that holds nothing: got %+v", r)
	}
	x := e.Explain(noon, c, nil, nil)
	if x.Decision.Verdict != Deny || x.MayWait != true {
		t.Errorf("got %+v", x)
	}
	var running Ticket
	e.Decide(noon, c, batch(read("x")), nil, &running)
	other := e.NewConn(ann())
	x = e.Explain(noon, other, batch(read("x")), idle())
	if x.Queue != `1 of 1 running in "c"` {
		t.Errorf("got %q", x.Queue)
	}
	if text := x.String(); !strings.Contains(text, "would wait") {
		t.Errorf("got\n%s", text)
	}
	x = e.Explain(noon, other, batch(control(TxCommit)), idle())
	if text := x.String(); !strings.Contains(text, "never waits") {
		t.Errorf("got\n%s", text)
	}
	var waiting Ticket
	if d := e.Decide(noon, other, batch(read("x")), idle(), &waiting); d.Verdict != Queue {
		t.Fatal(d.Verdict)
	}
	d := e.Decide(noon.Add(2*time.Second), other, batch(read("x")), idle(), &waiting)
	if d.Refusal == nil || d.Refusal.Message != `could not admit statement: waited 1.5s in queue "c"` {
		t.Errorf("got %+v", d.Refusal)
	}
	// decided again while it runs, as after a reload: it goes on
	if d := e.Decide(noon, c, batch(read("x")), idle(), &running); d.Verdict != Allow {
		t.Errorf("got %v", d.Verdict)
	}
}

// Counts of rules survive whatever the ruleset remembers of outcomes.
func TestRuleCounts(t *testing.T) {
	t.Parallel()
	src := Source{Quotas: []QuotaSource{{ID: "q", Key: []QuotaKey{{Name: "user"}}, Unit: UnitStatements, Per: time.Hour, Limit: 1 << 40}}}
	for i := range 14 {
		src.Rules = append(src.Rules, RuleSource{ID: fmt.Sprintf("r%d", i), When: Condition{Reads: []string{fmt.Sprintf("t%d", i)}}, Warn: "w"})
	}
	src.Rules = append(src.Rules, RuleSource{ID: "all", Mode: ModeObserve, Deny: "d"})
	e := engineWith(t, src)
	c := e.NewConn(ann())
	n := 1 << 14 // every subset of the rules once: more than are remembered
	st := idle()
	for set := range n {
		var tables []string
		for i := range 14 {
			if set&(1<<i) != 0 {
				tables = append(tables, fmt.Sprintf("t%d", i))
			}
		}
		var tk Ticket
		e.Decide(noon, c, batch(read(tables...)), st, &tk)
		e.Settle(noon, &tk, Usage{})
	}
	for i, r := range e.Rules() {
		want := RuleInfo{ID: fmt.Sprintf("r%d", i), Mode: "enforce", Verb: "warn", Matched: uint64(n / 2)}
		switch r.ID {
		case "all":
			want = RuleInfo{ID: "all", Mode: "observe", Verb: "deny", Observed: uint64(n)}
		case "q":
			want = RuleInfo{ID: "q", Mode: "enforce", Verb: "quota", Matched: uint64(n)}
		}
		if r != want {
			t.Errorf("got %+v, want %+v", r, want)
		}
	}
	if e.Ruleset().Source().Mode != ModeEnforce {
		t.Error("the source says the mode")
	}
}

// The session's decision must not change under its feet: slices of a Decision
// are never written to again.
func TestDecisionsAreImmutable(t *testing.T) {
	t.Parallel()
	e := engineWith(t, Source{
		Rules:  []RuleSource{{ID: "a", Warn: "a"}, {ID: "b", Mode: ModeObserve, Warn: "b"}},
		Quotas: []QuotaSource{{ID: "q", Key: []QuotaKey{{Name: "user"}}, Unit: UnitStatements, Per: time.Hour, Limit: 4, Ladder: []QuotaStep{{25, QuotaNotify}, {50, QuotaNotify}, {75, QuotaNotify}, {100, QuotaRefuseNew}}}},
	})
	c := e.NewConn(ann())
	var kept []Decision
	var texts []string
	for range 6 {
		var tk Ticket
		d := e.Decide(noon, c, batch(read("x")), idle(), &tk)
		kept, texts = append(kept, d), append(texts, fmt.Sprintf("%v %v %v", d.Rules, d.Warnings, d.Observed))
		e.Settle(noon, &tk, Usage{})
	}
	for i, d := range kept {
		if got := fmt.Sprintf("%v %v %v", d.Rules, d.Warnings, d.Observed); got != texts[i] {
			t.Errorf("decision %d changed from %s to %s", i, texts[i], got)
		}
	}
	if len(kept[0].Warnings) != 2 || len(kept[3].Warnings) != 1 || kept[4].Verdict != Deny {
		t.Errorf("got %s", strings.Join(texts, "\n"))
	}
}
