package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// slowQueue is the queue in the obvious way: a list of waiting statements in
// order of arrival, looked through from the start after every change.
type slowQueue struct {
	hard    map[string]int // by path
	running map[string]int
	waiting []*slowWaiter
}

type slowWaiter struct {
	id    int
	class string
	held  bool
}

func (q *slowQueue) room(class string) bool {
	for _, p := range ancestors(class) {
		if q.hard[p] > 0 && q.running[p] >= q.hard[p] {
			return false
		}
	}
	return true
}

func ancestors(class string) []string {
	out := []string{class}
	for i := len(class) - 1; i > 0; i-- {
		if class[i] == '/' {
			out = append(out, class[:i])
		}
	}
	return out
}

func (q *slowQueue) add(class string, n int) {
	for _, p := range ancestors(class) {
		q.running[p] += n
	}
}

// settle admits whoever may go, first come first served; in a class nobody
// passes one who waits before him, unless a rule holds that one.
func (q *slowQueue) settle() (admitted []int) {
	for again := true; again; {
		again = false
		for i, w := range q.waiting {
			if w.held || !q.room(w.class) {
				continue
			}
			q.add(w.class, 1)
			q.waiting = slices.Delete(q.waiting, i, i+1)
			admitted = append(admitted, w.id)
			again = true
			break
		}
	}
	return admitted
}

func queueSource() Source {
	hold := RuleSource{ID: "hold", When: Condition{Writes: []string{"held"}, Time: []Window{{Days: [7]bool{true, true, true, true, true, true, true}, From: 720, To: 721, Text: "t"}}}, Queue: true}
	return Source{
		Classify: []ClassifyLine{{When: Condition{Tool: []string{"etl"}}, Class: "etl"}, {Class: "${tool}/${user}"}},
		Classes: []ClassSource{
			{Name: "bi", Hard: 3, Children: []ClassSource{{Name: "${user}", Hard: 2}}},
			{Name: "etl", Hard: 2},
		},
		Rules: []RuleSource{hold},
	}
}

// TestQueueAgreesWithTheObviousOne drives thousands of arrivals, settlements
// and departures and compares who runs and who waits after each of them.
func TestQueueAgreesWithTheObviousOne(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 8))
	for range 40 {
		e := engineWith(t, queueSource())
		slow := &slowQueue{hard: map[string]int{"bi": 3, "etl": 2}, running: map[string]int{}}
		for _, u := range []string{"ann", "bob", "cat"} {
			slow.hard["bi/"+u] = 2
		}
		type live struct {
			ticket *Ticket
			wake   *signal
			conn   *Conn
			batch  *Batch
			class  string
			runs   bool
		}
		lives := map[int]*live{}
		now := noon
		for id := range 300 {
			switch {
			case r.IntN(100) < 55 || len(lives) == 0:
				s := ann()
				s.ApplicationName, s.User = []string{"bi", "bi", "etl", "free"}[r.IntN(4)], []string{"ann", "bob", "cat"}[r.IntN(3)]
				l := &live{ticket: &Ticket{}, wake: &signal{}, conn: e.NewConn(s), class: s.ApplicationName + "/" + s.User}
				if s.ApplicationName == "etl" {
					l.class = "etl"
				}
				l.ticket.Waker = l.wake
				held := r.IntN(6) == 0
				must := r.IntN(8) == 0 // never waits
				l.batch = batch(read("x"))
				if held {
					l.batch = batch(del("held", true))
				}
				st := idle()
				st.Held = must
				d := e.Decide(now, l.conn, l.batch, st, l.ticket)
				if must {
					slow.add(l.class, 1)
					l.runs = true
				} else {
					slow.waiting = append(slow.waiting, &slowWaiter{id: id, class: l.class, held: held})
					for _, a := range slow.settle() {
						if a != id {
							t.Fatalf("an arrival admitted another: %d", a)
						}
						l.runs = true
					}
				}
				if (d.Verdict == Allow) != l.runs {
					t.Fatalf("arrival in %s: got %v (%s %s), want runs %v", l.class, d.Verdict, d.QueueName, d.QueueWhy, l.runs)
				}
				lives[id] = l
			default:
				keys := make([]int, 0, len(lives))
				for k := range lives {
					keys = append(keys, k)
				}
				slices.Sort(keys)
				k := keys[r.IntN(len(keys))]
				l := lives[k]
				delete(lives, k)
				if l.runs {
					e.Settle(now, l.ticket, Usage{})
					slow.add(l.class, -1)
				} else {
					e.Leave(now, l.ticket)
					slow.waiting = slices.DeleteFunc(slow.waiting, func(w *slowWaiter) bool { return w.id == k })
				}
				want := slow.settle()
				for _, a := range want {
					lives[a].runs = true
				}
				for id, o := range lives {
					if woken := o.wake.woken > 0; woken != slices.Contains(want, id) {
						t.Fatalf("statement %d in %s: woken %v, want %v", id, o.class, woken, !woken)
					}
					o.wake.woken = 0
				}
			}
			compareQueue(t, e, now, slow)
		}
		for _, l := range lives {
			e.Leave(now, l.ticket)
		}
		for _, c := range e.Classes(now) {
			if c.Running != 0 || c.Queued != 0 {
				t.Fatalf("at the end %s has %d running, %d queued", c.Path, c.Running, c.Queued)
			}
		}
	}
}

