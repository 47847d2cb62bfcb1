package sqlparse

import (
	"strings"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// reading is one way to read one statement: its text, tokens and rules.
type reading struct {
	sql   string
	mode  sqllex.Mode
	ts    *tokens
	limit int // bytes that libpg_query may be asked about
	depth int // of statements inside literals of statements
}

func newReading(sql string, mode sqllex.Mode, limit int) *reading {
	return &reading{sql: sql, mode: mode, ts: newTokens(sql, mode), limit: limit}
}

// statements reads one piece of a string, which is one statement unless the
// grammar knows better.
func (r *reading) statements() []*facts {
	if r.mode.Dialect == sqllex.Redshift {
		return []*facts{r.redshift()}
	}
	if fs, ok := r.byGrammar(); ok {
		return fs
	}
	return []*facts{r.unread()}
}

// byGrammar reads the piece with libpg_query.
func (r *reading) byGrammar() ([]*facts, bool) {
	sql, ok := forGrammar(r.ts, r.limit)
	if !ok {
		return nil, false
	}
	stmts, ok := tree(sql, r.ts)
	if !ok || len(stmts) == 0 {
		return nil, false
	}
	fp := fingerprint(sql, r.mode, len(stmts) == 1)
	out := make([]*facts, 0, len(stmts))
	for _, s := range stmts {
		w := walker{newFacts(r.mode.Dialect)}
		w.statement(s.GetStmt())
		if r.ts.shortened && w.Setting != "" {
			w.Unknown |= policy.UnknownEffects
		}
		w.Fingerprint = fp
		out = append(out, w.facts)
	}
	return out, true
}

// unread is a statement that the grammar of Postgres rejects: wrong, too long, or
// newer than the grammar. What its tokens say is kept, and everything is unknown:
// the server may know more than we.
func (r *reading) unread() *facts {
	f := r.byTokens()
	if f == nil {
		f = newFacts(r.mode.Dialect)
	}
	f.Kind = policy.KindUnknown
	f.verb(policy.VerbUnknown)
	f.Unknown |= policy.UnknownAll
	return f
}

// redshift is a statement in Redshift's dialect: what differs there comes first,
// then the grammar for what it shares with Postgres, then the tokens alone.
func (r *reading) redshift() *facts {
	if !r.ts.whole {
		f := newFacts(r.mode.Dialect)
		f.Unknown = policy.UnknownAll
		return f
	}
	if f := r.special(); f != nil {
		return f
	}
	if fs, ok := r.byGrammar(); ok && len(fs) == 1 {
		f := fs[0]
		if f.Verbs.Has(policy.VerbTruncate) {
			f.feat(policy.FeatImplicitCommit)
		}
		return f
	}
	if f := r.byTokens(); f != nil {
		return f
	}
	f := newFacts(r.mode.Dialect)
	f.Unknown = policy.UnknownAll
	return f
}

// doubtful reports whether Redshift may cut the string elsewhere than we: a server
// that takes the letter of X'…' for a name reads on where a backslash stands
// before the quote, and then every later literal is text and text literal.
func doubtful(sql string, mode sqllex.Mode) bool {
	if mode.Dialect != sqllex.Redshift || strings.IndexByte(sql, '\\') < 0 {
		return false
	}
	l := sqllex.New(sql, mode)
	for {
		t, more := l.Next()
		if !more {
			return false
		}
		if t.Kind == sqllex.BitString && strings.IndexByte(sql[t.Start:t.End], '\\') >= 0 {
			return true
		}
	}
}

// byTokens reads a statement by its words. nil: the first words say nothing.
func (r *reading) byTokens() *facts {
	i := 0
	for r.ts.is(i, "(") {
		i++
	}
	w := r.ts.at(i).word
	if starters[w] {
		return r.scan()
	}
	if i > 0 {
		return nil
	}
	f := newFacts(r.mode.Dialect)
	if read := head(w); read != nil && read(r, f) {
		return f
	}
	return nil
}

// scan reads a query by its tokens.
func (r *reading) scan() *facts {
	f := newFacts(r.mode.Dialect)
	s := scanner{ts: r.ts, f: f}
	s.query(0, len(r.ts.list), nil)
	f.queryKind()
	if f.Kind == policy.KindRead || f.Kind == policy.KindUtility || f.Kind == policy.KindSession {
		r.outermost(f)
	}
	if !r.ts.whole {
		f.Unknown |= policy.UnknownAll
	}
	return f
}

// outermost notes WHERE and LIMIT of the outermost select.
func (r *reading) outermost(f *facts) {
	end := len(r.ts.list)
	f.outer = true
	f.where = r.ts.find(0, end, "where") >= 0 && r.ts.find(0, end, "union", "except", "intersect", "minus") < 0
	i := r.ts.find(0, end, "limit", "fetch")
	if top := r.ts.find(0, end, "select"); top >= 0 && r.ts.is(top+1, "top") && r.ts.at(top+2).Kind.Literal() || i >= 0 && !r.ts.is(i+1, "all") {
		f.feat(policy.FeatLimit)
	}
}

// inner reads a statement that stands in the text of another.
func (r *reading) inner(sql string) *facts {
	if r.depth >= 3 {
		f := newFacts(r.mode.Dialect)
		f.Unknown = policy.UnknownAll
		return f
	}
	spans := sqllex.Split(sql, r.mode, 2)
	if len(spans) != 1 {
		f := newFacts(r.mode.Dialect)
		f.Unknown = policy.UnknownAll
		return f
	}
	in := newReading(sql[spans[0].Start:spans[0].End], r.mode, r.limit)
	in.depth = r.depth + 1
	fs := in.statements()
	for _, g := range fs[1:] {
		fs[0].absorb(g)
	}
	return fs[0]
}

// rest reads the statement that begins at token i: what an EXPLAIN explains.
func (r *reading) rest(i int) *facts {
	if i >= len(r.ts.list) {
		f := newFacts(r.mode.Dialect)
		f.Unknown = policy.UnknownAll
		return f
	}
	return r.inner(r.sql[r.ts.list[i].Start:])
}
