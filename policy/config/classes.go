package config

import (
	"math"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/policy"
)

// classes reads a mapping of class names to classes.
func (r *reader) classes(n *yaml.Node, where string, depth int) []policy.ClassSource {
	if depth > policy.MaxClassDepth {
		r.fail(n, "", "%s: classes are nested deeper than %d", where, policy.MaxClassDepth)
		return nil
	}
	var out []policy.ClassSource
	r.pairs(n, where, func(name string, value *yaml.Node) {
		here := where + "." + name
		r.places[here] = value
		c := policy.ClassSource{Name: name}
		r.class(value, here, depth, &c)
		out = append(out, c)
	})
	return out
}

func (r *reader) class(n *yaml.Node, where string, depth int, c *policy.ClassSource) {
	r.mapping(n, where, fields{
		"mode":        func(v *yaml.Node) { c.Mode = r.mode(v, where+".mode") },
		"concurrency": func(v *yaml.Node) { r.concurrency(v, where+".concurrency", c) },
		"queue":       func(v *yaml.Node) { c.Queue = r.queue(v, where+".queue") },
		"release":     func(v *yaml.Node) { c.Release = r.release(v, where+".release") },
		"on_client_gone": func(v *yaml.Node) {
			c.OnClientGone = choose(r, v, where+".on_client_gone", policy.GoneCancel, policy.GoneFinish)
		},
		"limits": func(v *yaml.Node) { c.Limits = r.limits(v, where+".limits") },
		"transactions": func(v *yaml.Node) {
			if s, ok := r.word(v, where+".transactions", "passthrough", "deferred", "virtual"); ok && s != "passthrough" {
				r.notYet(v, where+".transactions: "+s)
			}
		},
		"children": func(v *yaml.Node) { c.Children = r.classes(v, where+".children", depth+1) },
	}, "weight", "trust_catalog", "explicit_locks", "upstream", "pooling", "pool", "pool_mode", "pool_size", "snapshot")
}

func (r *reader) concurrency(n *yaml.Node, where string, c *policy.ClassSource) {
	r.mapping(n, where, fields{
		"hard": func(v *yaml.Node) {
			i, ok := r.integer(v, where+".hard")
			switch {
			case ok && i < 1:
				r.fail(v, "to stop a class, use a rule that denies", "%s.hard must be at least 1", where)
			case ok && i > math.MaxInt32:
				r.fail(v, "leave it out for no bound", "%s.hard is too large", where)
			case ok:
				c.Hard = int(i)
			}
		},
	}, "soft", "adaptive")
}

func (r *reader) queue(n *yaml.Node, where string) *policy.QueueSource {
	q := &policy.QueueSource{}
	r.mapping(n, where, fields{
		"max": func(v *yaml.Node) {
			if i, ok := r.count(v, where+".max", 0); ok {
				m := int(min(i, 1_000_000))
				q.Max = &m
			}
		},
		"max_wait": func(v *yaml.Node) {
			if d, ok := r.duration(v, where+".max_wait", 0); ok {
				q.MaxWait = &d
			}
		},
	}, "policy")
	return q
}

// ladderWords are the rungs this version has; never is a ladder without any.
var ladderWords = []string{"notice", "rollback", "kill"}

func (r *reader) release(n *yaml.Node, where string) *policy.ReleaseSource {
	rel := &policy.ReleaseSource{}
	r.mapping(n, where, fields{
		"ladder": func(v *yaml.Node) { rel.Ladder = r.ladder(v, where+".ladder") },
		"when_blocking": func(v *yaml.Node) {
			r.mapping(v, where+".when_blocking", fields{
				"min_idle": func(m *yaml.Node) {
					if d, ok := r.duration(m, where+".when_blocking.min_idle", 0); ok {
						rel.MinIdle = &d
					}
				},
				"for": func(m *yaml.Node) { rel.For = r.texts(m, where+".when_blocking.for") },
			})
			if rel.MinIdle == nil || len(rel.For) == 0 {
				r.fail(v, "such as {min_idle: 30s, for: [etl]}", "%s.when_blocking needs both min_idle and for", where)
			}
		},
		"max_idle_tx": func(v *yaml.Node) {
			if d, ok := r.duration(v, where+".max_idle_tx", time.Millisecond); ok {
				rel.MaxIdleTx = d
			}
		},
	}, "snapshot")
	return rel
}

func (r *reader) ladder(n *yaml.Node, where string) []policy.ReleaseMode {
	out := []policy.ReleaseMode{}
	for _, item := range r.list(n, where) {
		s, ok := r.text(item, where)
		switch {
		case !ok:
		case s == "transparent":
			r.notYet(item, where+": transparent")
		case s == "notice":
			out = append(out, policy.ReleaseNotice)
		case s == "rollback":
			out = append(out, policy.ReleaseRollback)
		case s == "kill":
			out = append(out, policy.ReleaseKill)
		default:
			r.fail(item, suggest(s, ladderWords, ladderWords), "%s: %q is not a rung", where, short(s))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (r *reader) limits(n *yaml.Node, where string) policy.Limits {
	var l policy.Limits
	bound := func(key string, into *time.Duration) (string, func(*yaml.Node)) {
		return key, func(v *yaml.Node) { *into, _ = r.duration(v, where+"."+key, time.Millisecond) }
	}
	f := fields{
		"return_row_count": func(v *yaml.Node) { l.ReturnRowCount, _ = r.count(v, where+".return_row_count", 1) },
		"return_bytes":     func(v *yaml.Node) { l.ReturnBytes = r.size(v, where+".return_bytes") },
	}
	for key, into := range map[string]*time.Duration{
		"query_execution_time": &l.QueryExecutionTime,
		"transaction_time":     &l.TransactionTime,
		"idle_session":         &l.IdleSession,
		"client_stall":         &l.ClientStall,
	} {
		k, read := bound(key, into)
		f[k] = read
	}
	if isNull(n) || len(n.Content) == 0 {
		r.fail(n, "such as {query_execution_time: 10m}", "%s is empty", where)
		return l
	}
	r.mapping(n, where, f)
	return l
}
