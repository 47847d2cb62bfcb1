package policy

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func zoo() *Catalog {
	return NewCatalog(CatalogData{
		Database: "wh", Version: 7,
		Relations: []CatalogRelation{
			{Schema: "public", Name: "t"},
			{Schema: "s", Name: "t"},
			{Schema: "s", Name: "t"},
			{Schema: "s", Name: "v", Kind: RelView, Bases: rels("s.w", "s.t"), Calls: []Function{{"s", "good"}}},
			{Schema: "s", Name: "w", Kind: RelView, Bases: rels("s.v", "pii.p")}, // a ring, as CREATE OR REPLACE can make
			{Schema: "s", Name: "blind", Kind: RelView, Opaque: true},
			{Schema: "s", Name: "loud", Kind: RelView, Effects: true},
		},
		Functions: []CatalogFunction{
			{Schema: "s", Name: "good", Volatility: 's', Trusted: true, Reads: rels("s.q"), Calls: []Function{{"s", "deep"}}},
			{Schema: "s", Name: "deep", Volatility: 'v', Trusted: true, Calls: []Function{{"s", "good"}}},
			{Schema: "s", Name: "over", Volatility: 'i', Trusted: true},
			{Schema: "s", Name: "over", Volatility: 'v'},
		},
	})
}

