package admin

import (
	"slices"
	"strings"
)

// Scope is one thing a token allows.
type Scope string

// The scopes. ScopeImpersonate is a prefix: a team's name follows.
const (
	ScopeRunsWrite      Scope = "runs:write"     // submit and cancel read-only runs
	ScopeRunsWriteDML   Scope = "runs:write_dml" // submit runs with access read_write
	ScopeRunsRead       Scope = "runs:read"      // see runs and results open to the holder
	ScopeQueriesRead    Scope = "queries:read"
	ScopeQueriesWrite   Scope = "queries:write"
	ScopeQueriesRun     Scope = "queries:run" // run saved queries, and nothing else
	ScopeCatalogRead    Scope = "catalog:read"
	ScopeActivityRead   Scope = "activity:read"   // others' sessions
	ScopeActivitySQL    Scope = "activity:sql"    // and their SQL
	ScopeActivityCancel Scope = "activity:cancel" // and ending them
	ScopeUsageRead      Scope = "usage:read"
	ScopeTokens         Scope = "tokens:write" // make and revoke own tokens and database passwords
	ScopeAdmin          Scope = "admin:*"      // people, teams, services, grants
	ScopeImpersonate    Scope = "impersonate:" // + team
)

// AllScopes returns every scope but impersonation, in the order of docs.
func AllScopes() []Scope {
	return []Scope{
		ScopeRunsWrite, ScopeRunsWriteDML, ScopeRunsRead, ScopeQueriesRead, ScopeQueriesWrite, ScopeQueriesRun, ScopeCatalogRead,
		ScopeActivityRead, ScopeActivitySQL, ScopeActivityCancel, ScopeUsageRead, ScopeTokens, ScopeAdmin,
	}
}

// Known reports whether s is a scope.
func (s Scope) Known() bool {
	if team, ok := strings.CutPrefix(string(s), string(ScopeImpersonate)); ok {
		return team != ""
	}
	return slices.Contains(AllScopes(), s)
}

// Scopes are a set, sorted.
type Scopes []Scope

// Has reports whether the set allows s.
func (set Scopes) Has(s Scope) bool { return slices.Contains(set, s) }

// Subset reports whether o allows everything that set does.
func (set Scopes) Subset(o Scopes) bool {
	for _, s := range set {
		if !o.Has(s) {
			return false
		}
	}
	return true
}
