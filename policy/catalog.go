package policy

// CatalogData is what a snapshot of the warehouse's names is built from. Only
// what hides something has to be complete: views and functions. Objects of
// pg_catalog and information_schema may be left out.
type CatalogData struct {
	Database  string // the database it speaks of; empty: any
	Version   uint64 // grows with every change; 0 is fine for one that never changes
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
}

// CatalogFunction is one function outside pg_catalog; overloads are separate
// entries. The zero value is not trusted.
type CatalogFunction struct {
	Schema, Name string
	Volatility   byte       // 'i', 's' or 'v', as pg_proc.provolatile
	Trusted      bool       // it is known to do nothing but what Reads and Calls say
	Reads        []Relation // relations its body reads, when known
	Calls        []Function
}

// FunctionTrust is what the catalog knows of a function name.
type FunctionTrust struct {
	Found    bool // at least one function of the name exists outside pg_catalog
	Trusted  bool // every function the name may mean can be seen through
	Volatile bool // at least one of them is volatile
}

// Catalog is an immutable snapshot of the warehouse's names.
type Catalog struct {
	database string
	version  uint64
}

// NewCatalog builds a snapshot. It keeps nothing of data's slices.
func NewCatalog(data CatalogData) *Catalog {
	return &Catalog{database: data.Database, version: data.Version}
}

// Database returns the database the snapshot speaks of.
func (c *Catalog) Database() string { return c.database }

// Version returns the version it was built with.
func (c *Catalog) Version() uint64 { return c.version }

// Resolve returns the relations that rel may mean under a search_path
// (lower case, without "$user"; temporary and system schemas come first by
// themselves) and whether that is certain. A qualified name means itself.
func (c *Catalog) Resolve(rel Relation, searchPath []string, pathKnown bool) (candidates []Relation, certain bool) {
	return []Relation{rel}, rel.Schema != ""
}

// Expand returns everything that reading a qualified relation reads and calls
// beyond the relation itself, through any depth of views, and whether that is
// complete.
func (c *Catalog) Expand(rel Relation) (reads []Relation, calls []Function, complete bool) {
	return nil, nil, true
}

// Trust says whether a function, by name, can be seen through.
func (c *Catalog) Trust(f Function, searchPath []string, pathKnown bool) FunctionTrust {
	return FunctionTrust{}
}

// Transparent says whether everything the statement names can be seen
// through: no unknown fact, no function and no view that may hide an effect.
func (c *Catalog) Transparent(s *Statement, searchPath []string, pathKnown bool) bool {
	return false
}
