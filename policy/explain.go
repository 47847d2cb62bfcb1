package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Explanation says why a batch is decided as it is. Decision is what the rules
// say; nothing is taken and nobody is queued.
type Explanation struct {
	Decision Decision
	Team     string
	Tool     string
	Reads    []string // resolved, of all statements; "?" marks what is not sure
	Writes   []string
	Classify []ExplainLine // lines up to the one that named the class
	Class    string
	MayWait  bool   // the batch may stand in a queue
	Queue    string // why it would wait now, empty if it would not
	Rules    []ExplainLine
	Quotas   []ExplainQuota
	Limits   []ExplainLimit
}

// ExplainLine is one line of classify or one rule, and its answer.
type ExplainLine struct {
	ID     string // of a rule; the class of a line of classify
	Mode   string
	Does   string // deny, warn …; "class" for a line of classify
	Answer string // yes, unknown, no
	Why    string // the key that decided
}

// ExplainQuota is one quota that the batch would be charged to.
type ExplainQuota struct {
	ID      string
	Key     string
	Used    string
	Limit   string
	Refuses bool
}

// ExplainLimit is one limit and where it comes from.
type ExplainLimit struct{ Name, Value, Source string }

// Explain says why a batch would be decided as it would. It takes nothing and
// counts nothing. It belongs to the goroutine that decides.
func (e *Engine) Explain(now time.Time, c *Conn, b *Batch, st *SessionState) Explanation {
	if b == nil {
		b = unreadable
	}
	if st == nil {
		st = &SessionState{Tx: TxIdle}
	}
	c.sync(e.world.Load())
	v := verdict{e: e, c: c, now: now, batch: b, state: st, observe: e.observe.Load()}
	x := Explanation{Decision: e.Decide(now, c, b, st, nil), Team: c.Team(), Tool: c.Tool()}
	v.ask()
	x.Class, x.MayWait = v.class.path, v.wait
	rs := c.world.rs
	answers := make([]ExplainLine, len(rs.items))
	for i := range v.facts.list {
		f := &v.facts.list[i]
		sc := scope{now: now, id: c.of, st: f.st, names: f.names, tags: b.Tags, state: st}
		x.Reads = f.names.reads.show(x.Reads, f.names.readsOpen)
		x.Writes = f.names.writes.show(x.Writes, f.names.writesOpen)
		if i == 0 {
			x.Classify = rs.explainLines(&sc)
		}
		sc.class = c.classify(&sc, f)
		for n := rs.lines; n < len(rs.items); n++ {
			l := rs.items[n].explain(&sc, f.rollback)
			if answers[n].Answer == "" || rank(l.Answer) > rank(answers[n].Answer) {
				answers[n] = l
			}
			if q := rs.items[n].quota; q != nil && l.Answer != no.String() && !f.free {
				x.Quotas = e.explainQuota(x.Quotas, now, q, &sc)
			}
		}
	}
	for _, l := range answers[rs.lines:rs.quotas] {
		if l.Answer != "" {
			x.Rules = append(x.Rules, l)
		}
	}
	x.Queue = e.wouldWait(v.class, v.wait && !v.observe)
	x.Limits = explainLimits(&x.Decision.Limits)
	return x
}

func rank(answer string) int {
	for i, n := range triNames {
		if n == answer {
			return i
		}
	}
	return -1
}

func (rs *Ruleset) explainLines(sc *scope) []ExplainLine {
	var out []ExplainLine
	for i := range rs.lines {
		it := &rs.items[i]
		t := it.when.whole(sc)
		out = append(out, ExplainLine{ID: it.line.source.Class, Does: "class", Answer: t.String(), Why: it.when.why(sc, t)})
		if t == yes {
			return out
		}
	}
	return append(out, ExplainLine{ID: DefaultClass, Does: "class", Answer: yes.String(), Why: "no line of classify matches"})
}

func (it *item) explain(sc *scope, rollback bool) ExplainLine {
	l := ExplainLine{Mode: it.mode.String(), Does: "quota"}
	if it.rule != nil {
		l.ID, l.Does = it.rule.ID, it.rule.verbs()
	} else {
		l.ID = it.quota.src.ID
	}
	t := it.when.whole(sc)
	l.Answer, l.Why = t.String(), it.when.why(sc, t)
	if t == no {
		return l
	}
	for i := range it.except {
		if it.except[i].whole(sc) == yes {
			l.Answer, l.Why = no.String(), "excepted by "+it.except[i].why(sc, yes)
			return l
		}
	}
	if rollback && it.rule != nil && it.rule.Deny != "" {
		l.Answer, l.Why = no.String(), "a ROLLBACK is never refused"
	}
	return l
}

