package query

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
)

// Why a run is for its owner, and viewers he names, alone.
const (
	ownerUnrecorded = "where its rows came from is not recorded yet"
	ownerFailed     = "it did not succeed, and an error may quote what a row holds"
	ownerUnrun      = "it did not succeed, and what it would have read is not recorded"
	ownerUnread     = "not all that it does could be read from its text"
	ownerUnresolved = "the tables it read could not all be named for certain"
	ownerTemp       = "it used a temporary table"
	ownerMonitoring = "it read what the warehouse shows each user differently"
	ownerFunction   = "it called a function that may read more than its text says"
)

// origin finds what the door recorded of a run; nil: not all of it is there. The
// record is written a moment late and in order, so it is whole when it holds an
// intent for each statement that was sent.
func (a *access) origin(ctx context.Context, rec *Record, statements []Statement) *Origin {
	sent := slices.DeleteFunc(slices.Clone(statements), func(st Statement) bool { return st.State == StatementPending || st.State == StatementSkipped })
	if a.cfg.Intents == nil || len(sent) == 0 {
		return nil
	}
	events, err := a.cfg.Intents.Intents(ctx, rec.ID, rec.Submitted)
	if err != nil {
		a.log.WarnContext(ctx, "intents of a run cannot be read", slog.String("run", rec.ID), slog.Any("error", err))
		return nil
	}
	if len(events) < len(sent) {
		return nil
	}
	o := originOf(events)
	for i := range sent {
		o.close(ownerMonitoring, shows(&sent[i]))
	}
	return o
}

// originOf joins what a run's statements read. What is not sure is for the
// owner alone. A function that was seen through counts as what it reads.
func originOf(events []audit.Event) *Origin {
	o := &Origin{}
	for i := range events {
		e := &events[i]
		o.close(ownerUnread, e.Unread || !e.Expanded || slices.Contains(e.Verbs, policy.VerbUnknown.String()))
		o.close(ownerTemp, e.Temp)
		more := slices.Contains(e.ResolvedReads, policy.Unsure) // than is listed
		for _, f := range e.ResolvedFunctions {
			o.close(ownerFunction, strings.HasPrefix(f, policy.Unsure) || more && !builtin(f))
			o.close(ownerMonitoring, tells(f))
			o.Functions = append(o.Functions, f)
		}
		for _, r := range slices.Concat(e.ResolvedReads, e.ResolvedWrites) {
			o.relation(e.Database, r)
		}
	}
	slices.Sort(o.Relations)
	slices.Sort(o.Functions)
	o.Relations, o.Functions = slices.Compact(o.Relations), slices.Compact(o.Functions)
	return o
}

// close makes the run its owner's alone; the first reason is told.
func (o *Origin) close(why string, yes bool) {
	if yes && o.OwnerOnly == "" {
		o.OwnerOnly = why
	}
}

func (o *Origin) relation(database, name string) {
	o.close(ownerUnresolved, strings.HasPrefix(name, "?"))
	parts := strings.Split(strings.TrimPrefix(name, "?"), ".")
	if len(parts) < 2 { // a name alone is not resolved
		o.close(ownerUnresolved, true)
		return
	}
	if len(parts) > 3 || len(parts) == 3 && parts[0] != database {
		o.close(ownerUnresolved, true) // of another database, or with a dot in a name
	}
	schema, table := parts[len(parts)-2], parts[len(parts)-1]
	o.close(ownerTemp, strings.HasPrefix(schema, "pg_temp"))
	o.close(ownerMonitoring, monitoring(schema, table))
	o.Relations = append(o.Relations, schema+"."+table)
}

// monitoring reports whether a relation of the system shows each user something
// else, or what others do.
func monitoring(schema, table string) bool {
	switch schema {
	case "pg_catalog", "pg_internal":
		for _, prefix := range []string{"pg_stat", "pg_locks", "pg_cursors", "pg_prepared", "pg_settings", "pg_shadow", "pg_user", "pg_authid", "pg_backend", "pg_shmem", "stl_", "stv_", "svl_", "svv_", "svcs_", "sys_"} {
			if strings.HasPrefix(table, prefix) {
				return true
			}
		}
	case "information_schema":
		return true // it lists what the asker may see
	}
	return false
}

// tells reports whether a function of the server tells of its users, sessions or
// settings: the views that show those are made of such.
func tells(function string) bool {
	name := strings.TrimPrefix(function, "pg_catalog.")
	for _, prefix := range []string{
		"pg_stat_get_", "pg_show_", "pg_lock", "pg_blocking_pids", "pg_safe_snapshot_blocking_pids", "pg_cursor", "pg_prepared_", "pg_ls_",
		"pg_hba_file_rules", "pg_ident_file_mappings", "pg_current_logfile", "pg_get_replication", "pg_get_wal", "pg_get_backend_memory_contexts",
		"pg_get_shmem", "pg_listening_channels", "pg_notification_queue", "pg_my_temp_schema", "current_setting", "has_", "pg_has_role",
		"row_security_active", "inet_client", "current_query",
	} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// shows reports whether a statement printed settings, as SHOW does.
func shows(st *Statement) bool {
	return st.Kind == policy.KindUtility.String() && st.Result != nil && len(st.Result.Columns) > 0
}

// builtin reports whether a resolved function is the server's own.
func builtin(name string) bool {
	schema, _, qualified := strings.Cut(name, ".")
	return !qualified || schema == "pg_catalog"
}

// relations are the origin's as the policy takes them; of a run whose origin is
// not known yet there are none.
func (o *Origin) relations(database string) []policy.Relation {
	if o == nil {
		return nil
	}
	out := make([]policy.Relation, 0, len(o.Relations))
	for _, name := range o.Relations {
		schema, table, _ := strings.Cut(name, ".")
		out = append(out, policy.Relation{Database: database, Schema: schema, Name: table})
	}
	return out
}

func (o *Origin) functions() []policy.Function {
	out := make([]policy.Function, 0, len(o.Functions))
	for _, name := range o.Functions {
		schema, fn, qualified := strings.Cut(name, ".")
		if !qualified {
			schema, fn = "", name
		}
		out = append(out, policy.Function{Schema: schema, Name: fn})
	}
	return out
}
