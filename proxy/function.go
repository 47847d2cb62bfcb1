package proxy

import (
	"encoding/binary"

	"github.com/lockkeeper/lockkeeper/policy"
)

// functionShape is the fingerprint of a FunctionCall: it has no text, so it is
// none of the shapes that a rule or a quota can name, and that is known.
const functionShape = "function"

// functionFacts returns the facts of a FunctionCall body. What it calls is an
// oid, which could be anything, but for the functions of large objects: their
// oids are the same in every server, they reach one table of the catalog, and
// libpq calls them (pg_dump does, for each large object).
func functionFacts(body []byte) *policy.Batch {
	if len(body) < 4 {
		return functionBatch
	}
	if b := largeObjects[binary.BigEndian.Uint32(body)]; b != nil {
		return b
	}
	return functionBatch
}

// functionBatch is a call of which we know nothing.
//
//nolint:gochecknoglobals // immutable facts shared by all sessions
var functionBatch = &policy.Batch{
	Statements: []policy.Statement{{
		Kind: policy.KindWrite, Verbs: policy.VerbFunction, Unknown: policy.UnknownAll &^ policy.UnknownVerbs,
		Features: policy.FeatVolatileCall, PgAudit: "FUNCTION", Fingerprint: functionShape,
	}},
	Verbs: policy.VerbFunction, Unknown: policy.UnknownAll &^ policy.UnknownVerbs, Features: policy.FeatVolatileCall,
	VerbNames: []string{"function"}, Fingerprint: functionShape,
}

// largeObjects are the facts by oid in pg_proc. Those that read or write files
// of the server (lo_import, lo_export) are not among them.
//
//nolint:gochecknoglobals // immutable facts shared by all sessions
var largeObjects = map[uint32]*policy.Batch{
	952: largeObject("lo_open", true), 953: largeObject("lo_close", false), 954: largeObject("loread", false),
	956: largeObject("lo_lseek", false), 958: largeObject("lo_tell", false),
	3170: largeObject("lo_lseek64", false), 3171: largeObject("lo_tell64", false),
	715: largeObject("lo_create", true), 957: largeObject("lo_creat", true), 955: largeObject("lowrite", true),
	964: largeObject("lo_unlink", true), 1004: largeObject("lo_truncate", true), 3172: largeObject("lo_truncate64", true),
}

// largeObject makes the facts of one; lo_open may open for writing.
func largeObject(name string, writes bool) *policy.Batch {
	table := []policy.Relation{{Schema: "pg_catalog", Name: "pg_largeobject"}}
	st := policy.Statement{
		Kind: policy.KindWrite, Verbs: policy.VerbFunction, Features: policy.FeatLargeObject, Reads: table,
		Functions: []policy.Function{{Schema: "pg_catalog", Name: name}}, PgAudit: "FUNCTION", Fingerprint: functionShape,
	}
	b := &policy.Batch{
		Verbs: st.Verbs, Features: st.Features, Fingerprint: functionShape, VerbNames: []string{"function"},
		ReadNames: []string{"pg_catalog.pg_largeobject"}, FunctionNames: []string{"pg_catalog." + name},
	}
	if writes {
		st.Writes, b.WriteNames = table, b.ReadNames
	}
	b.Statements = []policy.Statement{st}
	return b
}
