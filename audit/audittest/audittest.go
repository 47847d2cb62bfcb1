// Package audittest holds what every sink and reader of the record must do. A
// store is finished when Run passes.
package audittest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/audit"
)

// Sink is a sink that can be closed and opened again.
type Sink interface {
	audit.Sink
	io.Closer
}

// Place is somewhere that a record is kept.
type Place interface {
	// Open opens the place for writing. It is called again after Close and
	// must then continue.
	Open() (Sink, error)
	// Reader returns a reader that works beside the writer and without it.
	Reader() audit.Reader
}

// Run checks a store. newPlace returns an empty one.
func Run(t *testing.T, newPlace func(t *testing.T) Place) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Place){
		"empty":         testEmpty,
		"every field":   testEveryField,
		"order":         testOrder,
		"reopen":        testReopen,
		"filter":        testFilter,
		"pages":         testPages,
		"tail":          testTail,
		"tail filter":   testTailFilter,
		"tail reopened": testTailReopened,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newPlace(t))
		})
	}
}

func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

func open(t *testing.T, p Place) Sink {
	t.Helper()
	sink, err := p.Open()
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

func add(t *testing.T, sink audit.Sink, events ...audit.Event) {
	t.Helper()
	n, err := sink.Append(events)
	if err != nil || n != len(events) {
		t.Fatalf("append: %d of %d, %v", n, len(events), err)
	}
	if err := sink.Sync(); err != nil {
		t.Fatal(err)
	}
}

func closed(t *testing.T, sink Sink) {
	t.Helper()
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
}

func find(t *testing.T, p Place, q audit.Query) audit.Page {
	t.Helper()
	page, err := p.Reader().Search(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// numbered returns n events, a second apart, with their number as text.
func numbered(n int) []audit.Event {
	events := make([]audit.Event, n)
	for i := range events {
		events[i] = audit.Event{Kind: audit.KindIntent, Text: fmt.Sprint(i + 1), Time: noon().Add(time.Duration(i) * time.Second)}
	}
	return events
}

func texts(events []audit.Event) []string {
	texts := []string{}
	for _, e := range events {
		texts = append(texts, e.Text)
	}
	return texts
}

func testEmpty(t *testing.T, p Place) {
	if page := find(t, p, audit.Query{}); len(page.Events) != 0 || page.Before != 0 {
		t.Errorf("before the first open: %+v", page)
	}
	sink := open(t, p)
	defer closed(t, sink)
	if err := sink.Sync(); err != nil {
		t.Errorf("sync of nothing: %v", err)
	}
	add(t, sink)
	if page := find(t, p, audit.Query{}); len(page.Events) != 0 || page.Before != 0 {
		t.Errorf("after it: %+v", page)
	}
}

func testEveryField(t *testing.T, p Place) {
	sink := open(t, p)
	defer closed(t, sink)
	want := []audit.Event{Full(), {Kind: audit.KindSessionStart, Time: noon()}}
	add(t, sink, want...)
	for i := range want { // Append has filled in ID and Seq
		if want[i].ID.IsZero() || want[i].Seq != uint64(i+1) {
			t.Errorf("event %d has id %s, seq %d", i, want[i].ID, want[i].Seq)
		}
		want[i].Version = audit.Version
	}
	got := find(t, p, audit.Query{}).Events
	for i := range got { // how a store proves itself is its own business
		got[i].Chain = ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

func testOrder(t *testing.T, p Place) {
	sink := open(t, p)
	defer closed(t, sink)
	events := numbered(100)
	slices.Reverse(events) // the order is that of Append, not that of the clock
	add(t, sink, events[:1]...)
	add(t, sink, events[1:60]...)
	add(t, sink, events[60:]...)
	got := find(t, p, audit.Query{Limit: 1000}).Events
	if diff := cmp.Diff(texts(events), texts(got)); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	for i, e := range got {
		if e.Seq != uint64(i+1) {
			t.Errorf("event %d has seq %d", i, e.Seq)
		}
		if i > 0 && e.ID.String() <= got[i-1].ID.String() {
			t.Errorf("id %s does not follow %s", e.ID, got[i-1].ID)
		}
	}
}

func testReopen(t *testing.T, p Place) {
	var last audit.Event
	for round := range 4 {
		sink := open(t, p)
		events := numbered(2)
		add(t, sink, events...)
		closed(t, sink)
		closed(t, sink) // twice does no harm
		if round > 0 && (events[0].Seq != last.Seq+1 || events[0].ID.String() <= last.ID.String()) {
			t.Errorf("round %d: seq %d id %s follow seq %d id %s", round, events[0].Seq, events[0].ID, last.Seq, last.ID)
		}
		last = events[1]
		if _, err := sink.Append(events); err == nil {
			t.Error("append to a closed sink did not fail")
		}
	}
	if got := texts(find(t, p, audit.Query{}).Events); len(got) != 8 {
		t.Errorf("stored %q, want 8", got)
	}
}

func testFilter(t *testing.T, p Place) {
	sink := open(t, p)
	defer closed(t, sink)
	base := audit.Event{
		Kind: audit.KindIntent, User: "anna", Session: "s1", Fingerprint: "f1", SQLState: "00000", Class: "bi", Text: "Select a\n\"b\"",
		Reads: []string{"public.orders"}, Time: noon(),
	}
	events := make([]audit.Event, 12)
	for i := range events {
		events[i] = base
		events[i].TxID = uint64(i)
	}
	events[1].User, events[1].AuthUser = "svc", "anna"
	events[2].User = `an"na` // says anna nowhere
	events[3].Session, events[3].Time = "s2", noon().Add(time.Hour)
	events[4].Fingerprint, events[4].Kind = "f2", audit.KindOutcome
	events[5].SQLState, events[5].Class = "57014", "etl"
	events[6].Reads, events[6].Writes = nil, []string{"shop.orders", "public.preorders"}
	events[7].Reads, events[7].Relations = nil, []string{"orders"}
	events[8].Reads, events[8].Text = []string{"public.preorders"}, "orders"
	events[9].Text, events[9].Message, events[9].Time = "", "GRÜN", noon().Add(2*time.Hour)
	events[10] = audit.Event{Kind: audit.KindResultRead, Run: "r_1", TxID: 10, Time: noon(), ResolvedReads: []string{"?hidden.base"}}
	events[11] = audit.Event{Kind: audit.KindIntent, Run: "r_12", TxID: 11, Time: noon(), Message: "r_1", ResolvedWrites: []string{"?base"}}
	add(t, sink, events...)

	for _, test := range []struct {
		name   string
		filter audit.Filter
		want   []uint64
	}{
		{"user", audit.Filter{User: "anna"}, []uint64{0, 1, 3, 4, 5, 6, 7, 8, 9}},
		{"quoted user", audit.Filter{User: `an"na`}, []uint64{2}},
		{"session", audit.Filter{Session: "s2"}, []uint64{3}},
		{"run", audit.Filter{Run: "r_1"}, []uint64{10}},
		{"resolved table", audit.Filter{Table: "base"}, []uint64{10, 11}},
		{"resolved table with schema", audit.Filter{Table: "hidden.base"}, []uint64{10}},
		{"fingerprint", audit.Filter{Fingerprint: "f2"}, []uint64{4}},
		{"kind", audit.Filter{Kinds: []audit.Kind{audit.KindOutcome, audit.KindLoss}}, []uint64{4}},
		{"sqlstate", audit.Filter{SQLState: "57014"}, []uint64{5}},
		{"class", audit.Filter{Class: "etl"}, []uint64{5}},
		{"table with schema", audit.Filter{Table: "public.orders"}, []uint64{0, 1, 2, 3, 4, 5, 9}},
		{"table", audit.Filter{Table: "orders"}, []uint64{0, 1, 2, 3, 4, 5, 6, 7, 9}},
		{"text", audit.Filter{Text: "SELECT A\n\"B"}, []uint64{0, 1, 2, 3, 4, 5, 6, 7}},
		{"message", audit.Filter{Text: "grün"}, []uint64{9}},
		{"since", audit.Filter{Since: noon().Add(time.Hour)}, []uint64{3, 9}},
		{"until", audit.Filter{Until: noon().Add(time.Hour)}, []uint64{0, 1, 2, 4, 5, 6, 7, 8, 10, 11}},
		{"since and until", audit.Filter{Since: noon().Add(time.Minute), Until: noon().Add(90 * time.Minute)}, []uint64{3}},
		{"two of them", audit.Filter{User: "anna", Class: "etl"}, []uint64{5}},
		{"nothing", audit.Filter{User: "nobody"}, nil},
	} {
		var got []uint64
		for _, e := range find(t, p, audit.Query{Filter: test.filter}).Events {
			got = append(got, e.TxID)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func testPages(t *testing.T, p Place) {
	sink := open(t, p)
	defer closed(t, sink)
	const n = 301
	events := numbered(n)
	for i := range events {
		events[i].Class = []string{"even", "odd"}[(i+1)%2]
	}
	add(t, sink, events...)
	for _, limit := range []int{1, 7, 150, n, n + 1} {
		for _, class := range []string{"", "odd"} {
			var got []string
			pages := 0
			for q := (audit.Query{Limit: limit, Filter: audit.Filter{Class: class}}); ; pages++ {
				page := find(t, p, q)
				got = append(texts(page.Events), got...)
				if page.Before == 0 {
					break
				}
				if len(page.Events) != limit {
					t.Errorf("limit %d: a page of %d, and more to come", limit, len(page.Events))
				}
				q.Before = page.Before
			}
			var want []string
			for _, e := range events {
				if class == "" || e.Class == class {
					want = append(want, e.Text)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("limit %d, class %q, %d pages (-want +got):\n%s", limit, class, pages+1, diff)
			}
		}
	}
	if page := find(t, p, audit.Query{Limit: 2}); !slices.Equal(texts(page.Events), []string{"300", "301"}) {
		t.Errorf("newest two: %q", texts(page.Events))
	}
}

// follow collects from a tail until it has n events, while feed appends them.
func follow(t *testing.T, p Place, after uint64, f audit.Filter, n int, feed func(got int)) []audit.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var got []audit.Event
	feed(0)
	for e, err := range p.Reader().Tail(ctx, after, f) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
		if len(got) == n {
			break
		}
		feed(len(got))
	}
	return got
}

func testTail(t *testing.T, p Place) {
	sink := open(t, p)
	defer closed(t, sink)
	events := numbered(300)
	for _, after := range []uint64{0, 1, 99, 100} {
		if after == 0 {
			add(t, sink, events[:100]...)
		}
		var want []string
		for i := int(after); i < 100; i++ {
			want = append(want, fmt.Sprint(i+1))
		}
		if len(want) == 0 {
			continue
		}
		got := follow(t, p, after, audit.Filter{}, len(want), func(int) {})
		if diff := cmp.Diff(want, texts(got)); diff != "" {
			t.Errorf("after %d (-want +got):\n%s", after, diff)
		}
	}
	fed := 100
	got := follow(t, p, 90, audit.Filter{}, 210, func(got int) {
		if got+90 >= fed && fed < 300 { // it has seen all: it must wait for more
			add(t, sink, events[fed:fed+1]...)
			fed++
		}
	})
	if diff := cmp.Diff(texts(events[90:]), texts(got)); diff != "" {
		t.Errorf("following (-want +got):\n%s", diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for e, err := range p.Reader().Tail(ctx, 300, audit.Filter{}) {
		t.Errorf("after the end of its context: %v, %v", e.Text, err)
	}
}

func testTailFilter(t *testing.T, p Place) {
	sink := open(t, p)
	defer closed(t, sink)
	events := numbered(10)
	events[2].User, events[7].User = "anna", "anna"
	events[4].Run, events[8].Run = "r_1", "r_1"
	add(t, sink, events...)
	got := follow(t, p, 0, audit.Filter{User: "anna"}, 2, func(int) {})
	if diff := cmp.Diff([]string{"3", "8"}, texts(got)); diff != "" {
		t.Errorf("tail (-want +got):\n%s", diff)
	}
	got = follow(t, p, 5, audit.Filter{Run: "r_1"}, 1, func(int) {})
	if diff := cmp.Diff([]string{"9"}, texts(got)); diff != "" {
		t.Errorf("tail of a run (-want +got):\n%s", diff)
	}
}

// testTailReopened begins to follow before there is anything, and goes on
// while the writer comes and goes.
func testTailReopened(t *testing.T, p Place) {
	events := numbered(6)
	fed := 0
	got := follow(t, p, 0, audit.Filter{}, 6, func(got int) {
		if got < fed {
			return
		}
		sink := open(t, p)
		add(t, sink, events[fed:fed+2]...)
		closed(t, sink)
		fed += 2
	})
	if diff := cmp.Diff(texts(events), texts(got)); diff != "" {
		t.Errorf("tail (-want +got):\n%s", diff)
	}
}
