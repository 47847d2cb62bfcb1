package audit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errDisk = errors.New("no space left on device")

// disk is a sink in memory that can be slow and can fail.
type disk struct {
	mu         sync.Mutex
	events     []Event
	synced     int
	syncs      int
	room       int // events that still fit; negative: no bound
	failSyncs  bool
	appendTook time.Duration
	syncTook   time.Duration
	appended   func() // called in Append, when set
}

func newDisk() *disk { return &disk{room: -1} }

func (d *disk) Append(events []Event) (int, error) {
	time.Sleep(d.appendTook)
	if d.appended != nil {
		d.appended()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, e := range events {
		if d.room == 0 {
			return i, errDisk
		}
		d.room--
		e.Seq = uint64(len(d.events) + 1)
		d.events = append(d.events, e)
	}
	return len(events), nil
}

func (d *disk) Sync() error {
	d.mu.Lock()
	covered, took := len(d.events), d.syncTook
	d.mu.Unlock()
	time.Sleep(took)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.syncs++
	if d.failSyncs {
		return errDisk
	}
	d.synced = covered // and not what came meanwhile
	return nil
}

func (d *disk) set(change func(*disk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

// counts returns how much is stored, synced, and how often.
func (d *disk) counts() (stored, synced, syncs int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.events), d.synced, d.syncs
}

// stored returns the texts of the events, losses as "reason×count".
func (d *disk) stored() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	texts := make([]string, len(d.events))
	for i, e := range d.events {
		if texts[i] = e.Text; e.Kind == KindLoss {
			texts[i] = fmt.Sprintf("%s×%d", e.Reason, e.Lost)
		}
	}
	return texts
}

func wantStored(t *testing.T, d *disk, want ...string) {
	t.Helper()
	if got := d.stored(); !slices.Equal(got, want) {
		t.Errorf("stored %q, want %q", got, want)
	}
}

// inBubble runs f beside a Recorder in a bubble of fake time.
func inBubble(t *testing.T, cfg Config, f func(t *testing.T, r *Recorder)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(t, running(t, cfg))
	})
}

func record(t *testing.T, r *Recorder, e Event) {
	t.Helper()
	if err := r.Record(t.Context(), &e); err != nil {
		t.Errorf("record %q: %v", e.Text, err)
	}
}

func refuse(t *testing.T, r *Recorder, e Event) {
	t.Helper()
	if err := r.Record(t.Context(), &e); !errors.Is(err, ErrUnavailable) {
		t.Errorf("record %q: %v, want ErrUnavailable", e.Text, err)
	}
}

