package api

import (
	"sync"
	"time"
)

// maxBuckets bounds the memory; beyond it the full ones are forgotten, which
// changes nothing, and if there are none, all.
const maxBuckets = 1 << 15

// buckets are one token bucket a name.
type buckets struct {
	rate Rate

	mu  sync.Mutex // guards all below
	all map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newBuckets(r Rate) *buckets { return &buckets{rate: r, all: map[string]bucket{}} }

// take takes one token, or says when there will be one.
func (b *buckets) take(now time.Time, name string) (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.all) >= maxBuckets {
		b.forgetLocked(now)
	}
	one, known := b.all[name]
	tokens := b.rate.Burst
	if known {
		tokens = b.filled(one, now)
	}
	if tokens < 1 {
		b.all[name] = bucket{tokens: tokens, at: now}
		return time.Duration((1 - tokens) / b.rate.PerSecond * float64(time.Second)), false
	}
	b.all[name] = bucket{tokens: tokens - 1, at: now}
	return 0, true
}

func (b *buckets) filled(one bucket, now time.Time) float64 {
	return min(b.rate.Burst, one.tokens+max(0, now.Sub(one.at).Seconds())*b.rate.PerSecond)
}

func (b *buckets) forgetLocked(now time.Time) {
	for name, one := range b.all {
		if b.filled(one, now) >= b.rate.Burst {
			delete(b.all, name)
		}
	}
	if len(b.all) >= maxBuckets {
		clear(b.all)
	}
}