func compareQueue(t *testing.T, e *Engine, now time.Time, slow *slowQueue) {
	t.Helper()
	queued := map[string]int{}
	for _, w := range slow.waiting {
		for _, p := range ancestors(w.class) {
			queued[p]++
		}
	}
	for _, c := range e.Classes(now) {
		if c.Running != slow.running[c.Path] || c.Queued != queued[c.Path] {
			t.Fatalf("%s: got %d running and %d queued, want %d and %d", c.Path, c.Running, c.Queued, slow.running[c.Path], queued[c.Path])
		}
	}
}

// sleeper waits for its wake as a session does.
type sleeper struct{ ch chan struct{} }

func (s *sleeper) Wake() {
	select {
	case s.ch <- struct{}{}:
	default:
	}
}

// TestQueueManyAtOnce lets many sessions wait for few slots: nobody is
// forgotten, the bound holds at every moment, and all slots come back.
func TestQueueManyAtOnce(t *testing.T) {
	t.Parallel()
	src := queueSource()
	wait := time.Hour
	src.Classes[0].Queue = &QueueSource{MaxWait: &wait}
	e := engineWith(t, src)
	var inside, most atomic.Int64
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			s := ann()
			s.ApplicationName, s.User = "bi", fmt.Sprintf("u%d", i%5)
			c := e.NewConn(s)
			z := &sleeper{ch: make(chan struct{}, 1)}
			tk := &Ticket{Waker: z}
			b := batch(read("x"))
			for n := range 60 {
				d := e.Decide(noon, c, b, idle(), tk)
				gaveUp := false
				for d.Verdict == Queue {
					if n%7 == 3 {
						e.Leave(noon, tk)
						gaveUp = true
						break
					}
					<-z.ch
					d = e.Decide(noon, c, b, idle(), tk)
				}
				if gaveUp {
					continue
				}
				if d.Verdict != Allow {
					t.Errorf("got %v: %+v", d.Verdict, d.Refusal)
					return
				}
				v := inside.Add(1)
				for m := most.Load(); v > m && !most.CompareAndSwap(m, v); m = most.Load() {
				}
				inside.Add(-1)
				e.Settle(noon, tk, Usage{})
			}
		})
	}
	for range 20 { // reloads and glances at the console meanwhile
		e.Publish(mustCompile(t, src))
		e.Classes(noon)
		e.QueueInfo(noon)
		e.Rules()
	}
	wg.Wait()
	if m := most.Load(); m > 3 {
		t.Errorf("%d ran at once, the bound is 3", m)
	}
	for _, c := range e.Classes(noon) {
		if c.Running != 0 || c.Queued != 0 {
			t.Errorf("%s keeps %d running, %d queued", c.Path, c.Running, c.Queued)
		}
	}
}

