package policy

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
)

// facts is what a ruleset needs to know of one statement under one name
// environment: which items its text allows, and how it may be treated.
type facts struct {
	st       *Statement
	names    *names
	may      []uint64 // items whose facts hold or cannot be excluded
	sure     []uint64 // items whose facts hold
	except   []uint64 // items with an exception that asks only for facts, and holds
	noWait   bool     // by itself never waits
	free     bool     // controls a transaction or the session: never charged to a quota
	rollback bool     // gives up a transaction: never refused
}

// batchFacts are the facts of all statements of a batch.
type batchFacts struct {
	list     []facts
	durable  bool     // writes, or may write
	readOnly *Refusal // what a read-only principal is told; nil: it may run

	once  sync.Once
	names *ResolvedNames // made when a decision asks for them
}

// unreadable stands for a message of which nothing is known.
var unreadable = &Batch{
	Statements: []Statement{{Verbs: VerbUnknown, Unknown: UnknownAll}},
	Verbs:      VerbUnknown,
	Unknown:    UnknownAll,
}

func (rs *Ruleset) readBatch(b *Batch, env *nameEnv) *batchFacts {
	out := &batchFacts{list: make([]facts, len(b.Statements))}
	for i := range b.Statements {
		st := &b.Statements[i]
		rs.readFacts(&out.list[i], st, env)
		if out.readOnly == nil {
			out.readOnly = st.readOnly()
		}
		out.durable = out.durable || st.Verbs.Has(VerbWrites) || st.Unknown&UnknownVerbs != 0 || st.Kind == KindUnknown
	}
	return out
}

func (rs *Ruleset) readFacts(f *facts, st *Statement, env *nameEnv) {
	f.st, f.names = st, env.resolve(st)
	bits := make([]uint64, 3*rs.words)
	f.may, f.sure, f.except = bits[:rs.words], bits[rs.words:2*rs.words], bits[2*rs.words:]
	sc := scope{st: st, names: f.names}
	for i := range rs.items {
		it := &rs.items[i]
		switch it.when.part(&sc, sideFacts) {
		case yes:
			setBit(f.may, i)
			setBit(f.sure, i)
		case unknown:
			setBit(f.may, i)
		case no:
		}
		if it.exceptedBy(&sc, sideFacts) {
			setBit(f.except, i)
		}
	}
	f.free = st.Tx != TxNone || st.Kind == KindSession || st.Kind == KindTransaction || (st.Setting != "" && st.Kind == KindUtility) || isShow(st.Masked)
	f.rollback = st.Tx == TxRollback && !st.TxChain
	f.noWait = f.free || st.Features&FeatCatalogOnly != 0 || st.Verbs.Has(VerbResultRead)
}

// exceptedBy tells whether an exception that lives on one side alone holds.
func (it *item) exceptedBy(sc *scope, s side) bool {
	for i := range it.except {
		if x := &it.except[i]; x.sides == s && x.whole(sc) == yes {
			return true
		}
	}
	return false
}

// exceptedLate asks the exceptions that no bit answers.
func (it *item) exceptedLate(sc *scope) bool {
	for i := range it.except {
		x := &it.except[i]
		if x.sides != sideConn && x.sides != sideClass && x.sides != sideFacts && x.whole(sc) == yes {
			return true
		}
	}
	return false
}

func isShow(masked string) bool {
	return len(masked) > 4 && strings.EqualFold(masked[:4], "show") && (masked[4] == ' ' || masked[4] == '\n' || masked[4] == '\t')
}

// world is a ruleset with the catalogs it sees: what facts depend on. It
// remembers facts, within bounds; a new ruleset or catalog makes a new world.
type world struct {
	rs       *Ruleset
	catalogs map[string]*Catalog // by database; "" for any

	mu   sync.Mutex
	envs map[string]*nameEnv

	seed   maphash.Seed
	shards [16]factShard
}

// Bounds of what a world remembers.
const (
	maxEnvs      = 4096
	shardEntries = 256 // in each of two generations
	maxCached    = 64 << 10
)

type factKey struct {
	batch *Batch
	env   *nameEnv
}

// factShard keeps two generations, so that what is in use survives the change
// of generation and the rest goes.
type factShard struct {
	mu       sync.RWMutex
	young    map[factKey]*batchFacts
	oldFacts map[factKey]*batchFacts
}

func newWorld(rs *Ruleset, catalogs map[string]*Catalog) *world {
	w := &world{rs: rs, catalogs: catalogs, envs: map[string]*nameEnv{}, seed: maphash.MakeSeed()}
	for i := range w.shards {
		w.shards[i].young = map[factKey]*batchFacts{}
	}
	return w
}

// facts returns the facts of a batch. Batches are immutable and shared, so the
// pointer is the key; a remembered batch cannot be collected and its address
// not be used again.
func (w *world) facts(b *Batch, env *nameEnv) *batchFacts {
	k := factKey{b, env}
	s := &w.shards[maphash.Comparable(w.seed, k)%uint64(len(w.shards))]
	s.mu.RLock()
	f := s.young[k]
	s.mu.RUnlock()
	if f != nil {
		return f
	}
	s.mu.RLock()
	f = s.oldFacts[k]
	s.mu.RUnlock()
	if f == nil {
		f = w.rs.readBatch(b, env)
	}
	if b.Bytes+len(b.Masked) > maxCached {
		return f
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.young) >= shardEntries {
		s.oldFacts, s.young = s.young, make(map[factKey]*batchFacts, shardEntries)
	}
	s.young[k] = f
	return f
}

func (w *world) catalog(database string) *Catalog {
	if c := w.catalogs[database]; c != nil {
		return c
	}
	return w.catalogs[""]
}

// env returns the shared name environment of a session.
func (w *world) env(database string, st *SessionState) *nameEnv {
	e := nameEnv{catalog: w.catalog(database), database: database}
	key := database
	if e.catalog != nil { // without one the path says nothing
		e.known = st.PathKnown
		if e.known {
			e.path = st.SearchPath
			key += "\x00" + strings.Join(st.SearchPath, "\x00")
		} else {
			key += "\x01"
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if have := w.envs[key]; have != nil {
		return have
	}
	if len(w.envs) >= maxEnvs {
		clear(w.envs)
	}
	e.path = slices.Clone(e.path)
	w.envs[key] = &e
	return &e
}

// fits tells whether an environment is still the session's.
func (e *nameEnv) fits(w *world, database string, st *SessionState) bool {
	if e == nil || e.database != database || e.catalog != w.catalog(database) {
		return false
	}
	return e.catalog == nil || (e.known == st.PathKnown && (!e.known || slices.Equal(e.path, st.SearchPath)))
}
