package policy

// seen is a name that a statement uses, resolved as far as possible.
type seen struct {
	db, schema, name string // empty db or schema: unknown
	sure             bool   // false: it may mean this, or something else
}

// names are the resolved names of one statement under one search_path and
// catalog. Open means that there may be more than is listed.
type names struct {
	reads, writes, functions             seenList
	readsOpen, writesOpen, functionsOpen bool
	database                             string
	expanded                             bool // a catalog was there to see through views
}

func matchNames(patterns []namePattern, list seenList, open bool) tri {
	best := no
	for i := range list {
		for j := range patterns {
			t := patterns[j].match(list[i].db, list[i].schema, list[i].name)
			if t == yes && !list[i].sure {
				t = unknown
			}
			if t == yes {
				return yes
			}
			best = max(best, t)
		}
	}
	if open {
		best = max(best, unknown)
	}
	return best
}

// nameEnv is what the meaning of a name depends on beside the name. Equal
// environments of one world are the same pointer.
type nameEnv struct {
	catalog  *Catalog // nil: none
	database string
	path     []string
	known    bool
}

// resolve finds what the names of a statement mean. Without a catalog an
// unqualified name may be in any schema, and a function that is not known
// harmless may read anything.
func (e *nameEnv) resolve(st *Statement) *names {
	n := &names{
		database: e.database, expanded: e.catalog != nil,
		readsOpen:     st.Unknown&UnknownReads != 0,
		writesOpen:    st.Unknown&UnknownWrites != 0,
		functionsOpen: st.Unknown&UnknownFunctions != 0,
	}
	for _, r := range st.Reads {
		e.addRelation(n, r, false)
	}
	for _, r := range st.Writes {
		e.addRelation(n, r, true)
	}
	for _, f := range st.Functions {
		e.addFunction(n, f)
	}
	if e.catalog == nil && st.Features&FeatVolatileCall != 0 {
		n.readsOpen, n.writesOpen = true, true
	}
	if n.functionsOpen {
		n.readsOpen, n.writesOpen = true, true
	}
	return n
}

func (e *nameEnv) addRelation(n *names, r Relation, write bool) {
	list := &n.reads
	if write {
		list = &n.writes
	}
	if e.catalog == nil || (r.Database != "" && r.Database != e.database) {
		*list = append(*list, seen{db: e.dbOf(r), schema: r.Schema, name: r.Name, sure: true})
		return
	}
	candidates, certain := e.catalog.Resolve(r, e.path, e.known)
	for _, c := range candidates {
		*list = append(*list, seen{db: e.dbOf(c), schema: c.Schema, name: c.Name, sure: certain})
		x := e.catalog.expand(c)
		for _, b := range x.reads {
			// what a write to a view reaches depends on rules and triggers
			*list = append(*list, seen{db: e.dbOf(b), schema: b.Schema, name: b.Name, sure: certain && !write})
		}
		for _, f := range x.calls {
			n.functions = append(n.functions, seen{db: e.database, schema: f.Schema, name: f.Name, sure: certain})
		}
		if x.open {
			n.readsOpen = true
			n.writesOpen = n.writesOpen || write
		}
	}
}

func (e *nameEnv) addFunction(n *names, f Function) {
	if e.catalog == nil {
		n.functions = append(n.functions, seen{db: e.database, schema: f.Schema, name: f.Name, sure: true})
		return
	}
	candidates, certain := e.catalog.resolveFunction(f, e.path, e.known)
	for _, c := range candidates {
		n.functions = append(n.functions, seen{db: e.database, schema: c.Schema, name: c.Name, sure: certain})
	}
	x := e.catalog.expandCalls(candidates)
	for _, b := range x.reads {
		n.reads = append(n.reads, seen{db: e.dbOf(b), schema: b.Schema, name: b.Name, sure: certain})
	}
	for _, c := range x.calls {
		n.functions = append(n.functions, seen{db: e.database, schema: c.Schema, name: c.Name, sure: certain})
	}
	if x.open {
		n.readsOpen, n.writesOpen = true, true
	}
}

func (e *nameEnv) dbOf(r Relation) string {
	if r.Database != "" {
		return r.Database
	}
	return e.database
}