func TestOrderedIsWrittenSoonAndSyncedLater(t *testing.T) {
	t.Parallel()
	d := newDisk()
	inBubble(t, Config{Sink: d, Node: "lk-1"}, func(t *testing.T, r *Recorder) {
		start := time.Now()
		e := Event{Text: "a"}
		record(t, r, e)
		e.Text = "b" // the struct is the caller's again
		record(t, r, e)
		if waited := time.Since(start); waited != 0 {
			t.Errorf("ordered waited for %s", waited)
		}
		synctest.Wait()
		wantStored(t, d)
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
		wantStored(t, d, "a", "b")
		if _, synced, _ := d.counts(); synced != 0 {
			t.Errorf("%d synced already", synced)
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if _, synced, syncs := d.counts(); synced != 2 || syncs != 1 {
			t.Errorf("%d synced by %d syncs, want 2 by 1", synced, syncs)
		}
		if e := d.events[0]; e.Node != "lk-1" || !e.Time.Equal(start) {
			t.Errorf("stamped with node %q, time %s", e.Node, e.Time)
		}
		time.Sleep(time.Hour)
		if _, _, syncs := d.counts(); syncs != 1 {
			t.Errorf("an idle recorder synced %d times", syncs-1)
		}
		record(t, r, Event{Text: "c"}) // wakes it again
		time.Sleep(time.Second)
		wantStored(t, d, "a", "b", "c")
		if _, synced, _ := d.counts(); synced != 3 {
			t.Errorf("%d synced, want 3", synced)
		}
	})
}

func TestSyncIsNotStarvedByABusyQueue(t *testing.T) {
	t.Parallel()
	d := newDisk()
	d.appendTook = time.Millisecond
	inBubble(t, Config{Sink: d, QueueSize: 4}, func(t *testing.T, r *Recorder) {
		start := time.Now()
		var wg sync.WaitGroup
		for range 16 { // the queue is full all the time
			wg.Go(func() {
				for time.Since(start) < time.Second {
					record(t, r, Event{Text: "x"})
				}
			})
		}
		wg.Wait()
		if _, _, syncs := d.counts(); syncs < 8 {
			t.Errorf("%d syncs within a second, want about 10", syncs)
		}
	})
}

func TestHalfFullQueueIsWrittenAtOnce(t *testing.T) {
	t.Parallel()
	d := newDisk()
	inBubble(t, Config{Sink: d, QueueSize: 10}, func(t *testing.T, r *Recorder) {
		for range 5 {
			synctest.Wait()
			if stored, _, _ := d.counts(); stored != 0 {
				t.Errorf("%d stored already", stored)
			}
			record(t, r, Event{})
		}
		synctest.Wait()
		if stored, _, _ := d.counts(); stored != 5 {
			t.Errorf("%d stored, want 5", stored)
		}
	})
}

// TestSlowSyncHoldsUpNobodyElse: a crash of the process may take only what is
// not written, so ordered records are written while the disk is slow.
func TestSlowSyncHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	d := newDisk()
	d.syncTook = 10 * time.Second
	inBubble(t, Config{Sink: d}, func(t *testing.T, r *Recorder) {
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() { record(t, r, Event{Text: "w", Durability: Durable}) })
		time.Sleep(time.Second)
		for i := range 100 {
			record(t, r, Event{Text: "x"})
			time.Sleep(20 * time.Millisecond)
			synctest.Wait()
			if stored, synced, _ := d.counts(); stored != i+2 || synced != 0 {
				t.Fatalf("%d stored, %d synced, want %d and none", stored, synced, i+2)
			}
		}
		record(t, r, Event{Text: "second w", Durability: Durable}) // covered by the next sync, not by this one
		if waited := time.Since(start); waited < 20*time.Second {
			t.Errorf("second commit after %s", waited)
		}
		wg.Wait()
		if stored, synced, syncs := d.counts(); stored != 102 || synced != 102 || syncs != 2 {
			t.Errorf("%d stored, %d synced by %d syncs", stored, synced, syncs)
		}
	})
}

func TestDurableReturnsWhenSynced(t *testing.T) {
	t.Parallel()
	d := newDisk()
	d.syncTook = 3 * time.Millisecond
	inBubble(t, Config{Sink: d}, func(t *testing.T, r *Recorder) {
		for i := range 5 { // a lone writer pays for its sync and for nothing else
			start := time.Now()
			record(t, r, Event{Text: "w", Durability: Durable})
			if waited := time.Since(start); waited != d.syncTook {
				t.Errorf("commit %d took %s, the sync takes %s", i, waited, d.syncTook)
			}
			if _, synced, _ := d.counts(); synced != i+1 {
				t.Errorf("%d synced, want %d", synced, i+1)
			}
		}
	})
}

func TestDurableSharesSyncs(t *testing.T) {
	t.Parallel()
	const sessions, each = 32, 20
	d := newDisk()
	d.syncTook = 5 * time.Millisecond
	inBubble(t, Config{Sink: d}, func(t *testing.T, r *Recorder) {
		var wg sync.WaitGroup
		for i := range sessions {
			wg.Go(func() {
				for range each {
					time.Sleep(time.Duration(i*20) * time.Microsecond) // they do not come back at the same instant
					record(t, r, Event{Text: "w", Durability: Durable})
				}
			})
		}
		wg.Wait()
		stored, _, syncs := d.counts()
		if stored != sessions*each {
			t.Errorf("%d events, want %d", stored, sessions*each)
		}
		if syncs > 2*each {
			t.Errorf("%d syncs for %d rounds of %d sessions", syncs, each, sessions)
		}
	})
}