func TestQueueOfOneConnectionSharesASlot(t *testing.T) {
	t.Parallel()
	e := engineWith(t, Source{Classify: []ClassifyLine{{Class: "c"}}, Classes: []ClassSource{{Name: "c", Hard: 1}}})
	c, other := e.NewConn(ann()), e.NewConn(ann())
	var a, b, o Ticket
	if d := e.Decide(noon, c, batch(read("x")), idle(), &a); d.Verdict != Allow {
		t.Fatal(d.Verdict)
	}
	if d := e.Decide(noon, c, batch(read("x")), idle(), &b); d.Verdict != Allow {
		t.Fatalf("a pipelined statement of the same connection: got %v", d.Verdict)
	}
	if d := e.Decide(noon, other, batch(read("x")), idle(), &o); d.Verdict != Queue {
		t.Fatalf("another connection: got %v", d.Verdict)
	}
	if n := running(e, "c"); n != 1 {
		t.Errorf("%d running, want 1", n)
	}
	e.Settle(noon, &a, Usage{})
	if d := e.Decide(noon, other, batch(read("x")), idle(), &o); d.Verdict != Queue {
		t.Errorf("half of the pipeline is still up: got %v", d.Verdict)
	}
	e.Settle(noon, &b, Usage{})
	if d := e.Decide(noon, other, batch(read("x")), idle(), &o); d.Verdict != Allow {
		t.Errorf("all done: got %v", d.Verdict)
	}
	e.Settle(noon, &o, Usage{})
	if n := running(e, "c"); n != 0 {
		t.Errorf("%d running at the end", n)
	}
}

// What controls a transaction counts as admitted, takes no slot, and lends none
// to what comes behind it.
func TestQueueOfControlTakesNoSlot(t *testing.T) {
	t.Parallel()
	e := engineWith(t, Source{Classify: []ClassifyLine{{Class: "c"}}, Classes: []ClassSource{{Name: "c", Hard: 1}}})
	c, other := e.NewConn(ann()), e.NewConn(ann())
	var begin, a, o Ticket
	if d := e.Decide(noon, other, batch(read("x")), idle(), &o); d.Verdict != Allow {
		t.Fatal(d.Verdict)
	}
	if d := e.Decide(noon, c, batch(Statement{Kind: KindTransaction, Verbs: VerbTransaction, Tx: TxBegin}), idle(), &begin); d.Verdict != Allow {
		t.Fatalf("BEGIN: got %v", d.Verdict)
	}
	if n := running(e, "c"); n != 1 {
		t.Errorf("%d running, want 1", n)
	}
	if d := e.Decide(noon, c, batch(read("x")), idle(), &a); d.Verdict != Queue {
		t.Errorf("behind BEGIN in a full class: got %v, want queue", d.Verdict)
	}
	e.Settle(noon, &begin, Usage{})
	e.Settle(noon, &o, Usage{})
	if d := e.Decide(noon, c, batch(read("x")), idle(), &a); d.Verdict != Allow {
		t.Errorf("when the class is free: got %v", d.Verdict)
	}
	e.Settle(noon, &a, Usage{})
	if n := running(e, "c"); n != 0 {
		t.Errorf("%d running at the end", n)
	}
}

func running(e *Engine, path string) int {
	for _, c := range e.Classes(noon) {
		if c.Path == path {
			return c.Running
		}
	}
	return -1
}

