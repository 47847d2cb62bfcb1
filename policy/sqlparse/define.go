package sqlparse

import (
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// createModifiers stand between CREATE and what is created.
var createModifiers = []string{
	"or replace", "local", "global", "temporary", "temp", "unlogged", "external", "recursive", "materialized",
}

// create reads CREATE … by its words.
func (r *reading) create(f *facts) bool {
	ts := r.ts
	f.set(policy.KindDDL, policy.VerbDDL)
	i := 1
	for {
		if t := ts.at(i).word; t == "temp" || t == "temporary" {
			f.feat(policy.FeatTemp)
		}
		next := ts.skip(i, createModifiers...)
		if next == i {
			break
		}
		i = next
	}
	switch ts.at(i).word {
	case "table", "view":
		r.createTable(f, ts.skip(i+1, "if not exists"), ts.is(i, "view") && !ts.is(i-1, "materialized"))
	case "model":
		r.createModel(f, i)
	case "library":
		f.feat(policy.FeatImplicitCommit | policy.FeatServerFile)
	case "user", "role":
		f.PgAudit = "ROLE"
	case "schema", "function", "procedure", "datashare", "database", "identity", "group", "template", "rls", "masking", "type", "domain", "sequence":
	default:
		return false
	}
	return true
}

// createTable reads the name, LIKE, REFERENCES, and the query behind AS; that of a
// view is stored and not run.
func (r *reading) createTable(f *facts, i int, stored bool) {
	ts := r.ts
	name, ok := ts.part(i)
	if ok && temporary(name, r.mode.Dialect) {
		f.feat(policy.FeatTemp)
	}
	i = r.mustRelation(f, i, f.write, policy.UnknownWrites)
	if as := r.asQuery(i); as >= 0 {
		r.stored(f, as, stored)
		return
	}
	for ; i < len(ts.list); i++ {
		if w := ts.at(i).word; (w == "like" || w == "references") && (ts.is(i-1, "(") || ts.is(i-1, ",") || w == "references") {
			r.mustRelation(f, i+1, f.read, policy.UnknownReads)
		}
	}
}

// asQuery is where the query behind AS begins, or -1.
func (r *reading) asQuery(i int) int {
	for {
		as := r.ts.find(i, len(r.ts.list), "as")
		if as < 0 {
			return -1
		}
		j := as + 1
		for r.ts.is(j, "(") {
			j++
		}
		if starters[r.ts.at(j).word] {
			return as + 1
		}
		i = as + 1
	}
}

// stored reads the query at i: of a table it runs, of a view it is kept.
func (r *reading) stored(f *facts, i int, stored bool) {
	g := newFacts(r.mode.Dialect)
	s := scanner{ts: r.ts, f: g}
	end := len(r.ts.list)
	if w := r.ts.find(i, end, "with"); w > i && (r.ts.is(w+1, "no") || r.ts.is(w+1, "data")) {
		end = w
	}
	s.query(i, end, nil)
	if !stored {
		f.absorb(g)
		return
	}
	for _, rel := range g.Reads {
		f.read(rel)
	}
	f.Unknown |= g.Unknown & (policy.UnknownReads | policy.UnknownWrites)
}

// createModel: FROM is a table or a query in parentheses, or there is none.
func (r *reading) createModel(f *facts, i int) {
	ts := r.ts
	from := ts.find(i, len(ts.list), "from")
	if from < 0 {
		return
	}
	if m := int(ts.match[min(from+1, len(ts.match)-1)]); ts.is(from+1, "(") && m > 0 {
		s := scanner{ts: ts, f: f}
		s.query(from+2, m, nil)
		return
	}
	f.verb(policy.VerbRead)
	r.mustRelation(f, from+1, f.read, policy.UnknownReads)
}

// alter reads ALTER … by its words.
func (r *reading) alter(f *facts) bool {
	ts := r.ts
	f.set(policy.KindDDL, policy.VerbDDL)
	switch i := ts.skip(1, "materialized", "external", "foreign"); ts.at(i).word {
	case "table", "view", "index", "sequence":
		r.alterTable(f, ts.skip(i+1, "if exists only", "if exists", "only"))
	case "default":
		f.Verbs = policy.VerbGrant
	case "user", "role":
		f.PgAudit = "ROLE"
	case "schema", "datashare", "database", "group", "function", "procedure", "identity", "rls", "masking", "template", "model", "system", "type", "domain":
	default:
		return false
	}
	return true
}

func (r *reading) alterTable(f *facts, i int) {
	ts := r.ts
	i = r.mustRelation(f, i, f.write, policy.UnknownWrites)
	if ts.is(i, "rename", "to") && len(f.Writes) > 0 {
		to, ok := ts.part(i + 2)
		if !ok {
			f.Unknown |= policy.UnknownWrites
		}
		renamed := f.Writes[0]
		renamed.Name = to
		f.write(renamed)
	}
	for ; i < len(ts.list); i++ {
		if ts.is(i, "references") {
			r.mustRelation(f, i+1, f.read, policy.UnknownReads)
		}
		if ts.is(i, "attach", "partition") || ts.is(i, "detach", "partition") {
			r.mustRelation(f, i+2, f.write, policy.UnknownWrites)
		}
	}
}

// drop reads DROP … by its words.
func (r *reading) drop(f *facts) bool {
	ts := r.ts
	f.set(policy.KindDDL, policy.VerbDDL)
	i := ts.skip(1, "materialized", "external", "foreign")
	switch ts.at(i).word {
	case "table", "view", "index", "sequence":
		r.relations(f, ts.skip(ts.skip(i+1, "concurrently"), "if exists"), f.write, policy.UnknownWrites)
		for _, rel := range f.Writes {
			if temporary(rel.Name, r.mode.Dialect) {
				f.feat(policy.FeatTemp)
			}
		}
	case "library":
		f.feat(policy.FeatImplicitCommit)
	case "schema", "database", "owned":
		f.Unknown |= policy.UnknownWrites
	case "user", "role":
		f.PgAudit = "ROLE"
	case "datashare", "function", "procedure", "group", "identity", "model", "rls", "masking", "template", "type", "domain":
	default:
		return false
	}
	return true
}

func (r *reading) commentOn(f *facts) bool {
	f.set(policy.KindDDL, policy.VerbDDL)
	i := r.ts.skip(1, "on materialized view", "on external table", "on table", "on view")
	if i > 1 {
		r.mustRelation(f, i, f.write, policy.UnknownWrites)
	}
	return r.ts.is(1, "on")
}

func (r *reading) grantOrRevoke(f *facts) bool {
	f.set(policy.KindDDL, policy.VerbGrant)
	return true
}

// attach reads ATTACH and DETACH of row and masking policies.
func (r *reading) attach(f *facts) bool {
	f.set(policy.KindDDL, policy.VerbGrant)
	if !r.ts.is(1, "rls") && !r.ts.is(1, "masking") {
		return false
	}
	on := r.ts.find(2, len(r.ts.list), "on")
	r.mustRelation(f, r.ts.skip(on+1, "table"), f.write, policy.UnknownWrites)
	return on > 0
}

// beginsWithMark reports whether the text begins with a byte order mark, which
// Redshift's tools leave there and the server skips.
func beginsWithMark(sql string, d sqllex.Dialect) bool {
	return d == sqllex.Redshift && len(sql) >= 3 && sql[:3] == "\ufeff"
}
