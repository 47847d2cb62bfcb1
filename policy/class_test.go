package policy

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

//go:fix inline
func ptr[T any](v T) *T { return new(v) }

func TestSourceErrors(t *testing.T) {
	t.Parallel()
	one := func(c ClassSource) Source { return Source{Classes: []ClassSource{c}} }
	two := func(parent, child ClassSource) Source {
		parent.Name, child.Name = "p", "c"
		parent.Children = []ClassSource{child}
		return one(parent)
	}
	deep := ClassSource{Name: "x"}
	for range MaxClassDepth {
		deep = ClassSource{Name: "x", Children: []ClassSource{deep}}
	}
	for name, tc := range map[string]struct {
		src   Source
		where string
	}{
		"no class":            {Source{Classify: []ClassifyLine{{}}}, "classify[0]"},
		"empty segment":       {Source{Classify: []ClassifyLine{{Class: "a//b"}}}, "classify[0]"},
		"open brace":          {Source{Classify: []ClassifyLine{{Class: "${user"}}}, "classify[0]"},
		"unknown name":        {Source{Classify: []ClassifyLine{{Class: "a/${shoe}"}}}, "classify[0]"},
		"a glob":              {Source{Classify: []ClassifyLine{{Class: "a*"}}}, "classify[0]"},
		"too deep":            {Source{Classify: []ClassifyLine{{Class: strings.Repeat("a/", 8) + "a"}}}, "classify[0]"},
		"class in classify":   {Source{Classify: []ClassifyLine{{Class: "a"}, {When: Condition{Not: []Condition{{Class: []string{"x"}}}}, Class: "b"}}}, "classify[1]"},
		"too many":            {Source{Classify: make([]ClassifyLine, MaxItems+1)}, "rules"},
		"class without name":  {one(ClassSource{}), "classes."},
		"class is a path":     {one(ClassSource{Name: "a/b"}), "classes.a/b"},
		"class twice":         {Source{Classes: []ClassSource{{Name: "a"}, {Name: "a"}}}, "classes.a"},
		"deep classes":        {one(deep), "classes." + strings.Repeat("x.children.", 8) + "x"},
		"negative hard":       {one(ClassSource{Name: "a", Hard: -1}), "classes.a"},
		"negative limit":      {one(ClassSource{Name: "a", Limits: Limits{IdleSession: -1}}), "classes.a"},
		"negative idle":       {one(ClassSource{Name: "a", Release: &ReleaseSource{MinIdle: ptr(-time.Second)}}), "classes.a"},
		"looser hard":         {two(ClassSource{Hard: 1}, ClassSource{Hard: 2}), "classes.p.children.c"},
		"looser queue":        {two(ClassSource{Queue: &QueueSource{Max: new(1)}}, ClassSource{Queue: &QueueSource{Max: new(2)}}), "classes.p.children.c"},
		"looser wait":         {two(ClassSource{Queue: &QueueSource{MaxWait: ptr(time.Second)}}, ClassSource{Queue: &QueueSource{MaxWait: ptr(time.Minute)}}), "classes.p.children.c"},
		"looser gone":         {two(ClassSource{OnClientGone: new(GoneCancel)}, ClassSource{OnClientGone: new(GoneFinish)}), "classes.p.children.c"},
		"looser time":         {two(ClassSource{Limits: Limits{TransactionTime: 1}}, ClassSource{Limits: Limits{TransactionTime: 2}}), "classes.p.children.c"},
		"looser rows":         {two(ClassSource{Limits: Limits{ReturnRowCount: 1}}, ClassSource{Limits: Limits{ReturnRowCount: 2}}), "classes.p.children.c"},
		"looser ladder":       {two(ClassSource{Release: &ReleaseSource{Ladder: []ReleaseMode{}}}, ClassSource{Release: &ReleaseSource{Ladder: []ReleaseMode{ReleaseKill}}}), "classes.p.children.c"},
		"looser idle":         {two(ClassSource{Release: &ReleaseSource{MinIdle: ptr(time.Second)}}, ClassSource{Release: &ReleaseSource{MinIdle: ptr(time.Minute)}}), "classes.p.children.c"},
		"looser idle in tx":   {two(ClassSource{Release: &ReleaseSource{MaxIdleTx: 1}}, ClassSource{Release: &ReleaseSource{MaxIdleTx: 2}}), "classes.p.children.c"},
		"rule without id":     {Source{Rules: []RuleSource{{Warn: "w"}}}, "rules[0]"},
		"rule twice":          {Source{Rules: []RuleSource{{ID: "a", Warn: "w"}, {ID: "a", Warn: "w"}}}, "rules[1]"},
		"rule that does nil":  {Source{Rules: []RuleSource{{ID: "a"}}}, "rules[0]"},
		"quota without a key": {Source{Quotas: []QuotaSource{{ID: "a", Limit: 1, Per: time.Hour}}}, "quotas[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Compile(tc.src)
			s, ok := errors.AsType[*SourceError](err)
			if !ok {
				t.Fatalf("got %v, want a *SourceError", err)
			}
			if s.Where != tc.where || !strings.HasPrefix(err.Error(), tc.where+": ") || errors.Unwrap(err) == nil {
				t.Errorf("got %q, want it at %s", err, tc.where)
			}
		})
	}
}

