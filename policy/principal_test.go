package policy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// samples are decisions that differ in each part that Merge joins.
func samples() []Decision {
	refusal := &Refusal{SQLState: "42501", Message: "no", Rule: "r1"}
	return []Decision{
		{Class: "a", Release: &ReleasePlan{MinIdle: -1}},
		{
			Verdict: Warn, Class: "b", Rules: []string{"w"}, Warnings: []Warning{{Rule: "w", Text: "careful"}},
			Limits:  Limits{QueryExecutionTime: time.Minute, ReturnRowCount: 10, QueryExecutionTimeFrom: `class "b"`},
			Audit:   AuditPlan{Text: TextFull, Durability: Ordered},
			Release: &ReleasePlan{Ladder: []ReleaseMode{ReleaseRollback, ReleaseKill}, MinIdle: time.Second, For: []string{"any"}, MaxIdleTx: time.Hour},
		},
		{
			Verdict: Queue, Class: "c", Rules: []string{"q"}, QueueWhy: "q", MaxWait: time.Minute, OnClientGone: GoneFinish, Metered: true,
			Limits:  Limits{QueryExecutionTime: time.Second, QueryExecutionTimeFrom: `rule "q"`, TransactionTime: time.Hour},
			Audit:   AuditPlan{Params: ParamsHashed, Durability: Durable, OnFailure: FailClosed},
			Release: &ReleasePlan{Ladder: []ReleaseMode{ReleaseRollback}, MinIdle: time.Minute, For: []string{"etl", "bi"}, MaxIdleTx: time.Minute, Observe: true},
		},
		{
			Verdict: Deny, Class: "d", Rules: []string{"r1"}, Refusal: refusal, Observed: []string{"o"},
			Release: &ReleasePlan{Ladder: []ReleaseMode{ReleaseNotice}, MinIdle: 0, For: []string{"etl"}},
		},
	}
}

// lattice is a decision without what Merge may take from either side.
func lattice(d Decision) Decision {
	slices.Sort(d.Rules)
	d.Class, d.QueueName, d.QueueWhy = "", "", ""
	return d
}

func TestMergeIsALattice(t *testing.T) {
	t.Parallel()
	all := samples()
	for _, a := range all {
		if diff := cmp.Diff(lattice(a), lattice(Merge(a, a))); diff != "" {
			t.Errorf("%s with itself: %s", a.Class, diff)
		}
		for _, b := range all {
			ab, ba := Merge(a, b), Merge(b, a)
			if diff := cmp.Diff(lattice(ab), lattice(ba)); diff != "" {
				t.Errorf("%s, %s: order matters: %s", a.Class, b.Class, diff)
			}
			if ab.Class != a.Class {
				t.Errorf("%s, %s: class %s", a.Class, b.Class, ab.Class)
			}
			if ab.Verdict != max(a.Verdict, b.Verdict) || (ab.Refusal != nil) != (ab.Verdict == Deny) {
				t.Errorf("%s, %s: verdict %s, refusal %v", a.Class, b.Class, ab.Verdict, ab.Refusal)
			}
			for _, c := range all {
				left, right := Merge(ab, c), Merge(a, Merge(b, c))
				if diff := cmp.Diff(lattice(left), lattice(right)); diff != "" {
					t.Errorf("%s, %s, %s: grouping matters: %s", a.Class, b.Class, c.Class, diff)
				}
			}
		}
	}
	// and the samples themselves are as they were
	if diff := cmp.Diff(samples(), all, cmp.AllowUnexported(ResolvedNames{})); diff != "" {
		t.Errorf("Merge changed what it was given: %s", diff)
	}
}

func TestMergeTakesTheStricterPart(t *testing.T) {
	t.Parallel()
	s := samples()
	d := Merge(s[1], s[2])
	if d.Limits.QueryExecutionTime != time.Second || d.Limits.QueryExecutionTimeFrom != `rule "q"` || d.Limits.ReturnRowCount != 10 || d.Limits.TransactionTime != time.Hour {
		t.Errorf("limits %+v", d.Limits)
	}
	if want := (AuditPlan{Text: TextFull, Params: ParamsHashed, Durability: Durable, OnFailure: FailClosed}); d.Audit != want {
		t.Errorf("audit %+v, want %+v", d.Audit, want)
	}
	want := &ReleasePlan{Ladder: []ReleaseMode{ReleaseRollback}, MinIdle: time.Minute, For: []string{"etl", "bi"}, MaxIdleTx: time.Minute, Observe: true}
	if diff := cmp.Diff(want, d.Release); diff != "" {
		t.Errorf("release %s", diff)
	}
	if d.OnClientGone != GoneCancel || !d.Metered || d.MaxWait != time.Minute || d.QueueWhy != "q" {
		t.Errorf("%+v", d)
	}
}

