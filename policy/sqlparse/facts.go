package sqlparse

import (
	"cmp"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// maxNames bounds each list of names of a statement; what does not fit is unknown.
const maxNames = 4096

// facts gathers what is found out about one statement, in any order and with
// repetitions; done puts it in order.
type facts struct {
	policy.Statement
	dialect sqllex.Dialect

	changes   bool // has an UPDATE or DELETE
	unbounded bool // one of them has no WHERE
	outer     bool // is a plain query, so WHERE and LIMIT are those of its outermost select
	where     bool
	seen      map[string]struct{} // names listed already, by list and name
}

func newFacts(d sqllex.Dialect) *facts {
	return &facts{dialect: d}
}

func (f *facts) read(r policy.Relation)  { f.add(&f.Reads, 'r', r, policy.UnknownReads) }
func (f *facts) write(r policy.Relation) { f.add(&f.Writes, 'w', r, policy.UnknownWrites) }

// add lists a relation once. Redshift folds quoted names too unless the session
// says otherwise, so a quoted name with capitals stands for two there.
func (f *facts) add(list *[]policy.Relation, tag byte, r policy.Relation, over policy.Unknowns) {
	if r.Name == "" {
		f.Unknown |= over
		return
	}
	if !f.fresh(tag, r.Database, r.Schema, r.Name) {
		return
	}
	if len(*list) >= maxNames {
		f.Unknown |= over
		return
	}
	*list = append(*list, r)
	if f.dialect != sqllex.Redshift {
		return
	}
	folded := policy.Relation{Database: sqllex.Fold(r.Database), Schema: sqllex.Fold(r.Schema), Name: sqllex.Fold(r.Name)}
	if folded != r {
		f.add(list, tag, folded, over)
	}
}

// fresh notes a name and reports whether it is new.
func (f *facts) fresh(tag byte, parts ...string) bool {
	key := string(tag) + strings.Join(parts, "\x00")
	if _, ok := f.seen[key]; ok {
		return false
	}
	if f.seen == nil {
		f.seen = make(map[string]struct{}, 8)
	}
	f.seen[key] = struct{}{}
	return true
}

// verb adds what the statement does.
func (f *facts) verb(v policy.Verbs) { f.Verbs |= v }

// feat adds features.
func (f *facts) feat(x policy.Features) { f.Features |= x }

// change notes an UPDATE or DELETE and whether it is bounded.
func (f *facts) change(where bool) {
	f.changes = true
	f.unbounded = f.unbounded || !where
}

// absorb takes over all that another statement does: the one inside an EXPLAIN
// ANALYZE, a PREPARE, an UNLOAD.
func (f *facts) absorb(g *facts) {
	for _, r := range g.Reads {
		f.read(r)
	}
	for _, r := range g.Writes {
		f.write(r)
	}
	for _, fn := range g.Functions {
		f.function(fn)
	}
	f.Verbs |= g.Verbs
	f.Features |= g.Features
	f.Unknown |= g.Unknown
	f.changes = f.changes || g.changes
	f.unbounded = f.unbounded || g.unbounded
	f.outer = f.outer || g.outer
	f.where = f.where || g.where
	if g.Cursor != "" {
		f.Cursor = g.Cursor
	}
	if g.Setting != "" {
		f.Setting, f.SettingValue = g.Setting, g.SettingValue
	}
}

// function lists a function called.
func (f *facts) function(fn policy.Function) {
	if !f.fresh('f', fn.Schema, fn.Name) {
		return
	}
	if len(f.Functions) >= maxNames {
		f.Unknown |= policy.UnknownFunctions
		return
	}
	f.Functions = append(f.Functions, fn)
}

// done puts the lists in order and derives what follows from the whole.
func (f *facts) done() policy.Statement {
	s := f.Statement
	slices.SortFunc(s.Reads, func(a, b policy.Relation) int { return cmp.Compare(a.String(), b.String()) })
	slices.SortFunc(s.Writes, func(a, b policy.Relation) int { return cmp.Compare(a.String(), b.String()) })
	slices.SortFunc(s.Functions, func(a, b policy.Function) int { return cmp.Compare(a.String(), b.String()) })
	s.Features &^= policy.FeatWhere
	if !f.unbounded && (f.changes || !f.outer || f.where) {
		s.Features |= policy.FeatWhere
	}
	if f.catalogOnly() {
		s.Features |= policy.FeatCatalogOnly
	}
	if s.Kind == policy.KindUnknown {
		s.Verbs |= policy.VerbUnknown
	}
	if s.PgAudit == "" {
		s.PgAudit = auditClass(&s)
	}
	return s
}

// busy are the features that make a query more than a look at the catalog.
const busy = policy.Star | policy.FeatSetLocal | policy.FeatAdvisory | policy.FeatSequence | policy.FeatVolatileCall |
	policy.FeatServerFile | policy.FeatProgram | policy.FeatForUpdate | policy.FeatTemp

func (f *facts) catalogOnly() bool {
	if f.Verbs != policy.VerbRead || f.Unknown != 0 || f.Features&busy != 0 || len(f.Reads) == 0 {
		return false
	}
	for _, r := range f.Reads {
		if !inCatalog(r, f.dialect) {
			return false
		}
	}
	return true
}

// inCatalog reports whether a relation is one of the server's own. An unqualified
// name is taken for the catalog's by its prefix: the catalog comes first in every
// search path that does not name it.
func inCatalog(r policy.Relation, d sqllex.Dialect) bool {
	switch r.Schema {
	case "pg_catalog", "information_schema":
		return true
	case "":
	default:
		return false
	}
	if strings.HasPrefix(r.Name, "pg_") {
		return true
	}
	if d != sqllex.Redshift {
		return false
	}
	for _, p := range [...]string{"svv_", "stv_", "stl_", "svl_", "svcs_", "sys_"} {
		if strings.HasPrefix(r.Name, p) {
			return true
		}
	}
	return false
}

// auditClass is the class pgaudit would give the statement.
func auditClass(s *policy.Statement) string {
	const change = policy.VerbInsert | policy.VerbUpdate | policy.VerbDelete | policy.VerbMerge | policy.VerbTruncate | policy.VerbCopyIn
	switch {
	case s.Verbs.Has(policy.VerbGrant):
		return "ROLE"
	case s.Verbs.Has(policy.VerbDDL):
		return "DDL"
	case s.Verbs.Has(change):
		return "WRITE"
	case s.Verbs.Has(policy.VerbCall | policy.VerbFunction):
		return "FUNCTION"
	case s.Verbs.Has(policy.VerbRead | policy.VerbCopyOut):
		return "READ"
	}
	return "MISC"
}
