package policy

import "slices"

// Merge joins two decisions on the same statement: what both allow. It does not
// matter in which order, or how often, they are joined, but for whose words and
// whose class are told: the first's.
//
//	verdict    deny > queue > warn > allow
//	limits     the minimum of each
//	audit      the maximum of each
//	release    rungs that both have, and the later of two times
//	rules      of both
func Merge(a, b Decision) Decision {
	out := a
	out.Verdict = max(a.Verdict, b.Verdict)
	out.Limits = a.Limits.tighter(b.Limits)
	out.Release = a.Release.intersect(b.Release)
	out.Audit = AuditPlan{
		Text: max(a.Audit.Text, b.Audit.Text), Params: max(a.Audit.Params, b.Audit.Params),
		Durability: max(a.Audit.Durability, b.Audit.Durability), OnFailure: max(a.Audit.OnFailure, b.Audit.OnFailure),
	}
	out.OnClientGone = min(a.OnClientGone, b.OnClientGone) // to cancel is stricter than to finish
	out.Rules = union(a.Rules, b.Rules)
	out.Warnings = union(a.Warnings, b.Warnings)
	out.Observed = union(a.Observed, b.Observed)
	out.Metered = a.Metered || b.Metered
	if a.Refusal == nil {
		out.Refusal = b.Refusal
	}
	if a.Names == nil {
		out.Names = b.Names
	}
	if out.Verdict == Queue && a.Verdict != Queue {
		out.QueueName, out.QueueWhy, out.QueueRule = b.QueueName, b.QueueWhy, b.QueueRule
	}
	out.Position = max(a.Position, b.Position)
	if a.MaxWait == 0 || (b.MaxWait > 0 && b.MaxWait < a.MaxWait) {
		out.MaxWait = b.MaxWait
	}
	return out
}

// union joins two shared lists; it never changes either.
func union[T comparable](a, b []T) []T {
	if len(b) == 0 {
		return a
	}
	out := slices.Clip(a)
	for _, x := range b {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// intersect returns the plan that does no more than either: a rung both have,
// for whom both would act, when both would. The time that a transaction may be
// idle at all is a limit, and the shorter one holds.
func (p *ReleasePlan) intersect(o *ReleasePlan) *ReleasePlan {
	switch {
	case o == nil || p == o:
		return p
	case p == nil:
		return o
	}
	out := &ReleasePlan{MinIdle: -1, MaxIdleTx: p.MaxIdleTx, Observe: p.Observe || o.Observe}
	for _, m := range p.Ladder {
		if slices.Contains(o.Ladder, m) {
			out.Ladder = append(out.Ladder, m)
		}
	}
	if p.MinIdle >= 0 && o.MinIdle >= 0 {
		out.MinIdle = max(p.MinIdle, o.MinIdle)
		out.For = intersectFor(p.For, o.For)
	}
	if p.MaxIdleTx == 0 || (o.MaxIdleTx > 0 && o.MaxIdleTx < p.MaxIdleTx) {
		out.MaxIdleTx = o.MaxIdleTx
	}
	if len(out.For) == 0 {
		out.MinIdle = -1
	}
	return out
}

// intersectFor returns the classes for whom both release: "any" is everybody,
// of two lists of globs what stands in both.
func intersectFor(a, b []string) []string {
	if slices.Contains(a, anyClass) {
		return b
	}
	if slices.Contains(b, anyClass) {
		return a
	}
	var out []string
	for _, g := range a {
		if slices.Contains(b, g) {
			out = append(out, g)
		}
	}
	return out
}