// TestActorQueues: a queue rule that only the actor meets holds the subject's
// statement in the subject's class.
func TestActorQueues(t *testing.T) {
	t.Parallel()
	e := engineWith(t, Source{
		Classify: []ClassifyLine{{Class: "c/${user}"}},
		Rules:    []RuleSource{{ID: "hold", When: Condition{User: []string{"robot"}, Tags: []TagMatch{{Key: "load", Values: newTexts("heavy")}}}, Queue: true}},
	})
	c := e.NewConnFor(&Principal{Subject: Subject{User: "ann"}, Actor: &Subject{User: "robot"}, Via: "api", Tags: []Tag{{Key: "load", Value: "heavy"}}})
	var ticket Ticket
	b := &Batch{Statements: []Statement{{Kind: KindRead, Verbs: VerbRead}}}
	d := e.Decide(noon, c, b, idle(), &ticket)
	if d.Verdict != Queue || d.Class != "c/ann" || d.QueueWhy == "" || !slices.Equal(d.Rules, []string{"hold"}) {
		t.Fatalf("%+v", d)
	}
	e.Leave(noon, &ticket)
	alone := e.NewConnFor(&Principal{Subject: Subject{User: "ann"}, Via: "web", Tags: []Tag{{Key: "load", Value: "heavy"}}})
	if d := e.Decide(noon, alone, b, idle(), &ticket); d.Verdict != Allow {
		t.Fatalf("without the actor: %+v", d)
	}
	e.Settle(noon, &ticket, Usage{})
	if left := e.QueueInfo(noon); len(left) != 0 {
		t.Errorf("left behind: %+v", left)
	}
}

func newTexts(s ...string) []string { return s }

// TestReadOnlyStandsAboveObserve: the mode is the principal's wish, and no
// switch of the operators gives it more than it asked for.
func TestReadOnlyStandsAboveObserve(t *testing.T) {
	t.Parallel()
	e := engineWith(t, Source{})
	e.SetObserve(true)
	c := e.NewConnFor(&Principal{Subject: Subject{User: "ann"}, Via: "web", ReadOnly: true})
	for _, b := range []*Batch{nil, {Statements: []Statement{{Kind: KindRead, Verbs: VerbRead}, {Kind: KindWrite, Verbs: VerbDelete}}}} {
		var ticket Ticket
		d := e.Decide(noon, c, b, idle(), &ticket)
		if d.Verdict != Deny || d.Refusal.SQLState != "42501" || d.Refusal.Reason != "read_only" {
			t.Errorf("%+v", d)
		}
	}
	if got := e.Classes(noon); len(got) != 0 && got[0].Running != 0 {
		t.Errorf("something was taken: %+v", got)
	}
}

// TestReadOnlyNeverLooserByNotKnowing: whatever fact becomes unknown, what was
// refused stays refused.
func TestReadOnlyNeverLooserByNotKnowing(t *testing.T) {
	t.Parallel()
	for _, st := range []Statement{
		{Kind: KindWrite, Verbs: VerbInsert},
		{Kind: KindDDL, Verbs: VerbDDL},
		{Kind: KindSession, Verbs: VerbSession, Features: FeatSet, Setting: "role"},
		{Kind: KindTransaction, Verbs: VerbTransaction, Tx: TxBegin, TxModes: "READ WRITE"},
		{Kind: KindRead, Verbs: VerbRead, Features: FeatForUpdate},
		{Kind: KindCopyOut, Verbs: VerbCopyOut, Features: FeatProgram},
		{Kind: KindRead, Verbs: VerbRead},
	} {
		before := st.readOnly()
		for u := Unknowns(1); u < UnknownAll; u <<= 1 {
			s := st
			s.Unknown = u
			if before != nil && s.readOnly() == nil {
				t.Errorf("%+v is let through with unknown %b", st, u)
			}
			if u&(UnknownVerbs|UnknownWrites|UnknownEffects) != 0 && s.readOnly() == nil {
				t.Errorf("%+v with unknown %b is let through", st, u)
			}
		}
	}
}

