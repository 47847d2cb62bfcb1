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
	ownerUnread     = "not all that it does could be read from its text"
	ownerUnresolved = "the tables it read could not all be named for certain"
	ownerTemp       = "it used a temporary table"
	ownerMonitoring = "it read a view that shows each user something else"
	ownerFunction   = "it called a function that may read more than its text says"
)

// origin finds what the door recorded of a run; nil: not all of it is there.
func (a *access) origin(ctx context.Context, rec *Record) *Origin {
	if a.cfg.Intents == nil {
		return nil
	}
	events, err := a.cfg.Intents.Intents(ctx, rec.ID, rec.Submitted)
	if err != nil {
		a.log.WarnContext(ctx, "intents of a run cannot be read", slog.String("run", rec.ID), slog.Any("error", err))
		return nil
	}
	if len(events) == 0 {
		return nil
	}
	return originOf(events)
}

// originOf joins what a run's statements read. What is not sure is for the
// owner alone.
func originOf(events []audit.Event) *Origin {
	o := &Origin{}
	for i := range events {
		e := &events[i]
		o.close(ownerUnread, e.Unread || !e.Expanded || slices.Contains(e.Verbs, policy.VerbUnknown.String()))
		o.close(ownerTemp, e.Temp)
		for _, r := range slices.Concat(e.ResolvedReads, e.ResolvedWrites) {
			o.relation(e.Database, r)
		}
		for _, f := range e.ResolvedFunctions {
			o.close(ownerFunction, strings.HasPrefix(f, "?") || !builtin(f))
			o.Functions = append(o.Functions, f)
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
