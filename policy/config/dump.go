package config

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/policy"
)

// Dump writes a ruleset as the policy it amounts to, with every default
// spelled out. Load reads it back to the same decisions.
func Dump(rs *policy.Ruleset) ([]byte, error) {
	src := rs.Source()
	d := &dict{}
	d.add("version", number(1))
	d.add("defaults", (&dict{}).add("mode", str(src.Mode.String())).add("audit", dumpAudit(&src.Audit)).node())
	d.add("identities", dumpIdentities(&src.Identities))
	var lines []*yaml.Node
	for i := range src.Classify {
		l := &src.Classify[i]
		lines = append(lines, flow((&dict{}).add("when", dumpCondition(&l.When)).add("class", str(l.Class)).node()))
	}
	d.add("classify", seq(lines))
	d.add("classes", dumpClasses(src.Classes))
	d.add("rules", dumpRules(src.Rules))
	d.add("quotas", dumpQuotas(src.Quotas))
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(d.node()); err != nil {
		return nil, fmt.Errorf("write policy: %w", err)
	}
	return out.Bytes(), nil
}

// dict builds a mapping in order; nil values are left out.
type dict struct{ content []*yaml.Node }

func (d *dict) add(key string, value *yaml.Node) *dict {
	if value != nil {
		d.content = append(d.content, str(key), value)
	}
	return d
}

func (d *dict) node() *yaml.Node {
	if len(d.content) == 0 {
		return nil
	}
	return &yaml.Node{Kind: yaml.MappingNode, Content: d.content}
}

// str writes a text so that it is read as one, whatever it looks like.
func str(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

func number(i int64) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.FormatInt(i, 10)}
}

func boolean(b bool) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(b)}
}

func seq(list []*yaml.Node) *yaml.Node {
	if len(list) == 0 {
		return nil
	}
	return &yaml.Node{Kind: yaml.SequenceNode, Content: list}
}

func strs(list []string) *yaml.Node {
	nodes := make([]*yaml.Node, len(list))
	for i, s := range list {
		nodes[i] = str(s)
	}
	return flow(seq(nodes))
}

func flow(n *yaml.Node) *yaml.Node {
	if n != nil {
		n.Style = yaml.FlowStyle
	}
	return n
}

func positive(n int64) *yaml.Node {
	if n <= 0 {
		return nil
	}
	return number(n)
}

func nonEmpty(s string) *yaml.Node {
	if s == "" {
		return nil
	}
	return str(s)
}

func durationNode(d time.Duration) *yaml.Node {
	if d <= 0 {
		return nil
	}
	return str(formatDuration(d))
}

// formatDuration writes what ParseDuration reads, without idle zeros.
func formatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d == 0 {
		return "0s"
	}
	out := ""
	if d >= day {
		out = strconv.FormatInt(int64(d/day), 10) + "d"
		if d %= day; d == 0 {
			return out
		}
	}
	s := d.String()
	if rest, found := strings.CutSuffix(s, "m0s"); found {
		s = rest + "m"
	}
	if rest, found := strings.CutSuffix(s, "h0m"); found {
		s = rest + "h"
	}
	return out + s
}

func dumpAudit(a *policy.AuditSource) *yaml.Node {
	d := &dict{}
	if a.Text != nil {
		d.add("text", str(a.Text.String()))
	}
	if a.Params != nil {
		d.add("params", str(a.Params.String()))
	}
	if a.Durability != policy.DurabilityUnset {
		d.add("durability", str(a.Durability.String()))
	}
	if a.OnFailure != nil {
		d.add("on_failure", str(a.OnFailure.String()))
	}
	return flow(d.node())
}

func dumpIdentities(id *policy.Identities) *yaml.Node {
	from := func(list []string) *yaml.Node { return flow((&dict{}).add("from", strs(list)).node()) }
	d := (&dict{}).add("team", from(id.TeamFrom)).add("tool", from(id.ToolFrom)).add("tags", from(id.TagsFrom))
	roles := &dict{}
	for _, login := range slices.Sorted(maps.Keys(id.RoleMap)) {
		roles.add(login, str(id.RoleMap[login]))
	}
	return d.add("role_map", roles.node()).node()
}

func dumpCondition(c *policy.Condition) *yaml.Node {
	d := &dict{}
	for _, g := range []struct {
		key  string
		list []string
	}{
		{"user", c.User},
		{"auth_user", c.AuthUser},
		{"team", c.Team},
		{"tool", c.Tool},
		{"database", c.Database},
		{"role", c.Role},
		{"environment", c.Environment},
		{"via", c.Via},
		{"urgency", c.Urgency},
		{"class", c.Class},
		{"verb", c.Verb.Names()},
		{"pgaudit", c.PgAudit},
		{"reads", c.Reads},
		{"writes", c.Writes},
		{"function", c.Function},
		{"fingerprint", c.Fingerprint},
		{"client_ip", texts(c.ClientIP)},
		{"kind", texts(c.Kind)},
		{"session_age", texts(c.SessionAge)},
	} {
		d.add(g.key, strs(g.list))
	}
	tags := &dict{}
	for _, t := range c.Tags {
		tags.add(t.Key, strs(t.Values))
	}
	d.add("tags", tags.node())
	if c.HasWhere != nil {
		d.add("has_where", boolean(*c.HasWhere))
	}
	if c.HasLimit != nil {
		d.add("has_limit", boolean(*c.HasLimit))
	}
	var states, windows []string
	for _, s := range c.TxState {
		states = append(states, map[policy.TxState]string{policy.TxIdle: "idle", policy.TxActive: "active", policy.TxFailed: "failed"}[s])
	}
	for _, w := range c.Time {
		windows = append(windows, w.Text)
	}
	d.add("tx_state", strs(states)).add("time", strs(windows))
	d.add("not", dumpConditions(c.Not))
	return flow(d.node())
}

