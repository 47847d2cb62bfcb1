package policy

import "time"

// ClassInfo is a class as the console shows it.
type ClassInfo struct {
	Path     string
	Declared bool
	Observe  bool
	Running  int
	Queued   int
	Hard     int // 0: no bound
	MaxQueue int
	MaxWait  time.Duration
	Admitted uint64 // statements admitted since it was made
	Limits   Limits
}

// QueueEntry is a waiting statement.
type QueueEntry struct {
	Class    string
	Position int
	Waited   time.Duration
	User     string
	Why      string
}

// QuotaInfo is one counter of a quota.
type QuotaInfo struct {
	ID    string
	Key   string
	Used  int64
	Limit int64
	Reset time.Time
	Unit  string
}

// RuleInfo is a rule and how often it matched.
type RuleInfo struct {
	ID       string
	Mode     string
	Verb     string
	Matched  uint64
	Observed uint64
}

// Explanation says why a batch is decided as it is.
type Explanation struct {
	Decision Decision
}

// Classes returns the declared and the live classes.
func (e *Engine) Classes(now time.Time) []ClassInfo { return nil }

// QueueInfo returns the waiting statements.
func (e *Engine) QueueInfo(now time.Time) []QueueEntry { return nil }

// Quotas returns the live counters.
func (e *Engine) Quotas(now time.Time) []QuotaInfo { return nil }

// Rules returns the rules in force.
func (e *Engine) Rules() []RuleInfo { return nil }
