package policy

import (
	"slices"
	"strings"
	"time"
)

// ClassInfo is a class as the console shows it.
type ClassInfo struct {
	Path     string
	Declared bool // in the policy; else made on demand
	Observe  bool
	Running  int
	Queued   int
	Hard     int // statements at once; 0: no bound of its own
	MaxQueue int // -1: no bound of its own
	MaxWait  time.Duration
	Admitted uint64 // statements admitted since the class came to life
	Limits   Limits
}

// QueueEntry is a waiting statement.
type QueueEntry struct {
	Class    string
	Position int
	Waited   time.Duration
	User     string
	Why      string
	Waker    Waker // the ticket's, to tell whose it is
}

// QuotaInfo is one counter of a quota.
type QuotaInfo struct {
	ID    string
	Key   string // in words: user "ann", table "pii.*"
	Used  int64  // in Unit; whole seconds for units of time
	Limit int64
	Reset time.Time
	Unit  string
}

// RuleInfo is a rule or quota, and how often statements met it.
type RuleInfo struct {
	ID       string
	Mode     string
	Verb     string // deny, warn, queue, limits, audit, quota; joined by commas
	Matched  uint64
	Observed uint64
}

// Classes returns the declared and the live classes by path.
func (e *Engine) Classes(now time.Time) []ClassInfo {
	rs := e.world.Load().rs
	infos := map[string]*ClassInfo{}
	rs.root.declared(rs, nil, infos)
	a := e.admission
	a.mu.Lock()
	for path, n := range a.nodes {
		i := infos[path]
		if i == nil {
			i = &ClassInfo{Path: path}
			infos[path] = i
		}
		i.Running, i.Queued, i.Admitted = n.running, n.queued, n.admitted
		i.Hard, i.MaxQueue, i.Observe = n.level.hard, n.level.queueMax, n.level.observe
		if n.class != nil {
			i.MaxWait, i.Limits = n.class.maxWait, n.class.limits
		}
	}
	a.mu.Unlock()
	out := make([]ClassInfo, 0, len(infos))
	for _, i := range infos {
		out = append(out, *i)
	}
	slices.SortFunc(out, func(a, b ClassInfo) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// declared collects the classes of the policy, templates as they are written.
func (d *classDef) declared(rs *Ruleset, segments []string, into map[string]*ClassInfo) {
	for name, child := range d.children {
		path := append(slices.Clone(segments), name)
		k := newClass(rs.root, nil, path)
		last := k.levels[len(k.levels)-1]
		into[k.path] = &ClassInfo{
			Path: k.path, Declared: true, Observe: last.observe, Hard: last.hard, MaxQueue: last.queueMax,
			MaxWait: k.maxWait, Limits: k.limits,
		}
		child.declared(rs, path, into)
	}
}

// QueueInfo returns the waiting statements, those of one class in order.
func (e *Engine) QueueInfo(now time.Time) []QueueEntry {
	var out []QueueEntry
	a := e.admission
	a.mu.Lock()
	if a.waiting != nil {
		for n := a.waiting; ; {
			full, _ := n.fullLocked()
			for t := n.first; t != nil; t = t.next {
				var p place
				p.stand(t, full)
				q := QueueEntry{Class: n.path, Position: p.position, Waited: now.Sub(t.since), Why: p.why, Waker: t.Waker}
				if t.conn != nil {
					q.User = t.conn.Subject().User
				}
				out = append(out, q)
			}
			if n = n.next; n == a.waiting {
				break
			}
		}
	}
	a.mu.Unlock()
	slices.SortFunc(out, func(a, b QueueEntry) int {
		if d := strings.Compare(a.Class, b.Class); d != 0 {
			return d
		}
		return a.Position - b.Position
	})
	return out
}

// Quotas returns the live counters.
func (e *Engine) Quotas(now time.Time) []QuotaInfo {
	rs := e.world.Load().rs
	current := map[string]*quota{}
	for i := rs.quotas; i < len(rs.items); i++ {
		current[rs.items[i].quota.src.ID] = rs.items[i].quota
	}
	var out []QuotaInfo
	l := e.ledger
	l.mu.Lock()
	for _, c := range l.cells {
		if c.q == nil {
			if q := current[c.id]; q == nil || q.sig != c.sig {
				continue // taken back in, and no quota of the policy
			}
			c.q = current[c.id]
		}
		c.rollLocked(now)
		out = append(out, c.infoLocked())
	}
	l.mu.Unlock()
	slices.SortFunc(out, func(a, b QuotaInfo) int {
		if d := strings.Compare(a.ID, b.ID); d != 0 {
			return d
		}
		return strings.Compare(a.Key, b.Key)
	})
	return out
}

func (c *cell) infoLocked() QuotaInfo {
	i := QuotaInfo{ID: c.id, Key: c.who(), Used: c.amountLocked(), Limit: c.q.whole(), Reset: c.resetLocked(), Unit: c.q.src.Unit.String()}
	if c.q.src.Unit.seconds() {
		i.Used /= int64(time.Second)
		i.Limit /= int64(time.Second)
	}
	return i
}

// Rules returns the rules and quotas in force, in the order of the policy.
func (e *Engine) Rules() []RuleInfo {
	rs := e.world.Load().rs
	rs.count()
	out := make([]RuleInfo, 0, len(rs.items)-rs.lines)
	for i := rs.lines; i < len(rs.items); i++ {
		it := &rs.items[i]
		r := RuleInfo{Mode: it.mode.String(), Matched: it.matched.Load(), Observed: it.observed.Load()}
		if it.rule != nil {
			r.ID, r.Verb = it.rule.ID, it.rule.verbs()
		} else {
			r.ID, r.Verb = it.quota.src.ID, "quota"
		}
		out = append(out, r)
	}
	return out
}