// why names the first key whose answer is the condition's.
func (c *cond) why(sc *scope, t tri) string {
	if t == yes {
		var all []string
		for i := range c.atoms {
			all = append(all, c.atoms[i].String())
		}
		for i := range c.nots {
			all = append(all, "not ("+c.nots[i].why(sc, c.nots[i].whole(sc))+")")
		}
		if len(all) == 0 {
			return "asks nothing"
		}
		return strings.Join(all, "; ")
	}
	for i := range c.atoms {
		if c.atoms[i].eval(sc) == t {
			return c.atoms[i].String()
		}
	}
	for i := range c.nots {
		if n := c.nots[i].whole(sc); n.not() == t {
			return "not (" + c.nots[i].why(sc, n) + ")"
		}
	}
	return ""
}

func (e *Engine) explainQuota(list []ExplainQuota, now time.Time, q *quota, sc *scope) []ExplainQuota {
	key := q.key(nil, sc)
	e.ledger.mu.Lock()
	defer e.ledger.mu.Unlock()
	c := &cell{q: q, values: strings.Split(string(key), "\x00")[1:]}
	if have := e.ledger.cells[string(key)]; have != nil && have.sig == q.sig {
		c.used, c.start, c.end, c.level, c.at = have.used, have.start, have.end, have.level, have.at
	}
	c.rollLocked(now)
	var take int64
	if q.src.Unit == UnitStatements {
		take = 1
	}
	x := ExplainQuota{
		ID: q.src.ID, Key: c.who(), Refuses: c.refusesLocked(take),
		Used: q.amount(c.amountLocked()), Limit: fmt.Sprintf("%s %s per %s", q.amount(q.limit), q.src.Unit, spell(q.src.Per)),
	}
	if slices.Contains(list, x) {
		return list
	}
	return append(list, x)
}

func (e *Engine) wouldWait(k *class, wait bool) string {
	if !wait {
		return ""
	}
	a := e.admission
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range k.levels {
		lv := &k.levels[i]
		if n := a.nodes[lv.path]; n != nil && lv.hard > 0 && n.running >= lv.hard && !lv.observe {
			return fmt.Sprintf("%d of %d running in %q", n.running, lv.hard, lv.path)
		}
	}
	return ""
}

func explainLimits(l *Limits) []ExplainLimit {
	var out []ExplainLimit
	add := func(on bool, name, value, from string) {
		if on {
			out = append(out, ExplainLimit{name, value, from})
		}
	}
	add(l.QueryExecutionTime > 0, "query_execution_time", spell(l.QueryExecutionTime), l.QueryExecutionTimeFrom)
	add(l.TransactionTime > 0, "transaction_time", spell(l.TransactionTime), l.TransactionTimeFrom)
	add(l.IdleSession > 0, "idle_session", spell(l.IdleSession), l.IdleSessionFrom)
	add(l.ClientStall > 0, "client_stall", spell(l.ClientStall), "")
	add(l.ReturnRowCount > 0, "return_row_count", fmt.Sprint(l.ReturnRowCount), l.ReturnRowCountFrom)
	add(l.ReturnBytes > 0, "return_bytes", fmt.Sprint(l.ReturnBytes), l.ReturnBytesFrom)
	return out
}

// String writes the explanation as text for a terminal.
func (x *Explanation) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("verdict  %s", x.Decision.Verdict)
	if r := x.Decision.Refusal; r != nil {
		line("         %s: %s", r.SQLState, r.Message)
		line("         %s", r.Detail)
	}
	line("team     %s", orNone(x.Team))
	line("tool     %s", orNone(x.Tool))
	line("reads    %s", orNone(strings.Join(x.Reads, ", ")))
	line("writes   %s", orNone(strings.Join(x.Writes, ", ")))
	line("class    %s", x.Class)
	for _, l := range x.Classify {
		line("  %-8s %s  (%s)", l.Answer, l.ID, l.Why)
	}
	if len(x.Rules) > 0 {
		line("rules")
	}
	for _, l := range x.Rules {
		line("  %-8s %s: %s%s  (%s)", l.Answer, l.ID, l.Does, observeMark(l.Mode), l.Why)
	}
	if len(x.Quotas) > 0 {
		line("quotas")
	}
	for _, q := range x.Quotas {
		mark := ""
		if q.Refuses {
			mark = "  used up"
		}
		line("  %s: %s: %s of %s%s", q.ID, q.Key, q.Used, q.Limit, mark)
	}
	if len(x.Limits) > 0 {
		line("limits")
	}
	for _, l := range x.Limits {
		line("  %s %s  %s", l.Name, l.Value, l.Source)
	}
	switch {
	case x.Queue != "":
		line("queue    would wait: %s", x.Queue)
	case !x.MayWait:
		line("queue    never waits")
	}
	line("release  %s", x.Decision.Release)
	line("audit    text %s, params %s, %s, on_failure %s", x.Decision.Audit.Text, x.Decision.Audit.Params, x.Decision.Audit.Durability, x.Decision.Audit.OnFailure)
	return b.String()
}

func observeMark(mode string) string {
	if mode == ModeObserve.String() {
		return " (observe)"
	}
	return ""
}

func orNone(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
