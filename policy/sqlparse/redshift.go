package sqlparse

import (
	"strings"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// special reads the statements that Redshift alone has, and those that the grammar
// of Postgres takes for something else. nil: it is none of them.
func (r *reading) special() *facts {
	ts := r.ts
	f := newFacts(r.mode.Dialect)
	switch ts.at(0).word {
	case "unload":
		r.unload(f)
	case "copy":
		return r.copyStatement(f)
	case "vacuum":
		r.vacuum(f)
	case "analyze", "analyse":
		r.analyze(f)
	case "truncate", "select", "with", "insert", "update", "delete":
		return nil
	case "alter":
		if !ts.is(1, "table") {
			return nil
		}
		i := ts.find(2, len(ts.list), "append")
		if i < 0 || !ts.is(i+1, "from") {
			return nil
		}
		r.appendFrom(f, i)
	case "show":
		r.show(f)
	case "explain":
		return r.explainStatement(f)
	default:
		return nil
	}
	return f
}

func (f *facts) set(k policy.Kind, v policy.Verbs) {
	f.Kind = k
	f.verb(v)
}

// mustRelation reads a relation at i and hands it to add; where none stands, over
// is unknown.
func (r *reading) mustRelation(f *facts, i int, add func(policy.Relation), over policy.Unknowns) int {
	rel, next, ok := r.ts.relation(i)
	if !ok {
		f.Unknown |= over
		return i
	}
	add(rel)
	return next
}

// unload: the query stands in a literal.
func (r *reading) unload(f *facts) {
	f.set(policy.KindCopyOut, policy.VerbCopyOut|policy.VerbRead)
	f.feat(policy.FeatServerFile)
	text, ok := r.ts.literal(2)
	if !r.ts.is(1, "(") || !ok || !r.ts.is(3, ")") {
		f.Unknown |= policy.UnknownAll
		f.Kind = policy.KindUnknown
		return
	}
	g := r.inner(text)
	f.absorb(g)
	f.Features &^= policy.FeatLimit
	f.outer = false
	if g.Kind != policy.KindRead {
		f.Kind = policy.KindUnknown
		f.Unknown |= policy.UnknownAll
	}
}

// copyStatement: COPY loads from an object store, a job does it later; only STDIN
// and STDOUT use the wire, which Redshift itself no longer has.
func (r *reading) copyStatement(f *facts) *facts {
	ts := r.ts
	if ts.is(1, "job") {
		switch ts.at(2).word {
		case "show", "list", "run":
			f.set(policy.KindUtility, policy.VerbUtility)
		default:
			f.set(policy.KindDDL, policy.VerbDDL)
		}
		return f
	}
	rel, i, ok := ts.relation(ts.skip(1, "binary"))
	if !ok {
		return nil
	}
	if ts.is(i, "(") && ts.match[i] > 0 {
		i = int(ts.match[i]) + 1
	}
	if !ts.is(i, "from") || ts.is(i+1, "stdin") || ts.is(i+1, "program") {
		return nil
	}
	f.set(policy.KindCopyIn, policy.VerbCopyIn)
	f.feat(policy.FeatServerFile)
	f.write(rel)
	if j := ts.find(i, len(ts.list), "job"); j >= 0 && ts.is(j+1, "create") {
		f.set(policy.KindDDL, policy.VerbDDL)
	}
	return f
}

func (r *reading) vacuum(f *facts) {
	f.set(policy.KindUtility, policy.VerbUtility)
	f.feat(policy.FeatImplicitCommit)
	ts := r.ts
	if ts.is(1, "(") { // the options of Postgres
		r.maintain(f, max(1, int(ts.match[1])+1))
		return
	}
	r.maintain(f, ts.skip(1, "sort only", "delete only", "reindex", "recluster", "full", "freeze", "verbose"))
}

func (r *reading) maintain(f *facts, i int) {
	if i >= len(r.ts.list) || r.ts.is(i, "to") || r.ts.is(i, "boost") {
		f.Unknown |= policy.UnknownWrites // all tables of the database
		return
	}
	r.mustRelation(f, i, f.write, policy.UnknownWrites)
}

func (r *reading) analyze(f *facts) {
	f.set(policy.KindUtility, policy.VerbUtility)
	ts := r.ts
	switch i := ts.skip(1, "verbose"); {
	case ts.is(i, "compression"): // holds an exclusive lock while it samples
		r.maintain(f, i+1)
	case i >= len(ts.list), ts.is(i, "predicate"), ts.is(i, "all"):
		f.Unknown |= policy.UnknownReads
	default:
		r.mustRelation(f, i, f.read, policy.UnknownReads)
	}
}

// appendFrom moves the blocks of one table to another and commits.
func (r *reading) appendFrom(f *facts, i int) {
	f.set(policy.KindWrite, policy.VerbInsert|policy.VerbTruncate|policy.VerbDDL|policy.VerbRead)
	f.feat(policy.FeatImplicitCommit)
	r.mustRelation(f, 2, f.write, policy.UnknownWrites)
	r.mustRelation(f, i+2, func(rel policy.Relation) { f.read(rel); f.write(rel) }, policy.UnknownReads|policy.UnknownWrites)
}

// show: SHOW SCHEMAS, TABLES, COLUMNS … look at the catalog, SHOW name at a setting.
func (r *reading) show(f *facts) {
	f.set(policy.KindUtility, policy.VerbUtility)
	if parts, next := r.ts.name(1); next == len(r.ts.list) && len(parts) > 0 {
		f.Setting = strings.Join(parts, ".")
	}
}

// explainStatement: EXPLAIN never runs anything on Redshift, but ANALYZE is taken
// at its word.
func (r *reading) explainStatement(f *facts) *facts {
	ts := r.ts
	if ts.is(1, "model") {
		f.set(policy.KindUtility, policy.VerbUtility)
		return f
	}
	i, analyze := 1, false
	if ts.is(1, "(") && ts.match[1] > 0 && !starters[ts.at(2).word] {
		end := int(ts.match[1])
		analyze = ts.find(2, end, "analyze", "analyse") >= 0
		i = end + 1
	}
	for ts.is(i, "analyze") || ts.is(i, "analyse") || ts.is(i, "verbose") {
		analyze = analyze || !ts.is(i, "verbose")
		i++
	}
	f.explained(r.rest(i), analyze)
	return f
}

// head finds how a statement is read by its first word without a grammar, or nil.
// What it returns is false where the rest is not as it knows it.
func head(word string) func(*reading, *facts) bool {
	switch word {
	case "create":
		return (*reading).create
	case "alter":
		return (*reading).alter
	case "drop":
		return (*reading).drop
	case "comment":
		return (*reading).commentOn
	case "grant", "revoke":
		return (*reading).grantOrRevoke
	case "attach", "detach":
		return (*reading).attach
	case "unload":
		return byUnload
	case "copy":
		return byCopy
	case "vacuum":
		return byVacuum
	case "analyze", "analyse":
		return byAnalyze
	case "show":
		return byShow
	case "explain":
		return byExplain
	case "truncate":
		return (*reading).truncateTables
	case "refresh":
		return (*reading).refresh
	case "lock":
		return (*reading).lockTables
	case "begin", "start":
		return (*reading).begin
	case "commit", "end", "rollback", "abort":
		return (*reading).endTx
	case "desc", "describe", "cancel":
		return look
	case "use":
		return (*reading).use
	case "call", "do":
		return opaque
	case "execute":
		return (*reading).execute
	}
	return nil
}

func byUnload(r *reading, f *facts) bool  { r.unload(f); return true }
func byVacuum(r *reading, f *facts) bool  { r.vacuum(f); return true }
func byAnalyze(r *reading, f *facts) bool { r.analyze(f); return true }
func byShow(r *reading, f *facts) bool    { r.show(f); return true }
func byExplain(r *reading, f *facts) bool { r.explainStatement(f); return true }
func byCopy(r *reading, f *facts) bool    { return r.copyStatement(f) != nil }

func look(_ *reading, f *facts) bool {
	f.set(policy.KindUtility, policy.VerbUtility)
	return true
}

func opaque(_ *reading, f *facts) bool {
	f.set(policy.KindWrite, policy.VerbCall)
	f.Unknown |= policy.UnknownAll
	return true
}

func (r *reading) execute(f *facts) bool {
	name, ok := r.ts.part(1)
	f.executes(name)
	return ok
}

// use changes the database in which names are looked up.
func (r *reading) use(f *facts) bool {
	f.set(policy.KindSession, policy.VerbSession)
	f.feat(policy.FeatSet)
	f.Setting = "use"
	_, ok := r.ts.part(1)
	return ok
}

func (r *reading) truncateTables(f *facts) bool {
	f.set(policy.KindWrite, policy.VerbTruncate)
	if r.mode.Dialect == sqllex.Redshift {
		f.feat(policy.FeatImplicitCommit)
	}
	r.relations(f, r.ts.skip(1, "table only", "table", "only"), f.write, policy.UnknownWrites)
	return true
}

func (r *reading) refresh(f *facts) bool {
	f.set(policy.KindWrite, policy.VerbDDL)
	i := r.ts.skip(1, "materialized view concurrently", "materialized view")
	r.mustRelation(f, i, f.write, policy.UnknownWrites)
	return i > 1
}

func (r *reading) lockTables(f *facts) bool {
	f.set(policy.KindUtility, policy.VerbUtility)
	f.feat(policy.FeatLock)
	r.relations(f, r.ts.skip(1, "table only", "table", "only"), f.write, policy.UnknownWrites)
	return true
}

// relations reads names between commas.
func (r *reading) relations(f *facts, i int, add func(policy.Relation), over policy.Unknowns) {
	for {
		i = r.mustRelation(f, i, add, over)
		i = r.ts.skip(i, "*")
		if !r.ts.is(i, ",") {
			return
		}
		i = r.ts.skip(i+1, "only")
	}
}

// begin: what follows are modes that the grammar does not know.
func (r *reading) begin(f *facts) bool {
	f.set(policy.KindTransaction, policy.VerbTransaction)
	f.Tx = policy.TxBegin
	var modes []string
	for _, t := range r.ts.list[r.ts.skip(1, "transaction", "work"):] {
		if t.word == "" && t.text != "," {
			return false
		}
		modes = append(modes, strings.ToUpper(t.text))
	}
	f.TxModes = strings.ReplaceAll(strings.Join(modes, " "), " ,", ",")
	return true
}

// endTx is COMMIT and ROLLBACK with words behind them that no grammar knows.
func (r *reading) endTx(f *facts) bool {
	f.set(policy.KindTransaction, policy.VerbTransaction)
	f.Unknown |= policy.UnknownEffects
	f.Tx = policy.TxRollback
	if r.ts.is(0, "commit") || r.ts.is(0, "end") {
		f.Tx = policy.TxCommit
	}
	return len(r.ts.list) <= 3
}
