package policy

import (
	"net/netip"
	"strconv"
	"time"
)

// Mode says whether something acts or only counts what it would have done.
type Mode uint8

// The modes. ModeInherit: of the class above, or of the defaults.
const (
	ModeInherit Mode = iota
	ModeEnforce
	ModeObserve
)

var modeNames = [...]string{"inherit", "enforce", "observe"}

// String returns the word of policies.
func (m Mode) String() string { return modeNames[m] }

// Source is a policy as people write it, one field a key; Compile makes it a
// Ruleset. The zero value allows and audits everything.
type Source struct {
	Mode       Mode // of everything that does not say otherwise; ModeInherit: enforce
	Audit      AuditSource
	Identities Identities
	Classify   []ClassifyLine
	Classes    []ClassSource
	Rules      []RuleSource
	Quotas     []QuotaSource
}

// AuditSource is an audit plan of which parts may be left out.
type AuditSource struct {
	Text       *AuditText
	Params     *AuditParams
	Durability Durability // DurabilityUnset: left out
	OnFailure  *FailMode
}

// Identities say where team, tool and tags come from; the first source that
// yields something is taken. Empty lists mean the defaults.
type Identities struct {
	TeamFrom []string          // jwt.groups, cert.ou, role_map
	ToolFrom []string          // cert.cn, application_name
	TagsFrom []string          // sqlcommenter, query_comment, SET lockkeeper.tags
	RoleMap  map[string]string // login → team
}

// ClassifyLine names a class for what it matches; an empty When matches all.
type ClassifyLine struct {
	When  Condition
	Class string // path; segments may hold ${user} and the like
}

// ClassSource declares a class. What is left out is inherited.
type ClassSource struct {
	Name         string // one segment of a path; may be a template
	Mode         Mode
	Hard         int // statements at once, 0: no bound of its own
	Queue        *QueueSource
	Release      *ReleaseSource
	OnClientGone *ClientGone
	Limits       Limits
	Children     []ClassSource
}

// QueueSource bounds a class's queue.
type QueueSource struct {
	Max     *int           // waiting at once, 0: nobody waits
	MaxWait *time.Duration // of one statement
}

// ReleaseSource is a class's answer to idle holders of locks.
type ReleaseSource struct {
	Ladder    []ReleaseMode // nil: inherited
	MinIdle   *time.Duration
	For       []string
	MaxIdleTx time.Duration
}

// RuleSource is one rule: what it matches, and what follows.
type RuleSource struct {
	ID     string
	Mode   Mode
	When   Condition
	Except []Condition // any of them excludes
	Deny   string      // text for the client; empty: does not deny
	Warn   string
	Queue  bool
	Limits Limits
	Audit  AuditSource
}

// QuotaSource is a counter with a composite key.
type QuotaSource struct {
	ID     string
	Mode   Mode
	When   Condition
	Except []Condition
	Key    []QuotaKey
	Unit   QuotaUnit
	Per    time.Duration
	Zone   *time.Location // of calendar windows; nil: UTC
	Limit  int64          // in the unit; seconds for the units of time
	Burst  int64          // > 0: a token bucket that holds so much
	Ladder []QuotaStep    // nil: {100: refuse_new}
}

// QuotaKey is one part of a quota's key.
type QuotaKey struct {
	Name  string // user, team, …, fingerprint, class, or "table"
	Table string // with "table": the glob
}

// String returns the part as it is written.
func (k QuotaKey) String() string {
	if k.Name == "table" {
		return "table:" + k.Table
	}
	return k.Name
}

// QuotaStep is one threshold of a quota.
type QuotaStep struct {
	Percent int
	Act     QuotaAct
}

// QuotaAct is what happens at a threshold.
type QuotaAct uint8

// The acts of a quota, weakest first.
const (
	QuotaNotify QuotaAct = iota
	QuotaRefuseNew
	QuotaCancel
)

var quotaActNames = [...]string{"notify", "refuse_new", "cancel"}

// String returns the word of policies.
func (a QuotaAct) String() string { return quotaActNames[a] }

// Condition is what a rule asks; all parts that are given must hold, and of
// the values of one part any. The zero value matches everything.
type Condition struct {
	User, AuthUser, Team, Tool []string // globs, without case
	ClientIP                   []netip.Prefix
	Database, Role             []string
	Environment, Via, Urgency  []string
	Class                      []string
	Verb                       Verbs
	Kind                       []Kind
	PgAudit                    []string
	Reads, Writes, Function    []string
	Fingerprint                []string
	Tags                       []TagMatch
	HasWhere, HasLimit         *bool
	TxState                    []TxState
	SessionAge                 []AgeBound
	Time                       []Window
	Not                        []Condition // none of them may hold
}

// TagMatch asks for a tag with one of the values, which are globs.
type TagMatch struct {
	Key    string
	Values []string
}

// AgeBound asks whether a session is older or younger than a time.
type AgeBound struct {
	Older bool
	Than  time.Duration
}

// String returns the bound as it is written.
func (a AgeBound) String() string {
	if a.Older {
		return ">" + a.Than.String()
	}
	return "<" + a.Than.String()
}

// Window is a weekly stretch of local time. From above To runs past midnight
// and belongs to the day it begins on.
type Window struct {
	Days     [7]bool // by time.Weekday
	From, To int     // minutes of the local day, 0..1440
	Zone     *time.Location
	Text     string // as it was written
}

// Open tells whether now lies in the window by the wall clock of its zone, so
// that a change to or from summer time moves it with the people.
func (w *Window) Open(now time.Time) bool {
	t := now
	if w.Zone != nil {
		t = now.In(w.Zone)
	}
	day := t.Weekday()
	m := t.Hour()*60 + t.Minute()
	if w.From < w.To {
		return w.Days[day] && w.From <= m && m < w.To
	}
	return (w.Days[day] && m >= w.From) || (w.Days[(day+6)%7] && m < w.To)
}

// SourceError says which part of a Source is wrong, as a path such as
// rules[3] or classes.bi.children.ann.
type SourceError struct {
	Where string
	Err   error
}

// Error joins place and cause.
func (e *SourceError) Error() string { return e.Where + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *SourceError) Unwrap() error { return e.Err }

func at(section string, i int) string { return section + "[" + strconv.Itoa(i) + "]" }
