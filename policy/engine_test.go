package policy

import (
	"fmt"
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
			r.When, r.Deny = Condition{Verb: VerbDelete, HasWhere: flag(false), Database: []string{fmt.Sprintf("db%d", i)}}, "no"
		case 4:
			r.When, r.Limits = Condition{Reads: []string{"public.*"}, Team: []string{"growth"}}, Limits{ReturnRowCount: int64(1000 + i)}
		}
		src.Rules = append(src.Rules, r)
	}
	return src
}

func BenchmarkDecide500(b *testing.B) {
	e := engineWith(b, fiveHundredRules())
	c := e.NewConn(ann())
	st := idle()
	bt := batch(read("public.orders"))
	var tk Ticket
	b.ReportAllocs()
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
	b.ReportAllocs()
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