func TestMayRead(t *testing.T) {
	t.Parallel()
	e := engineWith(t, Source{
		Classify: []ClassifyLine{{Class: "c"}},
		Classes:  []ClassSource{{Name: "c", Hard: 1}},
		Rules: []RuleSource{
			{ID: "pii", When: Condition{Reads: []string{"pii.*"}, Not: []Condition{{Team: []string{"trust"}}}}, Deny: "pii is for trust"},
			{ID: "stored", When: Condition{Verb: VerbResultRead, Reads: []string{"hr.salaries"}}, Deny: "run it yourself"},
			{ID: "live", When: Condition{Verb: VerbRead, Reads: []string{"hr.plans"}}, Deny: "not now"},
			{ID: "fn", When: Condition{Function: []string{"secret.*"}}, Deny: "no"},
			{ID: "limit", When: Condition{HasLimit: new(bool)}, Deny: "add a LIMIT"},
			{ID: "shape", When: Condition{Fingerprint: []string{"abc"}}, Deny: "that one"},
			{ID: "busy", When: Condition{Verb: VerbRead}, Queue: true},
			{ID: "other", When: Condition{Database: []string{"other"}}, Warn: "another"},
		},
		Quotas: []QuotaSource{{ID: "one", Key: []QuotaKey{{Name: "user"}}, Unit: UnitStatements, Per: time.Hour, Limit: 1}},
	})
	e.PublishCatalog(NewCatalog(CatalogData{Database: "wh", Relations: []CatalogRelation{
		{Schema: "public", Name: "v", Kind: RelView, Bases: []Relation{rel("pii.people")}},
		{Schema: "hr", Name: "salaries"},
		{Schema: "public", Name: "orders"},
	}}))
	for _, test := range []struct {
		name, team, reads, function, refusedBy string
	}{
		{"plain", "", "public.orders", "", ""},
		{"nothing", "", "", "", ""},
		{"rule of reads", "", "pii.people", "", "pii"},
		{"of the right team", "trust", "pii.people", "", ""},
		{"through a view", "", "public.v", "", "pii"},
		{"verb result_read", "trust", "hr.salaries", "", "stored"},
		{"verb read", "", "hr.plans", "", "live"},
		{"unqualified, in one schema", "", "salaries", "", "stored"},
		{"unqualified, nowhere", "", "people", "", "pii"},
		{"function", "", "", "secret.f", "fn"},
		{"function of the system", "", "", "lower", ""},
	} {
		var reads []Relation
		if test.reads != "" {
			reads = []Relation{rel(test.reads)}
		}
		var functions []Function
		if test.function != "" {
			schema, name, ok := strings.Cut(test.function, ".")
			if !ok {
				schema, name = "", schema
			}
			functions = []Function{{Schema: schema, Name: name}}
		}
		who := Subject{User: "ann", Groups: newTexts(test.team)}
		for range 3 { // more often than the quota: nothing is taken
			d := e.MayRead(noon, who, "wh", reads, functions)
			by := ""
			if d.Refusal != nil {
				by = d.Refusal.Rule
			}
			if by != test.refusedBy || d.Verdict == Queue || (d.Verdict == Deny) != (by != "") {
				t.Errorf("%s: %s, refused by %q, want %q", test.name, d.Verdict, by, test.refusedBy)
			}
		}
	}
	if d := e.MayRead(noon, Subject{User: "ann"}, "other", nil, nil); d.Verdict != Warn || d.Audit.Durability != Ordered {
		t.Errorf("another database: %+v", d)
	}
	// no text is the reading of a stored result, not even one nobody can read
	unread := e.Decide(noon, e.NewConn(Subject{User: "x", Groups: newTexts("trust"), Database: "nowhere"}), nil, idle(), nil)
	if slices.Contains(unread.Rules, "stored") {
		t.Errorf("an unreadable statement meets a rule for stored results: %v", unread.Rules)
	}
	if got := e.Quotas(noon); len(got) != 0 {
		t.Errorf("quotas were taken: %+v", got)
	}
}