func TestPublishWakesAndRaisesBounds(t *testing.T) {
	t.Parallel()
	source := func(hard int, class string) Source {
		return Source{Classify: []ClassifyLine{{Class: class}}, Classes: []ClassSource{{Name: "c", Hard: hard}, {Name: "d", Hard: 1}}}
	}
	e := engineWith(t, source(1, "c"))
	conns := []*Conn{e.NewConn(ann()), e.NewConn(ann()), e.NewConn(ann())}
	wakes := []*signal{{}, {}, {}}
	tickets := make([]Ticket, 3)
	for i := range tickets {
		tickets[i].Waker = wakes[i]
		e.Decide(noon, conns[i], batch(read("x")), idle(), &tickets[i])
	}
	e.Publish(mustCompile(t, source(2, "c")))
	if wakes[0].woken != 0 || wakes[1].woken == 0 || wakes[2].woken == 0 {
		t.Errorf("woken: %d %d %d", wakes[0].woken, wakes[1].woken, wakes[2].woken)
	}
	if d := e.Decide(noon, conns[1], batch(read("x")), idle(), &tickets[1]); d.Verdict != Allow {
		t.Errorf("with two slots: got %v", d.Verdict)
	}
	if d := e.Decide(noon, conns[2], batch(read("x")), idle(), &tickets[2]); d.Verdict != Queue {
		t.Errorf("the third: got %v", d.Verdict)
	}
	// a policy that classifies anew moves who waits
	e.Publish(mustCompile(t, source(2, "d")))
	if d := e.Decide(noon, conns[2], batch(read("x")), idle(), &tickets[2]); d.Verdict != Allow || d.Class != "d" {
		t.Errorf("moved: got %v in %s", d.Verdict, d.Class)
	}
	// one that denies sends them away, with all they held
	deny := source(2, "d")
	deny.Rules = []RuleSource{{ID: "r", Deny: "no"}}
	other := Ticket{Waker: &signal{}}
	e.Decide(noon, conns[0], batch(read("x")), idle(), &other)
	e.Publish(mustCompile(t, deny))
	if d := e.Decide(noon, conns[0], batch(read("x")), idle(), &other); d.Verdict != Deny {
		t.Errorf("denied while waiting: got %v", d.Verdict)
	}
	for i := range tickets {
		e.Settle(noon, &tickets[i], Usage{})
	}
	for _, c := range e.Classes(noon) {
		if c.Running+c.Queued != 0 {
			t.Errorf("%s keeps %d, %d", c.Path, c.Running, c.Queued)
		}
	}
}

// A ticket that got its slot and meets a queue rule meanwhile gives it back.
func TestHeldAfterAdmission(t *testing.T) {
	t.Parallel()
	day := [7]bool{true, true, true, true, true, true, true}
	e := engineWith(t, Source{
		Classify: []ClassifyLine{{Class: "c"}},
		Classes:  []ClassSource{{Name: "c", Hard: 1}},
		Rules:    []RuleSource{{ID: "pause", When: Condition{User: []string{"bob"}, Time: []Window{{Days: day, From: 725, To: 730}}}, Queue: true}},
	})
	bob := ann()
	bob.User = "bob"
	a, b, c := e.NewConn(ann()), e.NewConn(bob), e.NewConn(ann())
	var ta, tb, tc Ticket
	wc := &signal{}
	tc.Waker = wc
	e.Decide(noon, a, batch(read("x")), idle(), &ta)
	e.Decide(noon, b, batch(read("x")), idle(), &tb)
	e.Decide(noon, c, batch(read("x")), idle(), &tc)
	e.Settle(noon, &ta, Usage{}) // bob has the slot now
	later := noon.Add(5 * time.Minute)
	if d := e.Decide(later, b, batch(read("x")), idle(), &tb); d.Verdict != Deny && d.Verdict != Queue {
		t.Fatalf("held: got %v", d.Verdict)
	}
	if wc.woken != 1 {
		t.Errorf("the slot did not go on to the next")
	}
	if d := e.Decide(noon, c, batch(read("x")), idle(), &tc); d.Verdict != Allow {
		t.Errorf("got %v", d.Verdict)
	}
	e.Leave(later, &tb)
	e.Settle(later, &tc, Usage{})
	if n := running(e, "c"); n != 0 {
		t.Errorf("%d running", n)
	}
}