// TestWaitForOthersIsShort: after a shared commit the next one waits for
// company, but no longer than a sync takes.
func TestWaitForOthersIsShort(t *testing.T) {
	t.Parallel()
	d := newDisk()
	d.syncTook = 100 * time.Microsecond
	inBubble(t, Config{Sink: d, GroupWindow: time.Second}, func(t *testing.T, r *Recorder) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 10 {
					record(t, r, Event{Durability: Durable})
				}
			})
		}
		wg.Wait()
		start := time.Now()
		record(t, r, Event{Durability: Durable})
		if waited := time.Since(start); waited > 2*d.syncTook {
			t.Errorf("waited for %s, a sync takes %s", waited, d.syncTook)
		}
	})
}

// TestRefusedIsNotWrittenLater: one durable record fails in the sink while
// another is still queued. Both statements are refused, so neither may appear.
func TestRefusedIsNotWrittenLater(t *testing.T) {
	t.Parallel()
	d := newDisk()
	d.room, d.appendTook = 0, time.Second
	inBubble(t, Config{Sink: d}, func(t *testing.T, r *Recorder) {
		var wg sync.WaitGroup
		for _, text := range []string{"in hand", "queued"} {
			wg.Go(func() { refuse(t, r, Event{Text: text, Durability: Durable, OnFailure: Closed}) })
			time.Sleep(100 * time.Millisecond)
		}
		record(t, r, Event{Text: "read"})
		wg.Wait()
		d.set(func(d *disk) { d.room = -1 })
		if err := r.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		got := d.stored()
		slices.Sort(got)
		if want := []string{"read", "sink_failed×0"}; !slices.Equal(got, want) {
			t.Errorf("stored %q, want %q", got, want)
		}
	})
}

func TestWaitEndsWithContext(t *testing.T) {
	t.Parallel()
	d := newDisk()
	d.appendTook = time.Hour
	cause := errors.New("client gone")
	inBubble(t, Config{Sink: d, QueueSize: 1, MaxDelay: time.Hour}, func(t *testing.T, r *Recorder) {
		for _, e := range []Event{{Text: "durable", Durability: Durable}, {Text: "queued"}, {Text: "no room"}} {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(cause) })
			err := r.Record(ctx, &e)
			if want := e.Text != "queued"; (err != nil) != want || want && !errors.Is(err, cause) {
				t.Errorf("%s: %v", e.Text, err)
			}
			cancel(nil)
		}
	})
}

