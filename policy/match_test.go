package policy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
)

// slowGlob is the obvious glob: path.Match with its own specials quoted.
func slowGlob(pattern, s string) bool {
	p := strings.NewReplacer("\\", "\\\\", "?", "\\?", "[", "\\[", "]", "\\]").Replace(pattern)
	ok, err := path.Match(p, strings.ReplaceAll(s, "/", "\x01"))
	return err == nil && ok
}

func TestGlobAgreesWithTheObviousOne(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	word := func(alphabet string, n int) string {
		b := make([]byte, r.IntN(n))
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(b)
	}
	for range 50_000 {
		p, s := word("ab*", 7), word("ab", 9)
		if got, want := newGlob(p, false).match(s), slowGlob(p, s); got != want {
			t.Fatalf("%q against %q: got %v, want %v", p, s, got, want)
		}
	}
	if !newGlob("Tab*", true).match("tableau") || newGlob("Tab*", false).match("tableau") {
		t.Error("case")
	}
	long := strings.Repeat("a", 100_000)
	start := time.Now()
	if newGlob("*a*a*a*a*b", false).match(long) {
		t.Error("matched")
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("a hostile text took %v", d)
	}
}

func TestClassGlobsMeanWhatIsBelow(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		glob, path string
		want       bool
	}{
		{"adhoc", "adhoc", true},
		{"adhoc", "adhoc/growth/ann", true},
		{"adhoc/*", "adhoc", false},
		{"adhoc/*", "adhoc/x/y", true},
		{"adhoc/growth", "adhoc/growth/ann", true},
		{"ad", "adhoc", false},
		{"etl/backfill/*", "etl/backfill/x", true},
		{"*/ann", "bi/ann/x", true},
	} {
		if got := matchClass(newGlobs([]string{tc.glob}, false), tc.path); got != tc.want {
			t.Errorf("%s means %s: got %v", tc.glob, tc.path, got)
		}
	}
}

func TestNamePatterns(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pattern, db, schema, name string
		want                      tri
	}{
		{"pii.*", "wh", "pii", "people", yes},
		{"pii.*", "wh", "", "people", unknown},
		{"pii.*", "wh", "s", "people", no},
		{"people", "", "", "people", yes},
		{"people", "", "s", "people", yes},
		{"people", "", "", "x", no},
		{"*", "", "", "x", yes},
		{"*.people", "", "", "people", yes},
		{"wh.pii.*", "wh", "pii", "p", yes},
		{"wh.pii.*", "other", "pii", "p", no},
		{"wh.pii.*", "", "pii", "p", unknown},
		{"*.pii.*", "", "pii", "p", yes},
		{"a.b.c.d", "a", "b", "c.d", yes},
	} {
		p := newNamePattern(tc.pattern)
		if got := p.match(tc.db, tc.schema, tc.name); got != tc.want {
			t.Errorf("%s on %s.%s.%s: got %v, want %v", tc.pattern, tc.db, tc.schema, tc.name, got, tc.want)
		}
	}
}

// chaos makes random policies and statements out of few values, so that they
// meet often.
type chaos struct{ *rand.Rand }

func (c chaos) some(list ...string) []string {
	var out []string
	for _, s := range list {
		if c.IntN(3) == 0 {
			out = append(out, s)
		}
	}
	return out
}

func (c chaos) one(list ...string) string { return list[c.IntN(len(list))] }

func (c chaos) maybe() bool { return c.IntN(5) == 0 }

func (c chaos) condition(depth int, classes bool) Condition {
	var k Condition
	if c.maybe() {
		k.User = []string{c.one("ann", "b*", "*", "Ann")}
	}
	if c.maybe() {
		k.AuthUser = []string{c.one("ann", "bob")}
	}
	if c.maybe() {
		k.Team = []string{c.one("growth", "tr*")}
	}
	if c.maybe() {
		k.Tool = []string{c.one("dbt*", "psql")}
	}
	if c.maybe() {
		k.ClientIP = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	}
	if c.maybe() {
		k.Database, k.Role = []string{"wh"}, []string{c.one("ann", "*")}
	}
	if c.maybe() {
		k.Environment, k.Via = []string{"prod"}, []string{c.one("wire", "web")}
	}
	if c.maybe() {
		k.Verb = Verbs(c.IntN(int(verbEnd)))
	}
	if c.maybe() {
		k.Kind = []Kind{Kind(c.IntN(9))}
	}
	if c.maybe() {
		k.PgAudit = []string{c.one("read", "WRITE")}
	}
	if c.maybe() {
		k.Reads = []string{c.one("pii.*", "orders", "s.orders", "*")}
	}
	if c.maybe() {
		k.Writes = []string{c.one("pii.*", "orders")}
	}
	if c.maybe() {
		k.Function = []string{c.one("f", "pg_catalog.*")}
	}
	if c.maybe() {
		k.Fingerprint = []string{c.one("aa", "b*")}
	}
	if c.maybe() {
		k.Tags = []TagMatch{{Key: "app", Values: []string{c.one("dbt", "x*")}}}
	}
	if c.maybe() {
		k.Urgency = []string{"batch"}
	}
	if c.maybe() {
		k.HasWhere = new(c.IntN(2) == 0)
	}
	if c.maybe() {
		k.HasLimit = new(c.IntN(2) == 0)
	}
	if c.maybe() {
		k.TxState = []TxState{TxState(c.one("I", "T", "E")[0])}
	}
	if c.maybe() {
		k.SessionAge = []AgeBound{{Older: c.IntN(2) == 0, Than: time.Minute}}
	}
	if c.maybe() {
		k.Time = []Window{{Days: [7]bool{true, true, true, true, true, true, true}, From: 600, To: 600 + c.IntN(300) + 1, Text: "t"}}
	}
	if classes && c.maybe() {
		k.Class = []string{c.one("bi", "bi/*", "adhoc/ann", "default")}
	}
	if depth < 2 && c.maybe() {
		for range 1 + c.IntN(2) {
			k.Not = append(k.Not, c.condition(depth+1, classes))
		}
	}
	return k
}

