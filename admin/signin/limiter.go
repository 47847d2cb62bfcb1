package signin

import (
	"crypto/sha256"
	"math"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Limiter slows guessing down. It counts tries by login and address together,
// by address, and by login:
//
//	login@address   a few free tries, then doubling delays
//	address         the same, wider: one machine that tries many logins
//	login           never closes the door itself, or whoever guesses could lock
//	                the person out; when many addresses guess one login, each
//	                gets a single try and long delays, save those from which the
//	                login was used before
//
// Counts halve with time. A try is counted when it is allowed, so that many at
// once gain nothing; Succeed gives it back. The memory is bounded: what was not
// seen for longest is forgotten first.
type Limiter struct {
	cfg LimiterConfig

	mu      sync.Mutex // guards all below
	pairs   *simplelru.LRU[limitKey, *tries]
	addrs   *simplelru.LRU[limitKey, *tries]
	logins  *simplelru.LRU[limitKey, *tries]
	trusted *simplelru.LRU[limitKey, struct{}] // login@address that succeeded
}

// limitKey has one size whatever a stranger types.
type limitKey [16]byte

// tries is a count that halves with time, and from when on the next is allowed.
type tries struct {
	count float64
	at    time.Time
	until time.Time
}

// budget is how many tries are free and how long the delays grow.
type budget struct {
	free        float64
	base, limit time.Duration
}

// NewLimiter returns a Limiter.
func NewLimiter(cfg LimiterConfig) (*Limiter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	l := &Limiter{cfg: cfg}
	l.pairs, l.addrs, l.logins = table[*tries](cfg.Entries), table[*tries](cfg.Entries), table[*tries](cfg.Entries)
	l.trusted = table[struct{}](cfg.Entries)
	return l, nil
}

func table[V any](size int) *simplelru.LRU[limitKey, V] {
	t, _ := simplelru.NewLRU[limitKey, V](size, nil) // fails only for sizes that Validate refuses
	return t
}

// asker is who asks, and the counts as they stand now.
type asker struct {
	pairKey, addrKey, loginKey limitKey
	pair, addr, login          *tries
}

// Allow tells whether this login may be tried from this address now, and if
// not, how long to wait. An allowed try counts as a failed one until Succeed.
func (l *Limiter) Allow(now time.Time, login string, addr netip.Addr) (retryAfter time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.askerLocked(now, login, addr)
	if wait := later(a.pair.until, a.addr.until).Sub(now); wait > 0 {
		return wait, false
	}
	a.pair.count++
	a.addr.count++
	a.login.count++
	l.delayLocked(now, a)
	return 0, true
}

// Fail says that an allowed try was wrong: its delay starts now, not when it
// was asked for.
func (l *Limiter) Fail(now time.Time, login string, addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delayLocked(now, l.askerLocked(now, login, addr))
}

// Succeed says that an allowed try was right: the login starts afresh. The
// address gets back this one try only, or a guesser could wash it with an
// account of his own.
func (l *Limiter) Succeed(now time.Time, login string, addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.askerLocked(now, login, addr)
	l.pairs.Remove(a.pairKey)
	l.logins.Remove(a.loginKey)
	l.trusted.Add(a.pairKey, struct{}{})
	a.addr.count = max(0, a.addr.count-1)
	if a.addr.count <= l.cfg.AddressTries {
		a.addr.until = time.Time{}
	}
}

// delayLocked sets from when on the pair and the address may try again.
func (l *Limiter) delayLocked(now time.Time, a asker) {
	b := l.cfg.pair()
	if a.login.count > l.cfg.LoginTries && !l.trusted.Contains(a.pairKey) {
		b = l.cfg.besieged()
	}
	a.pair.until = later(a.pair.until, now.Add(b.delay(a.pair.count)))
	a.addr.until = later(a.addr.until, now.Add(l.cfg.address().delay(a.addr.count)))
}

func (l *Limiter) askerLocked(now time.Time, login string, addr netip.Addr) asker {
	var a asker
	a.pairKey, a.addrKey, a.loginKey = keys(login, addr)
	a.pair, a.addr, a.login = l.decayed(l.pairs, a.pairKey, now), l.decayed(l.addrs, a.addrKey, now), l.decayed(l.logins, a.loginKey, now)
	return a
}

// decayed returns the count of a key, halved for the time that passed.
func (l *Limiter) decayed(t *simplelru.LRU[limitKey, *tries], key limitKey, now time.Time) *tries {
	e, found := t.Get(key)
	if !found {
		e = &tries{at: now}
		t.Add(key, e)
		return e
	}
	if passed := now.Sub(e.at); passed > 0 {
		e.count *= math.Exp2(-passed.Seconds() / l.cfg.HalfLife.Seconds())
		e.at = now
	}
	return e
}

// delay is how long to wait after so many tries.
func (b budget) delay(count float64) time.Duration {
	over := math.Floor(count - b.free + 0.5) // rounded: a count that has faded for days is none
	if over < 0 {
		return 0
	}
	if over > 30 {
		return b.limit
	}
	return min(b.limit, time.Duration(float64(b.base)*math.Exp2(over)))
}

// keys names what is counted. An IPv6 address stands for its /56, which is what
// one customer gets.
func keys(login string, addr netip.Addr) (pair, ad, lo limitKey) {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(56); err == nil {
			addr = p.Addr()
		}
	}
	if len(login) > maxName {
		login = login[:maxName]
	}
	login = strings.ToLower(strings.TrimSpace(login))
	where := addr.String()
	return key("pair", where, login), key("addr", where), key("login", login)
}

func key(parts ...string) (k limitKey) {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	copy(k[:], sum[:])
	return k
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