func TestCatalogSeesThrough(t *testing.T) {
	t.Parallel()
	c := zoo()
	if c.Database() != "wh" || c.Version() != 7 {
		t.Errorf("got %s, %d", c.Database(), c.Version())
	}
	reads, calls, complete := c.Expand(rel("s.v"))
	if diff := cmp.Diff(rels("s.w", "pii.p", "s.t", "s.q"), reads); diff != "" {
		t.Errorf("reads (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Function{{"s", "good"}, {"s", "deep"}}, calls); diff != "" || !complete {
		t.Errorf("complete %v, calls (-want +got):\n%s", complete, diff)
	}
	for name, want := range map[string]bool{"s.v": true, "s.t": true, "s.blind": false, "s.loud": true, "x.y": true} {
		if _, _, complete := c.Expand(rel(name)); complete != want {
			t.Errorf("%s: complete %v", name, complete)
		}
	}
	for name, want := range map[string]FunctionTrust{
		"s.good": {Found: true, Trusted: true}, "s.over": {Found: true, Volatile: true}, "s.nowhere": {Trusted: true},
		"query_to_xml": {}, "lower": {Trusted: true},
	} {
		r := rel(name)
		if got := c.Trust(Function{r.Schema, r.Name}, []string{"public"}, true); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func TestTransparent(t *testing.T) {
	t.Parallel()
	c := zoo()
	call := func(name string) Statement {
		s := read("public.t")
		s.Functions = []Function{{Name: name}}
		return s
	}
	blurred := read("public.t")
	blurred.Unknown = UnknownEffects
	foreign := read("public.t")
	foreign.Reads[0].Database = "other"
	for name, tc := range map[string]struct {
		st   Statement
		want bool
	}{
		"a table": {read("public.t"), true}, "unqualified": {read("t"), true}, "a view": {read("s.v"), true}, "a blind view": {read("s.blind"), false},
		"a view with effects": {read("s.loud"), false}, "a write": {del("s.t", true), true}, "a write to a blind view": {del("s.blind", true), false},
		"what is not known": {blurred, false}, "another database": {foreign, false}, "a function": {call("good"), true}, "an opaque one": {call("over"), false},
		"a built-in one": {call("sum"), true}, "one that runs SQL": {call("query_to_xml"), false},
	} {
		if got := c.Transparent(&tc.st, []string{"public", "s"}, true); got != tc.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestExpansionIsBounded(t *testing.T) {
	t.Parallel()
	wide := CatalogRelation{Schema: "s", Name: "wide", Kind: RelView}
	for i := range maxExpansion + 10 {
		wide.Bases = append(wide.Bases, Relation{Schema: "s", Name: fmt.Sprint(i)})
	}
	busy := CatalogFunction{Schema: "s", Name: "busy", Trusted: true}
	for i := range maxExpansion + 10 {
		busy.Calls = append(busy.Calls, Function{Schema: "s", Name: fmt.Sprint(i)})
	}
	c := NewCatalog(CatalogData{Relations: []CatalogRelation{wide}, Functions: []CatalogFunction{busy}})
	if reads, _, complete := c.Expand(rel("s.wide")); complete || len(reads) != maxExpansion {
		t.Errorf("%d reads, complete %v", len(reads), complete)
	}
	if c.Trust(Function{"s", "busy"}, nil, true).Trusted {
		t.Error("a function that calls the world is trusted")
	}
}

func TestCatalogsAreByDatabase(t *testing.T) {
	t.Parallel()
	e := engineWith(t, Source{Rules: []RuleSource{{ID: "p", When: Condition{Reads: []string{"pii.*"}}, Deny: "no"}}})
	if !e.NeedsSearchPath() || engineWith(t, Source{}).NeedsSearchPath() {
		t.Error("a rule on tables needs the search_path, none does not")
	}
	excepted := engineWith(t, Source{Rules: []RuleSource{{ID: "p", Except: []Condition{{Not: []Condition{{Function: []string{"f"}}}}}, Deny: "no"}}})
	if !excepted.NeedsSearchPath() {
		t.Error("so does an exception")
	}
	c := e.NewConn(ann())
	b := batch(read("t"))
	if d := e.Decide(noon, c, b, idle(), nil); d.Verdict != Deny {
		t.Error("without a catalog an unqualified name may be anywhere")
	}
	e.PublishCatalog(zoo())
	if d := e.Decide(noon, c, b, idle(), nil); d.Verdict != Allow {
		t.Error("the catalog knows where it is")
	}
	if e.Catalog("wh") == nil || e.Catalog("other") != nil {
		t.Error("catalogs are by database")
	}
	s := ann()
	s.Database = "other"
	c.SetSubject(s)
	if d := e.Decide(noon, c, b, idle(), nil); d.Verdict != Deny {
		t.Error("of this database there is no catalog")
	}
	e.PublishCatalog(NewCatalog(CatalogData{Relations: []CatalogRelation{{Schema: "public", Name: "t"}}}))
	if d := e.Decide(noon, c, b, idle(), nil); d.Verdict != Allow {
		t.Error("a catalog without a name is for any")
	}
}

// What a world remembers is bounded, and what is too large is not remembered.
func TestWorldIsBounded(t *testing.T) {
	t.Parallel()
	e := engineWith(t, Source{Rules: []RuleSource{{ID: "p", When: Condition{Reads: []string{"pii.*"}}, Deny: "no"}}})
	e.PublishCatalog(zoo())
	c := e.NewConn(ann())
	for i := range 3 * 16 * shardEntries {
		b := batch(read("public.t"))
		if i%100 == 0 {
			b.Bytes = maxCached + 1
		}
		e.Decide(noon, c, b, idle(), nil)
	}
	w := e.world.Load()
	n := 0
	for i := range w.shards {
		n += len(w.shards[i].young) + len(w.shards[i].oldFacts)
	}
	if n > 2*16*shardEntries {
		t.Errorf("%d batches remembered", n)
	}
	for i := range maxEnvs + 10 {
		st := idle()
		st.SearchPath = []string{fmt.Sprint(i)}
		e.Decide(noon, c, batch(read("public.t")), st, nil)
	}
	if n := len(w.envs); n > maxEnvs {
		t.Errorf("%d environments remembered", n)
	}
}

// A batch in use survives the change of generations.
func TestFactsSurviveInUse(t *testing.T) {
	t.Parallel()
	rs := mustCompile(t, Source{})
	w := newWorld(rs, nil)
	env := w.env("wh", idle())
	b := batch(read("t"))
	first := w.facts(b, env)
	for range 16 * shardEntries * 3 {
		w.facts(batch(read("t")), env)
		if w.facts(b, env) != first {
			t.Fatal("facts of a batch in use were forgotten")
		}
	}
}
