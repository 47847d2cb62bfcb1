package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/policy"
)

// idPattern keeps ids short and printable: they go into errors, records and
// the console.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}$`)

func (r *reader) id(n *yaml.Node, where string) string {
	s, ok := r.text(n, where)
	if ok && !idPattern.MatchString(s) {
		r.fail(n, "letters, digits and _ . : / -, at most 64", "%s: %q is not an id", where, short(s))
		return ""
	}
	return s
}

func (r *reader) rules(n *yaml.Node, src *policy.Source) {
	for i, item := range r.list(n, "rules") {
		where := fmt.Sprintf("rules[%d]", i)
		r.places[where] = item
		var rule policy.RuleSource
		r.mapping(item, where, fields{
			"id":     func(v *yaml.Node) { rule.ID = r.id(v, where+".id") },
			"mode":   func(v *yaml.Node) { rule.Mode = r.mode(v, where+".mode") },
			"when":   func(v *yaml.Node) { rule.When = r.condition(v, where+".when") },
			"except": func(v *yaml.Node) { rule.Except = r.conditions(v, where+".except", 0) },
			"deny":   func(v *yaml.Node) { rule.Deny, _ = r.text(v, where+".deny") },
			"warn":   func(v *yaml.Node) { rule.Warn, _ = r.text(v, where+".warn") },
			"queue":  func(v *yaml.Node) { rule.Queue, _ = r.boolean(v, where+".queue") },
			"limits": func(v *yaml.Node) { rule.Limits = r.limits(v, where+".limits") },
			"audit":  func(v *yaml.Node) { rule.Audit = r.audit(v, where+".audit") },
		}, "approve", "if", "then", "reclass", "waiver", "release")
		if rule.ID == "" && item.Kind == yaml.MappingNode && !has(item, "id") {
			r.fail(item, "it names the rule in errors and records", "%s needs an id", where)
		}
		src.Rules = append(src.Rules, rule)
	}
}

// has tells whether a mapping holds a key.
func has(n *yaml.Node, key string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return true
		}
	}
	return false
}

func (r *reader) quotas(n *yaml.Node, src *policy.Source) {
	for i, item := range r.list(n, "quotas") {
		where := fmt.Sprintf("quotas[%d]", i)
		r.places[where] = item
		q := r.quota(item, where)
		if item.Kind == yaml.MappingNode {
			for _, key := range []string{"id", "key", "unit", "per", "limit"} {
				if !has(item, key) {
					r.fail(item, "a quota has id, key, unit, per and limit", "%s needs %s", where, key)
				}
			}
		}
		src.Quotas = append(src.Quotas, q)
	}
}

func (r *reader) quota(n *yaml.Node, where string) policy.QuotaSource {
	var q policy.QuotaSource
	var limit, burst *yaml.Node
	r.mapping(n, where, fields{
		"id":     func(v *yaml.Node) { q.ID = r.id(v, where+".id") },
		"mode":   func(v *yaml.Node) { q.Mode = r.mode(v, where+".mode") },
		"when":   func(v *yaml.Node) { q.When = r.condition(v, where+".when") },
		"except": func(v *yaml.Node) { q.Except = r.conditions(v, where+".except", 0) },
		"key":    func(v *yaml.Node) { q.Key = r.quotaKey(v, where+".key") },
		"unit":   func(v *yaml.Node) { q.Unit = r.unit(v, where+".unit") },
		"per":    func(v *yaml.Node) { q.Per, _ = r.duration(v, where+".per", time.Millisecond) },
		"tz": func(v *yaml.Node) {
			if s, ok := r.text(v, where+".tz"); ok {
				zone, err := parseZone(s)
				if err != nil {
					r.fail(v, "such as UTC or Europe/Berlin", "%s.tz: %v", where, err)
				}
				q.Zone = zone
			}
		},
		"limit":  func(v *yaml.Node) { limit = v },
		"burst":  func(v *yaml.Node) { burst = v },
		"ladder": func(v *yaml.Node) { q.Ladder = r.quotaLadder(v, where+".ladder") },
	})
	// the unit says how to read amounts, and may stand after them
	if limit != nil {
		q.Limit = r.amount(limit, where+".limit", q.Unit)
	}
	if burst != nil {
		q.Burst = r.amount(burst, where+".burst", q.Unit)
	}
	return q
}

