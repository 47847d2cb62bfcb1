package policy

import (
	"slices"
	"strings"
)

// CatalogData is what a snapshot of the warehouse's names is built from. Views
// and functions have to be complete, for they hide something; tables serve to
// resolve unqualified names. Objects of pg_catalog and information_schema may
// be left out.
type CatalogData struct {
	Database  string // the database it speaks of; empty: any
	Version   uint64 // grows with every change
	Relations []CatalogRelation
	Functions []CatalogFunction
}

// RelationKind is the sort of a relation in the catalog.
type RelationKind uint8

// The kinds of a relation.
const (
	RelTable RelationKind = iota
	RelView
	RelMaterialized
	RelForeign
	RelSequence
	RelOther
)

// CatalogRelation is one table or view. For a view, Bases and Calls are what
// its definition uses directly; for a partitioned table or a parent by
// inheritance, Bases are its children. Names are schema-qualified.
type CatalogRelation struct {
	Schema, Name string
	Kind         RelationKind
	Bases        []Relation
	Calls        []Function // functions outside pg_catalog that the definition calls
	Opaque       bool       // its definition could not be seen through
	Effects      bool       // its definition calls set_config, pg_notify or their like
}

// CatalogFunction is one function outside pg_catalog; overloads are separate
// entries. The zero value is not trusted.
type CatalogFunction struct {
	Schema, Name string
	Volatility   byte       // 'i', 's' or 'v', as pg_proc.provolatile
	Trusted      bool       // it is known to do nothing but what Reads and Calls say
	Reads        []Relation // relations its body reads, when known; qualified
	Calls        []Function
}

// FunctionTrust is what the catalog knows of a function name.
type FunctionTrust struct {
	Found    bool // at least one function of the name exists outside pg_catalog
	Trusted  bool // every function the name may mean can be seen through
	Volatile bool // at least one of those found is volatile
}

// Catalog is an immutable snapshot of the warehouse's names. What it does not
// know is taken as a plain table or a built-in function: whoever can make a
// view after the snapshot over what others may not read could copy it as well.
type Catalog struct {
	database  string
	version   uint64
	relations map[Relation]*CatalogRelation
	byName    map[string][]Relation // schemas a relation name exists in
	functions map[Function][]*CatalogFunction
	funcNames map[string][]Function
}

// NewCatalog builds a snapshot. Data belongs to it afterwards.
func NewCatalog(data CatalogData) *Catalog {
	c := &Catalog{
		database:  data.Database,
		version:   data.Version,
		relations: make(map[Relation]*CatalogRelation, len(data.Relations)),
		byName:    make(map[string][]Relation, len(data.Relations)),
		functions: make(map[Function][]*CatalogFunction, len(data.Functions)),
		funcNames: make(map[string][]Function, len(data.Functions)),
	}
	for i := range data.Relations {
		r := &data.Relations[i]
		k := Relation{Schema: r.Schema, Name: r.Name}
		if c.relations[k] == nil {
			c.byName[r.Name] = append(c.byName[r.Name], k)
		}
		c.relations[k] = r
	}
	for i := range data.Functions {
		f := &data.Functions[i]
		k := Function{Schema: f.Schema, Name: f.Name}
		if c.functions[k] == nil {
			c.funcNames[f.Name] = append(c.funcNames[f.Name], k)
		}
		c.functions[k] = append(c.functions[k], f)
	}
	return c
}

// Database returns the database the snapshot speaks of.
func (c *Catalog) Database() string { return c.database }

// Version returns the version it was built with.
func (c *Catalog) Version() uint64 { return c.version }

// Resolve returns the relations that rel may mean under a search_path (lower
// case, without "$user"; temporary and system schemas come first by
// themselves) and whether that is certain. A qualified name means itself. A
// temporary table that shadows a name is not seen: it holds what its maker was
// allowed to read.
func (c *Catalog) Resolve(rel Relation, searchPath []string, pathKnown bool) (candidates []Relation, certain bool) {
	if rel.Schema != "" {
		return []Relation{{Schema: rel.Schema, Name: rel.Name}}, true
	}
	if !pathKnown {
		if found := c.byName[rel.Name]; len(found) > 0 {
			return found, len(found) == 1
		}
		return []Relation{{Name: rel.Name}}, false
	}
	system := systemName(rel.Name)
	if system && !slices.Contains(searchPath, "pg_catalog") {
		return []Relation{{Schema: "pg_catalog", Name: rel.Name}}, true
	}
	for _, schema := range searchPath {
		k := Relation{Schema: schema, Name: rel.Name}
		if c.relations[k] != nil {
			return []Relation{k}, true
		}
		if system && schema == "pg_catalog" {
			return []Relation{k}, true
		}
	}
	// made since the snapshot, temporary, or not there at all
	candidates = append(candidates, Relation{Schema: "pg_temp", Name: rel.Name})
	for _, schema := range searchPath {
		candidates = append(candidates, Relation{Schema: schema, Name: rel.Name})
	}
	return candidates, false
}

// systemName tells whether a name looks like one of the server's own catalog,
// which the snapshot leaves out.
func systemName(name string) bool {
	for _, prefix := range [...]string{"pg_", "svv_", "svl_", "svcs_", "stl_", "stv_", "sys_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// Expand returns everything that reading a qualified relation reads and calls
// beyond the relation itself, through any depth of views, and whether that is
// complete.
func (c *Catalog) Expand(rel Relation) (reads []Relation, calls []Function, complete bool) {
	x := c.expand(rel)
	return x.reads, x.calls, !x.open
}

// Trust says whether a function, by name, can be seen through.
func (c *Catalog) Trust(f Function, searchPath []string, pathKnown bool) FunctionTrust {
	candidates, _ := c.resolveFunction(f, searchPath, pathKnown)
	x := c.expandCalls(candidates)
	t := FunctionTrust{Trusted: !x.open && !x.effects}
	for _, k := range candidates {
		for _, fn := range c.functions[k] {
			t.Found = true
			t.Volatile = t.Volatile || fn.Volatility == 'v'
		}
	}
	return t
}

// Transparent says whether everything the statement names can be seen
// through and has no hidden effect: no unknown fact, no function and no view
// that may hide what neither a lock nor a transaction id shows.
func (c *Catalog) Transparent(s *Statement, searchPath []string, pathKnown bool) bool {
	if s.Unknown != 0 {
		return false
	}
	for _, list := range [...][]Relation{s.Reads, s.Writes} {
		for _, r := range list {
			if r.Database != "" && r.Database != c.database {
				return false
			}
			candidates, _ := c.Resolve(r, searchPath, pathKnown)
			for _, k := range candidates {
				if x := c.expand(k); x.open || x.effects {
					return false
				}
			}
		}
	}
	for _, f := range s.Functions {
		if !c.Trust(f, searchPath, pathKnown).Trusted {
			return false
		}
	}
	return true
}
