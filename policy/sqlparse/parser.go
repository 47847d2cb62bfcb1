package sqlparse

import (
	"errors"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// Setting is what is known of a setting that is on or off.
type Setting uint8

// The states of a setting. The zero value is the cautious one.
const (
	Unknown Setting = iota
	On
	Off
)

// Env is what a string's meaning depends on besides its bytes.
type Env struct {
	Dialect sqllex.Dialect
	// StdStrings is standard_conforming_strings as the server last reported it.
	// Unknown while a statement is under way that could change it; then both
	// readings are made and the stricter facts given. Without meaning on Redshift.
	StdStrings Setting
	// Encoding is client_encoding, in any spelling Postgres takes; empty: UTF8.
	Encoding string
}

// Config bounds a Parser. A zero field takes its default.
type Config struct {
	MaxBytes      int // of the cache, texts and facts; default 64 MiB
	MaxEntries    int // of the cache; default 65536
	MaxParseBytes int // of a statement without its long lists and literals; longer ones are read by tokens only; default 256 KiB
	MaxParallel   int // parses under way at the same time; default GOMAXPROCS, at least 2
}

// Validate checks the bounds.
func (c Config) Validate() error {
	if c.MaxBytes < 0 || c.MaxEntries < 0 || c.MaxParseBytes < 0 || c.MaxParallel < 0 {
		return errors.New("parser bounds must not be negative")
	}
	if c.MaxParseBytes > 1<<20 {
		return errors.New("max_parse_bytes must not exceed 1 MiB: a parse takes fifty times its text in memory")
	}
	return nil
}

func (c Config) withDefaults() Config {
	set := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	set(&c.MaxBytes, 64<<20)
	set(&c.MaxEntries, 1<<16)
	set(&c.MaxParseBytes, 256<<10)
	set(&c.MaxParallel, max(2, runtime.GOMAXPROCS(0)))
	return c
}

// Parser turns strings into facts and remembers them. It is safe for use by many
// goroutines.
type Parser struct {
	cfg     Config
	cache   *cache
	slots   chan struct{} // one token for each parse under way
	parses  atomic.Uint64
	unknown atomic.Uint64
	shapes  atomic.Uint64
}

// New returns a parser with an empty cache.
func New(cfg Config) (*Parser, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	c, err := newCache(cfg.MaxBytes, cfg.MaxEntries)
	if err != nil {
		return nil, err
	}
	return &Parser{cfg: cfg, cache: c, slots: make(chan struct{}, cfg.MaxParallel)}, nil
}

// Parse returns the facts of a string. It never fails: what cannot be read is of
// kind unknown and all its facts are. The batch is shared; nobody may change it.
// sql is not kept.
func (p *Parser) Parse(sql []byte, env Env) *policy.Batch {
	key := envKey{dialect: env.Dialect, std: env.StdStrings, set: charsetOf(env.Encoding)}
	if b := p.cache.get(sql, key); b != nil {
		return b
	}
	shape := shapeOf(sql, env, key.set)
	if b := p.known(shape, key); b != nil {
		return b
	}
	p.slots <- struct{}{}
	defer func() { <-p.slots }()
	if b := p.cache.peek(sql, key); b != nil { // somebody else was as quick
		return b
	}
	if b := p.known(shape, key); b != nil {
		return b
	}
	text := string(sql)
	b := p.facts(text, env)
	p.parses.Add(1)
	if b.Unknown&policy.UnknownVerbs != 0 {
		p.unknown.Add(1)
	}
	p.cache.put(text, key, b)
	if shape != nil {
		p.cache.put(string(shape), key, b)
	}
	return b
}

// known returns the facts of a shape that was read before.
func (p *Parser) known(shape []byte, key envKey) *policy.Batch {
	if shape == nil {
		return nil
	}
	b := p.cache.touch(shape, key)
	if b != nil {
		p.shapes.Add(1)
	}
	return b
}

// facts reads a string in the ways its environment leaves open.
func (p *Parser) facts(sql string, env Env) *policy.Batch {
	mode := sqllex.Mode{Dialect: env.Dialect, Backslash: env.Dialect == sqllex.Redshift || env.StdStrings == Off}
	b := p.read(sql, env, mode)
	if env.Dialect == sqllex.Redshift || env.StdStrings != Unknown || strings.IndexByte(sql, '\\') < 0 {
		return b
	}
	d := decode(sql, charsetOf(env.Encoding))
	if !sqllex.Ambiguous(d.text) {
		return b
	}
	mode.Backslash = true
	other := p.read(sql, env, mode)
	merged := &policy.Batch{Bytes: len(sql), Tags: b.Tags, Statements: merge(b, other, env.Dialect)}
	finish(merged, d.text, mode)
	// The text shown is masked under both readings: what is a literal under either
	// must not show, and where they differ much, nothing but a hash is safe.
	if other.Masked != b.Masked {
		merged.Masked, merged.MaskedCut = "?", false
		for i := range merged.Statements {
			merged.Statements[i].Masked = "?"
		}
	}
	return merged
}

// Stats are the parser's counters since it was made, and the cache as it is.
type Stats struct {
	Hits, Misses, Evictions uint64 // of texts, byte by byte
	Shapes                  uint64 // texts that are known but for their numbers: neither read nor kept
	Parses                  uint64 // texts read, by grammar or tokens
	Unknown                 uint64 // of these, with a statement that could not be read
	Entries, Bytes          int
}

// Stats returns the counters.
func (p *Parser) Stats() Stats {
	s := p.cache.stats()
	s.Parses, s.Unknown, s.Shapes = p.parses.Load(), p.unknown.Load(), p.shapes.Load()
	return s
}