func TestClassesAreBounded(t *testing.T) {
	t.Parallel()
	e := NewEngine(EngineConfig{MaxClasses: 8})
	e.Publish(mustCompile(t, Source{Classify: []ClassifyLine{{Class: "a/${user}"}}, Classes: []ClassSource{{Name: "a", Hard: 100}}}))
	var held []*Ticket
	for i := range 20 {
		s := ann()
		s.User = fmt.Sprintf("u%d", i)
		tk := &Ticket{}
		if d := e.Decide(noon, e.NewConn(s), batch(read("x")), idle(), tk); d.Verdict != Allow {
			t.Fatalf("%d: %v", i, d.Verdict)
		}
		held = append(held, tk)
	}
	live := 0
	for _, c := range e.Classes(noon) {
		if !c.Declared {
			live++
		}
	}
	if live > 8 {
		t.Errorf("%d live classes, at most 8", live)
	}
	if n := running(e, "a"); n != 20 {
		t.Errorf("the parent counts %d, want 20", n)
	}
	for _, tk := range held {
		e.Settle(noon, tk, Usage{})
	}
	if n := running(e, "a"); n != 0 {
		t.Errorf("%d left", n)
	}
	// idle ones make room
	s := ann()
	s.User = "new"
	tk := &Ticket{}
	e.Decide(noon.Add(time.Hour), e.NewConn(s), batch(read("x")), idle(), tk)
	if n := running(e, "a/new"); n != 1 {
		t.Errorf("a/new has %d running", n)
	}
	// and are forgotten in time without that
	s.User = "newer"
	later := &Ticket{}
	e.Settle(noon.Add(time.Hour), tk, Usage{})
	e.Decide(noon.Add(2*time.Hour), e.NewConn(s), batch(read("x")), idle(), later)
	if n := running(e, "a/new"); n != -1 {
		t.Errorf("a/new is still there")
	}
	e.Settle(noon.Add(2*time.Hour), later, Usage{})
	// beyond the bound at the root there is a crowd
	crowded := NewEngine(EngineConfig{MaxClasses: 1})
	crowded.Publish(mustCompile(t, Source{Classify: []ClassifyLine{{Class: "${user}"}}}))
	var t1, t2 Ticket
	crowded.Decide(noon, crowded.NewConn(ann()), batch(read("x")), idle(), &t1)
	if d := crowded.Decide(noon, crowded.NewConn(s), batch(read("x")), idle(), &t2); d.Verdict != Allow || d.Class != "newer" {
		t.Errorf("got %v in %s", d.Verdict, d.Class)
	}
	crowded.Settle(noon, &t2, Usage{})
	crowded.Settle(noon, &t1, Usage{})
}

func TestManyWakes(t *testing.T) {
	t.Parallel()
	var w wakes
	s := &signal{}
	for range 20 {
		w.add(s)
	}
	w.add(nil)
	w.run()
	if s.woken != 20 {
		t.Errorf("woken %d times, want 20", s.woken)
	}
}

// Making room for a path must not cut off the path itself.
func TestSweepKeepsThePath(t *testing.T) {
	t.Parallel()
	e := NewEngine(EngineConfig{MaxClasses: 3})
	e.Publish(mustCompile(t, Source{Classify: []ClassifyLine{{Class: "a/${user}"}}, Classes: []ClassSource{{Name: "a", Hard: 1}}}))
	for i := range 6 {
		s := ann()
		s.User = fmt.Sprintf("u%d", i)
		var tk, second Ticket
		if d := e.Decide(noon, e.NewConn(s), batch(read("x")), idle(), &tk); d.Verdict != Allow {
			t.Fatalf("%d: got %v", i, d.Verdict)
		}
		if d := e.Decide(noon, e.NewConn(ann()), batch(read("x")), idle(), &second); d.Verdict != Queue {
			t.Fatalf("%d: the bound of a is forgotten: %v", i, d.Verdict)
		}
		e.Leave(noon, &second)
		e.Settle(noon, &tk, Usage{})
		if n := running(e, "a"); n != 0 {
			t.Fatalf("%d: %d running", i, n)
		}
	}
}
