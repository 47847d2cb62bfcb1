package signin

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

func newLimiter(t *testing.T, cfg LimiterConfig) *Limiter {
	t.Helper()
	l, err := NewLimiter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func addrN(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

// guess tries and fails; it tells whether it was allowed to.
func guess(l *Limiter, now time.Time, login string, addr netip.Addr) bool {
	_, ok := l.Allow(now, login, addr)
	if ok {
		l.Fail(now, login, addr)
	}
	return ok
}

func TestLimiterDelaysGrow(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, LimiterConfig{HalfLife: 10000 * time.Hour})
	now := newClock().Now()
	var waits []time.Duration
	for range 16 {
		wait, ok := l.Allow(now, "ada", addrN(1))
		if !ok {
			now = now.Add(wait)
			if _, ok = l.Allow(now, "ada", addrN(1)); !ok {
				t.Fatal("refused at the time that was told")
			}
		}
		waits = append(waits, wait)
		l.Fail(now, "ada", addrN(1))
	}
	for i, w := range waits {
		switch {
		case i < 5 && w != 0:
			t.Errorf("try %d waited %s", i, w)
		case i >= 5 && i < 14 && w != time.Second<<(i-5):
			t.Errorf("try %d waited %s", i, w)
		case w > 15*time.Minute:
			t.Errorf("try %d waited %s", i, w)
		}
	}
}

// One address may guess one login a few times an hour, however it asks.
func TestLimiterOneGuesser(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]time.Duration{"hammering": time.Second, "patient": time.Minute} {
		l := newLimiter(t, LimiterConfig{})
		now, guesses := newClock().Now(), 0
		for end := now.Add(24 * time.Hour); now.Before(end); now = now.Add(step) {
			if guess(l, now, "ada", addrN(1)) {
				guesses++
			}
		}
		if guesses > 250 {
			t.Errorf("%s: %d guesses a day", name, guesses)
		}
	}
}

// At the same moment no more than the free tries get through, although none has
// failed yet.
func TestLimiterParallel(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, LimiterConfig{})
	allowed := 0
	for range 1000 {
		if _, ok := l.Allow(newClock().Now(), "ada", addrN(1)); ok {
			allowed++
		}
	}
	if allowed != 5 {
		t.Errorf("%d at once", allowed)
	}
}

// One address that tries many logins is slowed down, and fills no memory.
func TestLimiterManyLogins(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, LimiterConfig{})
	now, allowed := newClock().Now(), 0
	for i := range 10000 {
		if guess(l, now, fmt.Sprint("user", i), addrN(1)) {
			allowed++
		}
		now = now.Add(time.Millisecond)
	}
	if allowed > 25 {
		t.Errorf("%d logins tried in ten seconds", allowed)
	}
	if guess(l, now, "another", netip.MustParseAddr("::ffff:10.0.0.1")) {
		t.Error("the same address in IPv6 clothes is another")
	}
}

// Many addresses guess one login for a day. The person comes in from a fresh
// address at once, and from his usual one with all his tries.
func TestLimiterSiege(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, LimiterConfig{})
	now := newClock().Now()
	home := addrN(9_000_000)
	if _, ok := l.Allow(now, "ada", home); !ok {
		t.Fatal("refused at home")
	}
	l.Succeed(now, "ada", home)
	guesses := 0
	for i := range 24 * 60 {
		for a := range 50 {
			if guess(l, now, "ada", addrN(a)) {
				guesses++
			}
		}
		now = now.Add(time.Minute)
		if i%60 == 0 {
			fresh := addrN(1_000_000 + i)
			if _, ok := l.Allow(now, "ADA", fresh); !ok {
				t.Errorf("hour %d: the person is locked out of a fresh address", i/60)
			}
			if _, ok := l.Allow(now, "ada", fresh); ok {
				t.Errorf("hour %d: a fresh address has more than one try", i/60)
			}
		}
	}
	if guesses > 50*120 {
		t.Errorf("%d guesses a day from 50 addresses", guesses)
	}
	for i := range 5 {
		if !guess(l, now, "ada", home) {
			t.Errorf("try %d from home is refused", i)
		}
	}
}

func TestLimiterSuccess(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, LimiterConfig{})
	now := newClock().Now()
	for range 4 {
		guess(l, now, "ada", addrN(1))
	}
	if _, ok := l.Allow(now, "ada", addrN(1)); !ok {
		t.Fatal("refused")
	}
	l.Succeed(now, "ada", addrN(1))
	for i := range 5 {
		if !guess(l, now, "ada", addrN(1)) {
			t.Errorf("try %d after a success is refused", i)
		}
	}
	// An account of one's own does not wash the address.
	washed := 0
	for i := range 1000 {
		if guess(l, now, fmt.Sprint("victim", i), addrN(2)) {
			washed++
		}
		if _, ok := l.Allow(now, "mallory", addrN(2)); ok {
			l.Succeed(now, "mallory", addrN(2))
		}
	}
	if washed > 21 {
		t.Errorf("%d logins tried at once with an account of one's own", washed)
	}
}

func TestLimiterForgets(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, LimiterConfig{})
	now := newClock().Now()
	for range 100 {
		if wait, ok := l.Allow(now, "ada", addrN(1)); !ok {
			now = now.Add(wait)
		}
	}
	now = now.Add(24 * time.Hour)
	for i := range 5 {
		if !guess(l, now, "ada", addrN(1)) {
			t.Errorf("try %d of the next day is refused", i)
		}
	}
}

func TestLimiterAddresses(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, LimiterConfig{})
	now, allowed := newClock().Now(), 0
	for i := range 200 { // all within one customer's /56
		addr := netip.MustParseAddr(fmt.Sprintf("2001:db8:1:%02x::%x%%eth0", i, i+1))
		if guess(l, now, fmt.Sprint("user", i), addr) {
			allowed++
		}
	}
	if allowed != 20 {
		t.Errorf("%d tries of one IPv6 customer", allowed)
	}
	if !guess(l, now, "ada", netip.MustParseAddr("2001:db8:2::1")) || !guess(l, now, "ada", netip.Addr{}) {
		t.Error("another customer is refused")
	}
}

// Whatever comes in whatever order: no wait is longer than told, and the memory
// is bounded.
func TestLimiterBounds(t *testing.T) {
	t.Parallel()
	l := newLimiter(t, LimiterConfig{Entries: 100})
	r := rand.New(rand.NewPCG(1, 2))
	now := newClock().Now()
	for range 50000 {
		now = now.Add(time.Duration(r.Int64N(int64(2*time.Second))) - 500*time.Millisecond) // clocks jump back, too
		login, addr := fmt.Sprint(r.IntN(300)), addrN(r.IntN(300))
		switch r.IntN(3) {
		case 0:
			l.Succeed(now, login, addr)
		case 1:
			l.Fail(now, login, addr)
		default:
			if wait, ok := l.Allow(now, login, addr); wait < 0 || wait > 15*time.Minute+time.Minute || ok != (wait == 0) {
				t.Fatalf("wait %s, %t", wait, ok)
			}
		}
	}
	for _, n := range []int{l.pairs.Len(), l.addrs.Len(), l.logins.Len(), l.trusted.Len()} {
		if n > 100 {
			t.Errorf("%d entries", n)
		}
	}
}