func TestResolvedNames(t *testing.T) {
	t.Parallel()
	e := engineWith(t, Source{})
	p := &Principal{Subject: Subject{User: "ann", Database: "wh"}, Via: "web"}
	b := &Batch{Statements: []Statement{{
		Kind: KindRead, Verbs: VerbRead,
		Reads:     []Relation{{Name: "orders"}, {Name: "gone"}, {Name: "v"}, {Schema: "s", Name: "t"}, {Database: "lake", Schema: "x", Name: "y"}},
		Functions: []Function{{Name: "lower"}, {Schema: "public", Name: "f"}},
	}}}
	names := func(p *Principal, st *SessionState) *ResolvedNames {
		t.Helper()
		d := e.Decide(noon, e.NewConnFor(p), b, st, nil)
		return d.Names
	}
	want := &ResolvedNames{
		Reads:     []string{"?gone", "?orders", "?v", "lake.x.y", "s.t"},
		Functions: []string{"?lower", "public.f"},
	}
	if diff := cmp.Diff(want, names(p, idle())); diff != "" {
		t.Errorf("without a catalog: %s", diff)
	}
	e.PublishCatalog(NewCatalog(CatalogData{
		Database: "wh",
		Relations: []CatalogRelation{
			{Schema: "public", Name: "orders"},
			{Schema: "old", Name: "orders"},
			{Schema: "public", Name: "v", Kind: RelView, Bases: []Relation{rel("pii.people")}},
		},
		Functions: []CatalogFunction{{Schema: "public", Name: "f", Trusted: true, Reads: []Relation{rel("hr.plans")}}},
	}))
	want = &ResolvedNames{
		Reads:     []string{"?pg_temp.gone", "?public.gone", "hr.plans", "lake.x.y", "pii.people", "public.orders", "public.v", "s.t"},
		Functions: []string{"pg_catalog.lower", "public.f"}, Expanded: true,
	}
	if diff := cmp.Diff(want, names(p, idle())); diff != "" {
		t.Errorf("with a catalog: %s", diff)
	}
	lost := names(p, &SessionState{Tx: TxIdle})
	if !slices.Contains(lost.Reads, "?public.orders") || !slices.Contains(lost.Reads, "?old.orders") {
		t.Errorf("without a search_path: %v", lost.Reads)
	}
	if d := e.Decide(noon, e.NewConn(p.Subject), b, idle(), nil); d.Names != nil {
		t.Errorf("a connection that is no principal's pays for names: %+v", d.Names)
	}
}

func TestPrincipalValidate(t *testing.T) {
	t.Parallel()
	for _, p := range []Principal{{Via: "web"}, {Subject: Subject{User: "ann"}}, {Subject: Subject{User: "ann"}, Via: "web", Actor: &Subject{}}} {
		if p.Validate() == nil {
			t.Errorf("%+v is taken", p)
		}
	}
	good := Principal{Subject: Subject{User: "ann"}, Via: "web"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}

// Rows of a stored result that leave the house are charged like those of a
// statement: by user and by table, and the one that passes the limit is told.
func TestChargeRead(t *testing.T) {
	t.Parallel()
	e := engineWith(t, Source{Quotas: []QuotaSource{
		{ID: "user-rows", Key: []QuotaKey{{Name: "user"}}, Unit: UnitRowsReturned, Per: time.Hour, Limit: 100},
		{ID: "pii-rows", Key: []QuotaKey{{Name: "user"}, {Name: "table", Table: "pii.*"}}, Unit: UnitRowsReturned, Per: time.Hour, Limit: 10},
	}})
	now := time.Unix(1_700_000_000, 0)
	charge := func(user string, rows int64, reads ...string) string {
		t.Helper()
		var relations []Relation
		for _, name := range reads {
			relations = append(relations, rel(name))
		}
		p := Principal{Subject: Subject{User: user}, Via: "web"}
		if refusal := e.ChargeRead(now, &p, "wh", relations, rows); refusal != nil {
			return refusal.Rule
		}
		return ""
	}
	for _, step := range []struct {
		user      string
		rows      int64
		reads     string
		refusedBy string
	}{
		{"ann", 60, "public.orders", ""},
		{"ann", 10, "pii.people", ""},
		{"ann", 1, "pii.people", "pii-rows"},
		{"ann", 30, "public.orders", ""}, // 100 are used now: the next is refused
		{"ann", 1, "public.orders", "user-rows"},
		{"bob", 60, "public.orders", ""},
	} {
		if got := charge(step.user, step.rows, step.reads); got != step.refusedBy {
			t.Errorf("%s reads %d rows of %s: refused by %q, want %q", step.user, step.rows, step.reads, got, step.refusedBy)
		}
	}
}
