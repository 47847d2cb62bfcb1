package sqlparse

import (
	"fmt"
	"hash/maphash"
	"sync"
	"unsafe"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// envKey is Env without the strings.
type envKey struct {
	dialect sqllex.Dialect
	std     Setting
	set     charset
}

// cacheKey is compared byte by byte: a hash alone would let one text pass for
// another.
type cacheKey struct {
	sql string
	env envKey
}

// cache keeps facts by exact text, bounded by count and bytes, in shards so that
// sessions do not wait for each other.
type cache struct {
	seed   maphash.Seed
	shards [cacheShards]shard
}

const cacheShards = 16

type shard struct {
	mu sync.Mutex
	// guarded by mu
	lru                     *simplelru.LRU[cacheKey, *entry]
	bytes                   int
	hits, misses, evictions uint64

	maxBytes int // of this shard; fixed
}

type entry struct {
	batch *policy.Batch
	cost  int
}

func newCache(maxBytes, maxEntries int) (*cache, error) {
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		s := &c.shards[i]
		lru, err := simplelru.NewLRU(max(1, maxEntries/cacheShards), func(_ cacheKey, e *entry) {
			s.bytes -= e.cost
			s.evictions++
		})
		if err != nil {
			return nil, fmt.Errorf("make facts cache: %w", err)
		}
		s.lru, s.maxBytes = lru, maxBytes/cacheShards
	}
	return c, nil
}

// view is sql as a string without a copy, valid while sql is not changed: for
// looking up, never for keeping.
func view(sql []byte) string { return unsafe.String(unsafe.SliceData(sql), len(sql)) }

func (c *cache) shard(sql string) *shard {
	return &c.shards[maphash.String(c.seed, sql)%cacheShards]
}

// get looks a text up and counts.
func (c *cache) get(sql []byte, env envKey) *policy.Batch {
	key := cacheKey{view(sql), env}
	s := c.shard(key.sql)
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.lru.Get(key)
	if !ok {
		s.misses++
		return nil
	}
	s.hits++
	return e.batch
}

// touch looks a shape up: it counts as used, and is not counted.
func (c *cache) touch(shape []byte, env envKey) *policy.Batch {
	key := cacheKey{view(shape), env}
	s := c.shard(key.sql)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.lru.Get(key); ok {
		return e.batch
	}
	return nil
}

// peek looks again without counting.
func (c *cache) peek(sql []byte, env envKey) *policy.Batch {
	key := cacheKey{view(sql), env}
	s := c.shard(key.sql)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.lru.Peek(key); ok {
		return e.batch
	}
	return nil
}

// put keeps facts under a text of its own, and lets the oldest go until they fit.
func (c *cache) put(sql string, env envKey, b *policy.Batch) {
	s := c.shard(sql)
	e := &entry{batch: b, cost: cost(sql, b)}
	if e.cost > s.maxBytes {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := cacheKey{sql, env}
	if s.lru.Contains(key) {
		return
	}
	for s.bytes+e.cost > s.maxBytes {
		if _, _, ok := s.lru.RemoveOldest(); !ok {
			break
		}
	}
	s.bytes += e.cost
	s.lru.Add(key, e)
}

func (c *cache) stats() Stats {
	var t Stats
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		t.Hits += s.hits
		t.Misses += s.misses
		t.Evictions += s.evictions
		t.Entries += s.lru.Len()
		t.Bytes += s.bytes
		s.mu.Unlock()
	}
	return t
}

// cost estimates the memory of an entry from above: text, structs, and the bytes
// of every string, which share their arrays more often than not.
func cost(sql string, b *policy.Batch) int {
	const (
		overhead  = 256 // map slot, list element, entry
		perString = 16
	)
	n := overhead + len(sql) + int(unsafe.Sizeof(*b)) + len(b.Masked)
	for _, l := range [...][]string{b.ReadNames, b.WriteNames, b.FunctionNames, b.VerbNames} {
		for _, s := range l {
			n += perString + len(s)
		}
	}
	for _, t := range b.Tags {
		n += 2*perString + len(t.Key) + len(t.Value)
	}
	for i := range b.Statements {
		s := &b.Statements[i]
		n += int(unsafe.Sizeof(*s)) + len(s.Masked) + len(s.Fingerprint) + len(s.TxModes) + len(s.Prepared) + len(s.Cursor) + len(s.Setting) + len(s.SettingValue)
		for _, l := range [...][]policy.Relation{s.Reads, s.Writes} {
			for _, r := range l {
				n += 3*perString + len(r.Database) + len(r.Schema) + len(r.Name)
			}
		}
		for _, f := range s.Functions {
			n += 2*perString + len(f.Schema) + len(f.Name)
		}
	}
	return n
}
