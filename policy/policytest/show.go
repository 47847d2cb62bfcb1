package policytest

import (
	"fmt"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
)

// Show writes a decision as the stories do: only what is not as usual.
func Show(d *policy.Decision) string {
	var b strings.Builder
	if d.Refusal != nil {
		b.WriteString(showRefusal(d.Verdict.String(), d.Refusal))
	} else {
		b.WriteString(d.Verdict.String())
	}
	line := func(format string, args ...any) { fmt.Fprintf(&b, "\n"+format, args...) }
	line("class %s", d.Class)
	if d.Verdict == policy.Queue {
		line("queue place %d in %s: %s, at most %s", d.Position, d.QueueName, d.QueueWhy, d.MaxWait)
	}
	if len(d.Rules) > 0 {
		line("rules %s", strings.Join(d.Rules, ", "))
	}
	if len(d.Observed) > 0 {
		line("observed %s", strings.Join(d.Observed, ", "))
	}
	for _, w := range d.Warnings {
		line("warn %s: %s", w.Rule, w.Text)
	}
	showLimits(&d.Limits, line)
	usual := policy.AuditPlan{Text: policy.TextNormalized, Durability: d.Audit.Durability, OnFailure: policy.FailClosedForWrites}
	if d.Audit != usual {
		line("audit text %s, params %s, %s, on_failure %s", d.Audit.Text, d.Audit.Params, d.Audit.Durability, d.Audit.OnFailure)
	}
	if d.Metered {
		line("metered")
	}
	return b.String()
}

func showRefusal(verb string, r *policy.Refusal) string {
	s := fmt.Sprintf("%s %s %s\ndetail %s", verb, r.SQLState, r.Message, r.Detail)
	if r.Hint != "" {
		s += "\nhint " + r.Hint
	}
	return s
}

func showLimits(l *policy.Limits, line func(string, ...any)) {
	show := func(on bool, name string, value any, from string) {
		if !on {
			return
		}
		if from != "" {
			from = " by " + from
		}
		line("limit %s %v%s", name, value, from)
	}
	show(l.QueryExecutionTime > 0, "query_execution_time", l.QueryExecutionTime, l.QueryExecutionTimeFrom)
	show(l.TransactionTime > 0, "transaction_time", l.TransactionTime, l.TransactionTimeFrom)
	show(l.IdleSession > 0, "idle_session", l.IdleSession, l.IdleSessionFrom)
	show(l.ClientStall > 0, "client_stall", l.ClientStall, "")
	show(l.ReturnRowCount > 0, "return_row_count", l.ReturnRowCount, l.ReturnRowCountFrom)
	show(l.ReturnBytes > 0, "return_bytes", l.ReturnBytes, l.ReturnBytesFrom)
}

// policy puts the YAML of a block in force; it answers only if it is refused.
func (r *runner) policy(yaml string) (string, error) {
	if r.cfg.Load == nil {
		return "", fmt.Errorf("policy: nobody here reads YAML")
	}
	rs, err := r.cfg.Load([]byte(yaml))
	if err != nil {
		return err.Error(), nil //nolint:nilerr // a refused policy is an answer like any other
	}
	r.engine.Publish(rs)
	return "", nil
}

// idle charges time idle in a transaction.
func (r *runner) idle(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("idle takes a class and a duration")
	}
	d, err := time.ParseDuration(args[1])
	if err != nil {
		return fmt.Errorf("idle: %w", err)
	}
	r.engine.IdleTx(r.now, r.engine.NewConn(r.setting.subject), args[0], d)
	return nil
}

// console writes one of the engine's tables.
func (r *runner) console(what string) string {
	var b strings.Builder
	switch what {
	case "classes":
		for _, c := range r.engine.Classes(r.now) {
			fmt.Fprintf(&b, "%s running %d queued %d hard %d max %d wait %s admitted %d\n", c.Path, c.Running, c.Queued, c.Hard, c.MaxQueue, c.MaxWait, c.Admitted)
		}
	case "queue":
		for _, q := range r.engine.QueueInfo(r.now) {
			fmt.Fprintf(&b, "%s %d %s waited %s: %s\n", q.Class, q.Position, q.User, q.Waited, q.Why)
		}
	case "quotas":
		for _, q := range r.engine.Quotas(r.now) {
			fmt.Fprintf(&b, "%s %s: %d of %d %s, resets %s\n", q.ID, q.Key, q.Used, q.Limit, q.Unit, q.Reset.UTC().Format(time.DateTime))
		}
	case "rules":
		for _, q := range r.engine.Rules() {
			fmt.Fprintf(&b, "%s %s %s matched %d observed %d\n", q.ID, q.Mode, q.Verb, q.Matched, q.Observed)
		}
	}
	return b.String()
}
