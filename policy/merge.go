package policy

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// tighter returns the strictest of both, bound by bound, with its source. Of
// two equal bounds the first one's source stands.
func (l Limits) tighter(o Limits) Limits {
	stricter(&l.QueryExecutionTime, o.QueryExecutionTime, &l.QueryExecutionTimeFrom, o.QueryExecutionTimeFrom)
	stricter(&l.TransactionTime, o.TransactionTime, &l.TransactionTimeFrom, o.TransactionTimeFrom)
	stricter(&l.IdleSession, o.IdleSession, &l.IdleSessionFrom, o.IdleSessionFrom)
	stricter(&l.ReturnRowCount, o.ReturnRowCount, &l.ReturnRowCountFrom, o.ReturnRowCountFrom)
	stricter(&l.ReturnBytes, o.ReturnBytes, &l.ReturnBytesFrom, o.ReturnBytesFrom)
	var unnamed string
	stricter(&l.ClientStall, o.ClientStall, &unnamed, "")
	return l
}

func stricter[T int64 | time.Duration](have *T, other T, from *string, otherFrom string) {
	if other > 0 && (*have == 0 || other < *have) {
		*have, *from = other, otherFrom
	}
}

// name writes the source of each bound that is set.
func (l *Limits) name(source string) {
	set := func(on bool, from *string) {
		if on {
			*from = source
		}
	}
	set(l.QueryExecutionTime > 0, &l.QueryExecutionTimeFrom)
	set(l.TransactionTime > 0, &l.TransactionTimeFrom)
	set(l.IdleSession > 0, &l.IdleSessionFrom)
	set(l.ReturnRowCount > 0, &l.ReturnRowCountFrom)
	set(l.ReturnBytes > 0, &l.ReturnBytesFrom)
}

func (l *Limits) empty() bool {
	return l.QueryExecutionTime == 0 && l.TransactionTime == 0 && l.IdleSession == 0 &&
		l.ClientStall == 0 && l.ReturnRowCount == 0 && l.ReturnBytes == 0
}

// raise lifts a plan to at least what src asks for.
func (p *AuditPlan) raise(src *AuditSource) {
	if src.Text != nil {
		p.Text = max(p.Text, *src.Text)
	}
	if src.Params != nil {
		p.Params = max(p.Params, *src.Params)
	}
	p.Durability = max(p.Durability, src.Durability)
	if src.OnFailure != nil {
		p.OnFailure = max(p.OnFailure, *src.OnFailure)
	}
}

// basePlan is the audit plan before any rule.
func basePlan(src *AuditSource) AuditPlan {
	p := AuditPlan{Text: TextNormalized, OnFailure: FailClosedForWrites}
	if src.Text != nil {
		p.Text = *src.Text
	}
	if src.Params != nil {
		p.Params = *src.Params
	}
	if src.OnFailure != nil {
		p.OnFailure = *src.OnFailure
	}
	p.Durability = src.Durability
	return p
}

// outcome is what a set of matched rules amounts to. It is immutable and
// shared by every decision that the same set leads to.
type outcome struct {
	matched, sure []uint64
	observe       bool

	verdict  Verdict
	refusal  *Refusal
	limits   Limits
	audit    AuditPlan
	rules    []string
	observed []string
	warnings []Warning
	queueBy  string // id of the first queue rule
	quotas   bool   // some of the matched items are quotas

	kept bool          // by the ruleset, for as long as it lives
	hits atomic.Uint64 // statements that met it, if kept
}

func (o *outcome) is(matched, sure []uint64, observe bool) bool {
	return o.observe == observe && slices.Equal(o.matched, matched) && slices.Equal(o.sure, sure)
}

// merge joins all matched rules by the lattice. The order of the rules only
// decides whose words are read first.
func (rs *Ruleset) merge(matched, sure []uint64, observe bool) *outcome {
	o := &outcome{matched: slices.Clone(matched), sure: slices.Clone(sure), observe: observe, audit: basePlan(&rs.audit)}
	denySure := false
	for i := range rs.items {
		it := &rs.items[i]
		if !hasBit(matched, i) || it.rule == nil {
			o.quotas = o.quotas || hasBit(matched, i)
			continue
		}
		r := it.rule
		if observe || it.mode == ModeObserve {
			o.observed = append(o.observed, r.ID)
			continue
		}
		o.rules = append(o.rules, r.ID)
		o.limits = o.limits.tighter(it.limits)
		o.audit.raise(&r.Audit)
		if r.Warn != "" {
			o.verdict = max(o.verdict, Warn)
			o.warnings = append(o.warnings, Warning{Rule: r.ID, Text: r.Warn})
		}
		if r.Queue {
			o.verdict = max(o.verdict, Queue)
			if o.queueBy == "" {
				o.queueBy = r.ID
			}
		}
		if r.Deny != "" {
			o.verdict = Deny
			// the words of a rule that surely matches are of more use than
			// those of one that merely could not be excluded
			if s := hasBit(sure, i); o.refusal == nil || (s && !denySure) {
				o.refusal, denySure = denial(r, s), s
			}
		}
	}
	return o
}

func denial(r *RuleSource, sure bool) *Refusal {
	f := &Refusal{SQLState: "42501", Message: r.Deny, Detail: `Refused by rule "` + r.ID + `".`, Reason: "rule", Rule: r.ID}
	if !sure {
		f.Detail = `Rule "` + r.ID + `" cannot be excluded: not everything this statement does could be read from its text.`
		f.Hint = "Qualify table names with their schema, and avoid syntax or functions that hide what is read."
	}
	return f
}

// verbs lists what a rule does, for people.
func (r *RuleSource) verbs() string {
	var v []string
	if r.Deny != "" {
		v = append(v, "deny")
	}
	if r.Queue {
		v = append(v, "queue")
	}
	if r.Warn != "" {
		v = append(v, "warn")
	}
	if !r.Limits.empty() {
		v = append(v, "limits")
	}
	if !r.Audit.empty() {
		v = append(v, "audit")
	}
	return strings.Join(v, ",")
}

func (a *AuditSource) empty() bool {
	return a.Text == nil && a.Params == nil && a.Durability == DurabilityUnset && a.OnFailure == nil
}
