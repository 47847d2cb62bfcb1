package policy

import (
	"fmt"
	"slices"
	"strings"
)

var (
	auditTextNames   = [...]string{"none", "normalized", "full"}
	auditParamsNames = [...]string{"none", "hashed", "full"}
	durabilityNames  = [...]string{"unset", "best_effort", "ordered", "durable"}
	failModeNames    = [...]string{"open", "closed_for_writes", "closed"}
	clientGoneNames  = [...]string{"cancel", "finish"}
)

// String returns the word of policies.
func (t AuditText) String() string { return auditTextNames[t] }

// String returns the word of policies.
func (p AuditParams) String() string { return auditParamsNames[p] }

// String returns the word of policies.
func (d Durability) String() string { return durabilityNames[d] }

// String returns the word of policies.
func (f FailMode) String() string { return failModeNames[f] }

// String returns the word of policies.
func (g ClientGone) String() string { return clientGoneNames[g] }

// String describes the plan in one line.
func (p *ReleasePlan) String() string {
	var parts []string
	if len(p.Ladder) > 0 {
		rungs := make([]string, len(p.Ladder))
		for i, m := range p.Ladder {
			rungs[i] = m.String()
		}
		parts = append(parts, "ladder "+strings.Join(rungs, ", "))
	}
	if p.MinIdle >= 0 {
		parts = append(parts, fmt.Sprintf("when blocking %s after %s idle", strings.Join(p.For, ", "), spell(p.MinIdle)))
	}
	if p.MaxIdleTx > 0 {
		parts = append(parts, "idle in transaction at most "+spell(p.MaxIdleTx))
	}
	if len(parts) == 0 {
		return "only notices"
	}
	if p.Observe {
		parts = append(parts, "observed only")
	}
	return strings.Join(parts, "; ")
}

// seenList is a list of resolved names.
type seenList []seen

// show appends the names as text; a question mark stands behind what is not
// sure, and alone for what is not known.
func (l seenList) show(to []string, open bool) []string {
	for _, s := range l {
		text := s.name
		if s.schema != "" {
			text = s.schema + "." + s.name
		}
		if !s.sure {
			text += "?"
		}
		to = addOnce(to, text)
	}
	if open {
		to = addOnce(to, "?")
	}
	return to
}

func addOnce(to []string, text string) []string {
	if slices.Contains(to, text) {
		return to
	}
	return append(to, text)
}
