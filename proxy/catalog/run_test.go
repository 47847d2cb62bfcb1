package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
)

// loop runs a Reader whose reads take no time and end as fail says, and writes
// down when they were.
type loop struct {
	r     *Reader
	begin time.Time
	reads []time.Duration
	fail  func(n int) error
}

func newLoop(t *testing.T, every time.Duration, fail func(n int) error) *loop {
	t.Helper()
	l := &loop{begin: time.Now(), fail: fail}
	r, err := New(Config{ConnString: "host=h", Every: every, Publish: func(*policy.Catalog) {}})
	if err != nil {
		t.Fatal(err)
	}
	r.read = func(context.Context, string) (*contents, string, error) {
		l.reads = append(l.reads, time.Since(l.begin))
		return &contents{}, "stamp", l.fail(len(l.reads))
	}
	l.r = r
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }() // ends with cancel; the cleanup waits
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return l
}

func (l *loop) at(d time.Duration, do func()) {
	time.Sleep(d - time.Since(l.begin))
	synctest.Wait()
	do()
	synctest.Wait()
}

func (l *loop) expect(t *testing.T, want string) {
	t.Helper()
	if got := strings.Trim(fmt.Sprint(l.reads), "[]"); got != want {
		t.Errorf("read at %s, want %s", got, want)
	}
}

func never(int) error { return nil }

func TestReadsAtOnceAndEveryInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(t, time.Minute, never)
		l.at(3*time.Minute+time.Second, func() {})
		l.expect(t, "0s 1m0s 2m0s 3m0s")
	})
}

func TestRefreshGathersAMigration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(t, time.Minute, never)
		for ms := range slices.Values([]int{10_000, 10_010, 10_100, 10_300, 10_900}) {
			l.at(time.Duration(ms)*time.Millisecond, l.r.Refresh)
		}
		l.at(75*time.Second, func() {})
		// The first three are one read; the others wait for the gap, and the
		// interval begins anew.
		l.expect(t, "0s 10.2s 11.2s 1m11.2s")
	})
}

func TestRefreshSoonerThanTheInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(t, time.Minute, never)
		l.at(59*time.Second+900*time.Millisecond, l.r.Refresh) // the interval comes first
		l.at(61*time.Second+500*time.Millisecond, func() {})
		l.expect(t, "0s 1m0s")
	})
}

func TestFailedReadsAreTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(t, 10*time.Second, func(n int) error {
			if n == 1 || n > 5 {
				return nil
			}
			return errors.New("no")
		})
		l.at(50*time.Second, func() {})
		l.expect(t, "0s 10s 12s 16s 24s 34s 44s")
		if st := l.r.Status(); st.Err != nil || st.Version != 1 {
			t.Errorf("status %+v", st)
		}
	})
}

func TestAnHourOfFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(t, time.Minute, func(int) error { return errors.New("no") })
		l.at(2*time.Hour, func() {})
		if n := len(l.reads); n < 120 || n > 126 {
			t.Errorf("%d attempts in two hours", n)
		}
	})
}
