// Package notifytest holds what every carrier of events and every register of
// revocations must do. One is finished when RunHub or RunRevocations passes.
package notifytest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/admin/notify"
)

// Subscription is what is read.
type Subscription interface {
	Ready() <-chan struct{}
	Take() []notify.Event
	Done() <-chan struct{}
	Err() error
	Close()
}

// Hub is what carries events.
type Hub interface {
	Publish(topic string, version uint64, snapshot any)
	Forget(topic string)
	Subscribe(ctx context.Context, owner string, topics ...string) (Subscription, error)
	Close()
}

// RunHub checks a hub. newHub returns one with these bounds.
func RunHub(t *testing.T, newHub func(t *testing.T, cfg notify.Config) Hub) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Hub){
		"newest":         testNewest,
		"begins full":    testBeginsFull,
		"old versions":   testOldVersions,
		"topics":         testTopics,
		"forget":         testForget,
		"close":          testClose,
		"ended context":  testEndedContext,
		"bound of owner": testBoundOfOwner,
		"bound of idle":  testBoundOfIdle,
		"at once":        testAtOnce,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHub(t, notify.Config{MaxPerOwner: 3, MaxTopics: 4})
			defer h.Close()
			test(t, h)
		})
	}
}

func subscribe(t *testing.T, h Hub, owner string, topics ...string) Subscription {
	t.Helper()
	s, err := h.Subscribe(t.Context(), owner, topics...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func event(topic string, version uint64, snapshot any) notify.Event {
	return notify.Event{Topic: topic, Version: version, Snapshot: snapshot}
}

// wantNext waits for Ready and compares what there is to take.
func wantNext(t *testing.T, s Subscription, want ...notify.Event) {
	t.Helper()
	select {
	case <-s.Ready():
	case <-s.Done():
		t.Fatalf("ended: %v", s.Err())
	}
	if diff := cmp.Diff(want, s.Take()); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
}

func wantNothing(t *testing.T, s Subscription) {
	t.Helper()
	select {
	case <-s.Ready():
		t.Errorf("ready for %v", s.Take())
	default:
	}
	if events := s.Take(); len(events) != 0 {
		t.Errorf("took %v", events)
	}
}

func wantEnded(t *testing.T, s Subscription, why error) {
	t.Helper()
	<-s.Done()
	if err := s.Err(); !errors.Is(err, why) {
		t.Errorf("ended with %v, want %v", err, why)
	}
}

func testNewest(t *testing.T, h Hub) {
	s := subscribe(t, h, "ann", "a", "b")
	wantNothing(t, s)
	for v := range uint64(10_000) {
		h.Publish("a", v+1, v)
	}
	h.Publish("b", 1, "x")
	h.Publish("a", 10_001, "last")
	wantNext(t, s, event("a", 10_001, "last"), event("b", 1, "x"))
	wantNothing(t, s)
	h.Publish("b", 2, "y")
	wantNext(t, s, event("b", 2, "y"))
	wantNothing(t, s)
}

func testBeginsFull(t *testing.T, h Hub) {
	h.Publish("a", 7, "seven")
	h.Publish("b", 1, "one")
	for range 2 { // the first reader takes nothing away from the second
		s := subscribe(t, h, "ann", "a", "never", "a")
		wantNext(t, s, event("a", 7, "seven"))
		s.Close()
	}
}

func testOldVersions(t *testing.T, h Hub) {
	s := subscribe(t, h, "ann", "a")
	h.Publish("a", 0, "the first may be zero")
	wantNext(t, s, event("a", 0, "the first may be zero"))
	h.Publish("a", 5, "five")
	h.Publish("a", 5, "again")
	h.Publish("a", 4, "late")
	wantNext(t, s, event("a", 5, "five"))
	h.Publish("a", 5, "again")
	wantNothing(t, s)
}

func testTopics(t *testing.T, h Hub) {
	a, b, none := subscribe(t, h, "ann", "a"), subscribe(t, h, "bob", "b"), subscribe(t, h, "eve")
	h.Publish("a", 1, nil)
	wantNext(t, a, event("a", 1, nil))
	wantNothing(t, b)
	wantNothing(t, none)
}

func testForget(t *testing.T, h Hub) {
	s := subscribe(t, h, "ann", "a")
	h.Publish("a", 9, "nine")
	h.Forget("a")
	h.Forget("never")
	wantNothing(t, subscribe(t, h, "bob", "a"))
	wantNext(t, s, event("a", 9, "nine"))
	h.Publish("a", 1, "anew")
	wantNext(t, s, event("a", 1, "anew"))
	s.Close()
	h.Publish("idle", 1, "x")
	h.Forget("idle")
	wantNothing(t, subscribe(t, h, "ann", "idle"))
}

func testClose(t *testing.T, h Hub) {
	one, two := subscribe(t, h, "ann", "a"), subscribe(t, h, "ann", "a")
	if err := one.Err(); err != nil {
		t.Errorf("ended before its end: %v", err)
	}
	one.Close()
	one.Close()
	wantEnded(t, one, notify.ErrClosed)
	h.Publish("a", 1, "x")
	wantNothing(t, one)
	wantNext(t, two, event("a", 1, "x"))
	h.Publish("a", 2, "y")
	h.Close()
	h.Close()
	wantEnded(t, two, notify.ErrClosed)
	wantLeft(t, two, event("a", 2, "y"))
	h.Publish("a", 3, "z")
	wantNothing(t, two)
	if _, err := h.Subscribe(t.Context(), "ann", "a"); !errors.Is(err, notify.ErrClosed) {
		t.Errorf("subscribe to a closed hub: %v", err)
	}
}

// wantLeft: what was there before the end can still be taken.
func wantLeft(t *testing.T, s Subscription, want ...notify.Event) {
	t.Helper()
	if diff := cmp.Diff(want, s.Take()); diff != "" {
		t.Errorf("taken after the end (-want +got):\n%s", diff)
	}
}

func testEndedContext(t *testing.T, h Hub) {
	why := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	s, err := h.Subscribe(ctx, "ann", "a")
	if err != nil {
		t.Fatal(err)
	}
	cancel(why)
	wantEnded(t, s, why)
	if _, err := h.Subscribe(ctx, "ann", "a"); !errors.Is(err, why) {
		t.Errorf("subscribe with a context that ended: %v", err)
	}
	for range 100 { // an ended one holds no place
		ctx, cancel := context.WithCancel(t.Context())
		s, err := h.Subscribe(ctx, "ann", "a")
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		<-s.Done()
	}
}

func testBoundOfOwner(t *testing.T, h Hub) {
	open := []Subscription{}
	for range 3 {
		open = append(open, subscribe(t, h, "ann", "a"))
	}
	if _, err := h.Subscribe(t.Context(), "ann", "a"); !errors.Is(err, notify.ErrTooMany) {
		t.Errorf("a fourth: %v", err)
	}
	subscribe(t, h, "bob", "a")
	open[1].Close()
	subscribe(t, h, "ann", "a")
	topics := make([]string, 1000)
	for i := range topics {
		topics[i] = fmt.Sprint(i)
	}
	if _, err := h.Subscribe(t.Context(), "cid", topics...); !errors.Is(err, notify.ErrTooMany) {
		t.Errorf("a thousand topics: %v", err)
	}
}

// testBoundOfIdle: topics that nobody reads do not pile up, those read stay.
func testBoundOfIdle(t *testing.T, h Hub) {
	h.Publish("read", 1, "kept")
	reader := subscribe(t, h, "ann", "read")
	for i := range 50 {
		h.Publish(fmt.Sprint("idle", i), 1, i)
	}
	kept := 0
	for i := range 50 {
		s := subscribe(t, h, "bob", fmt.Sprint("idle", i))
		if events := s.Take(); len(events) == 1 && i >= 46 {
			kept++
		} else if len(events) > 0 {
			t.Errorf("idle%d is kept", i)
		}
		s.Close()
	}
	if kept != 4 {
		t.Errorf("%d of the last four are kept", kept)
	}
	wantNext(t, reader, event("read", 1, "kept"))
	wantNext(t, subscribe(t, h, "ann", "read"), event("read", 1, "kept"))
}

// testAtOnce: many publish and read. Each reader sees versions grow and the last
// of each topic in the end.
func testAtOnce(t *testing.T, h Hub) {
	const last = 500
	var wg sync.WaitGroup
	for r := range 8 {
		s := subscribe(t, h, fmt.Sprint("owner", r), "a", "b")
		wg.Go(func() { readToTheLast(t, s, last) })
	}
	for _, topic := range []string{"a", "b", "a", "b"} { // two publishers each
		wg.Go(func() {
			for v := range uint64(last) {
				h.Publish(topic, v+1, v+1)
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range 100 {
				s, err := h.Subscribe(t.Context(), "passing", "a", "b")
				if err != nil {
					t.Error(err)
					return
				}
				s.Close()
			}
		})
	}
	wg.Wait()
}

func readToTheLast(t *testing.T, s Subscription, last uint64) {
	t.Helper()
	defer s.Close()
	seen := map[string]uint64{}
	for seen["a"] < last || seen["b"] < last {
		select {
		case <-s.Ready():
		case <-s.Done():
			t.Errorf("ended at %v: %v", seen, s.Err())
			return
		}
		events := s.Take()
		if len(events) > 2 {
			t.Errorf("%d events of two topics", len(events))
		}
		for _, e := range events {
			if e.Version <= seen[e.Topic] || e.Snapshot != e.Version {
				t.Errorf("%+v after version %d", e, seen[e.Topic])
			}
			seen[e.Topic] = e.Version
		}
	}
}
