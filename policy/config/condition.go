package config

import (
	"fmt"
	"net/netip"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/policy"
)

// condition reads when, except and not.
func (r *reader) condition(n *yaml.Node, where string) policy.Condition {
	return r.nested(n, where, 0)
}

// maxNesting bounds not within not.
const maxNesting = 8

func (r *reader) nested(n *yaml.Node, where string, depth int) policy.Condition {
	var c policy.Condition
	globs := func(key string, into *[]string) (string, func(*yaml.Node)) {
		return key, func(v *yaml.Node) { *into = r.texts(v, where+"."+key) }
	}
	f := fields{}
	for key, into := range map[string]*[]string{
		"user": &c.User, "auth_user": &c.AuthUser, "team": &c.Team, "tool": &c.Tool,
		"database": &c.Database, "role": &c.Role, "environment": &c.Environment, "via": &c.Via, "urgency": &c.Urgency,
		"class": &c.Class, "pgaudit": &c.PgAudit, "function": &c.Function, "fingerprint": &c.Fingerprint,
	} {
		k, read := globs(key, into)
		f[k] = read
	}
	f["reads"] = func(v *yaml.Node) { c.Reads = r.tableGlobs(v, where+".reads") }
	f["writes"] = func(v *yaml.Node) { c.Writes = r.tableGlobs(v, where+".writes") }
	f["client_ip"] = func(v *yaml.Node) { c.ClientIP = r.networks(v, where+".client_ip") }
	f["verb"] = func(v *yaml.Node) { c.Verb = r.verbs(v, where+".verb") }
	f["kind"] = func(v *yaml.Node) { c.Kind = r.kinds(v, where+".kind") }
	f["tags"] = func(v *yaml.Node) { c.Tags = r.tags(v, where+".tags") }
	f["has_where"] = func(v *yaml.Node) { c.HasWhere = r.flag(v, where+".has_where") }
	f["has_limit"] = func(v *yaml.Node) { c.HasLimit = r.flag(v, where+".has_limit") }
	f["tx_state"] = func(v *yaml.Node) { c.TxState = r.txStates(v, where+".tx_state") }
	f["session_age"] = func(v *yaml.Node) { c.SessionAge = r.ages(v, where+".session_age") }
	f["time"] = func(v *yaml.Node) { c.Time = r.windows(v, where+".time") }
	f["not"] = func(v *yaml.Node) {
		if depth >= maxNesting {
			r.fail(v, "", "%s.not is nested deeper than %d", where, maxNesting)
			return
		}
		c.Not = r.conditions(v, where+".not", depth+1)
	}
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		r.fail(n, "leave the key out to match everything", "%s is empty", where)
	}
	if isNull(n) {
		r.fail(n, "leave the key out to match everything", "%s is empty", where)
	}
	r.mapping(n, where, f, "load", "metric", "job", "workspace", "support_actor", "if")
	return c
}

// conditions reads one condition or a list of them.
func (r *reader) conditions(n *yaml.Node, where string, depth int) []policy.Condition {
	if n.Kind != yaml.SequenceNode {
		return []policy.Condition{r.nested(n, where, depth)}
	}
	if len(n.Content) == 0 {
		r.fail(n, "leave the key out", "%s is an empty list", where)
	}
	var out []policy.Condition
	for i, item := range n.Content {
		out = append(out, r.nested(item, fmt.Sprintf("%s[%d]", where, i), depth))
	}
	return out
}

// tableGlobs reads name, schema.name or database.schema.name.
func (r *reader) tableGlobs(n *yaml.Node, where string) []string {
	out := r.texts(n, where)
	for _, s := range out {
		if strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") || strings.Contains(s, "..") || strings.Count(s, ".") > 2 {
			r.fail(n, "such as pii.* or orders", "%s: %q is not a table glob", where, short(s))
		}
	}
	return out
}

func (r *reader) flag(n *yaml.Node, where string) *bool {
	if b, ok := r.boolean(n, where); ok {
		return &b
	}
	return nil
}

func (r *reader) networks(n *yaml.Node, where string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range r.texts(n, where) {
		if p, err := netip.ParsePrefix(s); err == nil {
			if p != p.Masked() {
				r.fail(n, "did you mean "+p.Masked().String()+"?", "%s: %q has bits beyond its mask", where, s)
				continue
			}
			out = append(out, p)
			continue
		}
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			r.fail(n, "such as 10.1.2.3 or 10.0.0.0/8", "%s: %q is neither an address nor a network", where, short(s))
			continue
		}
		a = a.Unmap()
		out = append(out, netip.PrefixFrom(a, a.BitLen()))
	}
	return out
}

func (r *reader) verbs(n *yaml.Node, where string) policy.Verbs {
	var out policy.Verbs
	for _, s := range r.texts(n, where) {
		v, ok := policy.ParseVerb(s)
		if !ok {
			all := (policy.VerbResultRead<<1 - 1).Names()
			r.fail(n, suggest(s, all, all), "%s: %q is not a verb", where, short(s))
		}
		out |= v
	}
	return out
}

func (r *reader) kinds(n *yaml.Node, where string) []policy.Kind {
	var out []policy.Kind
	for _, s := range r.texts(n, where) {
		k, ok := policy.ParseKind(strings.ReplaceAll(s, "-", "_"))
		if !ok {
			var all []string
			for i := policy.KindUnknown; i <= policy.KindTransaction; i++ {
				all = append(all, i.String())
			}
			r.fail(n, suggest(s, all, all), "%s: %q is not a kind", where, short(s))
			continue
		}
		out = append(out, k)
	}
	return out
}

func (r *reader) tags(n *yaml.Node, where string) []policy.TagMatch {
	var out []policy.TagMatch
	r.pairs(n, where, func(key string, value *yaml.Node) {
		out = append(out, policy.TagMatch{Key: key, Values: r.texts(value, where+"."+key)})
	})
	if len(out) == 0 && (isNull(n) || n.Kind == yaml.MappingNode) {
		r.fail(n, "such as tags: {app: dbt}", "%s is empty", where)
	}
	return out
}

func (r *reader) txStates(n *yaml.Node, where string) []policy.TxState {
	words := map[string]policy.TxState{"idle": policy.TxIdle, "active": policy.TxActive, "failed": policy.TxFailed}
	var out []policy.TxState
	for _, s := range r.texts(n, where) {
		st, ok := words[s]
		if !ok {
			known := []string{"idle", "active", "failed"}
			r.fail(n, suggest(s, known, known), "%s: %q is not a transaction state", where, short(s))
			continue
		}
		out = append(out, st)
	}
	return out
}

func (r *reader) ages(n *yaml.Node, where string) []policy.AgeBound {
	var out []policy.AgeBound
	for _, s := range r.texts(n, where) {
		b := policy.AgeBound{Older: strings.HasPrefix(s, ">")}
		d, err := ParseDuration(strings.TrimSpace(strings.TrimLeft(s, "<>")))
		if err != nil || (s[0] != '<' && s[0] != '>') {
			r.fail(n, `such as ">8h"`, "%s: %q is not a bound", where, short(s))
			continue
		}
		b.Than = d
		out = append(out, b)
	}
	return out
}

func (r *reader) windows(n *yaml.Node, where string) []policy.Window {
	var out []policy.Window
	for _, s := range r.texts(n, where) {
		w, err := ParseWindow(s)
		if err != nil {
			r.fail(n, "such as Mon-Fri 09:00-18:00 Europe/Berlin", "%s: %v", where, err)
			continue
		}
		out = append(out, w)
	}
	return out
}