func (c chaos) source() Source {
	src := Source{}
	for i := range c.IntN(4) {
		src.Classify = append(src.Classify, ClassifyLine{When: c.condition(0, false), Class: c.one("bi/${user}", "adhoc/${user}", "etl", fmt.Sprintf("c%d", i))})
	}
	for i := range 1 + c.IntN(90) {
		r := RuleSource{ID: fmt.Sprintf("r%d", i), When: c.condition(0, true), Warn: "w"}
		for range c.IntN(3) {
			r.Except = append(r.Except, c.condition(0, true))
		}
		if c.maybe() {
			r.Warn, r.Deny = "", "d"
		}
		if c.maybe() {
			r.Mode = ModeObserve
		}
		src.Rules = append(src.Rules, r)
	}
	return src
}

func (c chaos) statement() Statement {
	st := Statement{
		Kind: Kind(c.IntN(9)), Verbs: Verbs(c.IntN(int(verbEnd))), Features: Features(c.IntN(16)), PgAudit: c.one("READ", "WRITE", ""),
		Fingerprint: c.one("aa", "bb", ""), Reads: rels(c.some("pii.people", "orders", "s.orders", "x")...), Writes: rels(c.some("pii.x", "orders")...),
		Functions: []Function{{Name: c.one("f", "g"), Schema: c.one("", "pg_catalog", "s")}},
	}
	if c.IntN(2) == 0 {
		st.Unknown = Unknowns(c.IntN(int(UnknownAll) + 1))
	}
	if c.IntN(8) == 0 {
		st.Tx = TxControl(c.IntN(int(TxSet) + 1))
	}
	if c.IntN(4) == 0 {
		st.Features |= FeatVolatileCall
	}
	return st
}

func (c chaos) subject() Subject {
	s := Subject{
		User: c.one("ann", "bob", "Ann", ""), Role: c.one("ann", "r"), Database: c.one("wh", "x"), ApplicationName: c.one("dbt 1", "psql", ""),
		Groups: c.some("growth", "trust"), Environment: c.one("", "prod"), Via: c.one("wire", "web"),
	}
	s.AuthUser = s.User
	if c.IntN(2) == 0 {
		s.ClientIP = netip.MustParseAddr(c.one("10.1.2.3", "192.0.2.1", "::1"))
	}
	if c.IntN(2) == 0 {
		s.Tags = []Tag{{"app", c.one("dbt", "y")}, {"urgency", c.one("batch", "now")}}
	}
	return s
}

func (c chaos) state() *SessionState {
	return &SessionState{
		Tx: TxState(c.one("I", "T", "E")[0]), Started: noon.Add(-time.Duration(c.IntN(120)) * time.Second),
		SearchPath: c.some("public", "pii", "s"), PathKnown: c.IntN(2) == 0,
	}
}

func (c chaos) catalog() *Catalog {
	return NewCatalog(CatalogData{
		Relations: []CatalogRelation{
			{Schema: "s", Name: "orders"}, {Schema: "public", Name: "x", Kind: RelView, Bases: rels("pii.people"), Opaque: c.maybe()},
		},
		Functions: []CatalogFunction{{Schema: "public", Name: "f", Trusted: c.IntN(2) == 0, Reads: rels("pii.people")}},
	})
}