func TestChildrenTighten(t *testing.T) {
	t.Parallel()
	e := engineWith(t, Source{
		Classify: []ClassifyLine{{Class: "p/c/${user}"}},
		Classes: []ClassSource{{
			Name: "p", Hard: 9, Queue: &QueueSource{Max: new(50), MaxWait: ptr(time.Minute)}, OnClientGone: new(GoneFinish),
			Release: &ReleaseSource{Ladder: []ReleaseMode{ReleaseRollback, ReleaseKill}, MinIdle: ptr(time.Minute), For: []string{"etl"}, MaxIdleTx: time.Hour},
			Limits:  Limits{QueryExecutionTime: time.Minute, ReturnBytes: 100, ClientStall: time.Minute},
			Children: []ClassSource{{
				Name: "c", Hard: 5, Queue: &QueueSource{MaxWait: ptr(time.Second)}, OnClientGone: new(GoneCancel),
				Release: &ReleaseSource{Ladder: []ReleaseMode{ReleaseRollback}, MinIdle: ptr(time.Second), For: []string{"bi", "etl"}, MaxIdleTx: time.Minute},
				Limits:  Limits{QueryExecutionTime: time.Second, ReturnRowCount: 7, ClientStall: time.Second},
			}},
		}},
	})
	d := e.Standing(noon, e.NewConn(ann()))
	want := Decision{
		Class:        "p/c/ann",
		OnClientGone: GoneCancel,
		Release:      &ReleasePlan{Ladder: []ReleaseMode{ReleaseRollback}, MinIdle: time.Second, For: []string{"etl", "bi"}, MaxIdleTx: time.Minute},
		Audit:        AuditPlan{Text: TextNormalized, Durability: Ordered, OnFailure: FailClosedForWrites},
		Limits: Limits{
			QueryExecutionTime: time.Second, QueryExecutionTimeFrom: `class "p/c"`, ReturnBytes: 100, ReturnBytesFrom: `class "p"`,
			ReturnRowCount: 7, ReturnRowCountFrom: `class "p/c"`, ClientStall: time.Second,
		},
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(d.Release.String(), "when blocking etl, bi after 1s idle") {
		t.Errorf("got %s", d.Release)
	}
}

func TestStandingAsksWhatNeedsNoStatement(t *testing.T) {
	t.Parallel()
	e := engineWith(t, Source{
		Audit: AuditSource{Text: new(TextFull), Params: new(ParamsHashed), Durability: BestEffort, OnFailure: new(FailOpen)},
		Classify: []ClassifyLine{
			{When: Condition{Verb: VerbRead}, Class: "reads"},
			{When: Condition{TxState: []TxState{TxActive}}, Class: "busy"},
			{When: Condition{User: []string{"A*"}}, Class: "people"},
		},
		Rules: []RuleSource{
			{ID: "a", When: Condition{Class: []string{"people"}}, Limits: Limits{IdleSession: time.Hour}},
			{ID: "b", When: Condition{Kind: []Kind{KindRead}}, Limits: Limits{IdleSession: time.Minute}},
			{ID: "c", Except: []Condition{{Team: []string{"Growth"}}}, Limits: Limits{IdleSession: time.Second}},
		},
	})
	c := e.NewConn(ann())
	d := e.Standing(noon, c)
	if d.Class != "people" || d.Limits.IdleSession != time.Hour || d.Limits.IdleSessionFrom != `rule "a"` {
		t.Errorf("got %s, %v from %s", d.Class, d.Limits.IdleSession, d.Limits.IdleSessionFrom)
	}
	if want := (AuditPlan{TextFull, ParamsHashed, Ordered, FailOpen}); d.Audit != want {
		t.Errorf("audit: got %+v, want %+v", d.Audit, want)
	}
	s := ann()
	s.User, s.Groups, s.CertOU = "bob", nil, []string{"x", "y"}
	c.SetSubject(s)
	d = e.Standing(noon, c)
	if d.Class != DefaultClass || d.Limits.IdleSession != time.Second {
		t.Errorf("got %s, %v", d.Class, d.Limits.IdleSession)
	}
	if c.Team() != "x" || len(c.Teams()) != 2 || c.Tool() != "psql" || c.Subject().User != "bob" {
		t.Errorf("got %q %q %q %q", c.Team(), c.Teams(), c.Tool(), c.Subject().User)
	}
	e.SetObserve(true)
	if d = e.Standing(noon, c); d.Limits != (Limits{}) {
		t.Errorf("in observe mode: got %+v", d.Limits)
	}
	if !e.Observe() {
		t.Error("observe mode is on")
	}
	// decided with a policy that says best_effort
	e.SetObserve(false)
	var tk Ticket
	if d = e.Decide(noon, c, batch(del("x", true)), idle(), &tk); d.Audit.Durability != BestEffort {
		t.Errorf("got %v", d.Audit.Durability)
	}
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	e := engineWith(t, Source{
		Identities: Identities{TeamFrom: []string{FromRoleMap, FromCertOU}, ToolFrom: []string{FromCertCN}, TagsFrom: []string{FromSession}, RoleMap: map[string]string{"ANN": "a"}},
		Classify:   []ClassifyLine{{Class: "${user}/${auth_user}/${team}/${tool}/${database}/${role}/x-${environment}.${via}"}},
		Rules:      []RuleSource{{ID: "t", When: Condition{Tags: []TagMatch{{Key: "k", Values: []string{"v"}}}}, Warn: "w"}},
		Quotas: []QuotaSource{{ID: "q", Unit: UnitStatements, Per: time.Hour, Limit: 1000, Key: []QuotaKey{
			{Name: "user"},
			{Name: "auth_user"},
			{Name: "team"},
			{Name: "tool"},
			{Name: "database"},
			{Name: "role"},
			{Name: "environment"},
			{Name: "via"},
			{Name: "client_ip"},
			{Name: "class"},
			{Name: "fingerprint"},
		}}},
	})
	s := Subject{User: "Ann", AuthUser: "CN=Ann", Database: "wh", CertCN: "Tab", ApplicationName: "psql", Groups: []string{"g"}, Tags: []Tag{{"k", "v"}}}
	c := e.NewConn(s)
	b := batch(read("x"))
	b.Tags = []Tag{{"k", "no"}}
	var tk Ticket
	d := e.Decide(noon, c, b, idle(), &tk)
	if d.Class != "ann/cn=ann/a/tab/wh/none/x-none.none" {
		t.Errorf("class %s", d.Class)
	}
	if len(d.Warnings) != 1 {
		t.Errorf("the session's tag is asked: %+v", d.Rules)
	}
	want := `user "ann", auth_user "cn=ann", team "a", tool "tab", database "wh", role "none", environment "none", via "none", client_ip "none", class "ann/cn=ann/a/tab/wh/none/x-none.none", fingerprint "00000000000000aa"`
	if q := e.Quotas(noon); len(q) != 1 || q[0].Key != want {
		t.Errorf("got %+v", q)
	}
	s.Tags = nil
	c.SetSubject(s)
	b = batch(read("x"))
	b.Tags = []Tag{{"k", "v"}}
	var other Ticket
	if d := e.Decide(noon, c, b, idle(), &other); len(d.Warnings) != 0 {
		t.Error("a comment's tag is not asked by this policy")
	}
	if team := newIdentity(&Subject{User: "x"}, &Identities{TeamFrom: []string{"nobody"}}).team(); team != "" {
		t.Errorf("got %q", team)
	}
}

func TestSegments(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "none", "a/b": "a_b", "a\nb\x7f": "a_b_", "Größe": "Größe", strings.Repeat("ä", 100): strings.Repeat("ä", 64), "x" + strings.Repeat("ä", 100): "x" + strings.Repeat("ä", 63),
	} {
		if got := safeSegment(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := short(strings.Repeat("ä", 60)); got != strings.Repeat("ä", 32)+"…" {
		t.Errorf("got %q", got)
	}
}

func TestWindowsAreWeekly(t *testing.T) {
	t.Parallel()
	w := Window{Days: [7]bool{time.Wednesday: true}, From: 23 * 60, To: 60}
	for at, want := range map[time.Duration]bool{0: false, 11 * time.Hour: true, 12*time.Hour + 30*time.Minute: true, 13 * time.Hour: false, -12 * time.Hour: false, 35 * time.Hour: false} {
		if got := w.Open(noon.Add(at)); got != want {
			t.Errorf("%s after Wednesday noon: got %v", at, got)
		}
	}
	w.Zone = time.FixedZone("west", -3600)
	if w.Open(noon.Add(11 * time.Hour)) {
		t.Error("it is 22:00 there")
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for k := KindUnknown; k <= KindTransaction; k++ {
		if got, ok := ParseKind(k.String()); !ok || got != k {
			t.Errorf("%s: got %v", k, got)
		}
	}
	if _, ok := ParseKind("shoe"); ok {
		t.Error("a shoe is no kind")
	}
	if _, ok := ParseVerb("shoe"); ok {
		t.Error("nor a verb")
	}
	all := verbEnd - 1
	for _, n := range all.Names() {
		if v, ok := ParseVerb(n); !ok || v.String() != n {
			t.Errorf("%s: got %v", n, v)
		}
	}
	for got, want := range map[string]string{
		Relation{"d", "s", "n"}.String(): "d.s.n", Relation{Schema: "s", Name: "n"}.String(): "s.n", Relation{Name: "n"}.String(): "n",
		Function{"s", "f"}.String(): "s.f", Function{Name: "f"}.String(): "f",
		AgeBound{true, time.Hour}.String(): ">1h0m0s", AgeBound{false, time.Minute}.String(): "<1m0s",
		seconds(1500 * time.Millisecond): "1.5s", ModeInherit.String(): "inherit", QuotaCancel.String(): "cancel", QuotaKey{Name: "table", Table: "a.*"}.String(): "table:a.*",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