func TestFullQueueDelaysThenObeysTheFailMode(t *testing.T) {
	t.Parallel()
	d := newDisk()
	hold := make(chan struct{})
	d.appended = func() { <-hold }
	inBubble(t, Config{Sink: d, QueueSize: 2, MaxDelay: 300 * time.Millisecond}, func(t *testing.T, r *Recorder) {
		hold = make(chan struct{}) // of the bubble
		record(t, r, Event{Text: "1"})
		record(t, r, Event{Text: "2"})
		synctest.Wait() // the writer holds both
		record(t, r, Event{Text: "3"})
		record(t, r, Event{Text: "4"})

		start := time.Now()
		refuse(t, r, Event{Text: "closed", OnFailure: Closed})
		if waited := time.Since(start); waited != 300*time.Millisecond {
			t.Errorf("refused after %s", waited)
		}
		refuse(t, r, Event{Text: "write", Write: true})
		record(t, r, Event{Text: "read"})
		record(t, r, Event{Text: "open", OnFailure: Open, Write: true})
		start = time.Now()
		record(t, r, Event{Text: "best effort", Durability: BestEffort, OnFailure: Closed})
		if time.Since(start) != 0 {
			t.Error("best effort waited")
		}
		time.AfterFunc(200*time.Millisecond, func() { close(hold) })
		record(t, r, Event{Text: "5", OnFailure: Closed}) // delayed, not refused
		if err := r.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		got := d.stored()
		slices.Sort(got)
		if want := []string{"1", "2", "3", "4", "5", "best_effort×1", "queue_full×2"}; !slices.Equal(got, want) {
			t.Errorf("stored %q, want %q", got, want)
		}
		if s := r.Stats(); s.Lost != 3 || s.Dropped != 1 || s.Refused != 2 || s.Failing {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestFullDiskFollowsTheFailMode(t *testing.T) {
	t.Parallel()
	d := newDisk()
	d.room = 1
	inBubble(t, Config{Sink: d, QueueSize: 4, RetryMin: 100 * time.Millisecond, RetryMax: 100 * time.Millisecond}, func(t *testing.T, r *Recorder) {
		record(t, r, Event{Text: "fits", Durability: Durable})
		record(t, r, Event{Text: "accepted before"})
		refuse(t, r, Event{Text: "durable closed", Durability: Durable, OnFailure: Closed}) // finds the disk full
		if s := r.Stats(); !s.Failing {
			t.Fatalf("stats %+v", s)
		}
		start := time.Now()
		refuse(t, r, Event{Text: "closed", OnFailure: Closed})
		refuse(t, r, Event{Text: "write", Write: true, Durability: Durable})
		record(t, r, Event{Text: "read", Durability: Durable})
		record(t, r, Event{Text: "open write", OnFailure: Open, Write: true})
		record(t, r, Event{Text: "kept 3"})
		record(t, r, Event{Text: "kept 4"})
		record(t, r, Event{Text: "no room"})
		record(t, r, Event{Text: "no room"})
		record(t, r, Event{Text: "no room", Durability: BestEffort})
		if time.Since(start) != 0 {
			t.Error("a known failure made somebody wait")
		}
		time.Sleep(time.Second)
		d.set(func(d *disk) { d.room = 2 }) // not enough for all of it
		time.Sleep(time.Second)
		d.set(func(d *disk) { d.room = -1 })
		if err := r.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		wantStored(t, d, "fits", "accepted before", "best_effort×1", "read", "open write", "kept 3", "kept 4", "sink_failed×2")
		if m := d.events[7].Message; !strings.Contains(m, "3 refused") || !strings.Contains(m, errDisk.Error()) {
			t.Errorf("the outage says %q", m)
		}
		if s := r.Stats(); s.Failing || s.Lost != 3 || s.Refused != 3 {
			t.Errorf("stats %+v", s)
		}
		record(t, r, Event{Text: "closed again", OnFailure: Closed, Durability: Durable})
	})
}

func TestFailedSyncIsALoss(t *testing.T) {
	t.Parallel()
	d := newDisk()
	d.failSyncs = true
	inBubble(t, Config{Sink: d}, func(t *testing.T, r *Recorder) {
		record(t, r, Event{Text: "read"})
		refuse(t, r, Event{Text: "write", Write: true, Durability: Durable})
		d.set(func(d *disk) { d.failSyncs = false })
		time.Sleep(time.Second)
		if got := d.stored(); !slices.Equal(got, []string{"read", "write", "unsynced×2", "sink_failed×0"}) {
			t.Errorf("stored %q", got)
		}
		if stored, synced, _ := d.counts(); !r.Healthy() || synced != stored {
			t.Errorf("healthy %v, %d of %d synced", r.Healthy(), synced, stored)
		}
	})
}

// TestFailedSyncDoubtsWhatCameMeanwhile: it was written to the same place.
func TestFailedSyncDoubtsWhatCameMeanwhile(t *testing.T) {
	t.Parallel()
	d := newDisk()
	d.failSyncs, d.syncTook = true, time.Second
	inBubble(t, Config{Sink: d}, func(t *testing.T, r *Recorder) {
		time.AfterFunc(500*time.Millisecond, func() {
			record(t, r, Event{Text: "meanwhile"})
			record(t, r, Event{Text: "meanwhile"})
		})
		record(t, r, Event{Text: "w", Durability: Durable, OnFailure: Open})
		d.set(func(d *disk) { d.failSyncs, d.syncTook = false, 0 })
		if err := r.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		wantStored(t, d, "w", "meanwhile", "meanwhile", "unsynced×3", "sink_failed×0")
	})
}

func TestRunWritesWhatIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		r, err := New(Config{Sink: d})
		if err != nil {
			t.Fatal(err)
		}
		record(t, r, Event{Text: "before Run"})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.Run(ctx) }() // joined below
		record(t, r, Event{Text: "last"})
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		wantStored(t, d, "before Run", "last")
		if d.synced != 2 {
			t.Errorf("%d synced", d.synced)
		}
		refuse(t, r, Event{Text: "too late", Write: true})
		record(t, r, Event{Text: "too late"})
		if s := r.Stats(); s.Lost != 1 || s.Refused != 1 {
			t.Errorf("stats %+v", s)
		}
		if err := r.Drain(t.Context()); !errors.Is(err, errStopped) {
			t.Errorf("drain after the end: %v", err)
		}
	})
}

func TestRunTellsWhatIsNotStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		d.room = 0
		r, err := New(Config{Sink: d})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.Run(ctx) }() // joined below
		record(t, r, Event{Text: "a"})
		record(t, r, Event{Text: "b"})
		drain, stop := context.WithTimeout(t.Context(), 3*time.Second)
		defer stop()
		if err := r.Drain(drain); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errDisk) {
			t.Errorf("drain: %v", err)
		}
		record(t, r, Event{Text: "c"})
		cancel()
		if err := <-ended; !errors.Is(err, errDisk) || !strings.Contains(err.Error(), "3 records") {
			t.Errorf("run: %v", err)
		}
		if s := r.Stats(); s.Lost != 3 {
			t.Errorf("stats %+v", s)
		}
	})
}

// TestNothingIsLostInSilence lets sessions record while the disk comes and
// goes, and then counts: whatever Record let pass is stored or counted as
// lost, what durable and closed let pass is stored, and no session's records
// change places.
func TestNothingIsLostInSilence(t *testing.T) {
	t.Parallel()
	const sessions, each = 16, 300
	d := newDisk()
	inBubble(t, Config{Sink: d, QueueSize: 8, MaxDelay: 2 * time.Millisecond, RetryMin: time.Millisecond, RetryMax: 3 * time.Millisecond}, func(t *testing.T, r *Recorder) {
		stop := make(chan struct{})
		var weather, clients sync.WaitGroup
		weather.Go(func() {
			rng := rand.New(rand.NewPCG(1, 2))
			for {
				select {
				case <-stop:
					d.set(func(d *disk) { d.room, d.failSyncs, d.syncTook = -1, false, 0 })
					return
				case <-time.After(time.Duration(rng.IntN(4000)) * time.Microsecond):
				}
				d.set(func(d *disk) {
					d.room, d.failSyncs = rng.IntN(40), rng.IntN(10) == 0
					if rng.IntN(3) > 0 {
						d.room = -1
					}
				})
			}
		})
		var mu sync.Mutex
		passed, must := 0, map[string]bool{}
		for s := range sessions {
			clients.Go(func() {
				rng := rand.New(rand.NewPCG(3, uint64(s)))
				for i := range each {
					time.Sleep(time.Duration(rng.IntN(1000)) * time.Microsecond)
					e := Event{
						Session: fmt.Sprint(s), StatementID: uint64(i), Text: fmt.Sprintf("%d/%d", s, i),
						Durability: Durability(rng.IntN(3)), OnFailure: FailMode(rng.IntN(3)), Write: rng.IntN(2) == 0,
					}
					if err := r.Record(t.Context(), &e); err == nil {
						mu.Lock()
						passed++
						if e.Durability == Durable && e.refused() {
							must[e.Text] = true
						}
						mu.Unlock()
					}
				}
			})
		}
		clients.Wait()
		close(stop)
		weather.Wait()
		if err := r.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		checkAccount(t, d, r.Stats(), passed, must)
	})
}

func checkAccount(t *testing.T, d *disk, s Stats, passed int, must map[string]bool) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	last := map[string]uint64{}
	stored, lost := 0, uint64(0)
	for _, e := range d.events {
		if e.Kind == KindLoss {
			lost += e.Lost
			continue
		}
		stored++
		delete(must, e.Text)
		if n, ok := last[e.Session]; ok && e.StatementID <= n {
			t.Errorf("session %s: %d after %d", e.Session, e.StatementID, n)
		}
		last[e.Session] = e.StatementID
	}
	if len(must) > 0 {
		t.Errorf("%d acknowledged durable records are not there", len(must))
	}
	if lost != s.Lost || s.Lost == 0 {
		t.Errorf("%d lost are recorded, %d are counted", lost, s.Lost)
	}
	if m := stored + int(lost); m < passed {
		t.Errorf("%d passed, but only %d are stored and %d lost", passed, stored, lost)
	}
	t.Logf("%d passed, %d refused, %d stored, %d lost, %d syncs", passed, s.Refused, stored, lost, d.syncs)
}