func (r *reader) quotaKey(n *yaml.Node, where string) []policy.QuotaKey {
	var out []policy.QuotaKey
	for _, s := range r.texts(n, where) {
		if table, found := strings.CutPrefix(s, "table:"); found {
			if table == "" || strings.Contains(table, "..") || strings.Count(table, ".") > 2 {
				r.fail(n, "such as table:pii.*", "%s: %q is not a table glob", where, short(s))
			}
			out = append(out, policy.QuotaKey{Name: "table", Table: table})
			continue
		}
		known := policy.QuotaKeyNames()
		if indexOf(known, s) < 0 {
			r.fail(n, suggest(s, known, append(known, "table:GLOB")), "%s: %q is not known", where, short(s))
			continue
		}
		out = append(out, policy.QuotaKey{Name: s})
	}
	return out
}

func (r *reader) unit(n *yaml.Node, where string) policy.QuotaUnit {
	s, ok := r.text(n, where)
	if !ok {
		return 0
	}
	switch s {
	case "lock_seconds", "scanned_mb", "cpu_s":
		r.notYet(n, where+": "+s)
		return 0
	}
	u, ok := policy.ParseQuotaUnit(s)
	if !ok {
		r.fail(n, suggest(s, policy.QuotaUnits(), policy.QuotaUnits()), "%s: %q is not known", where, short(s))
	}
	return u
}

// amount reads a limit: a number, a size for bytes, a duration for seconds.
func (r *reader) amount(n *yaml.Node, where string, unit policy.QuotaUnit) int64 {
	if n.Kind == yaml.ScalarNode && n.Tag != "!!int" && n.Tag != "!!float" {
		switch unit {
		case policy.UnitBytesIn, policy.UnitBytesOut:
			return r.size(n, where)
		case policy.UnitExecSeconds, policy.UnitQueueSeconds, policy.UnitIdleTxSeconds:
			d, ok := r.duration(n, where, time.Second)
			if ok && d%time.Second != 0 {
				r.fail(n, "", "%s must be whole seconds", where)
			}
			return int64(d / time.Second)
		case policy.UnitStatements, policy.UnitRowsReturned, policy.UnitRowsWritten:
		}
	}
	i, ok := r.count(n, where, 1)
	if ok && i > math.MaxInt64/1000 {
		r.fail(n, "", "%s is too large", where)
		return 1
	}
	return i
}

func (r *reader) quotaLadder(n *yaml.Node, where string) []policy.QuotaStep {
	words := map[string]policy.QuotaAct{"notify": policy.QuotaNotify, "refuse_new": policy.QuotaRefuseNew, "cancel": policy.QuotaCancel}
	var out []policy.QuotaStep
	r.pairs(n, where, func(key string, value *yaml.Node) {
		percent, err := strconv.Atoi(key)
		if err != nil {
			r.fail(value, "such as {80: notify, 100: refuse_new}", "%s: %q is not a percentage", where, short(key))
			return
		}
		if value.Kind == yaml.MappingNode && has(value, "reclass") {
			r.notYet(value, where+"."+key+": reclass")
			return
		}
		if s, ok := r.word(value, where+"."+key, "notify", "refuse_new", "cancel"); ok {
			out = append(out, policy.QuotaStep{Percent: percent, Act: words[s]})
		}
	})
	if len(out) == 0 && (isNull(n) || len(n.Content) == 0) {
		r.fail(n, "leave it out for {100: refuse_new}", "%s is empty", where)
	}
	return out
}
