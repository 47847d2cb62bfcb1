package catalog

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"slices"

	"github.com/lockkeeper/lockkeeper/policy"
)

// harmless are volatile functions of the server without an effect that the end
// of a transaction takes away or lets loose, beyond what its locks and its
// transaction id show.
//
//nolint:gochecknoglobals // an immutable table
var harmless = map[string]bool{
	"clock_timestamp": true, "timeofday": true, "random": true, "gen_random_uuid": true,
	"pg_sleep": true, "pg_sleep_for": true, "pg_sleep_until": true,
	"currval": true, "lastval": true, "nextval": true, // nextval and setval lock the sequence
	"setval": true, "txid_current": true, "pg_current_xact_id": true,
	"pg_relation_size": true, "pg_total_relation_size": true, "pg_table_size": true, "pg_indexes_size": true,
	"pg_database_size": true, "pg_tablespace_size": true, "pg_relation_filenode": true,
	"pg_lock_status": true, "pg_blocking_pids": true, "pg_safe_snapshot_blocking_pids": true,
	"pg_is_in_recovery": true, "pg_current_wal_lsn": true, "pg_current_wal_insert_lsn": true, "pg_current_wal_flush_lsn": true,
	"pg_last_wal_receive_lsn": true, "pg_last_wal_replay_lsn": true, "pg_last_xact_replay_timestamp": true,
	"pg_notification_queue_usage": true, "pg_show_all_file_settings": true, "pg_hba_file_rules": true,
	"pg_prepared_xact": true, "pg_isolation_test_session_is_blocked": true, "pg_xact_commit_timestamp": true,
	"pg_last_committed_xact": true, "pg_get_wal_replay_pause_state": true, "pg_is_wal_replay_paused": true,
}

// kinds maps pg_class.relkind.
//
//nolint:gochecknoglobals // an immutable table
var kinds = map[string]policy.RelationKind{
	"r": policy.RelTable, "p": policy.RelTable, "v": policy.RelView, "m": policy.RelMaterialized,
	"f": policy.RelForeign, "S": policy.RelSequence,
}

// contents is a read catalog that has no version yet.
type contents struct {
	database  string
	relations []policy.CatalogRelation
	functions []policy.CatalogFunction
}

// sum tells two contents apart.
func (c *contents) sum() (sum [sha256.Size]byte) {
	h := sha256.New()
	enc := json.NewEncoder(h)
	_ = enc.Encode(c.database) // a hash takes everything
	for i := range c.relations {
		_ = enc.Encode(&c.relations[i])
	}
	for i := range c.functions {
		_ = enc.Encode(&c.functions[i])
	}
	return [sha256.Size]byte(h.Sum(sum[:0]))
}

func (c *contents) catalog(version uint64) *policy.Catalog {
	return policy.NewCatalog(policy.CatalogData{
		Database: c.database, Version: version, Relations: c.relations, Functions: c.functions,
	})
}

// builder turns oids into names.
type builder struct {
	rows      *rows
	relations map[uint32]policy.Relation
	functions map[uint32]policy.Function
}

func build(in *rows) *contents {
	b := builder{
		rows:      in,
		relations: make(map[uint32]policy.Relation, len(in.relations)),
		functions: make(map[uint32]policy.Function, len(in.functions)),
	}
	out := &contents{database: in.database}
	at := make(map[uint32]int, len(in.relations)) // index in out.relations
	for _, r := range in.relations {
		b.relations[r.oid] = policy.Relation{Schema: r.schema, Name: r.name}
		if !system(r.schema) {
			at[r.oid] = len(out.relations)
			out.relations = append(out.relations, policy.CatalogRelation{Schema: r.schema, Name: r.name, Kind: kinds[r.kind]})
		}
	}
	for _, f := range in.functions {
		b.functions[f.oid] = policy.Function{Schema: f.schema, Name: f.name}
	}
	for _, i := range in.inherits {
		if k, ok := at[i.parent]; ok {
			if child, ok := b.relations[i.child]; ok {
				out.relations[k].Bases = append(out.relations[k].Bases, child)
			}
		}
	}
	for i := range in.views {
		if k, ok := at[in.views[i].of]; ok {
			b.view(&out.relations[k], &in.views[i])
		}
	}
	for i := range in.policies {
		if k, ok := at[in.policies[i].of]; ok {
			// A row policy shows nothing of what it reads, so it opens no name;
			// but it may act.
			calls, effects := b.calls(&in.policies[i])
			out.relations[k].Effects = out.relations[k].Effects || effects || len(calls) > 0
		}
	}
	for i := range in.functions {
		out.functions = append(out.functions, b.function(&in.functions[i]))
	}
	return out
}

// view fills in what a definition stands on. A materialized view has run its
// functions already, but what it holds came from its bases.
func (b *builder) view(r *policy.CatalogRelation, tree *treeRow) {
	r.Bases = append(r.Bases, b.reads(tree)...)
	if r.Kind == policy.RelMaterialized {
		return
	}
	r.Calls, r.Effects = b.calls(tree)
}

func (b *builder) reads(tree *treeRow) []policy.Relation {
	var out []policy.Relation
	for _, oid := range tree.relations {
		if rel, ok := b.relations[oid]; ok && oid != tree.of {
			out = append(out, rel)
		}
	}
	return out
}

// calls returns the functions of a tree that a policy must know of: those of
// the user, and the server's own that may do more than their arguments say.
func (b *builder) calls(tree *treeRow) (calls []policy.Function, effects bool) {
	effects = tree.domains
	for _, oid := range tree.functions {
		if f, ok := b.functions[oid]; ok {
			calls = append(calls, f)
			continue
		}
		if f, ok := b.rows.builtins[oid]; ok {
			calls = append(calls, policy.Function{Schema: "pg_catalog", Name: f.name})
			effects = effects || f.volatile && !harmless[f.name]
		}
	}
	return unique(calls), effects
}

func (b *builder) function(f *functionRow) policy.CatalogFunction {
	out := policy.CatalogFunction{Schema: f.schema, Name: f.name, Volatility: f.volatility[0]}
	switch {
	case f.prokind == "a":
		out.Trusted = true
		out.Calls, _ = b.calls(&treeRow{functions: f.parts})
	case f.selects && f.prokind == "f":
		var effects bool
		out.Reads = b.reads(&f.tree)
		out.Calls, effects = b.calls(&f.tree)
		out.Trusted = !effects
	case f.volatility == "i" && (f.language == "c" || f.language == "internal"):
		out.Trusted = true
	}
	return out
}

func system(schema string) bool { return schema == "pg_catalog" || schema == "information_schema" }

func unique(list []policy.Function) []policy.Function {
	slices.SortFunc(list, func(a, b policy.Function) int {
		if a.Schema != b.Schema {
			return cmp.Compare(a.Schema, b.Schema)
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return slices.Compact(list)
}