// slowDecide is the policy in the obvious way: every line and every rule is
// asked as a whole, for every statement, one after the other.
func slowDecide(rs *Ruleset, e *Engine, c *Conn, b *Batch, st *SessionState) (classes, rules, observed []string, denied bool) {
	id := newIdentity(c.Subject(), &rs.identities)
	env := &nameEnv{catalog: e.Catalog(id.subject.Database), database: id.subject.Database, path: st.SearchPath, known: st.PathKnown}
	met := map[int]bool{}
	for i := range b.Statements {
		s := &b.Statements[i]
		sc := scope{now: noon, id: id, st: s, names: env.resolve(s), tags: b.Tags, state: st}
		line := rs.lines
		for j := range rs.lines {
			if rs.items[j].when.whole(&sc) == yes {
				line = j
				break
			}
		}
		sc.class = rs.classFor(line, id, 100)
		classes = append(classes, sc.class.path)
		for j := rs.lines; j < len(rs.items); j++ {
			it := &rs.items[j]
			if it.rule.Deny != "" && s.Tx == TxRollback && !s.TxChain {
				continue
			}
			if it.ask(&sc) != no {
				met[j] = true
			}
		}
	}
	for j := rs.lines; j < len(rs.items); j++ {
		it := &rs.items[j]
		switch {
		case !met[j]:
		case it.mode == ModeObserve:
			observed = append(observed, it.rule.ID)
		default:
			rules = append(rules, it.rule.ID)
			denied = denied || it.rule.Deny != ""
		}
	}
	return classes, rules, observed, denied
}

func TestDecideAgreesWithTheObviousWay(t *testing.T) {
	t.Parallel()
	c := chaos{rand.New(rand.NewPCG(7, 11))}
	rounds := 400
	if testing.Short() {
		rounds = 80
	}
	met := 0
	for range rounds {
		rs := mustCompile(t, c.source())
		e := NewEngine(EngineConfig{})
		e.Publish(rs)
		if c.IntN(2) == 0 {
			e.PublishCatalog(c.catalog())
		}
		conn := e.NewConn(c.subject())
		var batches []*Batch
		for range 3 {
			b := &Batch{Statements: []Statement{c.statement()}}
			if c.IntN(3) == 0 {
				b.Statements = append(b.Statements, c.statement())
			}
			if c.IntN(2) == 0 {
				b.Tags = []Tag{{"app", c.one("dbt", "z")}}
			}
			batches = append(batches, b)
		}
		for range 12 { // again and again, so that caches answer too
			if c.IntN(6) == 0 {
				conn.SetSubject(c.subject())
			}
			if c.IntN(12) == 0 {
				e.PublishCatalog(c.catalog())
			}
			b, st := batches[c.IntN(len(batches))], c.state()
			classes, rules, observed, denied := slowDecide(rs, e, conn, b, st)
			d := e.Decide(noon, conn, b, st, nil)
			if !slices.Contains(classes, d.Class) || !slices.Equal(d.Rules, rules) || !slices.Equal(d.Observed, observed) || denied != (d.Verdict == Deny) {
				t.Fatalf("got class %s rules %v observed %v %v\nwant one of %v, %v, %v, denied %v\nstatement %+v\nstate %+v", d.Class, d.Rules, d.Observed, d.Verdict, classes, rules, observed, denied, b.Statements, st)
			}
			met += len(rules)
			x := e.Explain(noon, conn, b, st)
			if x.Class != d.Class || x.Decision.Verdict != d.Verdict {
				t.Fatalf("the explanation says %s %v, the decision %s %v", x.Class, x.Decision.Verdict, d.Class, d.Verdict)
			}
			for _, l := range x.Rules {
				if (l.Answer != no.String()) != slices.Contains(append(slices.Clone(rules), observed...), l.ID) {
					t.Fatalf("the explanation of %s says %s (%s)", l.ID, l.Answer, l.Why)
				}
			}
		}
	}
	if met < rounds {
		t.Errorf("only %d rules matched in all: the test tests little", met)
	}
}

// A statement of which less is known never meets fewer rules.
func TestNotKnowingIsNeverLooser(t *testing.T) {
	t.Parallel()
	c := chaos{rand.New(rand.NewPCG(3, 5))}
	for range 800 {
		src := c.source()
		for i := range src.Rules {
			src.Rules[i].Except = nil // an exception that is not sure does not hold
			src.Rules[i].When.Class = nil
			for j := range src.Rules[i].When.Not {
				src.Rules[i].When.Not[j].Class = nil
				src.Rules[i].When.Not[j].Not = nil
			}
		}
		e := NewEngine(EngineConfig{})
		e.Publish(mustCompile(t, src))
		conn := e.NewConn(c.subject())
		known := c.statement()
		known.Unknown, known.Tx = 0, TxNone
		blurred := known
		blurred.Unknown = Unknowns(c.IntN(int(UnknownAll) + 1))
		st := c.state()
		clear := e.Decide(noon, conn, &Batch{Statements: []Statement{known}}, st, nil)
		blind := e.Decide(noon, conn, &Batch{Statements: []Statement{blurred}}, st, nil)
		for _, id := range clear.Rules {
			if !slices.Contains(blind.Rules, id) {
				t.Fatalf("rule %s meets %+v, but not with %b unknown", id, known, blurred.Unknown)
			}
		}
	}
}
