package policy

import "slices"

// maxExpansion bounds what one name may expand to; beyond it the answer is
// incomplete.
const maxExpansion = 4096

// expansion is what reading a relation or calling a function reaches.
type expansion struct {
	reads   []Relation
	calls   []Function
	open    bool // there may be more
	effects bool // it has an effect on the session or on others
}

// sqlRunners are functions of pg_catalog that run a text as SQL or read files:
// what they read is not in the statement.
var sqlRunners = []string{
	"query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema",
	"table_to_xml", "table_to_xmlschema", "table_to_xml_and_xmlschema",
	"schema_to_xml", "schema_to_xmlschema", "schema_to_xml_and_xmlschema",
	"database_to_xml", "database_to_xmlschema", "database_to_xml_and_xmlschema",
	"cursor_to_xml", "cursor_to_xmlschema", "ts_stat", "ts_rewrite",
	"dblink", "dblink_exec", "dblink_open", "dblink_send_query",
	"pg_read_file", "pg_read_binary_file", "lo_import", "lo_export",
	"pg_logical_slot_get_changes", "pg_logical_slot_peek_changes",
	"pg_logical_slot_get_binary_changes", "pg_logical_slot_peek_binary_changes",
}

func (c *Catalog) expand(rel Relation) expansion {
	if c.relations[Relation{Schema: rel.Schema, Name: rel.Name}] == nil {
		return expansion{}
	}
	w := walk{c: c, relations: map[Relation]bool{{Schema: rel.Schema, Name: rel.Name}: true}, functions: map[Function]bool{}}
	w.relation(rel)
	return w.out
}

func (c *Catalog) expandCalls(functions []Function) expansion {
	w := walk{c: c, relations: map[Relation]bool{}, functions: map[Function]bool{}}
	for _, f := range functions {
		w.functions[f] = true
	}
	for _, f := range functions {
		w.function(f)
	}
	return w.out
}

// walk follows views and functions to their bases, each once.
type walk struct {
	c         *Catalog
	relations map[Relation]bool
	functions map[Function]bool
	out       expansion
}

func (w *walk) relation(rel Relation) {
	r := w.c.relations[Relation{Schema: rel.Schema, Name: rel.Name}]
	if r == nil {
		return
	}
	w.out.open = w.out.open || r.Opaque
	w.out.effects = w.out.effects || r.Effects
	w.follow(r.Bases, r.Calls)
}

func (w *walk) function(f Function) {
	list := w.c.functions[f]
	if len(list) == 0 && slices.Contains(sqlRunners, f.Name) {
		w.out.open = true
	}
	for _, fn := range list {
		if !fn.Trusted {
			w.out.open = true
		}
		w.follow(fn.Reads, fn.Calls)
	}
}

func (w *walk) follow(bases []Relation, calls []Function) {
	for _, b := range bases {
		if w.relations[b] {
			continue
		}
		if len(w.out.reads)+len(w.out.calls) >= maxExpansion {
			w.out.open = true
			return
		}
		w.relations[b] = true
		w.out.reads = append(w.out.reads, b)
		w.relation(b)
	}
	for _, f := range calls {
		if w.functions[f] {
			continue
		}
		if len(w.out.reads)+len(w.out.calls) >= maxExpansion {
			w.out.open = true
			return
		}
		w.functions[f] = true
		w.out.calls = append(w.out.calls, f)
		w.function(f)
	}
}

// resolveFunction returns the functions a name may mean. Overloads of other
// schemas compete with built-in ones by their argument types, so every one of
// them counts, and the built-in one as well.
func (c *Catalog) resolveFunction(f Function, path []string, known bool) (candidates []Function, certain bool) {
	if f.Schema != "" {
		return []Function{f}, true
	}
	if !known {
		candidates = append(candidates, c.funcNames[f.Name]...)
	} else {
		for _, schema := range path {
			k := Function{Schema: schema, Name: f.Name}
			if c.functions[k] != nil {
				candidates = append(candidates, k)
			}
		}
	}
	if len(candidates) == 0 {
		return []Function{{Schema: "pg_catalog", Name: f.Name}}, true
	}
	builtin := Function{Schema: "pg_catalog", Name: f.Name}
	if !slices.Contains(candidates, builtin) {
		candidates = append(candidates, builtin)
	}
	return candidates, false
}