func dumpConditions(list []policy.Condition) *yaml.Node {
	var nodes []*yaml.Node
	for i := range list {
		nodes = append(nodes, dumpCondition(&list[i]))
	}
	if len(nodes) == 1 {
		return nodes[0]
	}
	return flow(seq(nodes))
}

func texts[T fmt.Stringer](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.String()
	}
	return out
}

func dumpClasses(list []policy.ClassSource) *yaml.Node {
	d := &dict{}
	for i := range list {
		c := &list[i]
		n := dumpClass(c)
		if n == nil {
			n = &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		}
		d.add(c.Name, n)
	}
	return d.node()
}

func dumpClass(c *policy.ClassSource) *yaml.Node {
	d := &dict{}
	if c.Mode != policy.ModeInherit {
		d.add("mode", str(c.Mode.String()))
	}
	d.add("concurrency", flow((&dict{}).add("hard", positive(int64(c.Hard))).node()))
	if q := c.Queue; q != nil {
		qd := &dict{}
		if q.Max != nil {
			qd.add("max", number(int64(*q.Max)))
		}
		if q.MaxWait != nil {
			qd.add("max_wait", str(formatDuration(*q.MaxWait)))
		}
		d.add("queue", flow(qd.node()))
	}
	if rel := c.Release; rel != nil {
		rd := &dict{}
		if rel.Ladder != nil {
			l := strs(texts(rel.Ladder))
			if l == nil {
				l = &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
			}
			rd.add("ladder", l)
		}
		if rel.MinIdle != nil {
			rd.add("when_blocking", (&dict{}).add("min_idle", str(formatDuration(*rel.MinIdle))).add("for", strs(rel.For)).node())
		}
		d.add("release", flow(rd.add("max_idle_tx", durationNode(rel.MaxIdleTx)).node()))
	}
	if c.OnClientGone != nil {
		d.add("on_client_gone", str(c.OnClientGone.String()))
	}
	return d.add("limits", dumpLimits(&c.Limits)).add("children", dumpClasses(c.Children)).node()
}

func dumpLimits(l *policy.Limits) *yaml.Node {
	return flow((&dict{}).
		add("query_execution_time", durationNode(l.QueryExecutionTime)).
		add("transaction_time", durationNode(l.TransactionTime)).
		add("idle_session", durationNode(l.IdleSession)).
		add("client_stall", durationNode(l.ClientStall)).
		add("return_row_count", positive(l.ReturnRowCount)).
		add("return_bytes", positive(l.ReturnBytes)).node())
}

func dumpMode(m policy.Mode) *yaml.Node {
	if m == policy.ModeInherit {
		return nil
	}
	return str(m.String())
}

func dumpRules(list []policy.RuleSource) *yaml.Node {
	var nodes []*yaml.Node
	for i := range list {
		r := &list[i]
		d := (&dict{}).add("id", str(r.ID)).add("mode", dumpMode(r.Mode)).
			add("when", dumpCondition(&r.When)).add("except", dumpConditions(r.Except)).
			add("deny", nonEmpty(r.Deny)).add("warn", nonEmpty(r.Warn))
		if r.Queue {
			d.add("queue", boolean(true))
		}
		nodes = append(nodes, d.add("limits", dumpLimits(&r.Limits)).add("audit", dumpAudit(&r.Audit)).node())
	}
	return seq(nodes)
}

func dumpQuotas(list []policy.QuotaSource) *yaml.Node {
	var nodes []*yaml.Node
	for i := range list {
		q := &list[i]
		d := (&dict{}).add("id", str(q.ID)).add("mode", dumpMode(q.Mode)).
			add("when", dumpCondition(&q.When)).add("except", dumpConditions(q.Except)).
			add("key", strs(texts(q.Key))).add("unit", str(q.Unit.String())).add("per", durationNode(q.Per))
		if q.Zone != nil {
			d.add("tz", str(q.Zone.String()))
		}
		d.add("limit", number(q.Limit)).add("burst", positive(q.Burst))
		steps := &dict{}
		for _, s := range q.Ladder {
			steps.content = append(steps.content, number(int64(s.Percent)), str(s.Act.String()))
		}
		nodes = append(nodes, d.add("ladder", flow(steps.node())).node())
	}
	return seq(nodes)
}
